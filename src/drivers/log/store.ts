/**
 * The durable log: segments on disk, one writer, group commit (D1 to D17).
 *
 * (1) Everything that waits when a write starts becomes one batch: one `write`, one `fdatasync`. While that one runs,
 *     new work collects for the next: group commit without a timer. At most one batch is in flight (D2).
 * (2) `onPersisted(ticket)` comes only after the batch that holds the ticket is on stable storage (O1).
 * (3) A failed write or sync other than "no space" is fatal (D12): `onFatal` ends the process. No space is waited out:
 *     the batch was not acknowledged, and is written again at the same place (D15).
 * (4) At every boot the newest segment is copied to a new file and synced before anything is acknowledged, because what
 *     a failed sync left behind may be in the page cache only (D13). That also removes a torn tail.
 *
 * (5) Only whole segments are cut off, the oldest first, and only where everything before is committed, so that nothing
 *     kept supersedes what is gone (S2). A snapshot is installed by a segment whose header says so: when that is durable,
 *     all older ones are void, and the database is exchanged before anything else is done (S8).
 *
 * (6) When no batch has followed the last one for a tick, an empty one is written behind it, once: it tells recovery that
 *     the last one was durable, so that damage to it is not taken for a torn write (D5).
 *
 * Segments are made ahead of use, full of zeros and synced, so that a batch only overwrites (0.11 instead of 0.16 ms).
 * @module
 */
import { invariant } from "../../invariant.ts";
import { ByteWriter } from "../../base/codec/cursor.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import type { Config, Entry, EntryId, HardState, Index } from "../../core/raft/message.ts";
import type { Ticket } from "../../core/raft/effects.ts";
import type { BatchIndex } from "./batch_index.ts";
import { EntryCache } from "./entry_cache.ts";
import {
  BATCH_BODY_BYTES_MAX,
  batchBytes,
  decodeBatch,
  encodeSegmentHeader,
  isEmpty,
  type LogIdentity,
  writeBatch,
} from "./format.ts";
import { decodeConfig, EMPTY_CONFIG } from "../../core/raft/configuration.ts";
import { isNoSpace, type LogDisk, type LogFile } from "./disk.ts";
import { FRESH, prepareCurrent, SPARE, UNREADY } from "./prepare.ts";
import { LogDamageError, type RecoveredLog, recoverLog, segmentName } from "./recovery.ts";
import { type LogWrite, merge } from "./log_write.ts";
import { LogScrub } from "./scrub.ts";
import { Signal, Task, type Wait, type Work } from "./task.ts";

/** Callbacks of the log to its owner. */
export interface LogEvents {
  /** This and all earlier tickets are durable. */
  onPersisted(ticket: Ticket): void;
  /** The disk is full, or has room again. */
  onSpace(state: "ok" | "full"): void;
  /** A snapshot up to `base` has taken the log's place; ends when it has taken the database's, too. */
  onInstall(base: EntryId): Wait;
  /** The log cannot go on: the process must end without answering anything. */
  onFatal(error: Error): void;
  /** A line for the operator. */
  log(line: string): void;
}

/** How a log is opened. */
export interface LogStoreOptions {
  readonly identity: LogIdentity;
  /** Last index that the state machine holds durably. */
  readonly applied: Index;
  /** Bytes of a segment. @default {16777216} */
  readonly segmentBytes?: number;
  /** Bytes of recent entries kept in memory. @default {8388608} */
  readonly cacheBytes?: number;
  /** Bytes of old segments that are read again each tick. @default {65536} */
  readonly scrubBytes?: number;
}

interface Pending extends LogWrite {
  readonly ticket: Ticket;
}

/** A segment in use. */
interface Segment {
  /** Name of its file. */
  readonly name: string;
  readonly number: number;
  /** Entry before its first one. */
  readonly previous: EntryId;
  readonly bytes: number;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** A buffer that a batch has made larger than this is not kept. */
const KEPT_BYTES = 4 * 1024 * 1024;
const CACHE_BYTES = 8 * 1024 * 1024;
/** Of it in a log that nobody writes to: who lags behind that is read to from the disk. */
const CACHE_BYTES_AT_REST = 64 * 1024;
/** Time without a write after which the log is at rest. */
const REST_MS = 5000;
/** Smaller batches that were read are left to the garbage collector. */
const LENT_BYTES_MIN = 64 * 1024;
/** At twenty ticks a second about 1.3 MB/s, each piece in a fraction of a millisecond. */
const SCRUB_BYTES = 64 * 1024;
/** After the start. */
const SPARE_DELAY_MS = 2000;
const SPACE_RETRY_MS = 1000;
/** Writes that take longer are logged. */
const SLOW_MS = 1000;

/** The log was closed before something was written. */
class ClosedError extends Error {}

/** The log of one node. */
export class LogStore {
  /** The state found at the start. */
  readonly recovered: Omit<RecoveredLog, "batches" | "segments" | "void">;
  readonly #disk: LogDisk;
  readonly #events: LogEvents;
  readonly #identity: LogIdentity;
  readonly #segmentBytes: number;
  readonly #batches: BatchIndex;
  /** Oldest first. */
  readonly #segments: Segment[];
  readonly #writer = new ByteWriter(64 * 1024);
  #file: LogFile;
  #offset: number;
  #fileBytes: number;
  #number: number;
  #nextBatch: number;
  #chain: number;
  #hard: HardState;
  /** Configurations from the one in force at the base on, in the order of the log (M1). */
  readonly #configs: Config[];
  #waiting: Pending[] = [];
  #writing = false;
  #pumping: Wait;
  /** Present from when the spare segment for this one's end is made. */
  #spare: Wait;
  /** A start has more urgent things to write. */
  readonly #spareDueMs: number;
  readonly #cache: EntryCache;
  #persisted: Index;
  /** Large batches that were read from disk for the last call of {@linkcode LogStore.read}. */
  readonly #lent: Uint8Array[] = [];
  #readFile: { segment: number; file: LogFile } | undefined;
  #closed = false;
  #isSealed: boolean;
  /** Number of the next batch at the last tick, and since when it has been that. */
  #batchAtTick = 0;
  #restsSinceMs = 0;
  readonly #scrub: LogScrub;
  readonly #scrubBytes: number;
  /** A segment was asked for; the next write begins it. */
  #rotationDue: Signal | undefined;
  #lastTicket: Ticket = 0;
  #commit: Index;
  /** Last index of the log with all writes that wait. */
  #last: Index;

  private constructor(disk: LogDisk, options: LogStoreOptions, events: LogEvents, log: RecoveredLog) {
    const { batches, segments, void: _, ...recovered } = log;
    this.recovered = recovered;
    this.#disk = disk;
    this.#events = events;
    this.#identity = options.identity;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#batches = batches;
    this.#nextBatch = log.nextBatch;
    this.#chain = log.chain;
    this.#hard = log.hard;
    this.#configs = [...log.configs];
    this.#cache = new EntryCache(log.last.index + 1, options.cacheBytes ?? CACHE_BYTES);
    this.#persisted = log.last.index;
    this.#commit = log.commit;
    this.#last = log.last.index;
    this.#isSealed = log.isSealed;
    this.#scrub = new LogScrub(disk);
    this.#scrubBytes = options.scrubBytes ?? SCRUB_BYTES;
    const current = prepareCurrent(disk, log, { identity: options.identity, segmentBytes: this.#segmentBytes });
    this.#segments = segments.map(({ name, number, previous, fileBytes }) => ({
      name,
      number,
      previous,
      bytes: fileBytes,
    }));
    this.#file = current.file;
    this.#offset = current.offset;
    this.#fileBytes = current.fileBytes;
    this.#number = current.number;
    this.#spareDueMs = disk.nowMs() + SPARE_DELAY_MS;
  }

  /**
   * Recovers the log on `disk`.
   * @throws {LogDamageError} When it cannot be trusted; nothing was changed then.
   */
  static open(disk: LogDisk, options: LogStoreOptions, events: LogEvents): LogStore {
    const log = recoverLog(disk, options.identity, options.applied);
    if (log.torn > 0) {
      events.log(`cut ${log.torn} bytes of a write that a crash tore at the end of the log; it was never acknowledged`);
    }
    return new LogStore(disk, options, events, log);
  }

  /** Index of the last entry that is durable. */
  get persisted(): Index {
    return this.#persisted;
  }

  /** Entry before the first one kept. */
  get base(): EntryId {
    return this.#segments[0].previous;
  }

  /** The configuration in force at `index`, which must not lie below the base (S1). */
  configAt(index: Index): Config {
    return this.#configs.findLast(({ at }) => at <= index) ?? EMPTY_CONFIG;
  }

  /** Takes one write of the core; answered by `onPersisted`. */
  persist(write: LogWrite & { readonly ticket: Ticket }): void {
    const { ticket, commit, install, truncateFrom } = write;
    invariant(ticket >= this.#lastTicket, `write ${ticket} does not come before write ${this.#lastTicket}`);
    invariant(commit >= this.#commit, `the commit index does not go back from ${this.#commit} to ${commit}`);
    invariant((truncateFrom ?? Infinity) > this.#commit, `committed entry ${truncateFrom} is not replaced`);
    this.#lastTicket = ticket;
    this.#commit = commit;
    if (install) {
      this.#cache.reset(install.base.index + 1);
      this.#last = install.base.index;
    }
    if (truncateFrom !== undefined) {
      this.#cache.truncate(truncateFrom);
      this.#last = Math.min(this.#last, truncateFrom - 1);
    }
    for (const entry of write.append) {
      this.#last++;
      invariant(entry.index === this.#last, `entry ${entry.index} takes the place of entry ${this.#last}`);
      this.#cache.push(entry);
      // Of several in one write each may be the one in force where a segment begins.
      if (entry.kind === "config") this.setConfig(decodeConfig(entry.body, entry.index));
    }
    this.#waiting.push(write);
    if (this.#writing) return;
    this.#writing = true;
    this.#pumping = new Task(this.#pump());
  }

  /** Whether a write is under way: proposals that wait for it go into the next batch together. */
  get busy(): boolean {
    return this.#writing;
  }

  /** Whether everything is written and sealed. */
  get isAtRest(): boolean {
    return !this.#writing && this.#isSealed;
  }

  /** To be called once a tick: seals the last batch when none has followed it (D5), and reads old ones again (D11). */
  tick(): void {
    if (this.#closed) return;
    const nowMs = this.#disk.nowMs();
    if (nowMs >= this.#spareDueMs) this.#prepareSpare();
    const isIdle = !this.#writing && this.#batchAtTick === this.#nextBatch;
    if (!isIdle) this.#restsSinceMs = nowMs;
    this.#batchAtTick = this.#nextBatch;
    if (isIdle && !this.#isSealed) this.#writeNothing();
    if (nowMs - this.#restsSinceMs > REST_MS) this.#cache.shrink(this.#persisted, CACHE_BYTES_AT_REST);
    try {
      this.#scrub.step(this.#segments, this.#scrubBytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Times that all old segments were read again. */
  get scrubs(): number {
    return this.#scrub.passes;
  }

  *#pump(): Work {
    try {
      yield this.#disk.afterMessages();
      while (this.#waiting.length > 0 && !this.#closed) {
        const pending = this.#waiting;
        this.#waiting = [];
        const batch = merge(pending);
        yield* this.#write(batch);
        const last = batch.append.at(-1);
        if (batch.install) this.#persisted = batch.install.base.index;
        if (batch.truncateFrom !== undefined) this.#persisted = Math.min(this.#persisted, batch.truncateFrom - 1);
        if (last) this.#persisted = last.index;
        if (batch.hard) this.#hard = batch.hard;
        this.#cache.shrink(this.#persisted);
        this.#events.onPersisted(pending[pending.length - 1].ticket);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#writing = false;
    }
  }

  /** Nothing is written any more: what failed may be on disk or not, and a later success would vouch for it (D12). */
  #fail(error: unknown): void {
    this.#closed = true;
    if (error instanceof ClosedError) return;
    this.#events.onFatal(error instanceof Error ? error : new Error(String(error)));
  }

  *#write(batch: LogWrite): Work {
    const writer = this.#writer;
    writer.clear();
    const size = batchBytes(batch);
    if (size > KEPT_BYTES) writer.expect(size);
    const place = { number: this.#nextBatch, chain: this.#chain, durableBatch: this.#nextBatch - 1 };
    const crc = writeBatch(writer, batch, place);
    if (writer.length > BATCH_BODY_BYTES_MAX) {
      throw new Error(`Cannot write a batch of ${writer.length} bytes to the log`);
    }
    const isFull = this.#offset + writer.length > this.#fileBytes;
    if (isFull || this.#rotationDue || batch.install) yield* this.#rotate(batch, writer.length);
    yield* this.#untilSpace(() => new Task(this.#writeDurably(this.#file, this.#offset, writer.view())));
    if (batch.install) this.#batches.reset(batch.install.base.index);
    const before = Math.min(this.#batches.last, (batch.truncateFrom ?? Infinity) - 1);
    invariant(
      batch.append.length === 0 || batch.append[0].index === before + 1,
      `batch ${this.#nextBatch} continues the log behind entry ${before}`,
    );
    this.#batches.add(batch, { segment: this.#number, offset: this.#offset, length: writer.length, crc });
    this.#offset += writer.length;
    if (this.#offset > this.#fileBytes / 4) this.#prepareSpare();
    this.#nextBatch++;
    this.#chain = crc;
    if (size > KEPT_BYTES) freeBuffer(writer.take());
    this.#isSealed = isEmpty(batch) && !batch.install;
    if (batch.install) yield* this.#install(batch.install.base);
  }

  /** The new segment is durable: the database follows, then the old segments go (S8). */
  *#install(base: EntryId): Work {
    yield this.#events.onInstall(base);
    this.#dropSegments(this.#number);
  }

  *#writeDurably(file: LogFile, offset: number, bytes: Uint8Array): Work {
    const started = this.#disk.nowMs();
    yield file.write(offset, bytes);
    yield file.sync();
    this.#tellSlow(started, "a write to the log");
  }

  #tellSlow(startedMs: number, what: string): void {
    const elapsed = this.#disk.nowMs() - startedMs;
    if (elapsed > SLOW_MS) this.#events.log(`${what} took ${elapsed.toFixed(0)} ms: the disk is slow`);
  }

  /** Starts the next segment; its header and its name are durable before anything is written behind them. */
  *#rotate(batch: LogWrite, bytes: number): Work {
    const started = this.#disk.nowMs();
    // Now, as a truncation may be asked for while this goes on, which is not on the disk then.
    const previous = batch.install?.base ?? this.#idAt((batch.truncateFrom ?? this.#batches.last + 1) - 1);
    const config = batch.install?.config ?? this.configAt(previous.index);
    this.#prepareSpare();
    yield this.#spare;
    const firstIndex = previous.index + 1;
    const header = encodeSegmentHeader({
      identity: this.#identity,
      number: this.#number + 1,
      firstIndex,
      previous,
      nextBatch: this.#nextBatch,
      chain: this.#chain,
      hard: batch.install && batch.hard ? batch.hard : this.#hard,
      commit: Math.min(batch.commit, previous.index), // what it promises is durable before the batch is
      config,
      isRestart: batch.install !== undefined,
    });
    const needed = header.length + bytes;
    if (needed <= this.#segmentBytes && this.#disk.exists(SPARE)) {
      yield this.#disk.rename(SPARE, FRESH);
      yield this.#disk.sync();
    } else yield* this.#untilSpace(() => this.#disk.makeZeros(FRESH, Math.max(needed, this.#segmentBytes)));
    const file = this.#disk.open(FRESH);
    yield* this.#untilSpace(() => new Task(this.#writeDurably(file, 0, header)));
    const name = segmentName(this.#number + 1, firstIndex);
    const newest = this.#segments[this.#segments.length - 1];
    invariant(newest.number === this.#number, `segment ${this.#number + 1} follows segment ${newest.number}`);
    yield this.#disk.rename(FRESH, name);
    yield this.#disk.sync();
    this.#file.close();
    this.#file = file;
    this.#fileBytes = file.bytes;
    this.#offset = header.length;
    this.#number++;
    this.#segments.push({ name, number: this.#number, previous, bytes: this.#fileBytes });
    this.#rotationDue?.resolve();
    this.#rotationDue = undefined;
    this.#spare = undefined;
    this.#prepareSpare();
    this.#tellSlow(started, `starting log segment ${this.#number}`);
  }

  /** Index and term of an entry that is kept, or of the base. */
  #idAt(index: Index): EntryId {
    return index === this.base.index ? this.base : { index, term: this.read(index, index, Infinity)[0].term };
  }

  /** Tells the log the configuration in force now: a new one, or an older one that a truncation brought back. */
  setConfig(config: Config): void {
    while ((this.#configs.at(-1)?.at ?? -1) >= config.at) this.#configs.pop();
    this.#configs.push(config);
  }

  /** Begins a segment, so that all before it can be cut off, unless one has just begun; ends when it is in use. */
  rotate(): Wait {
    if (this.#segments[this.#segments.length - 1].previous.index === this.#batches.last) return;
    const rotated = this.#rotationDue ??= new Signal();
    this.#writeNothing();
    return rotated;
  }

  /** A batch of no entries. */
  #writeNothing(): void {
    this.persist({ ticket: this.#lastTicket, append: [], commit: this.#commit });
  }

  /**
   * Deletes the oldest segments, as far as all that they hold is at or below `index`, which must be committed and held
   * durably by the state machine; segments of `keepBytes` stay in any case.
   * @returns The new base; undefined where nothing was cut.
   */
  cut(index: Index, { keepBytes }: { keepBytes: number }): EntryId | undefined {
    let first = 0;
    let bytes = 0;
    for (let at = this.#segments.length - 1; at > 0; at--) {
      bytes += this.#segments[at].bytes;
      const { previous, number } = this.#segments[at];
      // A segment that supersedes entries of an older one cannot come first: they would be missing before it.
      if (bytes < keepBytes || previous.index > index || this.#batches.firstIn(number) <= previous.index) continue;
      first = at;
      break;
    }
    if (first === 0) return undefined;
    this.#dropSegments(this.#segments[first].number);
    return this.base;
  }

  #dropSegments(before: number): void {
    const kept = this.#segments.findIndex(({ number }) => number === before);
    invariant(kept >= 0, `segment ${before} is in the log`);
    const dropped = this.#segments.splice(0, kept);
    this.#batches.cut(before);
    if (this.#readFile && this.#readFile.segment < before) {
      this.#readFile.file.close();
      this.#readFile = undefined;
    }
    while (this.#configs.length > 1 && this.#configs[1].at <= this.base.index) this.#configs.shift();
    for (const { name } of dropped) this.#disk.remove(name);
  }

  /** What all segments take together. */
  get size(): { readonly bytes: number; readonly segments: number } {
    return { bytes: this.#segments.reduce((sum, { bytes }) => sum + bytes, 0), segments: this.#segments.length };
  }

  /** Has a spare segment made, unless there is one or it is being made. */
  #prepareSpare(): void {
    this.#spare ??= new Task(this.#makeSpare());
  }

  *#makeSpare(): Work {
    if (this.#disk.exists(SPARE)) return;
    try {
      yield* this.#untilSpace(() => this.#disk.makeZeros(UNREADY, this.#segmentBytes));
      yield this.#disk.rename(UNREADY, SPARE);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Does what may run out of space, again and again until it does not. */
  *#untilSpace(work: () => Wait): Work {
    for (let full = false; !this.#closed;) {
      try {
        yield work();
        if (full) {
          this.#events.log("the disk has room again: writes are taken");
          this.#events.onSpace("ok");
        }
        return;
      } catch (error) {
        if (!isNoSpace(error)) throw error;
        if (!full) {
          this.#events.log(
            `no space left on the disk of ${this.#disk.pathOf("")}: writes are refused until there is; free some space`,
          );
          this.#events.onSpace("full");
        }
        full = true;
        yield this.#disk.pause(SPACE_RETRY_MS);
      }
    }
    throw new ClosedError(); // it was not done, and nobody may be told that it was
  }

  /** Payload bytes of an entry, exact while it is in memory, otherwise the mean of its batch. */
  bytesOf(index: Index): number {
    const entry = this.#cache.get(index);
    if (entry) return entry.body.length;
    const batch = this.#batches.find(index);
    return batch ? Math.ceil(batch.length / (batch.last - batch.first + 1)) : 0;
  }

  /**
   * Entries `from … to`, at least one and then as many as fit into `bytesMax`; what is no longer in memory is read from
   * disk, on this thread: a page of a file that was written lately. To be used, or copied, before the next call and in
   * the same turn.
   * @throws {LogDamageError} When what is read is damaged (D9).
   */
  read(from: Index, to: Index, bytesMax: number): Entry[] {
    this.#lent.splice(0).forEach(freeBuffer);
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= to && bytes < bytesMax;) {
      const cached = this.#cache.get(index);
      // After a truncation the new entries are only in memory until they are written; older ones are on the disk.
      const more = cached ? [cached] : this.#readBatch(index, Math.min(to, this.#cache.first - 1));
      for (const entry of more) {
        bytes += entry.body.length;
        if (bytes > bytesMax && entries.length > 0) return entries;
        entries.push(entry);
      }
      index += more.length;
    }
    return entries;
  }

  #readBatch(index: Index, to: Index): Entry[] {
    const place = this.#batches.find(index);
    if (!place) throw new LogDamageError(`Entry ${index} is not in the log in ${this.#disk.pathOf("")}`);
    const name = this.#nameOf(place.segment);
    if (this.#readFile?.segment !== place.segment) {
      this.#readFile?.file.close();
      this.#readFile = { segment: place.segment, file: this.#disk.open(name) };
    }
    const bytes = this.#readFile.file.read(place.offset, place.length);
    if (bytes.length >= LENT_BYTES_MIN) this.#lent.push(bytes);
    const whole = decodeBatch(bytes);
    const until = Math.min(to, place.last);
    // A batch that was written here by mistake may be whole, and even hold the same indices (D9).
    const batch = whole?.header.crc === place.crc ? whole.batch : undefined;
    const entries = batch?.append.filter((entry) => entry.index >= index && entry.index <= until) ?? [];
    if (entries.length === 0 || entries[0].index !== index) {
      throw new LogDamageError(
        `The log is damaged: ${
          this.#disk.pathOf(name)
        } at offset ${place.offset}: the batch of entry ${index} cannot ` +
          "be read. " +
          "Keep the file; remove this node, empty its data directory and let it join again",
      );
    }
    return entries;
  }

  #nameOf(segment: number): string {
    const found = this.#segments.find(({ number }) => number === segment);
    if (!found) throw new LogDamageError(`Segment ${segment} of the log in ${this.#disk.pathOf("")} is gone`);
    return found.name;
  }

  /** Ends after the write that is under way; what still waits is not written. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pumping;
    await this.#spare;
    this.#file.close();
    this.#readFile?.file.close();
    this.#scrub.close();
  }
}
