/**
 * Mutated packets of DNS at the name servers of a server and of a client agent, over UDP and TCP: neither ends, nor keeps
 * memory, and both answer right afterwards.
 *
 * `MUTATED_PACKETS` is their number, `MUTATED_SEED` where they begin.
 */
import { assert, assertEquals } from "@std/assert";
import { encodeQuery, TYPE } from "../../src/core/dns/message.ts";
import { agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";
import { Random } from "../harness/random.ts";

const COUNT = Number(Deno.env.get("MUTATED_PACKETS") ?? 5000);
const SEED = Number(Deno.env.get("MUTATED_SEED") ?? Math.floor(Math.random() * 2 ** 32));
/** So many are sent before the next question that must be answered. */
const BATCH = 500;
const GROWTH_MAX = 150 * 1024 * 1024;

const NAMES = [
  ...["web.service.consul", "a.web.service.consul", "web1.node.consul", "server.node.dc1.consul", "consul"],
  ...["_web._tcp.service.consul", "q.query.consul", "7f000001.addr.consul", "1.0.0.127.in-addr.arpa", "other.test"],
  ...["web.service.dc1.muster", "", "service.consul", "x".repeat(63) + ".node.consul", "web.service.none.consul"],
];
const TYPES = [...Object.values(TYPE), 0, 255, 65_535];
/** Options of EDNS: nothing, a cookie, one that is cut off, a subnet. */
const OPTIONS = [[], [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8], [0, 10, 0, 9, 1], [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]];

function mutated(random: Random): Uint8Array {
  const name = (random.pick(NAMES) ?? "").split(".").filter((label) => label !== "");
  const query = [...encodeQuery(random.below(65_536), { name, type: random.pick(TYPES) ?? 1 })];
  if (random.chance(0.5)) {
    const options = random.pick(OPTIONS) ?? [];
    query[11] = 1;
    query.push(0, 0, 41, random.below(256), random.below(256), 0, 0, 0, 0, 0, options.length, ...options);
  }
  for (let nth = random.below(4); nth > 0; nth--) {
    const at = random.below(query.length);
    switch (random.below(5)) {
      case 0:
        query[at] = random.below(256);
        break;
      case 1:
        query.splice(at, random.between(1, 6));
        break;
      case 2:
        query.splice(at, 0, ...query.slice(at, at + random.between(1, 20)));
        break;
      case 3: // a pointer, perhaps to itself
        query.splice(at, 2, 0xc0, random.below(query.length + 1));
        break;
      default: // counts of sections
        query[4 + random.below(8)] = random.pick([0, 1, 2, 255]) ?? 0;
    }
    if (query.length === 0) return new Uint8Array();
  }
  return Uint8Array.from(query);
}

async function residentBytes(agent: AgentProcess): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${agent.pid}/status`] }).output();
  return Number(/VmRSS:\s*(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]) * 1024;
}

/** Sends packets one behind the other in streams that end anywhere. */
async function overTcp({ place }: AgentProcess, random: Random, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    const conn = await Deno.connect({ hostname: place.host, port: place.dnsPort });
    try {
      for (let packets = random.between(1, 3); packets > 0; packets--) {
        const bytes = mutated(random);
        const length = random.chance(0.9) ? bytes.length : random.below(65_536);
        await conn.write(Uint8Array.of(length >> 8, length & 255, ...bytes));
      }
      await conn.closeWrite(); // a part of a message is waited for otherwise
      if (random.chance(0.5)) await conn.read(new Uint8Array(random.between(1, 600)));
    } catch {
      // it has closed the stream
    } finally {
      conn.close();
    }
  }
}

async function rightAnswers({ place }: AgentProcess): Promise<void> {
  assertEquals(await dig(place, "web.service.consul", "SRV", "+short"), "1 1 80 c000020a.addr.dc1.consul.");
  assertEquals(await dig(place, "web.service.consul", "+short", "+tcp"), "192.0.2.10");
}

Deno.test({
  name: "mutated packets of DNS end neither a server nor a client agent, and both answer right afterwards",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withAgents(async (root, start) => {
      console.log(`MUTATED_SEED=${SEED} MUTATED_PACKETS=${COUNT}`);
      const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
      const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`);
      const agents = [server, client];
      await Promise.all(agents.map((agent) => agent.up()));
      await until("it leads", () => server.leader());
      const web = JSON.stringify({ Name: "web", Address: "192.0.2.10", Port: 80 });
      await client.http("PUT", "/v1/agent/service/register", web);
      for (const { place } of agents) {
        await until("DNS has it", async () => (await dig(place, "web.service.consul", "+short")) !== "" || undefined);
      }
      const random = new Random(SEED);
      const sizes: number[][] = [];
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const drained = (async () => {
        for await (const _ of socket);
      })();
      for (let sent = 0; sent < COUNT; sent += BATCH) {
        for (const agent of agents) {
          const to = { transport: "udp", hostname: agent.place.host, port: agent.place.dnsPort } as const;
          for (let nth = 0; nth < BATCH / agents.length; nth++) await socket.send(mutated(random), to);
          await overTcp(agent, random, 10);
          await rightAnswers(agent);
        }
        sizes.push(await Promise.all(agents.map(residentBytes)));
      }
      socket.close();
      await drained;
      console.log(`resident bytes: ${sizes.at(0)} after the first ${BATCH}, ${sizes.at(-1)} at the end`);
      for (const [at, agent] of agents.entries()) {
        assert(agent.running, `MUTATED_SEED=${SEED}: ${agent.place.name} has ended`);
        assert((sizes.at(-1)?.[at] ?? 0) - (sizes[0][at] ?? 0) < GROWTH_MAX);
        assertEquals(/unexpectedly|^ +at .*\.ts:\d/m.exec(agent.log), null, `MUTATED_SEED=${SEED}`);
      }
    }),
});
