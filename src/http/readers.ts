/**
 * The reader Workers, shared out so that no read waits behind a slow one.
 *
 * A message between Workers costs more than a point read, so what waits is handed over in batches: a reader gets its
 * next one when it has answered the last, and what arrives meanwhile makes the next one larger. If the first request of a
 * batch is not answered within {@linkcode SLOW_MS}, the reader is taken to be busy with it: those behind it are given to
 * other readers as well (a read twice is harmless; the second answer is dropped) and it gets nothing new until it answers.
 *
 * At the time limit of a request its client gets `query timeout`. A running SQLite call cannot be interrupted through
 * `node:sqlite`: a statement that yields rows is stopped between two of them, one that computes without yielding any
 * goes on to its end. Its reader is retired: the supervisor starts another in its place, and it is closed when it
 * answers. At most {@linkcode RETIRED_MAX} readers may be in that state; beyond it no replacement is started, and
 * requests wait in a bounded queue for their own time limit.
 * @module
 */
import { packReads, type ReadRequest, type ReadResult, unpackReadResults } from "../sql/exchange.ts";
import type { FromReader, ToReader } from "../sqlite/api.ts";
import { HttpError } from "./problem.ts";

/** Requests of one batch. */
export const BATCH_MAX = 64;
/** A reader that does not answer for this long is busy with a slow statement. */
export const SLOW_MS = 10;
/** Retired readers that still work. */
export const RETIRED_MAX = 16;
/** Requests that wait for a reader. */
export const WAITING_MAX = 10_000;

interface Job {
  readonly request: ReadRequest;
  readonly deadlineMs: number;
  readonly resolve: (result: ReadResult | undefined) => void;
}

interface Reader {
  readonly port: MessagePort;
  /** Handed over and not answered, oldest first. */
  readonly jobs: number[];
  /** When the oldest became the oldest. */
  sinceMs: number;
  slow: boolean;
  retired: boolean;
}

/** All readers. */
export class Readers {
  readonly #readers: Reader[] = [];
  readonly #jobs = new Map<number, Job>();
  #waiting: number[] = [];
  readonly #replace: () => void;
  #watch: ReturnType<typeof setInterval> | undefined;
  #retired = 0;
  #isScheduled = false;
  #nextRef = 1;

  /** @param replace Asks the supervisor for one more reader. */
  constructor(replace: () => void) {
    this.#replace = replace;
  }

  /** Takes one more reader into use. */
  add(port: MessagePort): void {
    const reader: Reader = { port, jobs: [], sinceMs: 0, slow: false, retired: false };
    port.onmessage = ({ data }: MessageEvent<FromReader>) => {
      if (data.k === "results") this.#onResults(reader, unpackReadResults(data.results));
    };
    this.#readers.push(reader);
    this.#dispatch();
  }

  /** Has every reader open the database anew: another file has taken its place. */
  reopen(): void {
    const message: ToReader = { k: "reopen" };
    for (const reader of this.#readers) reader.port.postMessage(message);
  }

  /**
   * Runs a read.
   * @returns undefined at the time limit.
   * @throws {HttpError} 503 when too many wait.
   */
  read(request: Omit<ReadRequest, "ref">): Promise<ReadResult | undefined> {
    if (this.#waiting.length >= WAITING_MAX) {
      throw new HttpError(503, `too many reads are waiting (${WAITING_MAX}): try again later`, { retryAfter: 1 });
    }
    return new Promise((resolve) => {
      const ref = this.#nextRef++;
      this.#jobs.set(ref, { request: { ...request, ref }, deadlineMs: performance.now() + request.timeoutMs, resolve });
      this.#waiting.push(ref);
      this.#schedule();
      this.#watch ??= setInterval(() => this.#check(), SLOW_MS);
    });
  }

  /** A lone read leaves at once; others once per turn of the event loop, so that what arrives in one turn leaves together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    if (this.#jobs.size === 1) return this.#dispatch();
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  /** Shares what waits among the readers that have nothing to do. */
  #dispatch(): void {
    if (this.#waiting.length === 0) return;
    const free = this.#readers.filter((reader) => reader.jobs.length === 0 && !reader.slow && !reader.retired);
    for (const [at, reader] of free.entries()) {
      const share = Math.min(BATCH_MAX, Math.ceil(this.#waiting.length / (free.length - at)));
      const requests: ReadRequest[] = [];
      for (const ref of this.#waiting.splice(0, share)) {
        const job = this.#jobs.get(ref);
        if (!job) continue; // ended by its time limit while it waited
        reader.jobs.push(ref);
        requests.push(job.request);
      }
      if (requests.length === 0) continue;
      reader.sinceMs = performance.now();
      this.#post(reader, { k: "read", requests: packReads(requests) });
    }
  }

  #post(reader: Reader, message: ToReader): void {
    reader.port.postMessage(message);
  }

  #onResults(reader: Reader, results: readonly ReadResult[]): void {
    for (const result of results) {
      const at = reader.jobs.indexOf(result.ref);
      if (at >= 0) reader.jobs.splice(at, 1);
      const job = this.#jobs.get(result.ref);
      this.#jobs.delete(result.ref);
      job?.resolve(result);
    }
    reader.sinceMs = performance.now();
    reader.slow = false;
    if (reader.retired && reader.jobs.length === 0) this.#close(reader);
    this.#dispatch();
  }

  #close(reader: Reader): void {
    this.#post(reader, { k: "close" });
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    this.#retired--;
  }

  /** Looks for slow readers and for time limits that have passed. */
  #check(): void {
    const now = performance.now();
    for (const reader of this.#readers) {
      if (reader.jobs.length > 0 && !reader.slow && now - reader.sinceMs > SLOW_MS) this.#setAside(reader);
    }
    for (const [ref, job] of this.#jobs) {
      if (job.request.timeoutMs === 0 || now < job.deadlineMs + SLOW_MS) continue;
      this.#jobs.delete(ref);
      job.resolve(undefined);
      for (const reader of this.#readers) if (reader.jobs[0] === ref) this.#retire(reader);
    }
    if (this.#jobs.size === 0 && this.#readers.every((reader) => reader.jobs.length === 0)) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  /** Leaves a busy reader with its first request, and gives those behind it to others as well. */
  #setAside(reader: Reader): void {
    reader.slow = true;
    const behind = reader.jobs.splice(1).filter((ref) => this.#jobs.has(ref));
    this.#waiting = [...behind, ...this.#waiting];
    this.#dispatch();
  }

  #retire(reader: Reader): void {
    if (reader.retired || this.#retired >= RETIRED_MAX) return;
    reader.retired = true;
    this.#retired++;
    this.#replace();
  }

  /** Counters for `/status`. */
  status(): Record<string, number> {
    return {
      readers: this.#readers.length,
      retired: this.#retired,
      waiting: this.#waiting.length,
      running: this.#jobs.size,
    };
  }

  /** Stops all readers after what they do. */
  close(): void {
    clearInterval(this.#watch);
    for (const reader of this.#readers) this.#post(reader, { k: "close" });
  }
}
