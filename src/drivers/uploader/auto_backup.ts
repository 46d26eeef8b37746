/**
 * Automatic backups (Q18.1): at every interval the node that leads has a backup made and stores it, unless nothing was written
 * since its last one. The id of a backup is the index of the newest command that it holds, as text; it is stored with it. A node
 * that begins to lead asks for the stored one before its first backup, so that a new leader of the same data stores nothing.
 *
 * A database without tables is not stored: it may be one whose restore is under way or has failed, and would take the place of
 * the backup that it was to be restored from.
 *
 * The id is read before the backup is made: what is written meanwhile may be in it, and is in the next one for certain.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { BackupPlan, UploadCounters } from "./api.ts";
import { outdated, timestampedName, timestampedOf, timestampedPrefix } from "./retention.ts";
import type { Store } from "./store.ts";

/** Attempts to have a backup made, and the pause between them. */
const ATTEMPTS_MAX = 10;
const PAUSE_MS = 500;
/** A leader that no majority has answered for so long may have been replaced, and would store an old state. */
const CONFIRMED_MS_MAX = 10_000;

/** A backup that was made. */
export interface MadeBackup {
  /** Whether it has no tables. */
  readonly isEmpty: boolean;
  /** To be taken once. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Lets go of it. */
  close(): Promise<void>;
}

/** What the work needs. */
export interface AutoBackupParts {
  readonly plan: BackupPlan;
  readonly store: Store;
  readonly state: Pick<NodeState, "isLeader" | "confirmedMs" | "changed">;
  /** Has a backup made. */
  open(): Promise<MadeBackup>;
  /** Wall clock, in ms. */
  now(): number;
  log(line: string, level?: LogLevel): void;
}

/** Makes a backup whenever it is due. */
export class AutoBackup {
  /** What was done. */
  readonly counters: UploadCounters = {
    num_uploads_ok: 0,
    num_uploads_fail: 0,
    num_uploads_skipped: 0,
    num_uploads_skipped_id: 0,
    num_removed: 0,
    total_upload_bytes: 0,
    last_upload_bytes: 0,
  };
  readonly #parts: AutoBackupParts;
  /** Id of what is stored; undefined where it is not known. */
  #stored: string | undefined;
  /** Id of the newest state that was seen to have no tables. */
  #empty: string | undefined;
  #last = { atMs: 0, tookMs: 0 };

  constructor(parts: AutoBackupParts) {
    this.#parts = parts;
  }

  /** rqlite's section of `/status`. */
  get status(): Record<string, unknown> {
    const { plan, store } = this.#parts;
    return {
      upload_destination: store.place,
      upload_interval: formatDuration(plan.intervalMs),
      last_upload_time: this.#last.atMs === 0 ? "" : new Date(this.#last.atMs).toISOString(),
      last_upload_duration: formatDuration(this.#last.tookMs),
      last_index: this.#stored === undefined ? 0 : Number(this.#stored),
    };
  }

  /** Works until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { plan, store, log } = this.#parts;
    log(`automatic backups every ${formatDuration(plan.intervalMs)} to ${store.place}`);
    while (!signal.aborted) {
      const startedMs = performance.now();
      await this.tick(signal);
      await pause(Math.max(0, plan.intervalMs - (performance.now() - startedMs)), signal);
    }
  }

  /** Does what is due now; failures are counted and logged. */
  async tick(signal: AbortSignal): Promise<void> {
    const { state, log } = this.#parts;
    if (!state.isLeader || this.#parts.now() - state.confirmedMs > CONFIRMED_MS_MAX) {
      this.#stored = undefined; // whoever leads now stores what is newer
      return;
    }
    const id = String(state.changed);
    if (id === "0" || id === this.#stored || id === this.#empty) {
      this.counters.num_uploads_skipped++;
      return;
    }
    try {
      if (this.#stored === undefined && await this.#storedId() === id) {
        this.#stored = id;
        this.counters.num_uploads_skipped_id++;
        return;
      }
      await this.#upload(id, signal);
    } catch (error) {
      this.#stored = undefined;
      if (signal.aborted) {
        return log(`the upload to ${this.#parts.store.place} was ended by the shutdown: nothing was stored`);
      }
      this.counters.num_uploads_fail++;
      log(
        `the automatic backup failed, and is tried again after ${formatDuration(this.#parts.plan.intervalMs)}: ${
          messageOf(error)
        }`,
        "error",
      );
      return;
    }
    await this.#removeOutdated();
  }

  /** Of the newest backup that is stored. */
  async #storedId(): Promise<string | undefined> {
    const { plan: { isTimestamped, destination: { name } }, store } = this.#parts;
    const newest = isTimestamped ? timestampedOf(name, await store.list(timestampedPrefix(name)))[0] : name;
    return newest === undefined ? undefined : await store.idOf(newest);
  }

  async #upload(id: string, signal: AbortSignal): Promise<void> {
    const { plan: { isTimestamped, destination }, store, now, log } = this.#parts;
    const startedMs = now();
    const name = isTimestamped ? timestampedName(destination.name, startedMs) : destination.name;
    let bytes = 0;
    const made = await this.#open(signal);
    const counted = async function* () {
      for await (const piece of made.pieces) {
        bytes += piece.length;
        yield piece;
      }
    };
    try {
      if (made.isEmpty) {
        this.#empty = id;
        this.counters.num_uploads_skipped++;
        return;
      }
      await store.put(name, { pieces: counted(), id, signal });
    } finally {
      await made.close();
    }
    this.#stored = id;
    this.#last = { atMs: now(), tookMs: now() - startedMs };
    this.counters.num_uploads_ok++;
    this.counters.total_upload_bytes += bytes;
    this.counters.last_upload_bytes = bytes;
    log(`stored a backup of index ${id}, ${bytes} bytes, at ${store.place.slice(0, -destination.name.length)}${name}`);
  }

  /** What stands in the way of making one may be gone soon. */
  async #open(signal: AbortSignal): Promise<MadeBackup> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#parts.open();
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX || signal.aborted) throw error;
      }
      await pause(PAUSE_MS, signal);
    }
  }

  /** Old backups that cannot be removed now are removed behind the next upload. */
  async #removeOutdated(): Promise<void> {
    const { plan: { keep, destination: { name } }, store, log } = this.#parts;
    if (keep === 0) return;
    try {
      for (const old of outdated(name, await store.list(timestampedPrefix(name)), keep)) {
        await store.remove(old);
        this.counters.num_removed++;
      }
    } catch (error) {
      log(`old backups could not be removed, which is tried again behind the next upload: ${messageOf(error)}`, "warn");
    }
  }
}
