/**
 * The workload of transactions: each reads and appends to a few lists, some end in an error and must leave nothing. A
 * list is left when it is long, or when the outcome of a transaction on it is unknown.
 * @module
 */
import { History } from "../../tests/harness/history/history.ts";
import type { Micro, Transaction, TransactionAnswer } from "../../tests/harness/history/list_append.ts";
import { Random } from "../../tests/harness/random.ts";
import type { Reply, StatementResult } from "./client.ts";
import type { Tally } from "./tally.ts";
import { type Client, Clients, type WorkloadOptions } from "./workload.ts";

/** The table of lists: elements as text, separated by blanks. */
export const LISTS_SCHEMA = "CREATE TABLE lists (k INTEGER PRIMARY KEY, v TEXT NOT NULL)";
const CLIENTS = 4;
const LISTS = 4;
const STEPS_MAX = 4;
const ELEMENTS_MAX = 60;
const ABORTED = 0.05;

interface Slot {
  key: number;
  elements: number;
}

/** Clients of lists. */
export class Lists {
  readonly #history = new History<readonly Micro[], TransactionAnswer>();
  readonly #tally: Tally;
  readonly #slots: Slot[] = [];
  readonly #clients: Clients;
  #keys = 0;
  #elements = 0;

  /** @param process First of the processes of the history. */
  constructor({ urls, tally }: WorkloadOptions, { seed, process }: { seed: number; process: number }) {
    this.#tally = tally;
    for (let at = 0; at < LISTS; at++) this.#slots.push(this.#newSlot());
    const clients = Array.from({ length: CLIENTS }, (_, at) => ({
      process: process + at,
      random: new Random(seed, 2000 + at),
    }));
    this.#clients = new Clients(urls, clients, (client) => this.#turn(client));
  }

  /** The transactions so far. */
  get transactions(): Transaction[] {
    return this.#history.operations;
  }

  async stop(): Promise<void> {
    await this.#clients.stop();
  }

  /** Adds a read of all lists, made when all else had ended. */
  addLastRead(rows: readonly (readonly unknown[])[], [from, to]: readonly [from: number, to: number]): void {
    const contents = new Map(rows.map(([key, text]) => [Number(key), elementsOf(text)]));
    const keys = Array.from({ length: this.#keys }, (_, at) => at + 1);
    this.#history.invoke(-1, keys.map((key) => ({ kind: "read", key })), from)
      .done(to, keys.map((key) => contents.get(key) ?? []));
  }

  #newSlot(): Slot {
    return { key: ++this.#keys, elements: 0 };
  }

  async #turn(client: Client): Promise<Reply> {
    const { process, random } = client;
    const micros = this.#micros(random);
    const appends = micros.some(({ kind }) => kind === "append");
    const name = appends ? "transaction" : "transaction, reads alone";
    const isAborted = appends && random.chance(ABORTED);
    const statements = micros.map(statementOf);
    if (isAborted) statements.push(["INSERT INTO lists(k, v) VALUES(?, ?)", 0, null]);
    const open = this.#history.invoke(process, micros, performance.now());
    const reply = await client.send(pathOf(appends, random), statements);
    const now = performance.now();
    this.#tally.count(name, reply.outcome, reply.outcome === "done" ? undefined : reply.reason);
    if (reply.outcome === "done") {
      open.done(now, answerOf(micros, reply.results), reply.index);
      if (appends) this.#tally.written(now);
    } else if (reply.outcome === "notDone") open.notDone(now, reply.reason);
    else {
      open.unknown(reply.reason);
      for (const { kind, key } of micros) if (kind === "append") this.#leave(key);
    }
    return reply;
  }

  #micros(random: Random): Micro[] {
    return Array.from({ length: random.between(1, STEPS_MAX) }, (): Micro => {
      const slot = random.pick(this.#slots) ?? this.#newSlot();
      const { key } = slot;
      if (random.chance(0.5)) return { kind: "read", key };
      if (++slot.elements >= ELEMENTS_MAX) this.#leave(key);
      return { kind: "append", key, element: ++this.#elements };
    });
  }

  #leave(key: number): void {
    const at = this.#slots.findIndex((slot) => slot.key === key);
    if (at >= 0) this.#slots[at] = this.#newSlot();
  }
}

/** Reads alone need no log entry, and take another way. */
function pathOf(appends: boolean, random: Random): string {
  if (appends) return "/db/request?transaction";
  const endpoint = random.chance(0.5) ? "query" : "request";
  return `/db/${endpoint}?transaction&level=${random.chance(0.8) ? "linearizable" : "strong"}`;
}

function statementOf(micro: Micro): unknown[] {
  if (micro.kind === "read") return ["SELECT v FROM lists WHERE k = ?", micro.key];
  const upsert = "INSERT INTO lists(k, v) VALUES(?, ?) ON CONFLICT(k) DO UPDATE SET v = v || ' ' || excluded.v";
  return [upsert, micro.key, String(micro.element)];
}

function answerOf(micros: readonly Micro[], results: readonly StatementResult[]): TransactionAnswer {
  return micros.flatMap(({ kind }, at) => kind === "read" ? [elementsOf(results[at]?.values?.[0]?.[0])] : []);
}

function elementsOf(text: unknown): number[] {
  return text === undefined ? [] : String(text).split(" ").map(Number);
}
