/**
 * The state behind Consul's KV API: keys of one namespace and partition, and the index that tells of changes. Pure.
 * (1) An entry's `modifyIndex` rises with each change of its value or flags, and with nothing else.
 * (2) A single key's index is its `modifyIndex`; of an absent key, the highest of the store.
 * (3) A prefix's index is the highest under it, deletions included; of a prefix never used, the highest of the store.
 * (4) An index is never 0.
 * @module
 */

/** One key. */
export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Unsigned 64-bit, the client's to use. */
  readonly flags: bigint;
  readonly createIndex: number;
  readonly modifyIndex: number;
}

/** The result of a read, and the index to wait on. */
export interface KvReading {
  /** Sorted by key. */
  readonly entries: readonly KvEntry[];
  readonly index: number;
}

/** How a write may be bound. */
export interface KvWriteOptions {
  /** @default {0n} */
  readonly flags?: bigint;
  /** Writes only when the entry has this `modifyIndex`; 0 only when there is no entry. */
  readonly cas?: bigint;
}

/** Keys of one namespace in one partition. */
export class KvStore {
  readonly #entries = new Map<string, KvEntry>();
  readonly #tombstones = new Map<string, number>(); // key or deleted prefix → index; Consul forgets them after 15 min
  readonly #watchers = new Set<() => void>();
  readonly #nextIndex: () => number;
  #highest = 1;

  /** @param nextIndex Rises by call; shared by all stores of a server, as Consul's Raft index is. */
  constructor(nextIndex: () => number) {
    this.#nextIndex = nextIndex;
  }

  /** Reads one key. */
  get(key: string): KvReading {
    const entry = this.#entries.get(key);
    return entry === undefined ? { entries: [], index: this.#highest } : { entries: [entry], index: entry.modifyIndex };
  }

  /** Reads all keys that start with `prefix`. */
  list(prefix: string): KvReading {
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
    const deleted = [...this.#tombstones].filter(([key]) => key.startsWith(prefix)).map(([, index]) => index);
    const index = Math.max(0, ...entries.map(({ modifyIndex }) => modifyIndex), ...deleted) || this.#highest;
    return { entries: entries.sort((a, b) => a.key < b.key ? -1 : 1), index };
  }

  /** Sets a key; false when `cas` forbids it. */
  put(key: string, value: Uint8Array, { flags = 0n, cas }: KvWriteOptions = {}): boolean {
    const old = this.#entries.get(key);
    if (cas !== undefined && cas !== BigInt(old?.modifyIndex ?? 0)) return false;
    if (old !== undefined && old.flags === flags && isSame(old.value, value)) return true;
    const index = this.#nextIndex();
    this.#entries.set(key, { key, value, flags, createIndex: old?.createIndex ?? index, modifyIndex: index });
    this.#changed(index);
    return true;
  }

  /** Removes a key; false when it is there and `cas` is not its `modifyIndex`. */
  delete(key: string, cas?: bigint): boolean {
    const old = this.#entries.get(key);
    if (old === undefined) return true;
    if (cas !== undefined && cas !== BigInt(old.modifyIndex)) return false;
    this.#entries.delete(key);
    this.#bury(key);
    return true;
  }

  /** Removes all keys that start with `prefix`. */
  deleteTree(prefix: string): void {
    const { entries } = this.list(prefix);
    for (const { key } of entries) this.#entries.delete(key);
    if (entries.length > 0) this.#bury(prefix);
  }

  /** Calls `wake` after each change until `unwatch`. */
  watch(wake: () => void): void {
    this.#watchers.add(wake);
  }

  /** Ends what `watch` began. */
  unwatch(wake: () => void): void {
    this.#watchers.delete(wake);
  }

  #bury(key: string): void {
    const index = this.#nextIndex();
    this.#tombstones.set(key, index);
    this.#changed(index);
  }

  #changed(index: number): void {
    this.#highest = index;
    for (const wake of [...this.#watchers]) wake();
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
