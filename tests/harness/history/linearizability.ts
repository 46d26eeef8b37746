/**
 * Linearizability of registers: is there an order of the operations that a single register would give, in which none
 * comes before one that had returned before it was called? Wing and Gong's search with Lowe's memoisation, as in
 * porcupine (Lowe, "Testing for linearizability", 2017; H1). Pure.
 *
 * Each key is checked by itself (linearizability is local). Calls and returns stand in a doubly linked list by time.
 * The walk takes the first call that the model allows, lifts it and its return out and starts again; at a return
 * whose call was not taken it goes back. A set of operations taken together with the state they led to is tried once.
 * The search is bounded by steps, not by time, so that the same history has the same verdict everywhere.
 * @module
 */
import { partition } from "./history.ts";
import {
  type Content,
  describeRegisterOperation,
  type RegisterOperation,
  relevantToRegisters,
  step,
} from "./register.ts";

/** Steps after which a key is undecided. */
export const SEARCH_STEPS_MAX = 3_000_000;

/** A violation of linearizability on one key. */
export interface RegisterViolation {
  readonly key: number;
  /** The longest order found that a register allows. */
  readonly prefix: readonly RegisterOperation[];
  /** The state that this order leads to. */
  readonly state: Content;
  /** The operation that had returned by then and fits nowhere after it. */
  readonly misfit: RegisterOperation;
}

/** Verdict on a history. */
export interface LinearizabilityResult {
  readonly keys: number;
  readonly violations: readonly RegisterViolation[];
  /** Keys whose search was given up. */
  readonly undecided: readonly number[];
}

/** Checks a history of registers, key by key. */
export function checkLinearizability(
  operations: readonly RegisterOperation[],
  stepsMax: number = SEARCH_STEPS_MAX,
): LinearizabilityResult {
  const violations: RegisterViolation[] = [];
  const undecided: number[] = [];
  const byKey = partition(relevantToRegisters(operations), ({ request }) => request.key);
  for (const [key, ofKey] of byKey) {
    const found = new Search(ofKey).run(stepsMax);
    if (found === "undecided") undecided.push(key);
    else if (found !== "linearizable") violations.push({ key, ...found });
  }
  return { keys: byKey.size, violations, undecided };
}

/** A violation in a few lines: the end of the prefix, and what does not fit. */
export function explainViolation({ key, prefix, state, misfit }: RegisterViolation, linesMax = 8): string {
  const shown = prefix.slice(-linesMax).map((operation) => `  ${describeRegisterOperation(operation)}`);
  const skipped = prefix.length - shown.length;
  return [
    `key ${key} is not linearizable. The longest order that fits:`,
    ...(skipped > 0 ? [`  (${skipped} operations before)`] : []),
    ...shown,
    `  leads to ${JSON.stringify(state)}; after it there is no place for`,
    `  ${describeRegisterOperation(misfit)}`,
  ].join("\n");
}

/** An entry of the list: the call of an operation, or its return. */
interface Entry {
  readonly operation: RegisterOperation;
  /** Of the operation in the bit set. */
  readonly bit: number;
  /** A call's return; undefined for a return itself. */
  readonly match: Entry | undefined;
  previous: Entry | undefined;
  next: Entry | undefined;
}

interface Taken {
  readonly entry: Entry;
  readonly before: Content;
}

type Finding = "linearizable" | "undecided" | Omit<RegisterViolation, "key">;

class Search {
  readonly #first: { next: Entry | undefined };
  /** 16 operations per word: the words are a cache key as they are. */
  readonly #taken: Uint16Array;
  readonly #tried = new Set<string>();
  readonly #stack: Taken[] = [];
  #state: Content = null;
  #best: Omit<RegisterViolation, "key"> | undefined;

  constructor(operations: readonly RegisterOperation[]) {
    this.#taken = new Uint16Array(Math.ceil(operations.length / 16));
    this.#first = { next: linked(operations) };
  }

  run(stepsMax: number): Finding {
    let entry = this.#first.next;
    for (let steps = 0; entry !== undefined; steps++) {
      if (steps >= stepsMax) return "undecided";
      if (entry.match !== undefined) {
        entry = this.#take(entry) ? this.#first.next : entry.next;
        continue;
      }
      // Operations that never returned may come last, or never: nothing that is left has to be placed.
      if (entry.operation.returnedAt === Infinity) return "linearizable";
      this.#note(entry.operation);
      const last = this.#stack.pop();
      if (last === undefined) return this.#best ?? { prefix: [], state: null, misfit: entry.operation };
      this.#state = last.before;
      this.#taken[last.entry.bit >> 4] ^= 1 << (last.entry.bit & 15);
      this.#unlift(last.entry);
      entry = last.entry.next;
    }
    return "linearizable";
  }

  /** Takes a call if the model allows it and this has not been tried. */
  #take(entry: Entry): boolean {
    const next = step(this.#state, entry.operation);
    if (next === undefined) return false;
    this.#taken[entry.bit >> 4] ^= 1 << (entry.bit & 15);
    const key = String.fromCharCode(...this.#taken) + (next === null ? "" : `=${next}`);
    if (this.#tried.has(key)) {
      this.#taken[entry.bit >> 4] ^= 1 << (entry.bit & 15);
      return false;
    }
    this.#tried.add(key);
    this.#stack.push({ entry, before: this.#state });
    this.#state = next;
    this.#lift(entry);
    return true;
  }

  #note(misfit: RegisterOperation): void {
    if (this.#best !== undefined && this.#best.prefix.length >= this.#stack.length) return;
    this.#best = { prefix: this.#stack.map(({ entry }) => entry.operation), state: this.#state, misfit };
  }

  #lift(call: Entry): void {
    this.#remove(call);
    if (call.match) this.#remove(call.match);
  }

  /** In the opposite order of {@linkcode #lift}, so that each finds its neighbours where it left them. */
  #unlift(call: Entry): void {
    if (call.match) this.#restore(call.match);
    this.#restore(call);
  }

  #remove(entry: Entry): void {
    (entry.previous ?? this.#first).next = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
  }

  #restore(entry: Entry): void {
    (entry.previous ?? this.#first).next = entry;
    if (entry.next) entry.next.previous = entry;
  }
}

/** Calls and returns by time; at the same time calls first, for such operations are concurrent. */
function linked(operations: readonly RegisterOperation[]): Entry | undefined {
  const entries: Entry[] = operations.flatMap((operation, bit) => {
    const end: Entry = { operation, bit, match: undefined, previous: undefined, next: undefined };
    return [{ ...end, match: end }, end];
  });
  const timeOf = ({ match, operation }: Entry) => match ? operation.invokedAt : operation.returnedAt;
  // Not by subtraction: Infinity - Infinity is no number.
  entries.sort((a, b) => {
    const [first, second] = [timeOf(a), timeOf(b)];
    return first < second ? -1 : first > second ? 1 : Number(!a.match) - Number(!b.match);
  });
  entries.forEach((entry, at) => {
    entry.previous = entries[at - 1];
    entry.next = entries[at + 1];
  });
  return entries[0];
}
