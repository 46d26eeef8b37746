/**
 * Strict serializability of transactions that read and append to lists, after Elle (Kingsbury and Alvaro, "Elle:
 * Inferring Isolation Anomalies from Experimental Observations", 2020; H2). Pure.
 *
 * Every appended integer is unique, so a list says who wrote it and in which order. The longest read of a list is its
 * version order; from that follow write-write, write-read and read-write edges, and from the clock real-time edges. A
 * cycle of edges is an anomaly, as is what needs no graph: a lost append, an element twice or from nowhere, an append
 * of an aborted transaction or of the middle of one that was read, reads that disagree on the order, a transaction
 * that does not see itself.
 *
 * (1) No false alarm: whatever is named here, no order of the transactions explains.
 * (2) Nothing is missed in histories in which every list is read once more after all appends.
 * @module
 */
import type { Operation } from "./history.ts";
import { type Edge, findCycles } from "./list_append_cycles.ts";

const STEPS_SHOWN_MAX = 8;

/** One step of a transaction. */
export type Micro =
  | { readonly kind: "append"; readonly key: number; readonly element: number }
  | { readonly kind: "read"; readonly key: number };

/** The results of a transaction's reads, in their order. */
export type TransactionAnswer = readonly (readonly number[])[];

/** A transaction and what it was told. */
export type Transaction = Operation<readonly Micro[], TransactionAnswer>;

/** Kinds of anomalies; those with a cycle have Adya's names, `-realtime` when the clock is part of it. */
export type AnomalyKind =
  | "lost append"
  | "duplicate"
  | "unexpected element"
  | "aborted read"
  | "intermediate read"
  | "incompatible order"
  | "internal"
  | CycleKind;

/** G0: writes alone; G1c: what was read too; G-single: one read that missed a write; G2: several. */
export type CycleKind = `${"G0" | "G1c" | "G-single" | "G2"}${"" | "-realtime"}`;

/** Something that no order of the transactions explains. */
export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly detail: string;
  /** The transactions of the cycle in their order, or those concerned. */
  readonly transactions: readonly Transaction[];
}

/** The writer of an element, and whether more of the same transaction follows in the list. */
interface Writer {
  readonly transaction: Transaction;
  /** Position among the transaction's appends to that list, from the last: 0 is the last. */
  readonly fromLast: number;
}

interface Read {
  readonly transaction: Transaction;
  readonly key: number;
  /** All of it; the transaction's own appends come last. */
  readonly list: readonly number[];
  /** The elements that were there before them. */
  readonly external: readonly number[];
  readonly hasOwn: boolean;
}

/** Checks a history of transactions. */
export function checkListAppend(transactions: readonly Transaction[]): Anomaly[] {
  return new Check(transactions).run();
}

/** An anomaly in a few lines. */
export function explainAnomaly({ kind, detail, transactions }: Anomaly): string {
  return [`${kind}: ${detail}`, ...transactions.map((one) => `  ${describeTransaction(one)}`)].join("\n");
}

/** A transaction in one line. */
export function describeTransaction(transaction: Transaction): string {
  const { process, request, answer, outcome, invokedAt, returnedAt, note } = transaction;
  let reads = 0;
  const micros = request.map((micro) => {
    if (micro.kind === "append") return `append ${micro.key}: ${micro.element}`;
    const read = answer?.[reads++];
    return `read ${micro.key}: ${read === undefined ? "?" : `[${read.slice(-12).join(" ")}]`}`;
  });
  if (micros.length > STEPS_SHOWN_MAX) micros.splice(STEPS_SHOWN_MAX, Infinity, "…");
  const end = returnedAt === Infinity ? "…" : returnedAt.toFixed(3);
  return `process ${process}: {${micros.join(", ")}} ${outcome}${note ? ` (${note})` : ""} [${
    invokedAt.toFixed(3)
  }, ${end}]`;
}

class Check {
  readonly #transactions: readonly Transaction[];
  readonly #anomalies: Anomaly[] = [];
  /** Faults of single elements, each told once however many have read it. */
  readonly #told = new Set<string>();
  readonly #writers = new Map<string, Writer>();
  readonly #reads: Read[] = [];
  /** Longest read of each list. */
  readonly #orders = new Map<number, readonly number[]>();

  constructor(transactions: readonly Transaction[]) {
    this.#transactions = transactions;
  }

  run(): Anomaly[] {
    for (const transaction of this.#transactions) this.#collectAppends(transaction);
    for (const transaction of this.#transactions) this.#collectReads(transaction);
    for (const { key, list, transaction } of this.#reads) {
      const order = this.#orders.get(key) ?? [];
      if (list.every((element, at) => element === order[at])) continue;
      this.#report(
        "incompatible order",
        `list ${key} was read as [${list.join(" ")}] and as [${order.join(" ")}]`,
        [transaction],
      );
    }
    this.#findLost();
    // Edges are of one version order alone; without one there is no graph.
    if (this.#anomalies.some(({ kind }) => kind === "incompatible order" || kind === "duplicate")) {
      return this.#anomalies;
    }
    for (const { kind, edges } of findCycles(this.#transactions.filter((one) => this.#took(one)), this.#edges())) {
      const detail = edges.map(({ label }, at) => `T${at + 1} ${label} T${at + 2 > edges.length ? 1 : at + 2}`);
      this.#report(kind, detail.join(", "), edges.map(({ from }) => from));
    }
    return this.#anomalies;
  }

  #report(kind: AnomalyKind, detail: string, transactions: readonly Transaction[]): void {
    this.#anomalies.push({ kind, detail, transactions });
  }

  #reportElement(kind: AnomalyKind, place: readonly [key: number, element: number], concerned: readonly Transaction[]) {
    const detail = `${place[1]} in list ${place[0]}`;
    if (this.#told.has(`${kind} ${detail}`)) return;
    this.#told.add(`${kind} ${detail}`);
    this.#report(kind, detail, concerned);
  }

  #collectAppends(transaction: Transaction): void {
    const appends = transaction.request.filter((micro) => micro.kind === "append");
    appends.forEach(({ key, element }, at) => {
      const fromLast = appends.slice(at + 1).filter((later) => later.key === key).length;
      this.#writers.set(`${key}:${element}`, { transaction, fromLast });
    });
  }

  #collectReads(transaction: Transaction): void {
    const { request, answer } = transaction;
    if (transaction.outcome !== "done" || answer === undefined) return;
    const known = new Map<number, readonly number[]>();
    const own = new Map<number, number[]>();
    let reads = 0;
    for (const micro of request) {
      const { key } = micro;
      const appended = own.get(key) ?? [];
      if (micro.kind === "append") {
        own.set(key, [...appended, micro.element]);
        continue;
      }
      const list = answer[reads++] ?? [];
      const external = list.slice(0, list.length - appended.length);
      const before = known.get(key) ?? external;
      if (!isSame(list, [...before, ...appended])) {
        this.#report("internal", `list ${key} was read as [${list.join(" ")}]`, [transaction]);
        continue;
      }
      known.set(key, external);
      this.#checkElements(transaction, key, external);
      this.#reads.push({ transaction, key, list, external, hasOwn: appended.length > 0 });
      if (list.length > (this.#orders.get(key)?.length ?? -1)) this.#orders.set(key, list);
    }
  }

  #checkElements(transaction: Transaction, key: number, list: readonly number[]): void {
    if (new Set(list).size < list.length) {
      this.#report("duplicate", `list ${key} was read as [${list.join(" ")}]`, [transaction]);
    }
    list.forEach((element, at) => {
      const writer = this.#writers.get(`${key}:${element}`);
      if (writer === undefined) {
        this.#reportElement("unexpected element", [key, element], [transaction]);
      } else if (writer.transaction.outcome === "notDone") {
        this.#reportElement("aborted read", [key, element], [transaction, writer.transaction]);
      } else if (writer.transaction === transaction) {
        this.#report("internal", `list ${key} had ${element} before the transaction appended it`, [transaction]);
      } else if (
        writer.fromLast > 0 && this.#writers.get(`${key}:${list[at + 1]}`)?.transaction !== writer.transaction
      ) {
        this.#reportElement("intermediate read", [key, element], [transaction, writer.transaction]);
      }
    });
  }

  /** Whether a transaction took place: it was acknowledged, or something of it was read. */
  #took({ outcome, request }: Transaction): boolean {
    if (outcome !== "unknown") return outcome === "done";
    return request.some((micro) =>
      micro.kind === "append" && (this.#orders.get(micro.key) ?? []).includes(micro.element)
    );
  }

  /** Appends that were acknowledged before a read began that does not have them. */
  #findLost(): void {
    const readsOf = Map.groupBy(this.#reads, ({ key }) => key);
    for (const [name, { transaction }] of this.#writers) {
      if (transaction.outcome !== "done") continue;
      const [key, element] = name.split(":").map(Number);
      const missing = readsOf.get(key)?.find((read) =>
        transaction.returnedAt < read.transaction.invokedAt && !read.external.includes(element)
      );
      if (missing) this.#report("lost append", `${element} in list ${key}`, [transaction, missing.transaction]);
    }
  }

  #edges(): Edge[] {
    const edges: Edge[] = [];
    const add = (from: Transaction | undefined, to: Transaction | undefined, edge: Pick<Edge, "kind" | "label">) => {
      if (from && to && from !== to && this.#took(from) && this.#took(to)) edges.push({ from, to, ...edge });
    };
    const writerOf = (key: number, element: number) => this.#writers.get(`${key}:${element}`)?.transaction;
    const unread = this.#unreadAppends();
    /**
     * The writers of the elements after the version that ends at `at`: of the next element, or of any that nobody read.
     */
    const successors = (key: number, at: number): (Transaction | undefined)[] => {
      const next = this.#orders.get(key)?.[at + 1];
      return next === undefined ? unread.get(key) ?? [] : [writerOf(key, next)];
    };
    for (const [key, order] of this.#orders) {
      order.forEach((element, at) => {
        for (const next of successors(key, at)) {
          add(writerOf(key, element), next, { kind: "ww", label: `appended ${element} to ${key} before` });
        }
      });
    }
    for (const { transaction, key, external, hasOwn } of this.#reads) {
      const last = external.at(-1);
      if (last !== undefined) {
        add(writerOf(key, last), transaction, { kind: "wr", label: `appended ${last} to ${key}, read by` });
      }
      if (hasOwn) continue; // its own append is the next version
      for (const next of successors(key, external.length - 1)) {
        add(transaction, next, { kind: "rw", label: `read ${key} before an append of` });
      }
    }
    return edges;
  }

  /** Writers of elements that no read has, by list: the longest read is its start, so they come after it. */
  #unreadAppends(): Map<number, Transaction[]> {
    const unread = new Map<number, Transaction[]>();
    for (const [name, { transaction }] of this.#writers) {
      const [key, element] = name.split(":").map(Number);
      if (!this.#took(transaction) || this.#orders.get(key)?.includes(element)) continue;
      unread.set(key, [...unread.get(key) ?? [], transaction]);
    }
    return unread;
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((element, at) => element === b[at]);
}
