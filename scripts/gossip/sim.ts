/**
 * Simulates gossip in virtual time and prints what it takes: detection of a crash and load by size, live nodes thought
 * dead under loss and with slow nodes, with Lifeguard and without, and how soon a healed partition is whole again.
 *
 *     deno task gossip-sim [--seeds 3] [--sizes 10,100,500,2000] [--nodes 100] [--seconds 300]
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Accusations, accuse, detectCrash, healPartition } from "../../tests/harness/gossip/simulation.ts";

const options = parseArgs(Deno.args, {
  string: ["seeds", "sizes", "nodes", "seconds"],
  default: { seeds: "3", sizes: "10,100,500,2000", nodes: "100", seconds: "300" },
});
const seeds = Array.from({ length: Number(options.seeds) }, (_, at) => at + 1);
const nodes = Number(options.nodes);
const seconds = Number(options.seconds);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function row(...cells: readonly (string | number)[]): void {
  console.log(
    cells.map((cell) => typeof cell === "number" ? cell.toFixed(2).padStart(12) : cell.padStart(12)).join(""),
  );
}

console.log(`LAN profile, mean of seeds ${seeds.join(", ")}; seconds of virtual time\n`);
console.log("A node crashes");
row("nodes", "suspected", "dead", "all know", "packets/s", "bytes/s");
for (const size of options.sizes.split(",").map(Number)) {
  const runs = seeds.map((seed) => detectCrash(size, seed));
  const of = (key: keyof typeof runs[number]) => mean(runs.map((run) => run[key]));
  row(String(size), of("suspected"), of("dead"), of("known"), of("packetsPerNodeSecond"), of("bytesPerNodeSecond"));
}

interface Trouble {
  readonly name: string;
  readonly conditions: Omit<Parameters<typeof accuse>[1], "seed" | "seconds">;
}
const troubles: readonly Trouble[] = [
  { name: "20% loss", conditions: { loss: 0.2 } },
  { name: "20%, no TCP", conditions: { loss: 0.2, streams: false } },
  { name: "30%, no TCP", conditions: { loss: 0.3, streams: false } },
  { name: "4 slow", conditions: { slow: 4, blockMs: 16_000, pauseMs: 1000 } },
  { name: "16 slow", conditions: { slow: 16, blockMs: 16_000, pauseMs: 1000 } },
  { name: "32 slow", conditions: { slow: 32, blockMs: 16_000, pauseMs: 1000 } },
];
console.log(`\nNobody crashes: ${nodes} nodes for ${seconds} s; slow ones stop for 16 s, go on for 1 s, and so on`);
row("", "Lifeguard", "suspicions", "false deaths", "of healthy", "victims");
for (const { name, conditions } of troubles) {
  for (const lifeguard of [false, true]) {
    const runs = seeds.map((seed) => accuse(nodes, { ...conditions, seed, seconds, config: { lifeguard } }));
    const of = (key: keyof Accusations) => mean(runs.map((run) => run[key]));
    row(name, lifeguard ? "on" : "off", of("suspicions"), of("falseDeaths"), of("healthyFalseDeaths"), of("victims"));
  }
}

console.log("\nA partition in halves heals: seconds until all have all alive again, by how long it lasted");
row("nodes", "lasted", "mean", "longest");
for (const size of [10, 32, 100]) {
  for (const heldMs of [0, 120_000]) { // while the dead are still told, and when they are forgotten by all but Serf
    const times = seeds.map((seed) => healPartition(size, seed, heldMs));
    row(String(size), heldMs / 1000, mean(times), Math.max(...times));
  }
}
