/**
 * The command `lock` over real processes: its children never overlap, whatever becomes of their sessions and of the agent
 * (C3.10, C10.1).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { musterCommand, until } from "../harness/processes.ts";

type Start = (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess;

async function leader(root: string, start: Start): Promise<AgentProcess> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
  await server.up();
  await until("it leads", () => server.leader());
  await until("it is in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 1 || undefined);
  return server;
}

/** Starts `muster lock` beside the test. */
function lock(agent: AgentProcess, args: readonly string[], stdin: "null" | "piped" = "null"): Deno.ChildProcess {
  const { command, args: before } = musterCommand();
  const env = { MUSTER_HTTP_ADDR: `${agent.place.host}:${agent.place.httpPort}`, SHELL: "/bin/sh" };
  return new Deno.Command(command, { args: [...before, "lock", ...args], env, stdin, stdout: "piped", stderr: "piped" })
    .spawn();
}

async function endOf(process: Deno.ChildProcess): Promise<[code: number, stdout: string, stderr: string]> {
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  // The runtime itself warns of the permissions in the configuration file.
  const errors = decoder.decode(stderr).split("\n").filter((line) => !line.includes("Permissions in the config file"));
  return [code, decoder.decode(stdout), errors.join("\n").trim()];
}

async function lines(path: string): Promise<string[]> {
  return (await Deno.readTextFile(path).catch(() => "")).split("\n").filter((line) => line !== "");
}

/** How many children ran at once, by the lines `start` and `end` that they wrote. */
function mostAtOnce(events: readonly string[]): number {
  let [now, most] = [0, 0];
  for (const event of events) {
    now += event === "start" ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}

/** Writes the time in milliseconds to a file ten times a second, and takes no notice of SIGTERM. */
const beating = (path: string) => `trap '' TERM; while :; do date +%s%3N >> ${path}; sleep 0.1; done`;

Deno.test("lock runs children one at a time, with -n=2 two at a time, and leaves nothing behind (C3.10, C10.1)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    for (const [limit, count] of [[1, 4], [2, 5]]) {
      const file = `${root}/events${limit}`;
      const child = `echo start >> ${file}; sleep 0.5; echo end >> ${file}`;
      const args = [`-n=${limit}`, "-child-exit-code", `jobs/${limit}/`, child];
      const ended = await Promise.all(Array.from({ length: count }, () => endOf(lock(server, args))));
      assertEquals(ended, Array.from({ length: count }, () => [0, "", ""]));
      const events = await lines(file);
      assertEquals([events.length, mostAtOnce(events)], [2 * count, limit]);
    }
    assertEquals(await server.get("/v1/kv/?keys"), []);
    assertEquals(await server.get("/v1/session/list"), []);
  }));

Deno.test("lock has Consul's words and exit codes, and what it writes is what Go's library expects (C3.10, C10.1)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    const run = async (...args: string[]) => await endOf(lock(server, args));
    assertEquals(await run("a"), [1, "", "Key prefix and child command must be specified"]);
    assertEquals(await run("-n=0", "a", "b"), [1, "", "Lock holder limit must be positive"]);
    assertEquals(await run("a", "exit 3"), [0, "", "Error running handler: exit status 3"]);
    assertEquals(await run("-child-exit-code", "a", "exit", "3"), [2, "", "Error running handler: exit status 3"]);
    assertEquals(await run("-shell=false", "a", "/bin/echo", "$HOME  x"), [0, "$HOME  x\n", ""]);
    assertMatch((await run("-child-exit-code", "-shell=false", "a", "/none"))[2], /^Error starting handler: /);
    assertEquals((await run("-verbose", "/a", "echo $CONSUL_LOCK_HELD"))[1].split("\n"), [
      "Setting up lock at path: a/.lock",
      "Attempting lock acquisition",
      "Starting handler",
      "true",
      "Child terminated, releasing lock",
      "Cleanup succeeded",
      "",
    ]);
    const piped = lock(server, ["-pass-stdin", "a", "cat"], "piped");
    const writer = piped.stdin.getWriter();
    await writer.write(new TextEncoder().encode("given"));
    await writer.close();
    assertEquals(await endOf(piped), [0, "given", ""]);

    const holder = lock(server, ["-name=mine", "held", "sleep 60"]);
    const held = await until("it is held", async () => (await server.get("/v1/kv/held/.lock").catch(() => []))[0]);
    assertEquals([held.Flags, held.LockIndex], [3304740253564472344, 1]);
    const [{ ID, Name, TTL, Behavior }] = await server.get("/v1/session/list");
    assertEquals([ID, Name, TTL, Behavior], [held.Session, "mine", "15s", "release"]);
    const late = await run("-timeout=300ms", "held", "true");
    assertEquals(late, [1, "", "Shutdown triggered or timeout during lock acquisition"]);
    assertMatch(
      (await run("-n=2", "held", "true"))[2],
      /^Lock acquisition failed: Existing key does not match semaphore/,
    );
    holder.kill("SIGINT");
    assertEquals((await endOf(holder))[0], 0);

    const slot = lock(server, ["-n=3", "slots", "sleep 60"]);
    const raw = await until("it has a slot", async () => {
      const { status, text } = await server.http("GET", "/v1/kv/slots/.lock");
      return status === 200 ? text : undefined;
    });
    const [{ Flags, Value }] = JSON.parse(raw.replace(/"Flags":(\d+)/, '"Flags":"$1"'));
    const [session] = await server.get("/v1/session/list");
    assertEquals(Flags, String(0xe0f69a2baa414de0n));
    assertEquals(JSON.parse(atob(Value)), { Limit: 3, Holders: { [session.ID]: true } });
    assertEquals((await server.get(`/v1/kv/slots/${session.ID}`))[0].Session, session.ID);
    assertEquals(
      (await run("-n=2", "slots", "true"))[2],
      "Lock acquisition failed: semaphore limit conflict (lock: 3, local: 2)",
    );
    assertMatch((await run("slots", "true"))[2], /^Lock acquisition failed: Existing key does not match lock use/);
    slot.kill("SIGTERM");
    await endOf(slot);
    assertEquals(await server.get("/v1/kv/?keys"), []);
  }));

Deno.test("a child whose session is gone is ended before the lock can be another's (C10.1)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    const holder = lock(server, ["job", beating(`${root}/first`)]);
    await until("the child runs", async () => (await lines(`${root}/first`)).length > 0 || undefined);
    const waiter = lock(server, ["job", `date +%s%3N > ${root}/second`]);
    await until("both wait", async () => (await server.get("/v1/session/list")).length === 2 || undefined);
    const [{ Session: session }] = await server.get("/v1/kv/job/.lock");
    const lostMs = Date.now();
    await server.http("PUT", `/v1/session/destroy/${session}`);
    assertEquals(await endOf(holder), [0, "", "Lock lost, killing child"]);
    assertEquals(await endOf(waiter), [0, "", ""]);
    const [lastBeat, second] = [
      Number((await lines(`${root}/first`)).at(-1)),
      Number((await lines(`${root}/second`))[0]),
    ];
    assert(lastBeat - lostMs > 4000 && lastBeat - lostMs < 8000, `SIGKILL after ${lastBeat - lostMs} ms`);
    assert(second - lostMs > 14_000, `the lock delay was ${second - lostMs} ms`);
  }));

Deno.test("a child is ended before its session can end when the agent does not answer, and soon when it is gone (C10.1)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    // The agent hangs: no request fails, but none is answered.
    const hanging = lock(server, ["job", beating(`${root}/hanging`)]);
    await until("the child runs", async () => (await lines(`${root}/hanging`)).length > 0 || undefined);
    Deno.kill(server.pid, "SIGSTOP");
    const stoppedMs = Date.now();
    await until("the child ends", async () => {
      return Date.now() - Number((await lines(`${root}/hanging`)).at(-1)) > 1000 || undefined;
    }, 20_000);
    const lastBeat = Number((await lines(`${root}/hanging`)).at(-1));
    assert(lastBeat - stoppedMs < 15_000, `the child ended ${lastBeat - stoppedMs} ms after the agent`);
    Deno.kill(server.pid, "SIGCONT");
    await endOf(hanging);

    // The command itself is killed: nobody would renew the session.
    const killed = lock(server, ["other", beating(`${root}/killed`)]);
    await until("the child runs", async () => (await lines(`${root}/killed`)).length > 0 || undefined);
    killed.kill("SIGKILL");
    const killedMs = Date.now();
    await endOf(killed);
    await until("the child ends", async () => {
      return Date.now() - Number((await lines(`${root}/killed`)).at(-1)) > 1000 || undefined;
    });
    assert(Number((await lines(`${root}/killed`)).at(-1)) - killedMs < 8000);

    const gone = lock(server, ["-monitor-retry=1", "-n=2", "slots", `date > ${root}/gone; sleep 60`]);
    await until("the child runs", async () => (await lines(`${root}/gone`)).length > 0 || undefined);
    await server.stop("SIGKILL");
    const goneMs = Date.now();
    const [code, , stderr] = await endOf(gone);
    assertEquals(code, 1);
    assertMatch(stderr, /^Lock lost, killing child\nLock release failed: /);
    assert(Date.now() - goneMs < 10_000);
  }));
