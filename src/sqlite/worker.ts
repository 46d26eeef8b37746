/**
 * The writer Worker: applies what the replica hands it and answers the waiters.
 *
 * It needs `read` and `write` on the folder of the database and nothing else. The entries of one message are one
 * transaction: the replica hands over what was committed together, so under load the batches grow by themselves.
 *
 * States: waiting for `open` → running → closed, or failed. On an error of the environment it says `failed` and throws,
 * which ends the process: the state on disk is that of the last COMMIT.
 * @module
 */

import { type ApplyEntry, packOutcomes, unpackEntries } from "../sql/exchange.ts";
import type { CatalogChanged, CheckpointRule, FromWriter, OpenWriter, Outcomes, ToWriter } from "./api.ts";
import { adoptStaged, positionOf, type SnapshotPaths, snapshotPaths } from "./snapshot_file.ts";
import { logger } from "../rpc/log.ts";
import { Ballast, BALLAST_BYTES } from "./ballast.ts";
import { isDiskFull } from "./failure.ts";
import { DamagedDatabaseError, healTainted, markTainted, taints } from "./taint.ts";
import { BATCH_ENTRIES_MAX, openStateMachine, type StateMachine } from "./state_machine.ts";

/** Size of the WAL that calls for a checkpoint whatever the rule says, in bytes (spec/raft.md A9). */
const CHECKPOINT_WAL_BYTES = 32 * 1024 * 1024;
/** Least time between two checkpoints: one that a long reader keeps from its end is not tried again at once. */
const CHECKPOINT_PAUSE_MS = 1000;
/** The ballast is made when the start is over. */
const BALLAST_DELAY_MS = 500;
/** Pause between two attempts to make the ballast where there was no room for it. */
const BALLAST_RETRY_MS = 30_000;
/** Pause between two looks whether a full disk has room again. */
const ROOM_LOOK_MS = 1000;
const NO_BALLAST_LEFT = "no space left on the disk of the database, and no ballast to give up: " +
  "free some space and start this node again; all that was acknowledged is in its log";
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

  constructor({ path, foreignKeys, checkpoint, replica, http }: OpenWriter) {
    this.#rule = checkpoint;
    this.#replica = replica;
    this.#walPath = `${path}-wal`;
    this.#paths = snapshotPaths(path);
    this.#open = () =>
      openStateMachine(path, {
        foreignKeys,
        deliver: (port, outcomes) => {
          const message: Outcomes = { k: "outcomes", outcomes: packOutcomes(outcomes) };
          (port === 0 ? replica : http[port - 1])?.postMessage(message);
        },
        onApplied: () => this.#sayApplied(),
        onSystem: () => {
          const message: CatalogChanged = { k: "catalogChanged" };
          for (const port of http) port.postMessage(message);
        },
        warn: log,
      });
    this.#tainted = healTainted(path);
    this.#machine = this.#open();
    this.#ballast = new Ballast(`${path.slice(0, path.lastIndexOf("/"))}/ballast`);
    setTimeout(() => this.#fillBallast(), BALLAST_DELAY_MS);
    replica.onmessage = ({ data }: MessageEvent<ToWriter>) => this.#take(data);
    this.#sayReady();
  }

  #fillBallast(isFirst = true): void {
    if (this.#isClosed || this.#ballast.fill()) return;
    if (isFirst) {
      log(`no room for a ballast of ${BALLAST_BYTES} bytes: until there is, this node stops if its disk runs full`);
    }
    setTimeout(() => this.#fillBallast(false), BALLAST_RETRY_MS);
  }

  #sayReady(): void {
    const { applied, appliedTerm } = this.#machine;
    this.#say({
      k: "ready",
      applied,
      term: appliedTerm,
      staged: positionOf(this.#paths.staged)?.applied ?? 0,
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
        break;
      case "status":
        this.#say({ k: "status", ref: message.ref, status: this.#machine.status() });
        break;
      case "digest":
        this.#say({ k: "digest", ref: message.ref, digest: this.#machine.digest.at(message.index) ?? null });
        break;
      case "checkpoint":
        this.#guarded(() => this.#withRoom(() => this.#checkpoint()));
        this.#say({ k: "checkpointed", durable: this.#machine.durable });
        break;
      case "adopt":
        this.#adopt();
        break;
      case "close":
        this.#close();
        break;
    }
  }

  /** Applies what waits at once: a turn of the event loop more would cost as much as the transaction. */
  #work(): void {
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const entries = this.#waiting.splice(0, BATCH_ENTRIES_MAX);
      this.#guarded(() => {
        this.#withRoom(() => this.#machine.apply(entries));
        this.#withRoom(() => this.#checkpointIfDue());
      });
    }
  }

  /** What fails on a full disk is done again in the room that the ballast gives up; without that, the node stops. */
  #withRoom(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (!this.#ballast.release()) throw new Error(NO_BALLAST_LEFT, { cause: error });
      log("the disk of the database is full: writes are refused until there is room; free some space");
      this.#say({ k: "space", state: "full" });
      this.#awaitRoom();
      work();
    }
  }

  #awaitRoom(): void {
    const timer = setInterval(() => {
      if (!this.#isClosed && !this.#ballast.fill()) return;
      clearInterval(timer);
      if (this.#isClosed) return;
      log("the disk of the database has room again: writes are taken");
      this.#say({ k: "space", state: "ok" });
    }, ROOM_LOOK_MS);
  }

  #checkpointIfDue(): void {
    this.#batches++;
    const sinceMs = performance.now() - this.#checkpointedMs;
    if (sinceMs < CHECKPOINT_PAUSE_MS || this.#batches % BATCHES_PER_LOOK !== 0) return;
    const { entries, walBytes, intervalMs } = this.#rule;
    const wal = Deno.statSync(this.#walPath).size;
    const isDue = this.#machine.applied - this.#checkpointedAt >= entries || walBytes > 0 && wal >= walBytes;
    if (wal < CHECKPOINT_WAL_BYTES && (sinceMs < intervalMs || !isDue)) return;
    const before = this.#machine.durable;
    this.#checkpoint();
    if (this.#machine.durable !== before) this.#sayApplied();
  }

  #checkpoint(): void {
    this.#machine.checkpoint("PASSIVE");
    this.#checkpointedMs = performance.now();
    this.#checkpointedAt = this.#machine.applied;
  }

  #close(): void {
    this.#isClosed = true;
    this.#guarded(() => {
      this.#machine.apply(this.#waiting);
      this.#machine.close();
    });
    this.#say({ k: "closed" });
    this.#replica.onmessage = null;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#isClosed = true;
      let message = error instanceof Error ? error.message : String(error);
      if (taints(error)) {
        markTainted(this.#paths.database, message);
        message = `${this.#paths.database} cannot be trusted any more (${message}): the next start checks it first`;
      }
      this.#say({ k: "failed", message, isDamage: false });
      throw error;
    }
  }
}

self.addEventListener("message", (event: Event) => {
  if (!(event instanceof MessageEvent)) return;
  const message: OpenWriter = event.data;
  try {
    new WriterWorker(message);
  } catch (error) {
    const isDamage = error instanceof DamagedDatabaseError;
    const text = error instanceof Error ? error.message : String(error);
    const failure: FromWriter = { k: "failed", message: text, isDamage };
    message.replica.postMessage(failure);
    if (!isDamage) throw error; // who waits for the replica's word is told the exit code by it
  }
}, { once: true });
