/**
 * A pool of agents goes from an older version to this one, one agent after the other, while keys are written through all of
 * them: nothing that was acknowledged is lost, a lock stays with its holder, services are found all the while.
 */
import { assert, assertEquals } from "@std/assert";
import { CATALOG_VERSION } from "../../src/core/catalog/schema.ts";
import { agentPlace, type AgentProcess, dig, leaderAmong, withAgents } from "../harness/agents.ts";
import { olderSource } from "../harness/older.ts";
import { until } from "../harness/processes.ts";
import { SteadyWriter } from "../harness/steady_writer.ts";

const keyOf = (number: number) => `k/${number}`;
/** Time for more keys to be written, ms: agents that have just started look for their servers first. */
const GOING_ON_MS = 60_000;

/** Keys that are written through whichever agent runs. */
function keyWriter(agents: () => readonly AgentProcess[]): SteadyWriter<AgentProcess> {
  return new SteadyWriter(agents, async (agent, number) => {
    const { status, text } = await agent.http("PUT", `/v1/kv/${keyOf(number)}`, "v");
    return status === 200 && text === "true";
  });
}

const ORDERS = [
  { order: "servers first, the leader last", release: "last" },
  { order: "the client first, then the leader", release: "before that" },
] as const;

for (const { order, release } of ORDERS) {
  Deno.test(`a pool of agents goes to this version one by one: ${order}`, () =>
    withAgents(async (root, start) => {
      const source = await olderSource(root, release);
      // Each with an address of its own: the port of the pool across datacenters is the usual one.
      const places = ["one", "two", "three", "client"].map((name, at) => ({
        ...agentPlace(root, name, `127.0.5.${at + 1}`),
        wanPort: "default" as const,
      }));
      const join = places.slice(0, 3).map(({ host, port }) => `-retry-join=${host}:${port}`);
      const run = (at: number, version: "older" | "this") =>
        start(
          version === "older" ? { ...places[at], source } : places[at],
          ...(at < 3 ? ["-server", "-bootstrap-expect=3"] : []),
          ...join,
        );
      const agents = places.map((_, at) => run(at, "older"));
      await Promise.all(agents.map((agent) => agent.up()));
      await leaderAmong(agents);
      const client = () => agents[3];
      const put = async (path: string, body: string, agent = client()) => {
        const { status, text } = await agent.http("PUT", path, body);
        assertEquals(status, 200, text);
        return text;
      };
      await put("/v1/agent/service/register", JSON.stringify({ Name: "web", Port: 80 }));
      const findsWeb = async (agent: AgentProcess) =>
        await until(`${agent.place.name} finds web`, async () =>
          (await agent.get("/v1/health/service/web?passing").catch(() => [])).length === 1 || undefined, 60_000);
      await findsWeb(client());
      // The session of a server: a client leaves the pool when it is asked to end, and its sessions end with it.
      const { ID } = JSON.parse(await put("/v1/session/create", JSON.stringify({ Checks: [] }), agents[0]));
      assertEquals(await put(`/v1/kv/lock?acquire=${ID}`, "held"), "true");

      const acknowledged = await (async () => {
        await using writer = keyWriter(() =>
          agents
        );
        await writer.goesOn(GOING_ON_MS);
        const leader = agents.indexOf(await leaderAmong(agents));
        const others = [0, 1, 2].filter((at) => at !== leader);
        const sequence = order === "servers first, the leader last" ? [...others, leader, 3] : [3, leader, ...others];
        for (const [step, at] of sequence.entries()) {
          await agents[at].stop(step === 1 ? "SIGKILL" : "SIGTERM");
          agents[at] = run(at, "this");
          await agents[at].up();
          await writer.goesOn(GOING_ON_MS);
          for (const agent of agents) {
            await findsWeb(agent);
            assertEquals((await agent.get("/v1/kv/lock"))[0].Session, ID, agent.place.name);
          }
        }
        await writer.goesOn(GOING_ON_MS);
        return writer.acknowledged.map(keyOf);
      })();
      assertEquals(await dig(places[0], "+short", "web.service.consul"), places[3].host);
      const keys = new Set<string>(await client().get("/v1/kv/k/?keys&consistent"));
      assertEquals(
        acknowledged.filter((key) => !keys.has(key)),
        [],
      );
      const version = await until("the catalog of this version", async () => {
        const [[value]] = await client().sql("SELECT value FROM _muster_index WHERE name = 'version'");
        return value === CATALOG_VERSION ? value : undefined;
      });
      assert(version > 2, "the older version had an older catalog");
      console.log(`${acknowledged.length} keys were acknowledged, ${keys.size} are there`);
    }, { isThread: false }));
}
