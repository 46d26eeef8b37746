/**
 * The workload of keys: read, put, compared-and-set and deleted by several clients at a time, through `/v1/kv`. A key is
 * left after some hundred operations, or when the outcome of one is unknown. As no value is written twice, a compare-and-set
 * by `ModifyIndex` is one by the value that was read with that index.
 * @module
 */
import { History } from "../../tests/harness/history/history.ts";
import type {
  Content,
  RegisterAnswer,
  RegisterOperation,
  RegisterRequest,
} from "../../tests/harness/history/register.ts";
import { Random } from "../../tests/harness/random.ts";
import type { KeyReply } from "./key_client.ts";
import type { Tally } from "./tally.ts";
import { type Client, Clients, type WorkloadOptions } from "./workload.ts";

const CLIENTS = 5;
const KEYS = 2;
const OPERATIONS_MAX = 400;
const FOLDER = "keys/";

/** A key's value and index, as they were read; no value and index 0 where there is no such key. */
export interface Entry {
  readonly value: Content;
  readonly index: number;
}

interface Slot {
  key: number;
  operations: number;
  /** For a compare-and-set that has a chance. */
  seen: Entry;
}

const NOTHING: Entry = { value: null, index: 0 };

/** Clients of keys. */
export class Keys {
  readonly #history = new History<RegisterRequest, RegisterAnswer>();
  readonly #tally: Tally;
  readonly #slots: Slot[] = [];
  readonly #clients: Clients;
  /** The index that each value was read with. */
  readonly #indexes = new Map<string, number>();
  /** Values that were read with two indexes. */
  readonly faults: string[] = [];
  #keys = 0;
  #values = 0;

  /** @param process First of the processes of the history. */
  constructor({ urls, tally }: WorkloadOptions, { seed, process }: { seed: number; process: number }) {
    this.#tally = tally;
    for (let at = 0; at < KEYS; at++) this.#slots.push(this.#newSlot());
    const clients = Array.from({ length: CLIENTS }, (_, at) => ({
      process: process + at,
      random: new Random(seed, 3000 + at),
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

  /** Adds a read of all keys, made when all else had ended. */
  addLastRead(rows: readonly (readonly unknown[])[], [from, to]: readonly [from: number, to: number]): void {
    const contents = new Map(rows.map(([path, value]) => [String(path), String(value)]));
    for (let key = 1; key <= this.#keys; key++) {
      this.#history.invoke(-1, { key, kind: "read" }, from).done(to, contents.get(`${FOLDER}${key}`) ?? null);
    }
  }

  #newSlot(): Slot {
    return { key: ++this.#keys, operations: 0, seen: NOTHING };
  }

  async #turn(client: Client): Promise<KeyReply> {
    const { process, random } = client;
    const at = random.below(KEYS);
    const slot = this.#slots[at];
    const { seen } = slot;
    const request = this.#request(slot, random);
    if (++slot.operations >= OPERATIONS_MAX) this.#slots[at] = this.#newSlot();
    const open = this.#history.invoke(process, request, performance.now());
    const reply = await ask(client, request, seen.index);
    const now = performance.now();
    this.#tally.count(`key ${request.kind}`, reply.outcome, reply.outcome === "done" ? undefined : reply.reason);
    if (reply.outcome === "done") {
      if (request.kind === "read") {
        const entry = entryOf(reply.text);
        this.#note(request.key, entry);
        slot.seen = entry;
        open.done(now, entry.value);
      } else {
        open.done(now, reply.text === "true");
        this.#tally.written(now);
      }
    } else if (reply.outcome === "notDone") open.notDone(now, reply.reason);
    else {
      open.unknown(reply.reason);
      if (request.kind !== "read" && this.#slots[at] === slot) this.#slots[at] = this.#newSlot();
    }
    return reply;
  }

  #note(key: number, { value, index }: Entry): void {
    if (value === null) return;
    const known = this.#indexes.get(value);
    this.#indexes.set(value, index);
    if (known === undefined || known === index) return;
    this.faults.push(`key ${key} has value ${value} with the modify indexes ${known} and ${index}`);
  }

  #request({ key, seen }: Slot, random: Random): RegisterRequest {
    const draw = random.below(100);
    if (draw < 45) return { key, kind: "read" };
    if (draw < 52) return { key, kind: "delete" };
    const value = `${++this.#values}`;
    return draw < 70 ? { key, kind: "write", value } : { key, kind: "cas", expected: seen.value, value };
  }
}

function ask({ random, request }: Client, operation: RegisterRequest, index: number): Promise<KeyReply> {
  const path = `/v1/kv/${FOLDER}${operation.key}`;
  switch (operation.kind) {
    case "read":
      return request("GET", `${path}${random.chance(0.8) ? "" : "?consistent"}`);
    case "delete":
      return request("DELETE", path);
    case "cas":
      return request("PUT", `${path}?cas=${index}`, operation.value);
    default:
      return request("PUT", path, operation.value);
  }
}

/** Reads the answer to a GET of one key; an empty one means that there is no such key. */
export function entryOf(text: string): Entry {
  if (text === "") return NOTHING;
  const [{ Value, ModifyIndex }]: { Value: string; ModifyIndex: number }[] = JSON.parse(text);
  return { value: atob(Value), index: ModifyIndex };
}
