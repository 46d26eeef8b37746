/**
 * Torments a pool of three members of ours and three real `serf` agents: they join, leave, die and come back, change tags
 * and fire events. At each quiet moment the survivors must agree on who is there; no agent may log an error or end.
 *
 *     deno run -P=tool scripts/gossip/soak.ts [--minutes 10] [--seed N]
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { Interrupted, until, untilInterrupted } from "../../tests/harness/processes.ts";
import { OurNode } from "../../tests/harness/our_node.ts";
import { SerfAgent } from "../../tests/harness/serf_agent.ts";
import { Random } from "../../tests/harness/random.ts";

/** Faults that follow from peers that are not there. */
const EXPECTED_ERRORS = /connection refused|i\/o timeout|connection reset|Push\/Pull with .* failed: EOF/;
const KEY = btoa("0123456789abcdef0123456789abcdef");
const AGREE_MS = 60_000;
const NAMES = ["o1", "o2", "o3", "r1", "r2", "r3"];

type Peer = OurNode | SerfAgent;

/** The pool, by name; who is not in it is down. */
class Pool {
  readonly up = new Map<string, Peer>();
  readonly #places = new Map<string, { port: number; rpcPort: number }>();
  readonly #random: Random;
  readonly counts = new Map<string, number>();
  readonly errors: string[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)];
  }

  async start(name: string): Promise<void> {
    const others = [...this.up.values()];
    const place = this.#places.get(name);
    if (name.startsWith("o")) {
      const bind = place && { host: "127.0.0.1", port: place.port };
      const node = await OurNode.start(name, { encryptionKey: KEY, compression: true, ...(bind && { bind }) });
      this.#places.set(name, { port: node.membership.local.port, rpcPort: 0 });
      this.up.set(name, node);
      if (others.length > 0) await node.join(this.#pick(others).address);
    } else {
      const agent = await SerfAgent.start(name, { key: KEY, compression: this.#random.below(2) === 0, ...place });
      this.#places.set(name, { port: agent.port, rpcPort: agent.rpcPort });
      this.up.set(name, agent);
      if (others.length > 0) await agent.must("join", this.#pick(others).address);
    }
  }

  #check(agent: SerfAgent): void {
    this.errors.push(...agent.errors(EXPECTED_ERRORS).map((line) => `${agent.name}: ${line.trim()}`));
  }

  async #end(name: string, isGraceful: boolean): Promise<void> {
    const peer = this.up.get(name);
    this.up.delete(name);
    if (peer instanceof OurNode) {
      if (isGraceful) await peer.membership.leave();
      await peer.membership.close();
    } else if (peer) {
      if (isGraceful) await peer.must("leave");
      this.#check(peer);
      await peer.kill();
    }
  }

  /** One act at random; returns what it was. */
  async act(): Promise<string> {
    const down = NAMES.filter((name) => !this.up.has(name));
    const name = this.#pick([...this.up.keys()]);
    const peer = this.up.get(name);
    const kind = down.length > 0 && this.#random.below(2) === 0
      ? "start"
      : this.#pick(this.up.size > 3 ? ["kill", "leave", "tags", "event"] : ["tags", "event"]);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const value = String(this.#random.below(1000));
    if (kind === "start") {
      const which = this.#pick(down);
      await this.start(which);
      return `start ${which}`;
    }
    if (kind === "kill" || kind === "leave") await this.#end(name, kind === "leave");
    else if (peer instanceof OurNode) {
      if (kind === "tags") await peer.membership.setTags({ v: value });
      else peer.membership.fireEvent("e", new TextEncoder().encode(value), { coalesce: false });
    } else if (peer) {
      if (kind === "tags") await peer.must("tags", "-set", `v=${value}`);
      else await peer.must("event", "-coalesce=false", "e", value);
    }
    return `${kind} ${name}`;
  }

  /** Waits until all that are up agree on who is, and on their tags. */
  async agree(): Promise<number> {
    const startedMs = performance.now();
    const expected = [...this.up.keys()].toSorted().join();
    await until(`all agree on ${expected}`, async () => {
      const views = new Set<string>();
      for (const peer of this.up.values()) {
        const rows = peer instanceof OurNode ? peer.membership.members() : [...(await peer.members()).values()];
        const alive = rows.filter(({ status }) => status === "alive").toSorted((a, b) => a.name < b.name ? -1 : 1);
        if (alive.map(({ name }) => name).join() !== expected) {
          throw new Error(`${peer.name}: ${rows.map((row) => `${row.name}=${row.status}`)}`);
        }
        views.add(JSON.stringify(alive.map(({ name, tags }) => [name, tags])));
      }
      if (views.size > 1) throw new Error(`tags differ: ${[...views].join(" ")}`);
      return true;
    }, AGREE_MS);
    for (const peer of this.up.values()) {
      if (peer instanceof SerfAgent && !peer.isRunning) {
        throw new Error(`${peer.name} has ended:\n${peer.log.slice(-2000)}`);
      }
    }
    return performance.now() - startedMs;
  }

  async close(): Promise<void> {
    for (const name of [...this.up.keys()]) await this.#end(name, false);
  }
}

const { minutes, seed } = parseArgs(Deno.args, {
  string: ["minutes", "seed"],
  default: { minutes: "10", seed: String(Date.now()) },
});
console.log(`seed ${seed}, ${minutes} minutes`);
const random = new Random(Number(seed));
const pool = new Pool(random);
const agreedMs: number[] = [];
async function torment(): Promise<void> {
  for (const name of NAMES) await pool.start(name);
  agreedMs.push(await pool.agree());
  const endMs = performance.now() + Number(minutes) * 60_000;
  while (performance.now() < endMs) {
    const acts: string[] = [];
    for (let left = 1 + random.below(4); left > 0; left--) acts.push(await pool.act());
    const tookMs = await pool.agree();
    agreedMs.push(tookMs);
    console.log(`${acts.join(", ")}: agreed after ${(tookMs / 1000).toFixed(1)} s`);
  }
}

try {
  await untilInterrupted(torment());
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  console.log("told to end: what was so far");
} finally {
  await pool.close();
}
const sorted = agreedMs.toSorted((a, b) => a - b);
console.log(`acts: ${[...pool.counts].map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
console.log(
  `${sorted.length} quiet moments, all agreed; median ${(sorted[sorted.length >> 1] / 1000).toFixed(1)} s, longest ${
    ((sorted.at(-1) ?? 0) / 1000).toFixed(1)
  } s`,
);
console.log(pool.errors.length === 0 ? "no real agent logged an error" : `errors:\n${pool.errors.join("\n")}`);
Deno.exit(pool.errors.length === 0 ? 0 : 1);
