/**
 * Queued writes: they are acknowledged before they are written, and written in batches, each of them one entry of the log.
 *
 * The queue is in memory: acknowledged writes that are not written yet are lost when the process crashes. A client that
 * waits for a sequence number is answered when its write has been written, and the write then survives like any other.
 *
 * Requests are written in their order. A statement that fails does so alone; with `isTransaction`, in which a batch is
 * one transaction, a batch that fails is written again request by request, so that one bad request does not fail the
 * others. So that it does not act on others, a request that is a transaction by itself, or that has a PRAGMA, which holds
 * for the rest of an entry, or a VACUUM, which is refused beside others, is a batch of its own. A batch that is refused for the moment (no leader, a full disk) is retried once a second, and later ones wait
 * behind it. A batch whose outcome is unknown is not retried: it may have been written.
 * @module
 */
import type { BoundStatement } from "../../core/sql/command.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { BusyError, NoLeaderError, NotLeaderError, RequestError } from "./errors.ts";

/** How it is to work. */
export interface WriteQueueOptions {
  /** Requests that wait at a time. @default {1024} */
  readonly capacity: number;
  /** Requests of a batch. @default {128} */
  readonly batchSize: number;
  /** Longest wait for a batch to fill, in ms. @default {50} */
  readonly timeoutMs: number;
  /** Whether a batch is a transaction. @default {false} */
  readonly isTransaction: boolean;
}

/** Writes a batch, here or through the leader. @returns Whether a statement has failed. */
export type WriteBatch = (
  statements: readonly BoundStatement[],
  options: { readonly transaction: boolean },
) => Promise<{ readonly hasFailed: boolean }>;

/** A request that waits. */
interface Queued {
  readonly sequence: bigint;
  readonly statements: readonly BoundStatement[];
  readonly transaction: boolean;
  /** Whether it shares no batch. */
  readonly isAlone: boolean;
}

/** Verbs of statements that reach beyond themselves. */
const LONE_VERBS: ReadonlySet<string> = new Set(["PRAGMA", "VACUUM"]);
/** Pause before a batch is tried again. */
const RETRY_MS = 1000;
const NS_PER_MS = 1_000_000n;

/** The queue of one node. */
export class WriteQueue {
  readonly options: WriteQueueOptions;
  readonly #write: WriteBatch;
  readonly #log: (line: string) => void;
  /**
   * Statements that were taken and written, and batches that left because their time was up; attempts to write a batch that
   * succeeded and failed, and for want of what.
   */
  readonly counters = {
    statements_rx: 0,
    statements_tx: 0,
    num_timeout: 0,
    batches_ok: 0,
    batches_failed: 0,
    no_leader: 0,
    not_leader: 0,
    unknown_outcome: 0,
  };
  #waiting: Queued[] = [];
  /** Requests that wait for their write, by sequence number. */
  readonly #waiters = new Map<bigint, PromiseWithResolvers<void>>();
  #next = BigInt(Date.now()) * NS_PER_MS;
  #flushed = 0n;
  #isBusy = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WriteQueueOptions, write: WriteBatch, log: (line: string) => void) {
    this.options = options;
    this.#write = write;
    this.#log = log;
  }

  /** The last sequence number that was written; 0 for none. */
  get sequence(): bigint {
    return this.#flushed;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /**
   * Takes a request.
   * @returns Its sequence number.
   * @throws {BusyError} When as many wait as may.
   */
  put(statements: readonly BoundStatement[], { transaction = false } = {}): bigint {
    if (this.#isClosed) throw new BusyError("this node stops");
    if (this.#waiting.length >= this.options.capacity) {
      throw new BusyError(`the write queue is full (${this.options.capacity} requests): try again later`);
    }
    const sequence = this.#next++;
    this.counters.statements_rx += statements.length;
    const isAlone = transaction || statements.some(({ parts }) => parts.some(({ verb }) => LONE_VERBS.has(verb)));
    this.#waiting.push({ sequence, statements, transaction, isAlone });
    if (this.#waiting.length >= this.options.batchSize) this.#flush();
    else {
      this.#timer ??= setTimeout(() => {
        this.counters.num_timeout++;
        this.#flush();
      }, this.options.timeoutMs);
    }
    return sequence;
  }

  /**
   * Resolves to true when the request with this number has been written, and to false after `timeoutMs`.
   * @throws {RequestError} When its outcome is unknown.
   */
  async written(sequence: bigint, timeoutMs: number): Promise<boolean> {
    if (sequence <= this.#flushed) return true;
    const waiter = Promise.withResolvers<void>();
    this.#waiters.set(sequence, waiter);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), timeoutMs));
    try {
      return await Promise.race([waiter.promise.then(() => true), late]);
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(sequence);
    }
  }

  /** Takes nothing more, and resolves when what waits is written, or `timeoutMs` are over. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    const last = this.#waiting.at(-1)?.sequence;
    if (last === undefined) return;
    this.#flush();
    await this.written(last, timeoutMs).catch(() => {}); // it was told in the log
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      const failure = await this.#writeBatch(batch);
      this.#waiting.splice(0, batch.length);
      this.#flushed = batch[batch.length - 1].sequence;
      for (const { sequence } of batch) {
        const waiter = this.#waiters.get(sequence);
        if (failure) waiter?.reject(failure);
        else waiter?.resolve();
      }
    }
    this.#isBusy = false;
  }

  #nextBatch(): Queued[] {
    const batch = this.#waiting.slice(0, this.options.batchSize);
    const alone = batch.findIndex(({ isAlone }) => isAlone);
    return alone < 0 ? batch : batch.slice(0, Math.max(1, alone));
  }

  /** @returns Why the outcome of the batch is unknown, where it is. */
  async #writeBatch(batch: readonly Queued[]): Promise<RequestError | undefined> {
    const statements = batch.flatMap((one) => one.statements);
    if (statements.length === 0) return undefined; // no more than places in the order
    const isTransaction = this.options.isTransaction || batch[0].transaction;
    for (let attempt = 1;; attempt++) {
      try {
        const { hasFailed } = await this.#write(statements, { transaction: isTransaction });
        if (hasFailed && isTransaction && batch.length > 1) return await this.#writeEach(batch);
        this.counters.statements_tx += statements.length;
        this.counters.batches_ok++;
        return undefined;
      } catch (error) {
        this.#countFailure(error);
        if (error instanceof RequestError && error.outcome === "unknown") {
          this.#log(`the outcome of ${batch.length} queued writes is unknown: ${error.message}`);
          return error;
        }
        const mayHelp = error instanceof BusyError || error instanceof NotLeaderError ||
          error instanceof NoLeaderError ||
          error instanceof RequestError && error.leaderless;
        if (!mayHelp) return await this.#giveUpOn(batch, error);
        if (attempt === 1) this.#log(`queued writes wait: ${messageOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #countFailure(error: unknown): void {
    const { counters } = this;
    counters.batches_failed++;
    if (error instanceof RequestError && error.outcome === "unknown") counters.unknown_outcome++;
    else if (error instanceof NotLeaderError) counters.not_leader++;
    else if (error instanceof NoLeaderError || error instanceof RequestError && error.leaderless) counters.no_leader++;
  }

  /** A batch that cannot be written as a whole: its requests, one by one; one that cannot either is left out. */
  async #giveUpOn(batch: readonly Queued[], error: unknown): Promise<RequestError | undefined> {
    if (batch.length > 1) return await this.#writeEach(batch);
    this.#log(`a queued write was refused and is left out: ${messageOf(error)}`);
    return undefined;
  }

  async #writeEach(batch: readonly Queued[]): Promise<RequestError | undefined> {
    let failure: RequestError | undefined;
    for (const one of batch) failure = await this.#writeBatch([one]) ?? failure;
    return failure;
  }
}
