/**
 * Hand-made histories, right and wrong, that hold the checkers to their promises: each checker accepts every right one
 * and rejects every wrong one.
 * @module
 */
import type { Outcome } from "./history.ts";
import type { AnomalyKind, Micro, Transaction, TransactionAnswer } from "./list_append.ts";
import type { RegisterAnswer, RegisterOperation, RegisterRequest } from "./register.ts";

type Time = readonly [from: number, to: number];

/** A history with its name. */
export interface Canned<T> {
  readonly name: string;
  readonly operations: readonly T[];
}

function operation(process: number, [invokedAt, to]: Time, request: RegisterRequest, answer: RegisterAnswer) {
  return { process, invokedAt, returnedAt: to, request, outcome: "done", answer } as const;
}

const read = (process: number, time: Time, answer: string | null, key = 1): RegisterOperation =>
  operation(process, time, { key, kind: "read" }, answer);
const write = (process: number, time: Time, value: string, key = 1): RegisterOperation =>
  operation(process, time, { key, kind: "write", value }, true);
const append = (process: number, time: Time, value: string): RegisterOperation =>
  operation(process, time, { key: 1, kind: "append", value }, true);
const cas = (process: number, time: Time, expected: string | null, value: string, answer: boolean): RegisterOperation =>
  operation(process, time, { key: 1, kind: "cas", expected, value }, answer);
const remove = (process: number, time: Time): RegisterOperation =>
  operation(process, time, { key: 1, kind: "delete" }, true);
const unknown = ({ answer: _, ...rest }: RegisterOperation): RegisterOperation => ({
  ...rest,
  returnedAt: Infinity,
  outcome: "unknown",
});
const notDone = ({ answer: _, ...rest }: RegisterOperation): RegisterOperation => ({ ...rest, outcome: "notDone" });
const at = (index: number, one: RegisterOperation): RegisterOperation => ({ ...one, index });

/** Histories that a register can produce. */
export const RIGHT_REGISTERS: readonly Canned<RegisterOperation>[] = [
  { name: "nothing", operations: [] },
  { name: "a read before any write", operations: [read(1, [1, 2], null)] },
  { name: "one after the other", operations: [write(1, [1, 2], "a"), read(2, [3, 4], "a"), write(1, [5, 6], "b")] },
  {
    name: "a read beside a write sees the old and the new value",
    operations: [write(1, [1, 2], "a"), write(2, [3, 8], "b"), read(3, [4, 5], "a"), read(3, [6, 7], "b")],
  },
  {
    name: "an unknown write that took effect late",
    operations: [unknown(write(1, [1, 2], "a")), write(2, [3, 4], "b"), read(3, [5, 6], "b"), read(3, [7, 8], "a")],
  },
  { name: "an unknown write without effect", operations: [unknown(write(1, [1, 2], "a")), read(2, [3, 4], null)] },
  { name: "an unknown read says nothing", operations: [write(1, [1, 2], "a"), unknown(read(2, [3, 4], "z"))] },
  { name: "a refused write", operations: [notDone(write(1, [1, 2], "a")), read(2, [3, 4], null)] },
  {
    name: "compare-and-set and append",
    operations: [
      append(1, [1, 2], "a"),
      cas(2, [3, 6], "a", "b", true),
      cas(3, [4, 5], "a", "c", false),
      append(1, [7, 8], "d"),
      read(2, [9, 10], "bd"),
    ],
  },
  {
    name: "deleted, and made anew where there is none",
    operations: [
      write(1, [1, 2], "a"),
      remove(2, [3, 4]),
      read(3, [5, 6], null),
      cas(1, [7, 8], null, "b", true),
      cas(2, [9, 10], null, "c", false),
      read(3, [11, 12], "b"),
    ],
  },
  {
    name: "keys are separate",
    operations: [write(1, [1, 2], "a", 1), read(2, [3, 4], null, 2), read(1, [5, 6], "a", 1)],
  },
  {
    name: "two writes at a time, the first one read last",
    operations: [write(1, [1, 9], "a"), write(2, [2, 8], "b"), read(3, [10, 11], "a")],
  },
  { name: "equal times are concurrent", operations: [write(1, [1, 2], "a"), read(2, [2, 3], null)] },
];

/** Histories that no register can produce. */
export const WRONG_REGISTERS: readonly Canned<RegisterOperation>[] = [
  { name: "stale read", operations: [write(1, [1, 2], "a"), write(1, [3, 4], "b"), read(2, [5, 6], "a")] },
  { name: "lost write", operations: [write(1, [1, 2], "a"), read(2, [3, 4], null)] },
  {
    name: "a write that came back",
    operations: [write(1, [1, 2], "a"), write(1, [3, 4], "b"), read(2, [5, 6], "b"), read(2, [7, 8], "a")],
  },
  { name: "dirty read", operations: [notDone(write(1, [1, 2], "a")), read(2, [3, 4], "a")] },
  { name: "a value from nowhere", operations: [write(1, [1, 2], "a"), read(2, [3, 4], "z")] },
  {
    name: "two reads beside a write go back",
    operations: [write(1, [1, 2], "a"), write(2, [3, 10], "b"), read(3, [4, 5], "b"), read(4, [6, 7], "a")],
  },
  {
    name: "two readers disagree on the order of two writes",
    operations: [
      write(1, [1, 20], "a"),
      write(2, [1, 20], "b"),
      read(3, [2, 3], "a"),
      read(4, [4, 5], "b"),
      read(3, [6, 7], "a"),
    ],
  },
  {
    name: "two compare-and-sets of one value",
    operations: [write(1, [1, 2], "a"), cas(2, [3, 6], "a", "b", true), cas(3, [4, 5], "a", "c", true)],
  },
  {
    name: "a compare-and-set that failed without reason",
    operations: [write(1, [1, 2], "a"), cas(2, [3, 4], "a", "b", false)],
  },
  {
    name: "a deleted value that comes back",
    operations: [write(1, [1, 2], "a"), remove(2, [3, 4]), read(3, [5, 6], "a")],
  },
  { name: "an append twice", operations: [append(1, [1, 2], "a"), read(2, [3, 4], "aa")] },
  { name: "an append lost", operations: [append(1, [1, 2], "a"), append(2, [3, 4], "b"), read(2, [5, 6], "b")] },
  {
    name: "an unknown write that took effect twice",
    operations: [
      unknown(write(1, [1, 2], "a")),
      read(2, [3, 4], "a"),
      write(3, [5, 6], "b"),
      read(2, [7, 8], "a"),
    ],
  },
  { name: "an effect before its call", operations: [read(2, [1, 2], "a"), unknown(write(1, [3, 4], "a"))] },
  {
    name: "wrong on the second key",
    operations: [write(1, [1, 2], "a", 1), write(1, [3, 4], "a", 2), read(2, [5, 6], null, 2)],
  },
];

/** Answers that agree with their indexes. */
export const RIGHT_WITNESS: readonly Canned<RegisterOperation>[] = [
  {
    name: "in the order of the log",
    operations: [at(2, write(1, [1, 4], "a")), at(1, write(2, [2, 3], "b")), read(3, [5, 6], "a")],
  },
  {
    name: "a read beside a write",
    operations: [
      at(1, write(1, [1, 2], "a")),
      at(2, write(1, [3, 8], "b")),
      read(2, [4, 5], "a"),
      read(3, [4, 7], "b"),
    ],
  },
  {
    name: "what came after an unknown write is left out",
    operations: [
      at(1, write(1, [1, 2], "a")),
      unknown(write(2, [3, 4], "b")),
      read(3, [5, 6], "b"),
      at(3, cas(1, [7, 8], "b", "c", true)),
    ],
  },
  {
    name: "a write that is read before its index is told, and before an unknown write",
    operations: [
      at(1, write(1, [1, 8], "a")),
      read(2, [2, 3], "a"),
      unknown(write(2, [4, 5], "b")),
      at(2, write(3, [6, 7], "a", 2)),
    ],
  },
];

/** Answers that do not. */
export const WRONG_WITNESS: readonly Canned<RegisterOperation>[] = [
  { name: "one index twice", operations: [at(1, write(1, [1, 4], "a")), at(1, write(2, [2, 3], "b", 2))] },
  { name: "indexes against the clock", operations: [at(2, write(1, [1, 2], "a")), at(1, write(2, [3, 4], "b", 2))] },
  {
    name: "an answer that the log does not give",
    operations: [at(1, write(1, [1, 2], "a")), at(2, cas(1, [3, 4], "b", "c", true))],
  },
  {
    name: "a stale read",
    operations: [at(1, write(1, [1, 2], "a")), at(2, write(1, [3, 4], "b")), read(2, [5, 6], "a")],
  },
  {
    name: "a stale read before an unknown write",
    operations: [
      at(1, write(1, [1, 2], "a")),
      at(2, write(1, [3, 4], "b")),
      read(2, [5, 6], "a"),
      unknown(write(1, [7, 8], "c")),
    ],
  },
  {
    name: "an answer before an unknown write that the log does not give",
    operations: [
      at(1, write(1, [1, 2], "a")),
      at(2, cas(1, [3, 4], "b", "c", true)),
      unknown(write(1, [5, 6], "c")),
    ],
  },
  {
    name: "a read of the future",
    operations: [at(1, write(1, [1, 2], "a")), read(2, [3, 4], "b"), at(2, write(1, [5, 6], "b"))],
  },
];

const a = (key: number, element: number): Micro => ({ kind: "append", key, element });
const r = (key: number): Micro => ({ kind: "read", key });

function transaction(
  process: number,
  [invokedAt, to]: Time,
  request: readonly Micro[],
  answer: TransactionAnswer = [],
  outcome: Outcome = "done",
): Transaction {
  if (outcome === "done") return { process, invokedAt, returnedAt: to, request, outcome, answer };
  return { process, invokedAt, returnedAt: outcome === "unknown" ? Infinity : to, request, outcome };
}

/** Histories that a serial database can produce. */
export const RIGHT_LISTS: readonly Canned<Transaction>[] = [
  { name: "nothing", operations: [] },
  {
    name: "one after the other",
    operations: [
      transaction(1, [1, 2], [a(1, 1), r(1)], [[1]]),
      transaction(2, [3, 4], [r(1), a(1, 2), r(1), r(2)], [[1], [1, 2], []]),
      transaction(1, [5, 6], [r(1)], [[1, 2]]),
    ],
  },
  {
    name: "a read beside two appends",
    operations: [
      transaction(1, [1, 9], [a(1, 1), a(2, 1)]),
      transaction(2, [2, 3], [r(1), r(2)], [[], []]),
      transaction(2, [4, 5], [r(1), r(2)], [[1], [1]]),
    ],
  },
  {
    name: "unknown appends, one with effect and one without",
    operations: [
      transaction(1, [1, 2], [a(1, 1)], [], "unknown"),
      transaction(2, [1, 2], [a(1, 2)], [], "unknown"),
      transaction(3, [3, 4], [r(1)], [[2]]),
    ],
  },
  {
    name: "equal times are concurrent",
    operations: [transaction(1, [1, 2], [a(1, 1)]), transaction(2, [2, 3], [r(1)], [[]])],
  },
  { name: "what only its writer has read", operations: [transaction(1, [1, 2], [a(1, 1), r(1)], [[1]])] },
  {
    name: "an aborted append that nobody sees",
    operations: [transaction(1, [1, 2], [a(1, 1)], [], "notDone"), transaction(2, [3, 4], [r(1)], [[]])],
  },
];

/** Histories that no serial database can produce, each with the name that the checker must give it. */
export const WRONG_LISTS: readonly (Canned<Transaction> & { readonly kind: AnomalyKind })[] = [
  {
    name: "a lost append",
    kind: "lost append",
    operations: [transaction(1, [1, 2], [a(1, 1)]), transaction(2, [3, 4], [r(1)], [[]])],
  },
  {
    name: "an append twice",
    kind: "duplicate",
    operations: [transaction(1, [1, 2], [a(1, 1)]), transaction(2, [3, 4], [r(1)], [[1, 1]])],
  },
  {
    name: "an element from nowhere",
    kind: "unexpected element",
    operations: [transaction(2, [3, 4], [r(1)], [[7]])],
  },
  {
    name: "a read of an aborted append",
    kind: "aborted read",
    operations: [transaction(1, [1, 2], [a(1, 1)], [], "notDone"), transaction(2, [3, 4], [r(1)], [[1]])],
  },
  {
    name: "a read of the middle of a transaction",
    kind: "intermediate read",
    operations: [transaction(1, [1, 9], [a(1, 1), a(1, 2)]), transaction(2, [3, 4], [r(1)], [[1]])],
  },
  {
    name: "two orders of one list",
    kind: "incompatible order",
    operations: [
      transaction(1, [1, 9], [a(1, 1)]),
      transaction(2, [1, 9], [a(1, 2)]),
      transaction(3, [3, 4], [r(1)], [[1, 2]]),
      transaction(4, [3, 4], [r(1)], [[2]]),
    ],
  },
  {
    name: "a transaction whose own append stood elsewhere",
    kind: "incompatible order",
    operations: [
      transaction(1, [1, 9], [a(1, 1)]),
      transaction(2, [1, 9], [a(1, 2), r(1)], [[2]]),
      transaction(3, [3, 10], [r(1)], [[1, 2]]),
    ],
  },
  {
    name: "a transaction that does not see itself",
    kind: "internal",
    operations: [transaction(1, [1, 2], [a(1, 1), r(1)], [[]])],
  },
  {
    name: "a transaction that sees another in its middle",
    kind: "internal",
    operations: [transaction(1, [1, 9], [r(1), r(1)], [[], [1]]), transaction(2, [2, 3], [a(1, 1)])],
  },
  {
    name: "a cycle of two: interleaved appends",
    kind: "G0",
    operations: [
      transaction(1, [1, 9], [a(1, 1), a(2, 1)]),
      transaction(2, [1, 9], [a(1, 2), a(2, 2)]),
      transaction(3, [10, 11], [r(1), r(2)], [[1, 2], [2, 1]]),
    ],
  },
  {
    name: "a cycle of two: each saw the other",
    kind: "G1c",
    operations: [transaction(1, [1, 9], [a(1, 1), r(2)], [[2]]), transaction(2, [1, 9], [a(2, 2), r(1)], [[1]])],
  },
  {
    name: "a cycle of two: half of a transaction",
    kind: "G-single",
    operations: [transaction(1, [1, 9], [a(1, 1), a(2, 2)]), transaction(2, [1, 9], [r(1), r(2)], [[1], []])],
  },
  {
    name: "a cycle of two: write skew",
    kind: "G2",
    operations: [
      transaction(1, [1, 9], [r(1), a(2, 1)], [[]]),
      transaction(2, [1, 9], [r(2), a(1, 2)], [[]]),
      transaction(3, [10, 11], [r(1), r(2)], [[2], [1]]),
    ],
  },
  {
    name: "a cycle of three: a ring of reads",
    kind: "G1c",
    operations: [
      transaction(1, [1, 9], [a(1, 1), r(3)], [[3]]),
      transaction(2, [1, 9], [a(2, 2), r(1)], [[1]]),
      transaction(3, [1, 9], [a(3, 3), r(2)], [[2]]),
    ],
  },
  {
    name: "a cycle of three: a read that missed what its writer's reader had seen",
    kind: "G-single",
    operations: [
      transaction(1, [1, 9], [a(1, 1)]),
      transaction(2, [1, 9], [r(1), a(2, 2)], [[1]]),
      transaction(3, [1, 9], [r(2), r(1)], [[2], []]),
    ],
  },
  {
    name: "appends against the clock",
    kind: "G0-realtime",
    operations: [
      transaction(1, [1, 2], [a(1, 1)]),
      transaction(2, [3, 9], [a(1, 2)]),
      transaction(3, [1, 20], [r(1)], [[2, 1]]),
    ],
  },
  {
    name: "a read of the future",
    kind: "G1c-realtime",
    operations: [transaction(1, [1, 2], [r(1)], [[1]]), transaction(2, [3, 4], [a(1, 1)])],
  },
  {
    name: "two readers, the later one with the older state",
    kind: "G-single-realtime",
    operations: [
      transaction(1, [1, 20], [a(1, 1)]),
      transaction(2, [2, 3], [r(1)], [[1]]),
      transaction(3, [4, 5], [r(1)], [[]]),
    ],
  },
  {
    name: "an unknown transaction of which one half is there",
    kind: "G-single",
    operations: [
      transaction(1, [1, 2], [a(1, 1), a(2, 2)], [], "unknown"),
      transaction(2, [3, 4], [r(1), r(2)], [[1], []]),
    ],
  },
];
