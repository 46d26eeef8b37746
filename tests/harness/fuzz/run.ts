/**
 * Runs a case: the same entries on several replicas, each in its own batches and with its own faults, compared wherever
 * the case says so and at the end.
 * @module
 */

import type { ApplyEntry } from "../../../src/core/sql/exchange.ts";
import type { Action, Case, Item } from "./case.ts";
import { differenceOf, dumpFile } from "./dump.ts";
import { type Failure, FailureError, type FailureKind, messageOf } from "./failure.ts";
import type { Kind } from "./grammar/kinds.ts";
import { makeEntry, Replica } from "./replica.ts";

/** Share of a WAL that a power loss leaves. */
const KEPT_SHARE = 0.6;

/**
 * Reports of virtual tables in an integrity check that count as no damage: some are made of healthy tables, some come from
 * faults of their modules that are alike on every replica (FTS5 with `detail=none` and `secure-delete`).
 */
const OWN_VERDICT =
  /unable to validate the inverted index|malformed inverted index|fts5: (?:checksum mismatch|corruption found)/;
/**
 * An index that lacks an entry is a fault of SQLite's own, alike on every replica: `INSERT INTO t(c) VALUES(json_patch(1,1))`
 * enters an index on `json_object('a', c)` as JSON within JSON, and is looked for there as text (3.40 to 3.53 at least).
 */
const ABOUT_INDEX = /^(?:row \d+ missing from index |wrong # of entries in index |non-unique entry in index )/;
/** SQLite adds a column that is `NOT NULL DEFAULT -NULL` to a table that has rows, whose values are NULL then. */
const ABOUT_DEFAULT = /^NULL value in /;

/** The result of running a case. */
export interface Verdict {
  /** The first failure, if there was one. */
  readonly failure: Failure | undefined;
  /** Requests' elements whose results replica 0 rendered. */
  readonly elements: number;
  /** Elements among them that gave an error. */
  readonly errors: readonly string[];
}

/** How to run a case. */
export interface RunOptions {
  /** Kinds that are on; of these, the checks matter here. */
  readonly kinds: ReadonlySet<Kind>;
  /** Folder for temporary files. @default the system's */
  readonly directory?: string;
  /** Changes an item for one replica only: to prove that a difference is found. */
  readonly sabotage?: (item: Item, replica: number) => Item;
}

/** A directory for temporary files that cost no disk, if there is one: the runtime needs all permissions to use it. */
export function fastDirectory(): string | undefined {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : undefined;
  } catch {
    return undefined;
  }
}

/** Runs a case in a temporary folder, which is removed. */
export async function runCase(testCase: Case, options: RunOptions): Promise<Verdict> {
  const directory = Deno.makeTempDirSync({ prefix: "fuzz-", dir: options.directory });
  const run = new Run(testCase, options, directory);
  let failure: Failure | undefined;
  try {
    await run.run();
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    failure = error.failure;
  } finally {
    run.closeAll();
    Deno.removeSync(directory, { recursive: true });
  }
  return { failure, elements: run.elements, errors: run.errors };
}

class Run {
  elements = 0;
  readonly errors: string[] = [];
  readonly #case: Case;
  readonly #options: RunOptions;
  readonly #directory: string;
  /** Empty where a replica has yet to join. */
  readonly #replicas: (Replica | undefined)[] = [];
  readonly #entries: ApplyEntry[][];
  readonly #closed = new Set<Replica>();
  #at = 0;

  constructor(testCase: Case, options: RunOptions, directory: string) {
    this.#case = testCase;
    this.#options = options;
    this.#directory = directory;
    const { items, waiters } = testCase;
    const { sabotage } = options;
    const common = sabotage ? [] : items.map((item, at) => makeEntry(item, at + 1));
    this.#entries = waiters.map((_, replica) =>
      sabotage ? items.map((item, at) => makeEntry(sabotage(item, replica), at + 1)) : common
    );
  }

  async run(): Promise<void> {
    const { items, waiters } = this.#case;
    const joiners = new Set<number>();
    for (const { after } of items) {
      for (const [replica, action] of Object.entries(after)) {
        if (action.startsWith("join")) joiners.add(Number(replica));
      }
    }
    for (let at = 0; at < waiters.length; at++) {
      this.#replicas.push(at >= 3 && joiners.has(at) ? undefined : this.#make(at));
    }
    for (let at = 0; at < items.length; at++) {
      this.#at = at + 1;
      const { after, isCompared } = items[at];
      for (const [number, action] of Object.entries(after)) await this.#act(Number(number), action);
      if (isCompared) this.#compare();
    }
    this.#compare();
    this.#compareFiles();
  }

  /** Closes what is open; errors are no matter any more. */
  closeAll(): void {
    for (const replica of this.#replicas) {
      if (replica === undefined || this.#closed.has(replica)) continue;
      try {
        replica.close();
      } catch {
        // It may be in any state after a failure.
      }
    }
  }

  #make(at: number): Replica {
    const directory = `${this.#directory}/${at}`;
    Deno.mkdirSync(directory);
    const options = { directory, foreignKeys: this.#case.foreignKeys, waiter: this.#case.waiters[at] };
    return this.#guarded("open", at, () => new Replica(options));
  }

  #guarded<T>(kind: FailureKind, replica: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#failed(kind, replica, error);
    }
  }

  #failed(kind: FailureKind, replica: number, error: unknown): FailureError {
    const detail = `replica ${replica}, entry ${this.#at}${error instanceof Error ? `\n${error.stack}` : ""}`;
    return new FailureError({ kind, message: messageOf(error), detail });
  }

  /** Applies what has come since the replica's last batch. */
  #flush(at: number): void {
    const replica = this.#replicas[at];
    if (replica === undefined) return;
    this.#guarded("apply", at, () => replica.apply(this.#entries[at].slice(replica.position.applied, this.#at)));
  }

  async #act(at: number, action: Action): Promise<void> {
    if (action.startsWith("join")) return await this.#join(at, Number(action.slice(5)));
    this.#flush(at);
    const replica = this.#replicas[at];
    if (replica === undefined) return;
    switch (action) {
      case "restart":
        return this.#guarded("open", at, () => replica.restart());
      case "crash":
        return this.#guarded("open", at, () => replica.crash(1));
      case "powerLoss":
        this.#guarded("open", at, () => replica.crash(KEPT_SHARE));
        return this.#flush(at);
      case "checkpoint":
        return this.#guarded("checkpoint", at, () => replica.checkpoint("TRUNCATE"));
      case "passive":
        return this.#guarded("checkpoint", at, () => replica.checkpoint("PASSIVE"));
    }
  }

  async #join(at: number, from: number): Promise<void> {
    const source = this.#replicas[from];
    if (source === undefined || from === at) return;
    this.#flush(from);
    const replica = this.#replicas[at] ??= this.#make(at);
    try {
      await replica.adopt(source);
    } catch (error) {
      throw this.#failed("snapshot", at, error);
    }
  }

  #compare(): void {
    this.#replicas.forEach((_, at) => this.#flush(at));
    const present = this.#replicas.flatMap((replica, at) => replica === undefined ? [] : [{ replica, at }]);
    const [first, ...others] = present;
    for (const { replica, at } of present) {
      if (replica.position.applied !== this.#at) this.#diverged("applied index", first.replica, replica, at);
    }
    for (const { replica, at } of others) {
      if (replica.position.digest !== first.replica.position.digest) {
        this.#diverged("digest", first.replica, replica, at);
      }
    }
    if (this.#options.kinds.has("check-hash")) {
      const hashes = present.map(({ replica, at }) => this.#guarded("hash", at, () => replica.hash()));
      hashes.forEach((hash, at) => {
        if (hash !== hashes[0]) this.#diverged("content", first.replica, present[at].replica, present[at].at);
      });
    }
    this.#compareResults(present);
    if (this.#options.kinds.has("check-integrity") && (this.#at === this.#case.items.length || this.#at % 4 === 0)) {
      for (const { replica, at } of present) this.#checkIntegrity(replica, at);
    }
  }

  #diverged(what: string, first: Replica, other: Replica, at: number): never {
    let entry = 1;
    const differs = (index: number) => {
      const [one, two] = [first.digestAt(index), other.digestAt(index)];
      return one !== undefined && two !== undefined && one !== two;
    };
    while (entry < this.#at && !differs(entry)) entry++;
    const where = what === "digest" ? `first after entry ${entry}` : `seen after entry ${this.#at}`;
    const positions = `${JSON.stringify(first.position)} and ${JSON.stringify(other.position)}`;
    let rows: string | undefined;
    try {
      for (const replica of [first, other]) {
        replica.close();
        this.#closed.add(replica);
      }
      rows = differenceOf(dumpFile(first.path), dumpFile(other.path));
    } catch (error) {
      rows = `the files cannot be compared: ${messageOf(error)}`;
    }
    throw new FailureError({
      kind: "diverge",
      message: `${what} of replicas 0 and ${at} differs, ${where}`,
      detail: `${positions}\n${rows ?? "all stored values are equal"}`,
    });
  }

  #compareResults(present: readonly { replica: Replica; at: number }[]): void {
    const waiting = present.filter(({ at }) => this.#case.waiters[at] !== null);
    const [first, ...others] = waiting;
    if (first === undefined) return;
    for (const [index, text] of first.replica.results) {
      this.#count(index, text);
      if (!this.#options.kinds.has("check-results") || !isShared(this.#case.items[index - 1])) continue;
      for (const { replica, at } of others) {
        if (this.#case.waiters[at] !== this.#case.waiters[first.at]) continue;
        const other = replica.results.get(index);
        const isStrict = !replica.isReopened && !first.replica.isReopened;
        if (other === undefined || shown(other, isStrict) === shown(text, isStrict)) continue;
        const detail = `entry ${index}\n- ${text.slice(0, 2000)}\n+ ${other.slice(0, 2000)}`;
        throw new FailureError({
          kind: "results",
          message: `results on replicas ${first.at} and ${at} differ`,
          detail,
        });
      }
    }
    for (const { replica } of waiting) replica.results.clear();
  }

  #count(index: number, text: string): void {
    this.elements += this.#case.items[index - 1].elements.length;
    for (const [, message] of text.matchAll(/"error":"((?:[^"\\]|\\.)*)"/g)) this.errors.push(message);
  }

  #checkIntegrity(replica: Replica, at: number): void {
    const lines = this.#guarded("integrity", at, () => replica.integrity());
    const excused = [OWN_VERDICT, ABOUT_INDEX, ABOUT_DEFAULT];
    const bad = lines.find((line) => line !== "ok" && !excused.some((pattern) => pattern.test(line)));
    if (bad === undefined) return;
    throw new FailureError({
      kind: "integrity",
      message: bad,
      detail: `replica ${at}, entry ${this.#at}\n${lines.join("\n")}`,
    });
  }

  #compareFiles(): void {
    if (!this.#options.kinds.has("check-dump")) return;
    let first: string[] | undefined;
    this.#replicas.forEach((replica, at) => {
      if (replica === undefined) return;
      this.#guarded("open", at, () => replica.close());
      this.#closed.add(replica);
      const dump = this.#guarded("dump", at, () => dumpFile(replica.path));
      const difference = first === undefined ? undefined : differenceOf(first, dump);
      first ??= dump;
      if (difference === undefined) return;
      throw new FailureError({
        kind: "diverge",
        message: `stored values of replicas 0 and ${at} differ`,
        detail: difference,
      });
    });
  }
}

/** Whether the results of an entry are every replica's: not those of reads that only their asker sees, nor plans. */
function isShared({ kind, transaction, elements }: Item): boolean {
  if (kind === "query" || elements.some(({ sql }) => /explain/i.test(sql))) return false;
  return transaction || elements.every(({ sql }) => !/^\W*(?:select|values|explain|pragma|with)\b/i.test(sql));
}

/** Results without what they tell of earlier entries, which a replica that was opened again does not know. */
function shown(results: string, isStrict: boolean): string {
  const text = results.replaceAll(/,?"time":[0-9.e-]+/g, "");
  return isStrict ? text : text.replaceAll(/"(?:last_insert_id|rows_affected)":-?\d+,?/g, "");
}
