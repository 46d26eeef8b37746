/**
 * The leader's record under a key: read, claimed, replaced and reported (Q16.1). Guarantees that a claim is
 * never forgotten: one whose answer was lost shows as won when the record is read again, as nobody but this node writes
 * its own name and address.
 * @module
 */
import { jitter, pause } from "../../base/worker/backoff.ts";
import type { Found, LeaderRecord } from "./api.ts";
import type { KvStore } from "./kv_store.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Pause between two reports of the leader. */
export const REPORT_INTERVAL_MS = 10_000;
const RETRY_FIRST_MS = 500;

/** Told of what happens. */
export interface RegisterEvents {
  /** The store answered. */
  contact(): void;
  failed(error: Error): void;
  log(line: string): void;
}

/** The record under one key. */
export class Register {
  readonly #store: KvStore;
  readonly #events: RegisterEvents;
  readonly #intervalMs: number;
  /** A write whose answer was lost, with the revision that it was to replace. */
  #lost: { text: string; revision: string } | undefined;
  #reporting: AbortController | undefined;

  /** @param intervalMs Pause between two reports. */
  constructor(store: KvStore, events: RegisterEvents, intervalMs: number = REPORT_INTERVAL_MS) {
    this.#store = store;
    this.#events = events;
    this.#intervalMs = intervalMs;
  }

  /** The record that is there now. */
  async read(): Promise<Found | null> {
    const stored = await this.#heard(() => this.#store.get());
    if (!stored) return null;
    const { text, revision } = stored;
    const claimed = this.#lost !== undefined && this.#lost.text === text && this.#lost.revision !== revision;
    return { record: decodeRecord(text), revision, claimed };
  }

  /** Creates the record; only to be called when {@linkcode read} has just found none. */
  async claim(record: LeaderRecord): Promise<boolean> {
    const text = encodeRecord(record);
    return await this.#write({ text, revision: "" }, () => this.#store.create(text));
  }

  /** Replaces the record of `revision`. */
  async replace(record: LeaderRecord, revision: string): Promise<boolean> {
    const text = encodeRecord(record);
    return await this.#write({ text, revision }, () => this.#store.replace(text, revision));
  }

  async #write(write: { text: string; revision: string }, work: () => Promise<boolean>): Promise<boolean> {
    try {
      const won = await this.#heard(work);
      this.#lost = undefined;
      return won;
    } catch (error) {
      this.#lost = write;
      throw error;
    }
  }

  async #heard<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#events.contact();
      return result;
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#events.failed(failure);
      throw failure;
    }
  }

  /** Reports `record` now and at every interval, until called again; null: nothing. */
  report(record: LeaderRecord | null): void {
    this.#reporting?.abort();
    this.#reporting = undefined;
    if (!record) return;
    this.#reporting = new AbortController();
    this.#keepReporting(encodeRecord(record), this.#reporting.signal);
  }

  async #keepReporting(text: string, signal: AbortSignal): Promise<void> {
    let retryMs = RETRY_FIRST_MS;
    let written = false;
    for (let complaint = ""; !signal.aborted;) {
      try {
        if (written) await this.#lookForRival(text);
        if (signal.aborted) return;
        await this.#heard(() => this.#store.put(text));
        if (complaint !== "" || !written) this.#events.log(`this node leads: its address is at ${this.#store.name}`);
        [complaint, retryMs, written] = ["", RETRY_FIRST_MS, true];
        await pause(this.#intervalMs, signal);
      } catch (error) {
        const why = messageOf(error);
        if (why !== complaint) this.#events.log(`reporting this leader's address failed, trying again: ${why}`);
        complaint = why;
        await pause(jitter(retryMs), signal);
        retryMs = Math.min(retryMs * 2, this.#intervalMs);
      }
    }
  }

  /** While one node leads, nobody else of its cluster writes: another record is another cluster's. */
  async #lookForRival(text: string): Promise<void> {
    const stored = await this.#store.get();
    if (!stored || stored.text === text) return;
    this.#events.log(
      `${this.#store.name} held another leader's record while this node led: ${stored.text.slice(0, 200)}. ` +
        "If that node is no member of this cluster, two clusters share the key: give one another -disco-key",
    );
  }
}
