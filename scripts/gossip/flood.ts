/**
 * Holds a member of ours under a flood of rubbish, on UDP and TCP, in a pool with another of ours and a real `serf`:
 * nobody may fail, and memory has to stay where it was.
 *
 *     deno run -P=tool scripts/gossip/flood.ts [--seconds 60] [--rate 10000] [--connections 200] [--encrypted]
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { Interrupted, untilInterrupted } from "../../tests/harness/processes.ts";
import { OurNode } from "../../tests/harness/our_node.ts";
import { SerfAgent } from "../../tests/harness/serf_agent.ts";

const REPORT_MS = 5000;
const KEY = btoa("0123456789abcdef0123456789abcdef");

const options = parseArgs(Deno.args, {
  string: ["seconds", "rate", "connections"],
  boolean: ["encrypted"],
  default: { seconds: "60", rate: "10000", connections: "200" },
});
const mebibytes = () => Math.round(Deno.memoryUsage().rss / 1024 / 1024);

/** Ends what runs. */
const ends: (() => Promise<unknown>)[] = [];

async function startOurs(name: string, encryptionKey: string | undefined): Promise<OurNode> {
  const node = await OurNode.start(name, { encryptionKey });
  ends.push(() => node.membership.close());
  return node;
}

async function startPool(): Promise<{ victim: OurNode; other: OurNode; serf: SerfAgent }> {
  const key = options.encrypted ? KEY : undefined;
  const serf = await SerfAgent.start("r1", { key });
  ends.push(() => serf.kill());
  const victim = await startOurs("o1", key);
  const other = await startOurs("o2", key);
  await victim.join(serf.address);
  await other.join(serf.address);
  await Promise.all([victim.sees("o2", "alive"), other.sees("o1", "alive")]);
  return { victim, other, serf };
}

/** Runs the sender to its end, and tells meanwhile how the victim is. */
async function flood(victim: OurNode): Promise<void> {
  console.log(`before: ${mebibytes()} MiB`);
  const { port } = victim.membership.local;
  const sender = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-P=tool",
      "scripts/gossip/flood_sender.ts",
      "127.0.0.1",
      String(port),
      options.rate,
      options.connections,
      options.seconds,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  ends.push(async () => {
    try {
      sender.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await sender.status;
  });
  let late = 0;
  let expectedMs = performance.now();
  const lateness = setInterval(() => {
    late = Math.max(late, performance.now() - expectedMs - 20);
    expectedMs = performance.now();
  }, 20);
  let last = Number(victim.membership.stats().packets_received);
  const report = setInterval(() => {
    const { packets_received: received, dropped } = victim.membership.stats();
    console.log(
      `${
        (Number(received) - last) / (REPORT_MS / 1000)
      } datagrams/s taken, ${dropped} dropped with a reason so far, ${mebibytes()} MiB, latest timer ${
        late.toFixed(0)
      } ms`,
    );
    [last, late] = [Number(received), 0];
  }, REPORT_MS);
  const { stdout } = await sender.output();
  clearInterval(report);
  clearInterval(lateness);
  console.log(`sent: ${new TextDecoder().decode(stdout).trim()}; after: ${mebibytes()} MiB`);
}

/** Whether nobody was taken for failed. */
async function isCalm({ victim, other, serf }: Awaited<ReturnType<typeof startPool>>): Promise<boolean> {
  const failed = [...victim.told("member-failed"), ...other.told("member-failed")];
  const seen = [victim.membership.members(), other.membership.members(), [...(await serf.members()).values()]];
  const views = seen.map((members) => members.map(({ name, status }) => `${name}=${status}`).toSorted().join());
  console.log(
    `views: ${[...new Set(views)].join(" / ")}; ever failed: ${failed.length === 0 ? "nobody" : failed.join()}`,
  );
  console.log(
    `suspected by the agent: ${serf.log.split("\n").filter((line) => line.includes("Suspect")).length} times`,
  );
  return failed.length === 0 && views.every((view) => view === "o1=alive,o2=alive,r1=alive") &&
    !serf.log.includes("EventMemberFailed");
}

let code = 1;
try {
  await untilInterrupted((async () => {
    const pool = await startPool();
    await flood(pool.victim);
    code = await isCalm(pool) ? 0 : 1;
    console.log(code === 0 ? "no false failure" : "FAILED");
  })());
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
} finally {
  await Promise.all(ends.map((end) => end()));
}
Deno.exit(code);
