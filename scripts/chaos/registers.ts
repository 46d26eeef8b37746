/**
 * The workload of registers: read, written, compared-and-set and appended to by several clients at a time. A key is
 * left after some hundred operations, or when the outcome of one is unknown: the search for an order stays short.
 * @module
 */
import { History } from "../../tests/harness/history/history.ts";
import type { RegisterAnswer, RegisterOperation, RegisterRequest } from "../../tests/harness/history/register.ts";
import { Random } from "../../tests/harness/random.ts";
import type { Reply, StatementResult } from "./client.ts";
import type { Tally } from "./tally.ts";
import { type Client, Clients, type WorkloadOptions } from "./workload.ts";

/** The table of registers. */
export const REGISTERS_SCHEMA = "CREATE TABLE registers (k INTEGER PRIMARY KEY, v TEXT NOT NULL)";
const CLIENTS = 6;
const KEYS = 2;
const OPERATIONS_MAX = 500;
const UPSERT = "INSERT INTO registers(k, v) VALUES(?, ?) ON CONFLICT(k) DO UPDATE SET v = ";

interface Slot {
  key: number;
  operations: number;
  /** The value that was read last, for a compare-and-set that has a chance. */
  seen: string;
}

/** Clients of registers. */
export class Registers {
  readonly #history = new History<RegisterRequest, RegisterAnswer>();
  readonly #tally: Tally;
  readonly #slots: Slot[] = [];
  readonly #clients: Clients;
  #keys = 0;
  #values = 0;

  /** @param process First of the processes of the history. */
  constructor({ urls, tally }: WorkloadOptions, { seed, process }: { seed: number; process: number }) {
    this.#tally = tally;
    for (let at = 0; at < KEYS; at++) this.#slots.push(this.#newSlot());
    const clients = Array.from({ length: CLIENTS }, (_, at) => ({
      process: process + at,
      random: new Random(seed, 1000 + at),
    }));
    this.#clients = new Clients(urls, clients, (client) => this.#turn(client));
  }

  /** The operations so far. */
  get operations(): RegisterOperation[] {
    return this.#history.operations;
  }

  async stop(): Promise<void> {
    await this.#clients.stop();
  }

  /** Adds a read of all registers, made when all else had ended. */
  addLastRead(rows: readonly (readonly unknown[])[], [from, to]: readonly [from: number, to: number]): void {
    const contents = new Map(rows.map(([key, value]) => [Number(key), String(value)]));
    for (let key = 1; key <= this.#keys; key++) {
      this.#history.invoke(-1, { key, kind: "read" }, from).done(to, contents.get(key) ?? null);
    }
  }

  #newSlot(): Slot {
    return { key: ++this.#keys, operations: 0, seen: "" };
  }

  async #turn(client: Client): Promise<Reply> {
    const { process, random } = client;
    const at = random.below(KEYS);
    const slot = this.#slots[at];
    const request = this.#request(slot, random);
    if (++slot.operations >= OPERATIONS_MAX) this.#slots[at] = this.#newSlot();
    const open = this.#history.invoke(process, request, performance.now());
    const reply = await this.#ask(client, request);
    const now = performance.now();
    this.#tally.count(request.kind, reply.outcome, reply.outcome === "done" ? undefined : reply.reason);
    if (reply.outcome === "done") {
      const answer = answerOf(request, reply.results[0]);
      open.done(now, answer, reply.index);
      if (request.kind !== "read") this.#tally.written(now);
      if (typeof answer === "string") slot.seen = answer;
    } else if (reply.outcome === "notDone") open.notDone(now, reply.reason);
    else {
      open.unknown(reply.reason);
      if (request.kind !== "read" && this.#slots[at] === slot) this.#slots[at] = this.#newSlot();
    }
    return reply;
  }

  #request({ key, seen }: Slot, random: Random): RegisterRequest {
    const value = `${++this.#values}`;
    const draw = random.below(100);
    if (draw < 45) return { key, kind: "read" };
    if (draw < 65) return { key, kind: "write", value };
    if (draw < 90) return { key, kind: "cas", expected: seen, value };
    return { key, kind: "append", value: `,${value}` };
  }

  async #ask({ random, send }: Client, request: RegisterRequest): Promise<Reply> {
    const { key } = request;
    switch (request.kind) {
      case "read":
        return await send(`/db/query?level=${random.chance(0.9) ? "linearizable" : "strong"}`, [
          ["SELECT v FROM registers WHERE k = ?", key],
        ]);
      case "write":
        return await send("/db/execute?x", [[`${UPSERT} excluded.v`, key, request.value]]);
      case "append":
        return await send("/db/execute?x", [[`${UPSERT} v || excluded.v`, key, request.value]]);
      case "cas":
        return await send("/db/execute?x", [
          ["UPDATE registers SET v = ? WHERE k = ? AND v = ?", request.value, key, request.expected],
        ]);
      case "delete":
        return await send("/db/execute?x", [["DELETE FROM registers WHERE k = ?", key]]);
    }
  }
}

function answerOf({ kind }: RegisterRequest, { values, rows_affected }: StatementResult): RegisterAnswer {
  if (kind === "delete") return true;
  if (kind === "read") {
    const value = values?.[0]?.[0];
    return value === undefined ? null : String(value);
  }
  return rows_affected === 1;
}
