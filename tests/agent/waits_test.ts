/**
 * Thousands wait through client agents, each for one service or one key among many: a change wakes those that it concerns and
 * nobody else, at once (C6.3).
 *
 * `WAITS` is their number: 9,900 are as many as one server keeps, and more than fit beside writes of others once (X2).
 */
import { assert, assertEquals } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

const WAITS = Number(Deno.env.get("WAITS") ?? 2000);
const AGENTS = Number(Deno.env.get("WAIT_AGENTS") ?? 3);
/** As many services as keys are waited for, each by the same number. */
const SUBJECTS = 50;
const CONNECTING = 200;
const WAIT = "300s";

/** A request that is being held. */
interface Waiting {
  readonly subject: number;
  /** When it was answered, and the first line; undefined when the connection was closed under it. */
  readonly answered: Promise<{ readonly atMs: number; readonly status: string } | undefined>;
  close(): void;
}

async function send({ place }: AgentProcess, path: string, subject: number): Promise<Waiting> {
  const conn = await Deno.connect({ hostname: place.host, port: place.httpPort });
  await conn.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`));
  const buffer = new Uint8Array(4096);
  const answered = conn.read(buffer).then(
    (count) => ({
      atMs: performance.now(),
      status: new TextDecoder().decode(buffer.subarray(0, count ?? 0)).slice(0, 15),
    }),
    () => undefined,
  );
  return { subject, answered, close: () => conn.close() };
}

async function residentMiB({ pid }: AgentProcess): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).output();
  return Math.round(Number(/VmRSS:\s*(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]) / 1024);
}

/** Begins all waits, for each subject in turn, through each agent in turn. */
async function waitForAll(agents: readonly AgentProcess[], paths: readonly string[]): Promise<Waiting[]> {
  const waiting: Waiting[] = [];
  for (let first = 0; first < WAITS; first += CONNECTING) {
    const some = Array.from({ length: Math.min(CONNECTING, WAITS - first) }, (_, at) => first + at);
    waiting.push(
      ...await Promise.all(some.map((nth) => {
        const subject = nth % paths.length;
        return send(agents[Math.floor(nth / paths.length) % agents.length], paths[subject], subject);
      })),
    );
  }
  return waiting;
}

/** Makes a change and waits for those of a subject: milliseconds until the first and the last of them was answered. */
async function wake(waiting: readonly Waiting[], subject: number, change: () => Promise<unknown>): Promise<number[]> {
  const startedMs = performance.now();
  const [answers] = await Promise.all([
    Promise.all(waiting.filter((one) => one.subject === subject).map(({ answered }) => answered)),
    change(),
  ]);
  for (const answer of answers) assertEquals(answer?.status, "HTTP/1.1 200 OK");
  const times = answers.map((answer) => Math.round((answer?.atMs ?? 0) - startedMs)).sort((a, b) => a - b);
  return [times[0], times.at(-1) ?? 0];
}

Deno.test({
  name: "of thousands who wait through client agents a change wakes those whom it concerns",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withAgents(async (root, start) => {
      const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
      const clients = Array.from({ length: AGENTS }, (_, nth) =>
        start(agentPlace(root, `client${nth}`), `-retry-join=${server.addr}`));
      await Promise.all([server, ...clients].map((agent) =>
        agent.up()
      ));
      await until("it leads", () => server.leader());
      const put = async (path: string, body: unknown) => {
        const { status, text } = await server.http("PUT", path, JSON.stringify(body));
        assertEquals(status, 200, text);
      };
      for (let nth = 0; nth < SUBJECTS; nth++) {
        await put("/v1/agent/service/register", { Name: `web${nth}`, Check: { TTL: "600s", Status: "passing" } });
        await put(`/v1/kv/watched/${nth}`, nth);
      }
      const nodes = AGENTS + 1;
      await until("all is there", async () => {
        const [services, all] = await Promise.all([
          server.get("/v1/catalog/services"),
          server.get("/v1/catalog/nodes"),
        ]);
        return Object.keys(services).length === SUBJECTS + 1 && all.length === nodes || undefined;
      });
      const index = (await server.http("GET", "/v1/catalog/services")).headers.get("x-consul-index");
      const paths = Array.from(
        { length: 2 * SUBJECTS },
        (_, at) =>
          (at < SUBJECTS ? `/v1/health/service/web${at}` : `/v1/kv/watched/${at - SUBJECTS}`) +
          `?index=${index}&wait=${WAIT}`,
      );
      const startedMs = performance.now();
      const waiting = await waitForAll(clients, paths);
      const blocking = async () => (await server.get("/debug/vars")).http.blocking;
      await until("all wait", async () => await blocking() === WAITS || undefined, 60_000);
      const begunMs = Math.round(performance.now() - startedMs);
      let left = WAITS;
      const report = [`${WAITS} waits begun in ${begunMs} ms`];
      for (
        const [subject, change] of [
          [7, () => put("/v1/agent/check/warn/service:web7", "")],
          [SUBJECTS + 9, () => put("/v1/kv/watched/9", "changed")],
          [8, () => put("/v1/agent/service/deregister/web8", "")],
        ] as const
      ) {
        const [first, last] = await wake(waiting, subject, change);
        const count = waiting.filter((one) => one.subject === subject).length;
        left -= count;
        report.push(`${count} woken within ${first} to ${last} ms`);
        assertEquals(await blocking(), left, "others were woken");
      }
      // What concerns none of them wakes none.
      await put("/v1/kv/other", 1);
      await put("/v1/agent/service/register", { Name: "other" });
      await until("it is there", async () => (await server.get("/v1/catalog/service/other")).length === 1 || undefined);
      assertEquals(await blocking(), left);
      report.push(`resident MiB: ${(await Promise.all([server, ...clients].map(residentMiB))).join(", ")}`);
      console.log(report.join("; "));
      // The waits of an agent that is killed end, and so do those of clients that go away.
      const [killed, ...others] = clients;
      await killed.stop("SIGKILL");
      const ofOthers = Math.ceil(left / AGENTS) * others.length + 2 * SUBJECTS;
      await until("its waits have ended", async () => await blocking() <= ofOthers || undefined);
      for (const one of waiting) one.close();
      await until("nobody waits", async () => await blocking() === 0 || undefined, 60_000);
      assert([server, ...others].every((agent) => agent.running));
    }),
});
