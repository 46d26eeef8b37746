/**
 * A pool of agents on this machine, measured: `deno task swarm [--clients 50] [--servers 3] [--seconds 30]`. Shows how long it takes
 * from the last start until every agent sees every other one, and what an idle client agent takes of memory and processor.
 */
import { parseArgs } from "@std/cli/parse-args";
import { agentPlace, type AgentProcess, leaderAmong, type StartAgent, withAgents } from "../tests/harness/agents.ts";
import { until, untilInterrupted } from "../tests/harness/processes.ts";

const HELP = `Start a pool of agents on this machine and measure it.

Usage: deno task swarm [--clients 50] [--servers 3] [--seconds 30]

  --clients N   client agents
  --servers N   servers, which form a cluster
  --seconds N   how long processor time is watched while nothing happens`;

/** Ticks of processor time in a second, on Linux. */
const TICKS = 100;
const STARTS_AT_A_TIME = 6;

/** A file about a process; the runtime itself gives them only to a program that may do everything. */
function about(pid: number, file: string): string {
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/${file}`] }).outputSync();
  return new TextDecoder().decode(stdout);
}

function kilobytes(pid: number, file: string, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(about(pid, file));
  return Number(found?.[1] ?? 0);
}

/** Processor time so far, in seconds. */
function processorSeconds(pid: number): number {
  const fields = about(pid, "stat").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function show(what: string, values: readonly number[], unit: string): void {
  console.log(
    `${what}: median ${median(values).toFixed(1)} ${unit}, largest ${Math.max(...values).toFixed(1)} ${unit}`,
  );
}

async function measure(agents: readonly AgentProcess[], seconds: number): Promise<void> {
  const before = agents.map(({ pid }) => processorSeconds(pid));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  show("  processor", agents.map(({ pid }, at) => 100 * (processorSeconds(pid) - before[at]) / seconds), "% of a core");
  show("  resident", agents.map(({ pid }) => kilobytes(pid, "status", "VmRSS") / 1024), "MB");
  show(
    "  its share, shared pages divided",
    agents.map(({ pid }) => kilobytes(pid, "smaps_rollup", "Pss") / 1024),
    "MB",
  );
  show("  of that its own alone", agents.map(({ pid }) => kilobytes(pid, "status", "RssAnon") / 1024), "MB");
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    boolean: ["help"],
    default: { clients: 50, servers: 3, seconds: 30 },
    string: [],
  });
  if (flags.help) return console.log(HELP);
  const [clientCount, serverCount, seconds] = [flags.clients, flags.servers, flags.seconds].map(Number);
  await withAgents((root, start) => untilInterrupted(swarm(start, { root, clientCount, serverCount, seconds })));
}

async function swarm(
  start: StartAgent,
  { root, clientCount, serverCount, seconds }: {
    root: string;
    clientCount: number;
    serverCount: number;
    seconds: number;
  },
): Promise<void> {
  const places = Array.from({ length: serverCount }, (_, at) => agentPlace(root, `server-${at + 1}`));
  const join = `-retry-join=${places[0].host}:${places[0].port}`;
  const servers = places.map((place) => start(place, "-server", `-bootstrap-expect=${serverCount}`, join));
  await leaderAmong(servers);
  const clients: AgentProcess[] = [];
  let lastMs = performance.now();
  while (clients.length < clientCount) {
    const count = Math.min(STARTS_AT_A_TIME, clientCount - clients.length);
    const some = Array.from(
      { length: count },
      (_, at) => start(agentPlace(root, `client-${clients.length + at + 1}`), join),
    );
    lastMs = performance.now();
    clients.push(...some);
    await Promise.all(some.map((client) => client.up())); // starting costs a second of processor time each
  }
  const all = [...servers, ...clients];
  await Promise.all(all.map((agent) =>
    until(`${agent.place.name} sees all`, async () => {
      const states = Object.values(await agent.members());
      return states.length === all.length && states.every((state) => state === "alive") || undefined;
    }, 120_000)
  ));
  console.log(
    `${all.length} agents: all see all ${((performance.now() - lastMs) / 1000).toFixed(1)} s after the last starts`,
  );
  await new Promise((resolve) => setTimeout(resolve, 5000));
  console.log(`${clients.length} idle clients, ${seconds} s:`);
  await measure(clients, seconds);
  console.log(`${servers.length} servers, ${seconds} s:`);
  await measure(servers, seconds);
  const failed = all.filter(({ log }) => log.includes("EventMemberFailed")).length;
  console.log(`agents that took a member for failed: ${failed}`);
}

await main();
