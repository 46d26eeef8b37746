/**
 * A pool of agents on this machine, measured:
 * `deno task swarm [--clients 50] [--servers 3] [--services 0] [--seconds 30]`. Shows how long it takes from the last
 * start until every agent sees every other one, and the memory and processor time of an idle agent. With services it
 * also kills and restarts agents, and shows how long it takes each time until the catalog is right again.
 */
import { parseArgs } from "@std/cli/parse-args";
import { type AgentProcess, leaderAmong, withAgents } from "../tests/harness/agents.ts";
import { untilInterrupted } from "../tests/harness/processes.ts";
import { showUsages, usages } from "./swarm/measure.ts";
import { Pool } from "./swarm/pool.ts";
import { catalogIsRight, registerServices, reportCritical } from "./swarm/services.ts";

const HELP = `Start a pool of agents on this machine and measure it.

Usage: deno task swarm [--clients 50] [--servers 3] [--services 0] [--seconds 30]

  --clients N   client agents
  --servers N   servers, which form a cluster
  --services N  services with TTL checks, spread over the clients; agents are then killed and restarted as well
  --seconds N   how long processor time is watched while nothing happens`;

/** Time for the pool to become quiet. */
const CALM_MS = 5000;
const KILLED_CLIENTS = 10;

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    boolean: ["help"],
    default: { clients: 50, servers: 3, services: 0, seconds: 30 },
    string: [],
  });
  if (flags.help) return console.log(HELP);
  const [clientCount, serverCount, services, seconds] = [flags.clients, flags.servers, flags.services, flags.seconds]
    .map(Number);
  await withAgents((root, start) =>
    untilInterrupted(swarm(new Pool(start, { root, clientCount, serverCount }), { services, seconds }))
  );
}

interface Wanted {
  readonly services: number;
  readonly seconds: number;
}

async function swarm(pool: Pool, { services, seconds }: Wanted): Promise<void> {
  const lastMs = await pool.startAll();
  await pool.allSeeAll();
  const seenS = (performance.now() - lastMs) / 1000;
  console.log(`${pool.agents.length} agents: all see all ${seenS.toFixed(1)} s after the last starts`);
  if (services > 0) await register(pool, services);
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  await measure(pool, seconds);
  const failed = pool.agents.filter(({ log }) => log.includes("EventMemberFailed")).length;
  console.log(`agents that took a member for failed: ${failed}`);
  if (services > 0) await disturb(pool);
}

async function register(pool: Pool, services: number): Promise<void> {
  const startedMs = performance.now();
  await registerServices(pool.clients, services);
  console.log(`${services} services registered in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  await showRight("all registered", pool.servers[0], pool);
}

async function measure({ clients, servers }: Pool, seconds: number): Promise<void> {
  const leader = await leaderAmong(servers);
  const all = await usages([...servers, ...clients], seconds);
  console.log(`${clients.length} idle clients, ${seconds} s:`);
  if (clients.length > 0) showUsages(all.slice(servers.length));
  console.log(`${servers.length} idle servers, ${seconds} s:`);
  for (const [at, server] of servers.entries()) {
    const { processor, residentMb, ownMb } = all[at];
    console.log(
      `  ${server.place.name}${server === leader ? " (leader)" : ""}: ${processor.toFixed(2)} % of a core, ` +
        `resident ${residentMb.toFixed(0)} MB, its own alone ${ownMb.toFixed(0)} MB`,
    );
  }
}

/** Kills and restarts agents. After each step the catalog must become right. */
async function disturb(pool: Pool): Promise<void> {
  const leader = await leaderAmong(pool.servers);
  const other = pool.servers.find((server) => server !== leader) ?? leader;
  if (pool.servers.length > 2) {
    await pool.kill([leader]);
    await reportCritical(pool.clients[0], 0);
    await showRight("leader killed, a check critical", other, pool);
  }
  const victims = pool.clients.slice(1, 1 + KILLED_CLIENTS);
  await pool.kill(victims);
  await showRight(`${victims.length} clients killed`, other, pool);
  const backMs = performance.now();
  await pool.restart(victims);
  await showRight(`${victims.length} clients started again`, other, pool, backMs);
  await pool.kill(pool.agents);
  const againMs = performance.now();
  await pool.startAll();
  await showRight("everything restarted", pool.servers[0], pool, againMs);
}

/** @param sinceMs When the agents were started that have been waited for until now. */
async function showRight(what: string, server: AgentProcess, pool: Pool, sinceMs?: number): Promise<void> {
  const waitedMs = sinceMs === undefined ? undefined : performance.now() - sinceMs;
  const seconds = await catalogIsRight(server, pool.agents);
  const started = waitedMs === undefined ? "" : ` after the last answered (${(waitedMs / 1000).toFixed(1)} s)`;
  console.log(`${what}: catalog right in ${seconds.toFixed(1)} s${started}`);
}

await main();
