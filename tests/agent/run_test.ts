/**
 * The command `run` over real processes: its service is found while the program runs and is healthy, and nothing of it is left
 * when the program, the command or the agent has ended.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";
import { freePort, musterCommand, until } from "../harness/processes.ts";

/** A `muster run` beside the test. */
class Run {
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<string>;
  #said = "";

  constructor({ place }: AgentProcess, args: readonly string[]) {
    const { command, args: before } = musterCommand();
    const env = { MUSTER_HTTP_ADDR: `${place.host}:${place.httpPort}` };
    this.#process = new Deno.Command(command, {
      args: [...before, "run", ...args],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#output = this.#collect();
  }

  async #collect(): Promise<string> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) this.#said += text;
    // The runtime itself warns of the permissions in the configuration file.
    return this.said;
  }

  /** What it has told on standard error. */
  get said(): string {
    return this.#said.split("\n").filter((line) => line.startsWith("muster run: ")).join("\n");
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  /** Its exit code. */
  async ended(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#output;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.ended();
  }
}

async function leader(agent: AgentProcess): Promise<AgentProcess> {
  await agent.up();
  await until("it leads", () => agent.leader());
  return agent;
}

/** Waits until so many instances of a service are found by those who ask for healthy ones. */
async function passing(agent: AgentProcess, service: string, count: number): Promise<void> {
  await until(`${count} instances of ${service} pass`, async () => {
    return (await agent.get(`/v1/health/service/${service}?passing`)).length === count || undefined;
  });
}

/** The lines of a file, as far as they are there. */
async function lines(path: string): Promise<string[]> {
  return (await Deno.readTextFile(path).catch(() => "")).split("\n").filter((line) => line !== "");
}

/** Names of the files in which the agent keeps services and checks. */
function kept({ place: { directory } }: AgentProcess): string[] {
  return ["services", "checks", "checks/state"].flatMap((folder) =>
    [...Deno.readDirSync(`${directory}/${folder}`)].filter(({ isFile }) => isFile).map(({ name }) =>
      `${folder}/${name}`
    )
  );
}

/** Whether a process is there, other than as one whose parent has not asked for its end. */
async function isAlive(pid: string): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "stat=", "-p", pid] }).output();
  return /^[^Z]/.test(new TextDecoder().decode(stdout).trim());
}

Deno.test("run registers a program while it runs, hands signals on, drains, and restarts what has failed", () =>
  withAgents(async (root, start) => {
    const place = agentPlace(root, "server");
    let agent = await leader(start(place, "-server", "-bootstrap-expect=1"));
    let status = 503;
    await using web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("", { status }));
    const { port } = web.addr;

    // Found once the check passes, with what the flags say; the program knows who it is.
    const script = `env | grep ^MUSTER_SERVICE | sort > ${root}/web; trap 'echo hup >> ${root}/web' HUP; ` +
      `trap 'echo term >> ${root}/web; exit 7' TERM; echo ready >> ${root}/web; while :; do sleep 0.05; done`;
    const flags = [
      "-name=web",
      `-port=${port}`,
      "-tag=v1",
      "-meta=a=b",
      "-check=http:/healthz",
      "-interval=1s",
      "-ttl=6s",
    ];
    await using first = new Run(agent, [...flags, "-drain=1h", "--", "/bin/sh", "-c", script]);
    await until("it runs", async () => (await lines(`${root}/web`)).includes("ready") || undefined);
    await until("its lease passes", async () => {
      return (await agent.get("/v1/agent/checks"))[`service:web-${port}:lease`]?.Status === "passing" || undefined;
    });
    await passing(agent, "web", 0);
    status = 200;
    await passing(agent, "web", 1);
    const [{ ServiceID, ServiceTags, ServiceMeta, ServicePort }] = await agent.get("/v1/catalog/service/web");
    assertEquals([ServiceID, ServiceTags, ServiceMeta, ServicePort], [`web-${port}`, ["v1"], { a: "b" }, port]);
    await until("DNS has it", async () => {
      return await dig(place, "web.service.consul", "SRV", "+short") === `1 1 ${port} server.node.dc1.consul.` ||
        undefined;
    });
    assertEquals((await lines(`${root}/web`)).slice(0, 3), [
      `MUSTER_SERVICE_ID=web-${port}`,
      "MUSTER_SERVICE_NAME=web",
      `MUSTER_SERVICE_PORT=${port}`,
    ]);
    first.signal("SIGHUP");
    await until("it has got SIGHUP", async () => (await lines(`${root}/web`)).includes("hup") || undefined);

    // The agent loses everything meanwhile: the service goes on, and is there again.
    await agent.stop("SIGKILL");
    await Deno.remove(place.directory, { recursive: true });
    await until("it is told", () => first.said.includes("Cannot register service") || undefined);
    agent = await leader(start(place, "-server", "-bootstrap-expect=1"));
    await passing(agent, "web", 1);
    await until("it is told", () => first.said.includes("The agent answers again") || undefined);
    assertEquals(first.said.split("\n").length, 2, first.said);

    // Draining, nobody finds it, and it runs on; a second signal ends that.
    first.signal("SIGTERM");
    await until("DNS has it no more", async () => {
      return (await dig(place, "web.service.consul")).includes("status: NXDOMAIN") || undefined;
    });
    assertEquals(await agent.get("/v1/catalog/service/web"), []);
    await until("it is told", () => first.said.includes("Draining: the program is told to end in 1h") || undefined);
    assertEquals((await lines(`${root}/web`)).at(-1), "hup", "the program has not been told yet");
    first.signal("SIGTERM");
    assertEquals(await first.ended(), 7);
    assertEquals((await lines(`${root}/web`)).at(-1), "term");
    assertEquals([await agent.get("/v1/agent/services"), kept(agent)], [{}, []]);

    // Restarts in a row end, with the exit code of the program.
    const failing = ["-name=failing", "-restart=on-failure", "-restart-delay=1ms", "-restart-limit=2", "--"];
    await using second = new Run(agent, [...failing, "/bin/sh", "-c", `echo run >> ${root}/failing; exit 3`]);
    assertEquals([await second.ended(), (await lines(`${root}/failing`)).length], [3, 3]);
    assertMatch(second.said, /exit status 3; not restarted after 2 restarts in a row$/);

    // A program that is killed is started again; one that does not end is killed.
    const stubborn = ["--", "/bin/sh", "-c", `trap '' TERM INT; echo $$ >> ${root}/stubborn; exec sleep 1000`];
    const policy = ["-name=stubborn", "-restart=always", "-kill-after=100ms"];
    await using third = new Run(agent, [...policy, "-restart-delay=1ms", ...stubborn]);
    await passing(agent, "stubborn", 1);
    const pid = await until("it runs", async () => (await lines(`${root}/stubborn`))[0]);
    Deno.kill(Number(pid), "SIGKILL");
    const again = await until("it runs again", async () => (await lines(`${root}/stubborn`))[1]);
    await passing(agent, "stubborn", 1);
    assertEquals([await isAlive(pid), await isAlive(again)], [false, true]);
    third.signal("SIGINT");
    assertEquals(await third.ended(), 137);
    assertEquals([await isAlive(again), third.said.split("\n").at(-1)], [
      false,
      "muster run: The program has not ended within 100ms: killed",
    ]);

    // Until it is started again it is critical.
    await using fourth = new Run(agent, [...policy, "-restart-delay=10m", "--", "/bin/sh", "-c", "kill -KILL $$"]);
    await until("it waits", () => fourth.said.includes("signal: SIGKILL; restart in 10m0s") || undefined);
    await until("its lease is critical", async () => {
      const checks: { Status: string; Output: string }[] = Object.values(await agent.get("/v1/agent/checks"));
      return checks.some(({ Status, Output }) =>
        Status === "critical" && Output === "signal: SIGKILL; restart in 10m0s"
      ) || undefined;
    });
    fourth.signal("SIGTERM");
    assertEquals(await fourth.ended(), 137, "it does not wait for the restart");
    assertEquals([await agent.get("/v1/agent/services"), kept(agent)], [{}, []]);
  }));

Deno.test("a service whose run is killed is critical soon and without its program; one without an agent runs on", () =>
  withAgents(async (root, start) => {
    const place = agentPlace(root, "server");
    const agent = await leader(start(place, "-server", "-bootstrap-expect=1"));
    await using killed = new Run(agent, [
      "-name=job",
      "-id=job",
      "-ttl=1s",
      "--",
      "/bin/sh",
      "-c",
      `sleep 1000 & echo $$ $! > ${root}/job; wait`,
    ]);
    await passing(agent, "job", 1);
    const pids = await until("it runs", async () => (await lines(`${root}/job`))[0]?.split(" "));
    killed.signal("SIGKILL");
    await killed.ended();
    await passing(agent, "job", 0);
    const [check] = await agent.get("/v1/health/checks/job");
    assertMatch(check.Output, /^TTL expired/);
    for (const pid of pids) await until(`${pid} has ended`, async () => !await isAlive(pid) || undefined);
    const definitions = kept(agent).filter((name) => /^checks\/[^/]*$/.test(name));
    const [lease] = await Promise.all(definitions.map((name) => Deno.readTextFile(`${place.directory}/${name}`)));
    assertEquals(JSON.parse(lease).deregister_critical_service_after, "1m0s", "after which it is deregistered");

    // The next one takes its place.
    await using next = new Run(agent, ["-name=job", "-id=job", "--", "/bin/sh", "-c", "exit 5"]);
    assertEquals([await next.ended(), next.said], [5, ""]);
    assertEquals([await agent.get("/v1/agent/services"), kept(agent)], [{}, []]);

    // The agent ends while it runs: said once, and at the end.
    await using left = new Run(agent, ["-name=left", "-ttl=3s", "--", "/bin/sleep", "1000"]);
    await passing(agent, "left", 1);
    await agent.stop("SIGKILL");
    await until("it is told", () => left.said.includes("Cannot register service") || undefined);
    left.signal("SIGTERM");
    assertEquals(await left.ended(), 143);
    assertMatch(
      left.said,
      /^.*Cannot register .*\n.*Cannot deregister service "left-[0-9a-f]{8}", which the agent itself does once .* 1m0s: .*$/,
    );

    await using alone = new Run(agent, ["-name=alone", "-port", String(freePort()), "--", "/bin/sh", "-c", "exit 6"]);
    assertEquals(await alone.ended(), 6);
    assertMatch(
      alone.said,
      /^muster run: Cannot register service "alone-\d+", trying again: .*is an agent running there\?.*$/,
    );
  }));
