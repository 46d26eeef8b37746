/**
 * The reader Workers, shared out so that no read waits behind a slow one.
 *
 * A message between Workers costs more than a point read, so what waits is handed over in batches: a reader gets its
 * next one when it has answered the last, and what arrives meanwhile makes the next one larger. If the first request of a
 * batch is not answered within {@linkcode SLOW_MS}, the reader is taken to be busy with it: those behind it are given to
 * other readers as well (a read twice is harmless; the second answer is dropped) and it gets nothing new until it answers.
 *
 * A reader ends a request at its time limit by itself, whatever it computes. A request whose client has left, and one
 * that is not answered a moment behind its limit, is ended from here through the words that a reader shares.
 * @module
 */
import { Ticket } from "../rpc/ticket.ts";
import { packReads, type ReadRequest, type ReadResult, unpackReadResults } from "../sql/exchange.ts";
import type { FromReader, ReaderLine, ToReader } from "../sqlite/api.ts";
import { HttpError } from "./problem.ts";

/** Requests of one batch. */
export const BATCH_MAX = 64;
/** A reader that does not answer for this long is busy with a slow statement. */
export const SLOW_MS = 10;
/** A client is watched from here on: most are answered before. */
const WATCHED_AFTER_MS = 50;
/** What a reader may take to notice that a time limit has passed. */
const GRACE_MS = 50;
/** Requests that wait for a reader. */
export const WAITING_MAX = 10_000;
/** References beyond this are used anew: they travel as 31 bits. */
const REF_MAX = 0x7fff_ffff;

interface Job {
  readonly request: ReadRequest;
  readonly startedMs: number;
  readonly deadlineMs: number;
  readonly resolve: (result: ReadResult | undefined) => void;
  /** Resolves when the client has left; undefined once it is watched, and where nobody can tell. */
  whenOver: (() => Promise<void>) | undefined;
}

interface Reader {
  readonly port: MessagePort;
  readonly ticket: Ticket;
  /** Handed over and not answered, oldest first. */
  readonly jobs: number[];
  /** When the oldest became the oldest. */
  sinceMs: number;
  slow: boolean;
}

/** All readers. */
export class Readers {
  readonly #readers: Reader[] = [];
  readonly #jobs = new Map<number, Job>();
  #waiting: number[] = [];
  #watch: ReturnType<typeof setInterval> | undefined;
  #isScheduled = false;
  #nextRef = 1;

  /** Takes one more reader into use. */
  add({ port, control, ticketAt }: ReaderLine): void {
    const reader: Reader = { port, ticket: new Ticket(control, ticketAt), jobs: [], sinceMs: 0, slow: false };
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
   * @param whenOver Resolves when the client has left; called for reads that take long.
   * @returns undefined at the time limit.
   * @throws {HttpError} 503 when too many wait.
   */
  read(request: Omit<ReadRequest, "ref">, whenOver?: () => Promise<void>): Promise<ReadResult | undefined> {
    if (this.#waiting.length >= WAITING_MAX) {
      throw new HttpError(503, `too many reads are waiting (${WAITING_MAX}): try again later`, { retryAfter: 1 });
    }
    return new Promise((resolve) => {
      const ref = this.#nextRef;
      this.#nextRef = ref % REF_MAX + 1;
      const startedMs = performance.now();
      const deadlineMs = request.timeoutMs > 0 ? startedMs + request.timeoutMs : Infinity;
      this.#jobs.set(ref, { request: { ...request, ref }, startedMs, deadlineMs, resolve, whenOver });
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
    const free = this.#readers.filter((reader) => reader.jobs.length === 0 && !reader.slow);
    for (const [at, reader] of free.entries()) {
      const share = Math.min(BATCH_MAX, Math.ceil(this.#waiting.length / (free.length - at)));
      const requests: ReadRequest[] = [];
      for (const ref of this.#waiting.splice(0, share)) {
        const job = this.#jobs.get(ref);
        if (!job) continue; // ended by its time limit while it waited
        reader.jobs.push(ref);
        // What it has waited counts.
        const leftMs = job.deadlineMs - performance.now();
        requests.push(job.deadlineMs === Infinity ? job.request : { ...job.request, timeoutMs: Math.max(1, leftMs) });
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
    this.#dispatch();
  }

  /** Looks for slow readers, for time limits that have passed, and for clients that have left. */
  #check(): void {
    const now = performance.now();
    for (const reader of this.#readers) {
      if (reader.jobs.length > 0 && !reader.slow && now - reader.sinceMs > SLOW_MS) this.#setAside(reader);
      const { current } = reader.ticket;
      if (current > 0 && !this.#jobs.has(current)) reader.ticket.cancel(current); // nobody waits for it any more
    }
    for (const [ref, job] of this.#jobs) {
      if (now > job.deadlineMs + GRACE_MS) this.#end(ref);
      else if (job.whenOver && now - job.startedMs > WATCHED_AFTER_MS) {
        job.whenOver().then(() => this.#end(ref));
        job.whenOver = undefined;
      }
    }
    if (this.#jobs.size === 0 && this.#readers.every((reader) => reader.jobs.length === 0)) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  /** Gives a request up; a reader that is at it is told so. */
  #end(ref: number): void {
    const job = this.#jobs.get(ref);
    this.#jobs.delete(ref);
    job?.resolve(undefined);
    for (const { ticket } of this.#readers) if (ticket.current === ref) ticket.cancel(ref);
  }

  /** Leaves a busy reader with its first request, and gives those behind it to others as well. */
  #setAside(reader: Reader): void {
    reader.slow = true;
    const behind = reader.jobs.splice(1).filter((ref) => this.#jobs.has(ref));
    this.#waiting = [...behind, ...this.#waiting];
    this.#dispatch();
  }

  /** Counters for `/status`. */
  status(): Record<string, number> {
    return {
      readers: this.#readers.length,
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
