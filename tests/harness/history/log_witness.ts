/**
 * The log as a witness: answers name the index of their log entry (`raft_index`), which is the order that the cluster
 * claims. Cheap, for histories of any length; but it trusts the indexes, so the black-box checkers stay (H3).
 * Pure.
 *
 * (1) No index twice; an operation that had returned before another was invoked has the lower index.
 * (2) Replayed in that order through the model, every answer is the one that was given.
 * (3) A read without an index equals the state at some index that is at least that of every operation that had returned
 *     before it was invoked, and below that of every operation invoked after it had returned.
 *
 * A write of unknown outcome stands at an index that nobody said, above those that had been told before it was
 * invoked: of its key, (2) looks at what came before, and (3) at reads that had returned before. Such a read may see an
 * operation whose index was told later.
 * @module
 */
import { partition } from "./history.ts";
import {
  applyRegister,
  type Content,
  describeRegisterOperation,
  type RegisterOperation,
  relevantToRegisters,
} from "./register.ts";

/** Verdict of the witness. */
export interface WitnessResult {
  /** Operations compared with the model. */
  readonly compared: number;
  /** Operations left out. */
  readonly skipped: number;
  /** The faults found, each described in one text. */
  readonly faults: readonly string[];
}

type Indexed = RegisterOperation & { readonly index: number };

function isIndexed(operation: RegisterOperation): operation is Indexed {
  return operation.index !== undefined;
}

/** Checks answers of registers against the indexes that came with them. */
export function checkLogWitness(operations: readonly RegisterOperation[]): WitnessResult {
  const all = relevantToRegisters(operations);
  const faults = checkOrder(all.filter(isIndexed));
  const bounds = new Bounds(all.filter(isIndexed));
  let compared = 0;
  for (const ofKey of partition(all, ({ request }) => request.key).values()) {
    const unknown = ofKey.filter((operation) => operation.request.kind !== "read" && !isIndexed(operation));
    const end = Math.min(...unknown.map(({ invokedAt }) => invokedAt)); // Infinity without any
    const limit = end === Infinity ? Infinity : bounds.highestBefore(end);
    const known = ofKey.filter(isIndexed);
    const told = known.filter(({ index }) => index <= limit);
    const reads = ofKey.filter((one) => one.request.kind === "read" && !isIndexed(one) && one.returnedAt < end);
    replay(told, faults);
    const versions = replay(known, []); // an answer behind the unknown write may be right whatever it says
    for (const read of reads) checkRead(read, { versions, bounds, faults });
    compared += told.length + reads.length;
  }
  return { compared, skipped: all.length - compared, faults };
}

/** (1). */
function checkOrder(indexed: readonly Indexed[]): string[] {
  const faults: string[] = [];
  const seen = new Map<number, Indexed>();
  for (const operation of indexed) {
    const other = seen.get(operation.index);
    if (other) faults.push(`two operations with one index:\n  ${lines(other, operation)}`);
    seen.set(operation.index, operation);
  }
  const byReturn = indexed.toSorted((a, b) => a.returnedAt - b.returnedAt);
  let highest: Indexed | undefined;
  let at = 0;
  for (const operation of indexed.toSorted((a, b) => a.invokedAt - b.invokedAt)) {
    for (; at < byReturn.length && byReturn[at].returnedAt < operation.invokedAt; at++) {
      if (highest === undefined || byReturn[at].index > highest.index) highest = byReturn[at];
    }
    if (highest && highest.index > operation.index) {
      faults.push(`an operation that came later has the lower index:\n  ${lines(highest, operation)}`);
    }
  }
  return faults;
}

function lines(...operations: readonly RegisterOperation[]): string {
  return operations.map(describeRegisterOperation).join("\n  ");
}

/** Content of a register from an index on. */
interface Version {
  readonly index: number;
  readonly content: Content;
}

/** (2): the versions of a key. */
function replay(indexed: readonly Indexed[], faults: string[]): Version[] {
  const versions: Version[] = [{ index: 0, content: null }];
  let state: Content = null;
  for (const operation of indexed.toSorted((a, b) => a.index - b.index)) {
    const { answer, next } = applyRegister(state, operation.request);
    if (answer !== operation.answer) {
      faults.push(`the log says ${JSON.stringify(answer)}:\n  ${lines(operation)}`);
    }
    state = next;
    versions.push({ index: operation.index, content: state });
  }
  return versions;
}

/** (3). */
function checkRead(
  read: RegisterOperation,
  { versions, bounds, faults }: { versions: readonly Version[]; bounds: Bounds; faults: string[] },
): void {
  const low = bounds.highestBefore(read.invokedAt);
  const high = bounds.lowestAfter(read.returnedAt);
  const isAllowed = versions.some(({ index, content }, at) => {
    const end = versions[at + 1]?.index ?? Infinity;
    return content === read.answer && end > low && index < high;
  });
  if (!isAllowed) faults.push(`no state from index ${low} to before ${high} is what was read:\n  ${lines(read)}`);
}

/** Which indexes a time stands for. */
class Bounds {
  readonly #byReturn: readonly Indexed[];
  readonly #highest: number[] = [];
  readonly #byCall: readonly Indexed[];
  readonly #lowest: number[] = [];

  constructor(indexed: readonly Indexed[]) {
    this.#byReturn = indexed.toSorted((a, b) => a.returnedAt - b.returnedAt);
    this.#byCall = indexed.toSorted((a, b) => b.invokedAt - a.invokedAt);
    for (const { index } of this.#byReturn) this.#highest.push(Math.max(index, this.#highest.at(-1) ?? 0));
    for (const { index } of this.#byCall) this.#lowest.push(Math.min(index, this.#lowest.at(-1) ?? Infinity));
  }

  /** Highest index that was told before a time. */
  highestBefore(at: number): number {
    return this.#highest[count(this.#byReturn, ({ returnedAt }) => returnedAt < at) - 1] ?? 0;
  }

  /** Lowest index of what was asked for after a time. */
  lowestAfter(at: number): number {
    return this.#lowest[count(this.#byCall, ({ invokedAt }) => invokedAt > at) - 1] ?? Infinity;
  }
}

/** How many items at the start of a list have a property, which no later one has (binary search). */
function count<T>(items: readonly T[], has: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (has(items[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}
