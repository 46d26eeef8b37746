/**
 * Mutated requests against every route of both APIs, with right, wrong and no credentials: at a server and at a client
 * agent: each ends, none is answered 500 without a reason or by an error that was not expected, and both go on with bounded
 * memory.
 *
 * `MUTATED_REQUESTS` is their number, `MUTATED_SEED` where they begin; a failure names the request, which
 * `MUTATED_REQUESTS=1 MUTATED_FIRST=…` sends alone.
 */
import { assert, assertEquals } from "@std/assert";
import { basic } from "../../src/app/users/credentials.ts";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";
import { Mutator, ROOT } from "./mutations.ts";

const COUNT = Number(Deno.env.get("MUTATED_REQUESTS") ?? 6000);
const FIRST = Number(Deno.env.get("MUTATED_FIRST") ?? 0);
const SEED = Number(Deno.env.get("MUTATED_SEED") ?? Math.floor(Math.random() * 2 ** 32));
const LANES = 24;
/** A client that has waited so long tells that it sends no more: what is incomplete is ended by that. */
const PATIENCE_MS = 300;
/** No answer takes longer. */
const LIMIT_MS = 60_000;
const RSS_MAX = 600 * 1024 * 1024;

/** The end of a request. */
interface Outcome {
  /** Absent where the connection was closed without an answer. */
  readonly status: number | undefined;
  readonly text: string;
}

/** Sends bytes and takes what comes back, until the server closes the connection. */
async function exchange(port: number, bytes: Uint8Array, isEndless: boolean): Promise<Outcome> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  let text = "";
  let isLate = false;
  const impatient = setTimeout(() => isEndless ? conn.close() : conn.closeWrite().catch(() => {}), PATIENCE_MS);
  const late = setTimeout(() => {
    isLate = true;
    conn.close();
  }, LIMIT_MS);
  const sending = (async () => {
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
  })().catch(() => {}); // it was refused before its end
  try {
    const buffer = new Uint8Array(64 * 1024);
    const decoder = new TextDecoder("latin1");
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      if (text.length < 100_000) text += decoder.decode(buffer.subarray(0, count));
    }
  } catch {
    // closed under it
  } finally {
    clearTimeout(impatient);
    clearTimeout(late);
    try {
      conn.close();
    } catch {
      // by the timer
    }
    await sending;
  }
  assert(!isLate, `no end within ${LIMIT_MS} ms`);
  const status = /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 (\d+)/.exec(text)?.[1];
  return { status: status === undefined ? undefined : Number(status), text };
}

function printable(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder("latin1").decode(bytes.subarray(0, 2000)));
}

/** Sends a request of the seed; fails where the answer is one that must not be. */
async function attempt(agent: AgentProcess, nth: number, statuses: Map<number | undefined, number>): Promise<void> {
  const request = new Mutator(SEED, nth).next();
  if (request === undefined) return;
  const { status, text } = await exchange(agent.place.httpPort, request.bytes, request.isEndless);
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
  if (!isRight(status, text, request.bytes)) throw new Error(`answered ${text.slice(0, 1000)}`);
  if (status === 500) assertEquals(faultIn(agent.log), undefined, "logged by one of the requests so far");
}

/** Both APIs say 500 to some of what cannot be done, with the reason; an error of the program stands in the log. */
function isRight(status: number | undefined, answer: string, sent: Uint8Array): boolean {
  if (status === undefined || status < 500 || status === 501 || status === 505) return true;
  const isHead = new TextDecoder("latin1").decode(sent).startsWith("HEAD");
  const reason = answer.split("\r\n\r\n").at(-1)?.trim() ?? "";
  return (status === 500 || status === 503) && (isHead || reason !== "");
}

/** The lines of an error that was not expected. */
function faultIn(log: string): string | undefined {
  return /^.*unexpectedly[^]{0,2000}|^ +at .*\.ts:\d[^]{0,2000}/m.exec(log)?.[0];
}

async function residentBytes(agent: AgentProcess): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${agent.pid}/status`] }).output();
  return Number(/VmRSS:\s*(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]) * 1024;
}

/** What is written and registered through the client agent is there, and the log of the server says so. */
async function stillRight(client: AgentProcess, server: AgentProcess): Promise<void> {
  const Authorization = basic(ROOT.username, ROOT.password);
  const call = async (agent: AgentProcess, method: string, path: string, body?: string) => {
    const response = await fetch(agent.url + path, { method, headers: { Authorization }, body: body ?? null });
    const text = await response.text();
    assertEquals(response.status, 200, `${path}: ${text}`);
    return text;
  };
  assertEquals(await call(client, "PUT", "/v1/kv/after", "all"), "true");
  assertEquals(await call(server, "GET", "/v1/kv/after?raw"), "all");
  await call(client, "PUT", "/v1/agent/maintenance?enable=false");
  await call(client, "PUT", "/v1/agent/service/register", JSON.stringify({ Name: "after", Port: 7 }));
  await until("it is there", async () => {
    return JSON.parse(await call(server, "GET", "/v1/health/service/after")).length === 1 || undefined;
  });
}

Deno.test({
  name: "mutated requests to every route are answered or closed, none by an unexpected error, and the node goes on",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withAgents(async (root, start) => {
      console.log(`MUTATED_SEED=${SEED} MUTATED_REQUESTS=${COUNT}`);
      const auth = `${root}/auth.json`;
      const users = [{ ...ROOT, perms: ["all"] }, { username: "*", perms: ["agent-read", "status"] }];
      Deno.writeTextFileSync(auth, JSON.stringify(users));
      const agent = start(agentPlace(root, "one"), "-server", "-bootstrap-expect=1", `-auth=${auth}`);
      const client = start(agentPlace(root, "client"), `-retry-join=${agent.addr}`, `-auth=${auth}`);
      await Promise.all([agent.up(), client.up()]);
      await until("it leads", () => agent.leader());
      await client.sees("one", "alive");
      const execute = async (sql: string) => {
        const response = await fetch(`${agent.url}/db/request`, {
          method: "POST",
          headers: { Authorization: basic(ROOT.username, ROOT.password) },
          body: JSON.stringify([sql]),
        });
        return { status: response.status, text: await response.text() };
      };
      assertEquals((await execute("CREATE TABLE t(a)")).status, 200);
      const statuses = new Map<number | undefined, number>();
      let next = FIRST;
      await Promise.all(Array.from({ length: LANES }, async () => {
        while (next < FIRST + COUNT) {
          const nth = next++;
          try {
            await attempt(nth % 2 === 0 ? agent : client, nth, statuses);
          } catch (error) {
            const sent = printable(new Mutator(SEED, nth).next()?.bytes ?? new Uint8Array());
            throw new Error(`MUTATED_SEED=${SEED} MUTATED_FIRST=${nth}: ${error}\n${sent}`);
          }
        }
      }));
      console.log([...statuses].sort(([a = 0], [b = 0]) => a - b).map((pair) => pair.join(": ")).join(", "));
      assert(agent.running && client.running);
      const { status, text } = await until("a plain request", async () => {
        const answer = await execute("SELECT 1 AS one");
        return answer.status === 200 ? answer : undefined;
      });
      assertEquals([status, text], [200, '{"results":[{"columns":["one"],"types":["integer"],"values":[[1]]}]}']);
      await stillRight(client, agent);
      for (const one of [agent, client]) {
        const resident = await residentBytes(one);
        console.log(`${one.place.name}: ${resident} bytes of memory`);
        assert(resident < RSS_MAX);
        assertEquals(faultIn(one.log), undefined);
      }
    }),
});
