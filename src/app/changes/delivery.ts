/**
 * Change data capture (Q19.1): the leader delivers the log of changed rows to a sink, in the order of the commits, each at least
 * once, over changes of leader and restarts.
 *
 * - How far the delivery is stands in the replicated state, at most an interval behind: a new leader goes on from there, and
 *   may deliver some again. Whoever gets them drops an index that it has seen.
 * - A batch that the sink does not take is tried again and again, and nothing overtakes it.
 * - A node is not ready before the log of changes is kept: what is acknowledged from then on is delivered.
 * - The log of changes holds what is not delivered, up to its limit. What was forgotten before it was delivered is told to the
 *   sink as an event with `error`, and in the node's log.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { parseRaw } from "../../base/codec/raw_json.ts";
import { pause } from "../../base/worker/backoff.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { CHANGE_LOG_BYTES_DEFAULT } from "../../core/sql/change_log.ts";
import type { CdcOptions } from "../../drivers/sink/api.ts";
import type { Catalog } from "../agent/catalog.ts";
import {
  type Change,
  type ChangeEvent,
  type ChangeFeed,
  ForgottenChangesError,
  NoChangeLogError,
} from "./change_feed.ts";
import { keepChanges, noteDelivered } from "./change_operations.ts";

/** Name of the sink in the replicated state where the configuration names no service. */
const SINK = "cdc";
/** How often a node that does not lead looks whether it does. */
const LEADER_LOOK_MS = 500;
/** The same while the node is not ready because of it. */
const FIRST_LOOK_MS = 50;
/** A node is ready after so long, even if the log of changes could not be begun. */
const BEGIN_MS_MAX = 10_000;
/** Until a failure other than the sink's is tried again. */
const RETRY_MS = 1000;
/** A sink that fails is told of in the log, and then again after so long. */
const TOLD_AGAIN_MS = 60_000;

/** Dependencies of the delivery. */
export interface DeliveryParts {
  readonly options: CdcOptions;
  readonly nodeId: string;
  readonly catalog: Catalog;
  readonly changes: ChangeFeed;
  readonly state: Pick<NodeState, "isLeader">;
  /** Hands a batch to the sink. @throws {Error} When it has not taken it. */
  deliver(body: string, timeoutMs: number): Promise<void>;
  log(line: string, level?: LogLevel): void;
}

/** What was counted of the delivery on this node. */
export interface DeliveryCounts {
  delivered: number;
  batches: number;
  failures: number;
  dropped: number;
}

/** An entry as the sink gets it; the index of one that nothing is left of counts as delivered. */
interface Selected {
  readonly index: number;
  readonly text: string | undefined;
}

/** The delivery of this node's changes, while it leads. */
export class Delivery {
  /** So far. */
  readonly counts: DeliveryCounts = { delivered: 0, batches: 0, failures: 0, dropped: 0 };
  /** Whether the log of changes is kept, or there is no use in waiting for it. */
  hasBegun = false;
  readonly #parts: DeliveryParts;
  readonly #stopping = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  readonly #filter: RegExp | undefined;
  /** Delivered up to here, as far as this node knows. */
  #mark = 0;
  #noted = 0;
  #toldMs = -Infinity;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    const { tableFilter } = parts.options;
    this.#filter = tableFilter === "" ? undefined : new RegExp(tableFilter, "u");
  }

  /** For `/status`. */
  get status(): Record<string, unknown> {
    const { options: { endpoint, serviceId }, nodeId, state } = this.#parts;
    return {
      node_id: nodeId,
      sink: endpoint,
      service_id: serviceId,
      is_leader: state.isLeader,
      highwater_mark: this.#mark,
      ...this.counts,
    };
  }

  /** Delivers until {@linkcode Delivery.stop}. */
  async run(): Promise<void> {
    const { state, log } = this.#parts;
    const { signal } = this.#stopping;
    const limit = setTimeout(() => this.hasBegun = true, BEGIN_MS_MAX);
    Deno.unrefTimer(limit);
    while (!signal.aborted) {
      if (!state.isLeader) {
        await this.#look();
        await pause(this.hasBegun ? LEADER_LOOK_MS : FIRST_LOOK_MS, signal);
        continue;
      }
      try {
        await this.#lead();
      } catch (error) {
        if (state.isLeader && !signal.aborted) log(`changes cannot be delivered: ${messageOf(error)}`, "warn");
        this.hasBegun = true;
        await pause(RETRY_MS, signal);
      }
    }
    clearTimeout(limit);
  }

  /** Looks whether the leader keeps the log of changes. */
  async #look(): Promise<void> {
    if (this.hasBegun) return;
    try {
      this.hasBegun = (await this.#parts.changes.status()).enabled === true;
    } catch {
      // the database is not open yet
    }
  }

  /** Gives up what is under way: it is delivered again. */
  stop(): void {
    this.#stopping.abort();
    this.#over.resolve();
  }

  get #isWanted(): boolean {
    return this.#parts.state.isLeader && !this.#stopping.signal.aborted;
  }

  /** Delivers as long as this node leads. */
  async #lead(): Promise<void> {
    const { watermarkIntervalMs } = this.#parts.options;
    this.#mark = this.#noted = await this.#begin();
    this.hasBegun = true;
    const noting = setInterval(() => this.#note().catch(() => {}), watermarkIntervalMs); // it is told anew
    try {
      while (this.#isWanted) {
        try {
          await this.#follow(this.#over.promise);
        } catch (error) {
          if (!(error instanceof ForgottenChangesError)) throw error;
          await this.#skip(error.message);
        }
      }
      if (this.#parts.state.isLeader) await this.#note();
    } catch (error) {
      if (!(error instanceof NoChangeLogError)) throw error;
      this.#mark = await this.#begin();
    } finally {
      clearInterval(noting);
    }
  }

  /** Where to go on: behind what was delivered, or at the beginning of a log that was made for this. */
  async #begin(): Promise<number> {
    const { catalog, changes } = this.#parts;
    let status = await changes.status();
    if (!status.enabled) {
      await keepChanges(catalog, CHANGE_LOG_BYTES_DEFAULT);
      status = await changes.status();
    }
    const { sinks, since } = status;
    const known = typeof sinks === "object" && sinks !== null ? Object.entries(sinks) : [];
    const delivered = known.find(([name]) => name === this.#name)?.[1];
    return Number(delivered ?? since);
  }

  get #name(): string {
    return this.#parts.options.serviceId || SINK;
  }

  async #note(): Promise<void> {
    const mark = this.#mark;
    if (mark <= this.#noted || !this.#parts.state.isLeader) return;
    await noteDelivered(this.#parts.catalog, this.#name, mark);
    this.#noted = Math.max(this.#noted, mark);
  }

  async #follow(over: Promise<void>): Promise<void> {
    const { changes, options: { batchMax, batchDelayMs } } = this.#parts;
    for await (const piece of changes.follow(this.#mark, over)) {
      if (!this.#isWanted) return;
      let waiting = piece.changes.map((change) => this.#select(change));
      if (waiting.length > 0 && waiting.length < batchMax && batchDelayMs > 0) {
        await pause(batchDelayMs, this.#stopping.signal);
        const more = await changes.read(piece.index);
        waiting = [...waiting, ...more.changes.map((change) => this.#select(change))];
      }
      for (let at = 0; at < waiting.length; at += batchMax) {
        // What was not sent must not be overtaken, should this node lead again a moment later.
        if (!this.#isWanted || !await this.#send(waiting.slice(at, at + batchMax))) return;
      }
      // What was read beyond the piece is read again otherwise.
      if (waiting.length > piece.changes.length) return;
    }
  }

  /** What the sink is to get of an entry. */
  #select({ index, timeMs, events }: Change): Selected {
    const { rowIdsOnly } = this.#parts.options;
    const filter = this.#filter;
    let text = events;
    if (rowIdsOnly || filter) {
      // The writer's own words; numbers stay as they are.
      const all = parseRaw(events) as (ChangeEvent & { before?: unknown; after?: unknown })[];
      const left = all.filter(({ table = "", error }) => error !== undefined || !filter || filter.test(table));
      if (left.length === 0) return { index, text: undefined };
      text = JSON.stringify(rowIdsOnly ? left.map(({ before: _, after: __, ...event }) => event) : left);
    }
    return { index, text: `{"index":${index},"commit_timestamp":${timeMs},"events":${text}}` };
  }

  /**
   * Hands a batch to the sink until it takes it; the index of the last counts as delivered then.
   * @returns false: nobody wants it from here any more.
   */
  async #send(batch: readonly Selected[]): Promise<boolean> {
    const texts = batch.flatMap(({ text }) => text === undefined ? [] : [text]);
    const last = batch.at(-1)?.index ?? 0;
    if (texts.length > 0 && !await this.#deliver(texts)) return false;
    this.#mark = Math.max(this.#mark, last);
    return true;
  }

  /** Whether the sink has taken it, or it was dropped; false: nobody wants it from here any more. */
  async #deliver(texts: readonly string[]): Promise<boolean> {
    const { options, nodeId, deliver, log } = this.#parts;
    const { serviceId, timeoutMs, retriesMax = Infinity, isExponential, backoffMinMs, backoffMaxMs } = options;
    const service = serviceId === "" ? "" : `"service_id":${JSON.stringify(serviceId)},`;
    const body = `{${service}"node_id":${JSON.stringify(nodeId)},"payload":[${texts.join(",")}]}`;
    for (let retries = 0; this.#isWanted; retries++) {
      try {
        await deliver(body, timeoutMs);
        this.counts.batches++;
        this.counts.delivered += texts.length;
        return true;
      } catch (error) {
        this.counts.failures++;
        this.#tell(
          `the sink of changes ${options.endpoint} does not take them: ${
            messageOf(error)
          }; they are kept and tried again`,
        );
      }
      if (retries >= retriesMax) {
        this.counts.dropped += texts.length;
        log(`${texts.length} changes were dropped after ${retries + 1} attempts (transmit_max_retries)`, "error");
        return true;
      }
      const pauseMs = isExponential ? Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(retries, 30)) : backoffMinMs;
      await pause(pauseMs, this.#stopping.signal);
    }
    return false;
  }

  #tell(line: string): void {
    if (performance.now() - this.#toldMs < TOLD_AGAIN_MS) return;
    this.#toldMs = performance.now();
    this.#parts.log(line, "warn");
  }

  /** What was forgotten cannot be delivered: whoever gets the rest is told. */
  async #skip(reason: string): Promise<void> {
    const { changes, log } = this.#parts;
    const { since } = await changes.status();
    log(
      `changes were lost before they were delivered: ${reason}; give the log more room (PUT /db/changes/log)`,
      "error",
    );
    const index = Number(since);
    const events = JSON.stringify([{ error: `changes up to index ${index} are lost: read the tables anew` }]);
    await this.#send([{ index, text: `{"index":${index},"commit_timestamp":${Date.now()},"events":${events}}` }]);
  }
}
