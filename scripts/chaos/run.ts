/**
 * A run: a cluster, clients at work all the time, one fault after the other, and at the end the verdict. Whatever
 * happens, processes, namespaces, mounts and directories are gone afterwards.
 * @module
 */
import { send } from "./client.ts";
import { ChangeStreams } from "./changes.ts";
import { ChaosCluster, type ChaosNode } from "./cluster.ts";
import { inject, type Stage } from "./faults.ts";
import { Fences, FENCES_SCHEMA } from "./fences.ts";
import { Keys } from "./keys.ts";
import { Lists, LISTS_SCHEMA } from "./lists.ts";
import { Locks } from "./locks.ts";
import { Network } from "./network.ts";
import { Registers, REGISTERS_SCHEMA } from "./registers.ts";
import { describeFault, type FaultKind, schedule } from "./schedule.ts";
import { SmallDisk } from "./small_disk.ts";
import { Tally } from "./tally.ts";
import { type Checked, checkHistories, checkKeys, compareNodes, type Content, readAll } from "./verdict.ts";
import { pause, type WorkloadOptions } from "./workload.ts";
import { until } from "../../tests/harness/processes.ts";
import { type ChangesResult, checkChanges } from "../../tests/harness/history/changes.ts";
import { checkFences, type FenceResult } from "../../tests/harness/history/fences.ts";
import { messageOf } from "../../src/base/codec/error_text.ts";

const PROGRESS_MS = 5000;
const DISK_MB_PER_MINUTE = 64;
const DISK_MB_MIN = 128;
const SHOWN_MAX = 5;

/** How a run is made. */
export interface ChaosOptions {
  /** Length of the load; it goes on until each kind of fault has been there once. */
  readonly seconds: number;
  readonly nodes: number;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  /** Whether linearizable reads are answered by leases (`-raft-lease-reads`). */
  readonly leases: boolean;
  /** Whether the nodes are servers of a pool of agents, whose keys and locks are used as well. */
  readonly agents: boolean;
  /** Keeps the histories and the nodes' logs in any case. */
  readonly keep: boolean;
  /** Takes lines of progress. */
  readonly say: (line: string) => void;
}

/** The result of a run. */
export interface ChaosReport {
  readonly options: ChaosOptions;
  readonly seconds: number;
  readonly tally: Tally;
  readonly longestGapMs: number;
  /** Faults that were done. */
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Kinds that this machine does not permit, and why. */
  readonly missing: ReadonlyMap<FaultKind, string>;
  readonly checked: Checked;
  /** The violations found; none if the run is fine. */
  readonly violations: readonly string[];
  /** The directory of histories and logs, if they were kept. */
  readonly keptAt: string | undefined;
}

/** The clients at work. */
interface Load {
  readonly registers: Registers;
  readonly lists: Lists;
  /** Of agents. */
  readonly keys: Keys | undefined;
  readonly locks: Locks | undefined;
  readonly fences: Fences | undefined;
  /** Not of agents. */
  readonly changes: ChangeStreams | undefined;
}

/** A run, from its start to its clearing up. */
export class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #missing = new Map<FaultKind, string>();
  readonly #faults = new Map<FaultKind, number>();
  readonly #violations: string[] = [];
  #making: Promise<string> | undefined;
  #root: string | undefined;
  #network: Network | undefined;
  #disk: SmallDisk | undefined;
  #cluster: ChaosCluster | undefined;
  #isClosed = false;
  #changes: Omit<ChangesResult, "faults"> | undefined;
  /** Of agents, once all was read. */
  #fenced: FenceResult | undefined;

  constructor(options: ChaosOptions) {
    this.#options = options;
  }

  /** Runs. @throws {Error} When the cluster did not even start, or the run was closed meanwhile. */
  async run(): Promise<ChaosReport> {
    const cluster = await this.#start();
    const since = this.#options.agents ? 0 : await this.#changesBegin(cluster);
    const started = performance.now();
    const tally = new Tally(started);
    const clients = { urls: cluster.nodes.map(({ url }) => url), tally };
    const load = this.#load(clients, since);
    const progress = setInterval(() => this.#progress(started, tally), PROGRESS_MS);
    try {
      await this.#injectAll(cluster, started);
    } catch (error) {
      if (this.#isClosed) throw error;
      this.#violations.push(`the cluster did not recover: ${messageOf(error)}`);
    } finally {
      clearInterval(progress);
      const { changes: _, ...clients } = load;
      await Promise.all(Object.values(clients).map((one) => one?.stop()));
    }
    const ended = performance.now();
    const longestGapMs = tally.longestGapMs(ended);
    this.#options.say("all healed; reading everything");
    await this.#readBack(cluster, load);
    const checked = this.#check(load);
    this.#violations.push(...cluster.unexpected, ...checked.violations);
    const isKept = this.#options.keep || this.#violations.length > 0;
    return {
      options: this.#options,
      seconds: (ended - started) / 1000,
      tally,
      longestGapMs,
      faults: this.#faults,
      missing: this.#missing,
      checked,
      violations: this.#violations,
      keptAt: isKept ? await this.#keep(cluster, load) : undefined,
    };
  }

  /** Waits until the changes of rows are kept; returns behind which index they begin. */
  async #changesBegin(cluster: ChaosCluster): Promise<number> {
    return await until("a log of changes", async () => {
      const response = await fetch(`${cluster.nodes[0].url}/db/changes/log`);
      const { enabled, since }: { enabled: boolean; since: number } = await response.json();
      return enabled ? since : undefined;
    });
  }

  #load(clients: WorkloadOptions, since: number): Load {
    const { seed, agents } = this.#options;
    return {
      registers: new Registers(clients, { seed, process: 1 }),
      lists: new Lists(clients, { seed, process: 101 }),
      keys: agents ? new Keys(clients, { seed, process: 201 }) : undefined,
      locks: agents ? new Locks(clients, { seed, process: 301 }) : undefined,
      fences: agents ? new Fences(clients, { seed, process: 401 }) : undefined,
      changes: agents ? undefined : new ChangeStreams(clients.urls, { seed, since, file: `${this.#root}/changes` }),
    };
  }

  #check({ registers, lists, keys, locks }: Load): Checked {
    const [operations, transactions] = [registers.operations, lists.transactions];
    this.#options.say(`checking ${operations.length} operations, ${transactions.length} transactions`);
    const checked = checkHistories(operations, transactions);
    if (keys === undefined || locks === undefined) {
      return { ...checked, ...(this.#changes ? { changes: this.#changes } : {}) };
    }
    this.#options.say(`checking ${keys.operations.length} operations on keys, ${locks.operations.length} on locks`);
    const ofKeys = checkKeys(keys.operations, locks.operations);
    const { faults = [], written = 0, refused = 0 } = this.#fenced ?? {};
    const ofFences = faults.map((fault) => `fences: ${fault}`);
    const violations = [...checked.violations, ...ofKeys.violations, ...keys.faults, ...ofFences];
    return { ...checked, ...ofKeys, fenced: { written, refused }, violations };
  }

  /** Ends and removes all that was started; also in the middle of a run. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#making?.catch(() => {}); // what is half made could not be removed
    await this.#cluster?.close();
    await this.#network?.close();
    await this.#disk?.close();
    if (this.#root !== undefined) await Deno.remove(this.#root, { recursive: true });
    this.#root = this.#network = this.#disk = undefined;
  }

  async #start(): Promise<ChaosCluster> {
    const { nodes, leases, agents, say } = this.#options;
    this.#making = this.#make();
    const root = await this.#making;
    const lastDirectory = this.#disk ? `${this.#disk.path}/data` : `${root}/${nodes}`;
    const changes = await changesTo(root);
    const options = { root, count: nodes, network: this.#network, lastDirectory, leases, agents, changes };
    const cluster = new ChaosCluster(options);
    this.#cluster = cluster;
    if (this.#isClosed) throw new Error("The run was closed"); // while the network was made
    say(`starting ${nodes} nodes${this.#network ? ", each in a network namespace" : ""}`);
    for (const node of cluster.nodes) cluster.start(node);
    await cluster.settled();
    const schema = await send(`${(await cluster.leader()).url}/db/execute?x`, [
      REGISTERS_SCHEMA,
      LISTS_SCHEMA,
      FENCES_SCHEMA,
    ], 10_000);
    if (schema.outcome !== "done") throw new Error(`Cannot make the tables: ${schema.reason}`);
    return cluster;
  }

  /** Directory, network and disk. */
  async #make(): Promise<string> {
    const { nodes, seconds } = this.#options;
    const root = await Deno.makeTempDir({ prefix: "muster-chaos-" });
    this.#root = root;
    if (this.#has("partition") || this.#has("slow")) {
      this.#network = await Network.create(nodes + 1).catch((error) => this.#lacks(["partition", "slow"], error));
    }
    if (this.#has("disk")) {
      const sizeMb = Math.round(DISK_MB_MIN + DISK_MB_PER_MINUTE * seconds / 60);
      this.#disk = await SmallDisk.mount(`${root}/small`, sizeMb).catch((error) => this.#lacks(["disk"], error));
    }
    return root;
  }

  #has(kind: FaultKind): boolean {
    return this.#options.kinds.includes(kind);
  }

  #lacks(kinds: readonly FaultKind[], error: unknown): undefined {
    const reason = messageOf(error);
    for (const kind of kinds) if (this.#has(kind)) this.#missing.set(kind, reason);
    this.#options.say(`!! NO ${kinds.join(" AND NO ").toUpperCase()} FAULTS HERE: ${reason}`);
    return undefined;
  }

  async #injectAll(cluster: ChaosCluster, started: number): Promise<void> {
    const { seed, nodes, kinds, seconds, say } = this.#options;
    const stage: Stage = { cluster, network: this.#network, disk: this.#disk };
    const possible = kinds.filter((kind) => !this.#missing.has(kind));
    const longestMs = Math.min(5000, Math.max(1000, seconds * 1000 / 20));
    const planned = schedule({ seed, kinds, nodes, longestMs });
    const isOver = () =>
      performance.now() - started >= seconds * 1000 && possible.every((kind) => this.#faults.has(kind));
    while (!isOver() && !this.#isClosed) {
      if (possible.length === 0) {
        await pause(PROGRESS_MS);
        continue;
      }
      const { fault, calmMs } = planned.next().value;
      if (this.#missing.has(fault.kind)) continue;
      const before = performance.now();
      say(`${this.#clock(started)} ${describeFault(fault)}`);
      await inject(stage, fault);
      this.#faults.set(fault.kind, (this.#faults.get(fault.kind) ?? 0) + 1);
      say(`${this.#clock(started)}   whole again after ${((performance.now() - before) / 1000).toFixed(1)} s`);
      await pause(calmMs);
    }
  }

  /** Adds the data that all nodes hold to the histories, as one last read. */
  async #readBack(cluster: ChaosCluster, { registers, lists, keys, fences, changes }: Load): Promise<void> {
    try {
      await cluster.settled();
      const from = performance.now();
      const { agents } = this.#options;
      const content = await readAll(cluster.nodes[0], "linearizable", agents);
      const time = [from, performance.now()] as const;
      registers.addLastRead(content.registers, time);
      lists.addLastRead(content.lists, time);
      keys?.addLastRead(content.keys, time);
      this.#fenced = fences && checkFences(fences.writes, content.fenced.map(([id]) => Number(id)));
      this.#violations.push(...await compareNodes(cluster, agents));
      if (changes) await this.#checkChanges(changes, content, cluster);
    } catch (error) {
      if (this.#isClosed) throw error;
      this.#violations.push(`the nodes could not be read: ${messageOf(error)}`);
    }
  }

  async #checkChanges(changes: ChangeStreams, { registers, lists }: Content, cluster: ChaosCluster): Promise<void> {
    const response = await fetch(`${cluster.nodes[0].url}/db/changes/log`);
    const { last }: { last: number } = await response.json();
    await changes.end(last);
    const results = [...changes.streams, await changes.delivered()].map((one) =>
      checkChanges(one, { registers, lists })
    );
    this.#changes = { entries: results[0].entries, again: results.at(-1)?.again ?? 0 };
    this.#violations.push(
      ...results.flatMap(({ faults }, at) => faults.map((fault) => `changes, follower ${at + 1}: ${fault}`)),
    );
  }

  async #keep(cluster: ChaosCluster, { registers, lists, keys, locks, fences, changes }: Load): Promise<string> {
    const directory = await Deno.makeTempDir({ prefix: "muster-chaos-kept-" });
    const write = (name: string, value: unknown) =>
      Deno.writeTextFile(`${directory}/${name}.json`, JSON.stringify(value, undefined, 1));
    await write("registers", registers.operations);
    await write("lists", lists.transactions);
    if (keys) await write("keys", keys.operations);
    if (locks) await write("locks", locks.operations);
    if (fences) await write("fences", fences.writes);
    if (changes) await write("changes", [...changes.streams, await changes.delivered()]);
    await write("violations", this.#violations);
    if (this.#options.keep) {
      const text = ({ log, process }: ChaosNode) => log + (process?.running ? process.log : "");
      for (const node of cluster.nodes) await Deno.writeTextFile(`${directory}/node${node.id}.log`, text(node));
    }
    return directory;
  }

  #clock(started: number): string {
    return `[${((performance.now() - started) / 1000).toFixed(0)} s]`;
  }

  #progress(started: number, tally: Tally): void {
    const { seconds, say } = this.#options;
    const { done, notDone, unknown } = tally.total;
    const faults = [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
    const left = Math.max(0, seconds - (performance.now() - started) / 1000);
    say(
      `${this.#clock(started)} ${done} done, ${notDone} not done, ${unknown} unknown; ${faults} faults; ` +
        `ETA ${left.toFixed(0)} s`,
    );
    for (const line of this.#cluster?.unexpected.slice(0, SHOWN_MAX) ?? []) say(`!! ${line}`);
  }
}

/** A configuration that has changes delivered to a file, as often as they can be. @returns Its path. */
async function changesTo(root: string): Promise<string> {
  const path = `${root}/cdc.json`;
  const plan = { endpoint: `file://${root}/changes`, max_batch_delay: "5ms", transmit_min_backoff: "50ms" };
  await Deno.writeTextFile(path, JSON.stringify(plan));
  return path;
}
