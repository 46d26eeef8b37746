/**
 * The writer Worker: applies what the replica hands it and answers the waiters.
 *
 * It needs `read` and `write` on the folder of the database, `ffi` for the library, and nothing else. The entries of one message are one
 * transaction: the replica hands over what was committed together, so under load the batches grow by themselves.
 *
 * States: waiting for `open` → running → closed, or failed. While its disk is full or another process holds a lock, it
 * keeps what is to be applied and tries again. On another error of the environment it says `failed` and throws, which ends
 * the process: the state on disk is that of the last COMMIT.
 * @module
 */

import { freeBuffer } from "../../base/codec/free.ts";
import { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { type ApplyEntry, packOutcomes, transferOf, unpackEntries } from "../../core/sql/exchange.ts";
import type { CheckpointRule, FromWriter, FromWriterToHttp, MadeWay, OpenWriter, Outcomes, ToWriter } from "./api.ts";
import { adoptStaged, positionOf, type SnapshotPaths, snapshotPaths } from "./snapshot_file.ts";
import { logger } from "../../base/worker/log.ts";
import { Ballast, BALLAST_BYTES } from "./ballast.ts";
import { FreedMemory, MEMORY_LOOK_MS } from "../libsqlite/freed_memory.ts";
import { lowerHelpers } from "../libsqlite/helper_threads.ts";
import { Control } from "../libsqlite/control.ts";
import { ExtensionError } from "../libsqlite/extension.ts";
import { openLibrary, type SqliteLibrary } from "../libsqlite/library.ts";
import { CHECKPOINT_WAL_BYTES } from "./database_file.ts";
import { causeOf, isDiskFull, isLocked } from "./failure.ts";
import { DamagedDatabaseError, healTainted, markTainted, openUndamaged, taints } from "./taint.ts";
import { BATCH_ENTRIES_MAX, openStateMachine, type StateMachine } from "./state_machine.ts";
import { answerPulse } from "../../base/worker/pulse.ts";
import { collectAtRest } from "../../base/worker/heap_at_rest.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Least time between two checkpoints: one that a long reader keeps from its end is not tried again at once. */
const CHECKPOINT_PAUSE_MS = 1000;
/** Least time between two syncs of the WAL beside the transactions. */
const SYNC_PAUSE_MS = 100;
/** Reads make way for a checkpoint when the WAL is longer than this, or none has come to its end for so long (A10). */
const CROWDED_WAL_BYTES = 64 * 1024 * 1024;
const UNFINISHED_MS = 60_000;
/** Least time until they make way again; longer where something else reads as well, as a backup does. */
const WAY_PAUSE_MS = 1000;
const WAY_PAUSE_MS_IN_VAIN = 10_000;
/** Reads that were ended for it get so many times as long until then. */
const WAY_PAUSE_FACTOR = 4;
/** The ballast is made when the start is over. */
const BALLAST_DELAY_MS = 500;
/** Pause between two attempts to make the ballast where there was no room for it. */
const BALLAST_RETRY_MS = 30_000;
/** Pause between two looks whether a full disk has room again. */
const ROOM_LOOK_MS = 1000;
/** Pauses between two attempts to apply what could not be applied, the first and the longest. */
const RETRY_MS = 1000;
const RETRY_MS_MAX = 30_000;
const NO_ROOM =
  "no space left on the disk of the database: committed writes wait to be applied, reads go on; free some space";
const NO_ROOM_AT_START =
  "no space left on the disk of the database: writes are refused until there is room, reads go on; free some space";
const NO_ROOM_TO_START =
  "no space left on the disk of the database: this node starts as soon as there is some; free some space";
const LOCKED = "another process holds a lock on the database: committed writes wait to be applied; end that process";
/** Batches between two looks at the clock and the size of the WAL. */
const BATCHES_PER_LOOK = 16;

const log = logger("store");

/** The writer behind its ports. */
class WriterWorker {
  readonly #replica: MessagePort;
  readonly #open: () => StateMachine;
  readonly #paths: SnapshotPaths;
  #machine: StateMachine;
  readonly #walPath: string;
  readonly #ballast: Ballast;
  #waiting: ApplyEntry[] = [];
  #isClosed = false;
  /** Why the database was in doubt at the start. */
  #tainted: string | undefined;
  #batches = 0;
  readonly #rule: CheckpointRule;
  #checkpointedMs = performance.now();
  #checkpointedAt = 0;
  /** When a checkpoint came to its end. */
  #completedMs = performance.now();
  /** Http Workers whose reads have not made way yet. */
  #inTheWay = 0;
  /** Whether the replica waits for a checkpoint. */
  #isAsked = false;
  /** When reads may be asked to make way again. */
  #wayFromMs = 0;
  readonly #http: readonly MessagePort[];
  #isSyncing = false;
  #syncedMs = 0;
  /** Attempts at what could not be applied for want of room, or for a lock of another process. */
  #attempts = 0;
  #isPaused = false;
  /** Whether the ballast was given up and is to be made again. */
  #isAwaitingRoom = false;
  readonly #library: SqliteLibrary;
  readonly #control: Control;
  readonly #memory = new FreedMemory();
  readonly #memoryTimer = setInterval(() => this.#giveMemoryBack(), MEMORY_LOOK_MS);

  constructor(options: OpenWriter) {
    const { path, foreignKeys, library, checkpoint, tempBytesMax, replica, http } = options;
    this.#library = library;
    this.#control = new Control(options.control);
    this.#rule = checkpoint;
    this.#replica = replica;
    this.#http = http;
    for (const port of http) port.onmessage = ({ data }: MessageEvent<MadeWay>) => this.#takeWay(data);
    this.#walPath = `${path}-wal`;
    this.#paths = snapshotPaths(path, library);
    const answers = new AnswerBudget(options.answers);
    const privateControl = new Control(options.privateControl);
    const openMachine = () =>
      openStateMachine(path, {
        foreignKeys,
        library,
        control: this.#control,
        privateControl,
        answers,
        tempBytesMax,
        deliver: (port, outcomes) => {
          const message: Outcomes = { k: "outcomes", outcomes: packOutcomes(outcomes) };
          (port === 0 ? replica : http[port - 1])?.postMessage(message, transferOf(message.outcomes));
        },
        onApplied: () => this.#sayApplied(),
        onCatalogChanged: () => this.#tellHttp({ k: "catalogChanged" }),
        onTablesChanged: (tables) => this.#tellHttp({ k: "tablesChanged", tables }),
      });
    this.#open = () => {
      const machine = openUndamaged(path, openMachine, library);
      const { activity } = this.#control;
      if (machine.hasCatalog || activity.catalogChanges > 0) activity.noteCatalogChange(); // another one may hold another
      return machine;
    };
    this.#tainted = healTainted(path, library);
    this.#ballast = new Ballast(`${path.slice(0, path.lastIndexOf("/"))}/ballast`);
    this.#machine = this.#openWithRoom();
    if (!this.#machine.hasNoRoom) setTimeout(() => this.#fillBallast(), BALLAST_DELAY_MS);
    replica.onmessage = ({ data }: MessageEvent<ToWriter>) => this.#take(data);
    lowerHelpers(openLibrary(library.path)); // of the whole process, as with memory
    this.#sayReady();
    if (!this.#machine.hasNoRoom) return;
    log(NO_ROOM_AT_START);
    this.#say({ k: "space", state: "full" });
    this.#awaitRoom();
  }

  /**
   * A node that was killed while its disk was full starts in the room of the ballast. Where that is used up already, it
   * starts without any, if the WAL can be opened, to answer reads; and else it waits for room: ending would only have it
   * started again, into the same.
   */
  #openWithRoom(): StateMachine {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let attempts = 0;; attempts++) {
      try {
        const machine = this.#open();
        if (!machine.hasNoRoom || !this.#ballast.release()) return machine;
        machine.close();
      } catch (error) {
        if (!isDiskFull(error) || this.#control.ticket.isCancelled) throw error;
        if (this.#ballast.release()) continue;
        if (attempts === 0) log(NO_ROOM_TO_START);
        Atomics.wait(pause, 0, 0, ROOM_LOOK_MS); // nothing can be done before
      }
    }
  }

  #fillBallast(isFirst = true): void {
    if (this.#isClosed || this.#ballast.fill()) return;
    if (isFirst) {
      log(
        `no room for a ballast of ${BALLAST_BYTES} bytes: until there is, a full disk keeps this node from applying writes`,
      );
    }
    setTimeout(() => this.#fillBallast(false), BALLAST_RETRY_MS);
  }

  get #isEnding(): boolean {
    return this.#isClosed || this.#control.ticket.isCancelled;
  }

  #sayReady(): void {
    const { applied, appliedTerm } = this.#machine;
    this.#say({
      k: "ready",
      applied,
      term: appliedTerm,
      sqlite: this.#machine.sqlite,
      staged: positionOf(this.#paths.staged, this.#library)?.applied ?? 0,
      tainted: this.#tainted,
    });
    this.#tainted = undefined;
  }

  /** A snapshot takes the place of the database: what waited for it is part of it, or comes again. */
  #adopt(): void {
    this.#guarded(() => {
      this.#waiting = [];
      this.#machine.close();
      adoptStaged(this.#paths);
      this.#machine = this.#open();
    });
    this.#sayReady();
  }

  #say(message: FromWriter): void {
    this.#replica.postMessage(message);
  }

  #sayApplied(): void {
    const { applied, appliedTerm, durable } = this.#machine;
    this.#say({ k: "applied", index: applied, term: appliedTerm, durable });
  }

  #take(message: ToWriter): void {
    if (this.#isClosed) return;
    switch (message.k) {
      case "apply":
        for (const entry of unpackEntries(message.entries)) this.#waiting.push(entry);
        this.#work();
        // What waits on holds views of it; no value of an entry outlives its application.
        if (this.#waiting.length === 0) freeBuffer(message.entries.bodies.bytes);
        break;
      case "status":
        this.#say({ k: "status", ref: message.ref, status: this.#machine.status() });
        break;
      case "digest":
        this.#say({ k: "digest", ref: message.ref, digest: this.#machine.digest.at(message.index) ?? null });
        break;
      case "checkpoint":
        this.#leniently(() => this.#checkpoint());
        this.#isAsked = true;
        if (this.#isComplete || this.#http.length === 0) this.#answerAsked();
        else if (this.#inTheWay === 0) this.#askForWay();
        break;
      case "adopt":
        this.#adopt();
        break;
      case "close":
        this.#close();
        break;
    }
  }

  /**
   * Applies what waits at once: a turn of the event loop more would cost as much as the transaction. What cannot be applied
   * for want of room, or as another process has locked the database, is tried again and again: it harms nobody but this node.
   */
  #work(): void {
    while (this.#waiting.length > 0 && !this.#isEnding && !this.#isPaused) {
      const entries = this.#waiting.splice(0, BATCH_ENTRIES_MAX);
      const isOver = this.#leniently(() => {
        this.#machine.apply(entries);
        this.#lookAfterWal();
      });
      if (!isOver) this.#waiting.unshift(...entries.filter(({ index }) => index > this.#machine.applied));
    }
  }

  /** Arranges for another attempt where there is hope; at once where the ballast gives room. */
  #mayTryAgain(error: unknown): boolean {
    const isFull = isDiskFull(error);
    if (!isFull && !isLocked(error)) return false;
    if (isFull && this.#ballast.release()) {
      log("the disk of the database is full: writes are refused until there is room; free some space");
      this.#say({ k: "space", state: "full" });
      this.#awaitRoom();
      return true;
    }
    this.#pause(isFull);
    return true;
  }

  /** Waits for another attempt, each time for longer. */
  #pause(isFull: boolean): void {
    if (this.#attempts === 0) log(isFull ? NO_ROOM : LOCKED);
    if (isFull) this.#say({ k: "space", state: "full" });
    this.#isPaused = true;
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#attempts);
    this.#attempts++;
    setTimeout(() => {
      this.#isPaused = false;
      this.#work();
      if (this.#isPaused || this.#isEnding) return;
      this.#attempts = 0;
      if (isFull && !this.#isAwaitingRoom) this.#sayRoom(); // else the ballast is to come first
    }, pauseMs);
  }

  #sayRoom(): void {
    log("the disk of the database has room again: writes are taken");
    this.#say({ k: "space", state: "ok" });
  }

  #awaitRoom(): void {
    this.#isAwaitingRoom = true;
    const timer = setInterval(() => {
      if (!this.#isClosed && (this.#isPaused || !this.#ballast.fill())) return;
      clearInterval(timer);
      this.#isAwaitingRoom = false;
      if (!this.#isClosed) this.#sayRoom();
    }, ROOM_LOOK_MS);
  }

  #lookAfterWal(): void {
    this.#batches++;
    if (this.#batches % BATCHES_PER_LOOK !== 0) return;
    const nowMs = performance.now();
    if (!this.#isSyncing && nowMs - this.#syncedMs >= SYNC_PAUSE_MS) this.#syncBeside(nowMs);
    const sinceMs = nowMs - this.#checkpointedMs;
    if (sinceMs < CHECKPOINT_PAUSE_MS) return;
    const { entries, walBytes, intervalMs } = this.#rule;
    const wal = this.#machine.walBytes;
    const isDue = this.#machine.applied - this.#checkpointedAt >= entries || walBytes > 0 && wal >= walBytes;
    if (wal < CHECKPOINT_WAL_BYTES && (sinceMs < intervalMs || !isDue)) return;
    this.#checkpointAndSay();
    const isCrowded = wal >= CROWDED_WAL_BYTES || nowMs - this.#completedMs > UNFINISHED_MS;
    if (isCrowded && this.#inTheWay === 0 && nowMs >= this.#wayFromMs) this.#askForWay();
  }

  /** Has reads make way, which together never leave a checkpoint alone, so that the WAL would never start over. */
  #askForWay(): void {
    this.#inTheWay = this.#http.length;
    this.#tellHttp({ k: "makeWay" });
  }

  #takeWay({ endedMs }: MadeWay): void {
    if (this.#isClosed || --this.#inTheWay > 0) return;
    this.#leniently(() => this.#checkpointAndSay());
    this.#tellHttp({ k: "goOn" });
    const pauseMs = Math.max(WAY_PAUSE_FACTOR * endedMs, this.#isComplete ? WAY_PAUSE_MS : WAY_PAUSE_MS_IN_VAIN);
    this.#wayFromMs = performance.now() + pauseMs;
    if (this.#isAsked) this.#answerAsked();
  }

  /** Tells the replica, which has asked for a checkpoint, how far the database is durable. */
  #answerAsked(): void {
    this.#isAsked = false;
    this.#say({ k: "checkpointed", durable: this.#machine.durable, term: this.#machine.appliedTerm });
  }

  /** Whether the last checkpoint came to its end. */
  get #isComplete(): boolean {
    return this.#completedMs === this.#checkpointedMs;
  }

  #tellHttp(message: Exclude<FromWriterToHttp, Outcomes>): void {
    for (const port of this.#http) port.postMessage(message);
  }

  /**
   * Has the WAL written to the disk beside the transactions, little by little: a checkpoint, which does the same before
   * anything else, would have all of it to do at once, and writes and the log's syncs would wait for 40 ms.
   */
  async #syncBeside(nowMs: number): Promise<void> {
    this.#isSyncing = true;
    this.#syncedMs = nowMs;
    const failure = await syncFile(this.#walPath);
    this.#isSyncing = false;
    if (failure === undefined || this.#isClosed) return;
    this.#guarded(() => {
      throw failure; // what could not be written may be lost, and no later sync need say so
    });
  }

  #checkpoint(): void {
    const { isComplete } = this.#machine.checkpoint("PASSIVE");
    this.#checkpointedMs = performance.now();
    this.#checkpointedAt = this.#machine.applied;
    if (isComplete) this.#completedMs = this.#checkpointedMs;
  }

  #checkpointAndSay(): void {
    const before = this.#machine.durable;
    this.#checkpoint();
    if (this.#machine.durable !== before) this.#sayApplied();
  }

  /** For the whole process: of its Workers, those with SQLite alone can call the C library. */
  #giveMemoryBack(): void {
    if (!this.#memory.isDue(Deno.memoryUsage().rss)) return;
    openLibrary(this.#library.path).malloc_trim?.(0n);
    this.#memory.given(Deno.memoryUsage().rss);
  }

  #close(): void {
    this.#isClosed = true;
    clearInterval(this.#memoryTimer);
    this.#guarded(() => {
      // Entries that cannot be applied now are applied at the next start.
      if (!this.#isPaused && !this.#control.ticket.isCancelled) this.#applyRest();
      this.#machine.close();
    });
    this.#say({ k: "closed" });
    this.#replica.onmessage = null;
  }

  #applyRest(): void {
    try {
      this.#machine.apply(this.#waiting);
    } catch (error) {
      if (causeOf(error) !== "cancelled" && !isDiskFull(error) && !isLocked(error)) throw error;
    }
  }

  /** Whether it came to its end: what fails for want of room, or for a lock of another process, is to come again. */
  #leniently(work: () => void): boolean {
    let isOver = true;
    this.#guarded(() => {
      try {
        work();
      } catch (error) {
        if (!this.#mayTryAgain(error)) throw error;
        isOver = false;
      }
    });
    return isOver;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      // The node is on its way down and has ended what ran: it comes again at the next start.
      if (causeOf(error) === "cancelled") return;
      this.#isClosed = true;
      let message = messageOf(error);
      if (taints(error)) {
        markTainted(this.#paths.database, message);
        message = `${this.#paths.database} cannot be trusted any more (${message}): the next start checks it first`;
      }
      this.#say({ k: "failed", message, isDamage: false });
      throw error;
    }
  }
}

/**
 * Makes the content of a WAL durable, on another thread. SQLite holds no locks on it, which its being closed would end.
 * @returns Why it may not be. That there is no room is said by SQLite, and that it cannot be opened is no harm.
 */
async function syncFile(path: string): Promise<Error | undefined> {
  const file = await Deno.open(path, { read: true, write: true }).catch(() => undefined);
  try {
    await file?.syncData();
  } catch (error) {
    if (!isDiskFull(error)) {
      return new Error(`Cannot write "${path}" to the disk: ${messageOf(error)}`, { cause: error });
    }
  } finally {
    file?.close();
  }
}

answerPulse();
collectAtRest();
self.addEventListener("message", (event: Event) => {
  if (!(event instanceof MessageEvent)) return;
  const message: OpenWriter = event.data;
  try {
    new WriterWorker(message);
  } catch (error) {
    const isDamage = error instanceof DamagedDatabaseError;
    const text = messageOf(error);
    const failure: FromWriter = { k: "failed", message: text, isDamage };
    message.replica.postMessage(failure);
    if (!isDamage && !(error instanceof ExtensionError)) throw error; // who waits for the replica's word is told the exit code by it
  }
}, { once: true });
