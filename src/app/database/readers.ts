/**
 * The reader Workers, shared out so that no read waits long behind a slow one.
 *
 * A message between Workers costs more than a point read, and so does waking one: what waits is handed over in batches. A
 * reader gets its next one when it has answered the last, and what arrives meanwhile makes the next one larger. While
 * reads take as little as that, they go to one reader; others get their share where what waits is worth waking them.
 *
 * Reads have levels (a multilevel feedback queue): all begin at the lowest. One that has run for its level's slice while
 * others wait is ended, and begins again a level higher, where slices are five times as long: what it has computed in vain
 * is a quarter of what it computes then. Lower levels go first, and one reader takes only the two lowest. So a point read
 * waits for some slices of the lowest levels at most, whatever else runs.
 *
 * A reader takes 10 MB, so the first one is started for the first read: a node that is only written to, or that follows and
 * is asked nothing, needs none. The second one is started as soon as a read is slow, as many as the machine has processors
 * when much waits, and more when reads wait for the higher levels.
 *
 * Large answers that are still on their way to their clients are counted (rpc/answer_budget.ts). A read whose answer finds
 * no room ends, and begins again when a whole answer has room; it is refused when that takes too long. Reads with small
 * answers need no room.
 *
 * Where reads follow each other without a gap, checkpoints do not come to their end. The writer then has them make way: none
 * begins, those that are not over in {@linkcode PATIENCE_MS} are ended, and all go on a moment later.
 *
 * A reader ends a request at its time limit by itself, whatever it computes. A request whose client has left, and one
 * that is not answered a moment behind its limit, is ended from here through the words that a reader shares.
 * @module
 */
import { AnswerBudget, READ_ANSWERS_BYTES_MAX } from "../../base/shared/answer_budget.ts";
import { Ticket, TICKET_MAX } from "../../base/shared/ticket.ts";
import { packReads, type ReadRequest, type ReadResult, unpackReadResults } from "../../core/sql/exchange.ts";
import { type FromReader, type ReaderLine, READERS_MAX, type ToReader } from "../../drivers/sqlite/api.ts";
import { dropResults } from "./held_answer.ts";
import { BusyError } from "./errors.ts";

/** Requests of one batch. */
export const BATCH_MAX = 64;
/** Fewer reads are not worth waking a reader for before all of their turn have come. */
const PORTION_MIN = 16;
/** Pause between two looks at what runs. */
const LOOK_MS = 10;
/** Work that is worth waking one more reader for. */
const WORTH_WAKING_MS = 1;
/** Weight of the last batch in what a read is expected to take. */
const LAST_BATCH_WEIGHT = 1 / 16;
/** Time that a read of each level may run while others wait. */
export const SLICES_MS: readonly number[] = [20, 100, 500, 2500, 12_500];
/** The slice of the lowest level where many wait. */
const SHORT_SLICE_MS = 5;
/** So many are many. */
const MANY_WAITING = 8;
/** The first reader takes no reads beyond this level. */
const RESERVED_LEVEL_MAX = 1;
/** Room that a read is given whose answer has found none: more than any answer takes, and all of it where that was not enough. */
const ROOM_BYTES = 64 * 1024 * 1024;
/** A read that has waited for room for so long is refused. */
export const ROOM_TIMEOUT_MS = 10_000;
/** Work that waits and is worth one more reader for good, where the machine has processors for it. */
const MUCH_MS = 10;

/** A client is watched from here on: most are answered before. */
const WATCHED_AFTER_MS = 50;
/** Time in which a reader must notice that a time limit has passed. */
const GRACE_MS = 50;
/** Reads that are to make way get so long to come to their end. */
const PATIENCE_MS = 100;
/** Reads go on by themselves when one of them does not end, or the writer is busy, for this long. */
const WAY_MS_MAX = 1000;
/** Requests that wait for a reader. */
export const WAITING_MAX = 10_000;

interface Job {
  readonly request: Omit<ReadRequest, "ref">;
  readonly startedMs: number;
  readonly deadlineMs: number;
  readonly resolve: (result: ReadResult | undefined) => void;
  readonly reject: (error: BusyError) => void;
  /** Index into {@linkcode SLICES_MS}. */
  level: number;
  /** Resolves when the client has left; undefined once it is watched, and where nobody can tell. */
  whenOver: (() => Promise<void>) | undefined;
  isOver: boolean;
  /** Whether all readers were busy when it came. */
  mustWait: boolean;
  /** How often its answer has found no room, and when that began. */
  roomless: number;
  roomlessSinceMs: number;
  /** Room that is kept for it. */
  promised: number;
}

interface Reader {
  readonly port: MessagePort;
  readonly ticket: Ticket;
  /** Handed over and not answered, oldest first. */
  jobs: number[];
  /** When they were handed over. */
  handedOverMs: number;
  /** The request that it is at, and since when. */
  current: number;
  sinceMs: number;
}

/** Reads make way for a checkpoint. */
interface Way {
  readonly sinceMs: number;
  readonly resolve: (endedMs: number) => void;
  /** The longest time that a read had run which was ended for it. */
  endedMs: number;
}

/** All readers. */
export class Readers {
  /** Reads that have waited for a reader, and how long together. */
  readonly waits = { count: 0, ms: 0 };
  readonly #readers: Reader[] = [];
  /** By reference, which a request gets anew when it is handed over again. */
  readonly #jobs = new Map<number, Job>();
  /** Waiting reads, by level. */
  readonly #waiting: Job[][] = SLICES_MS.map(() => []);
  readonly #wantReader: () => void;
  readonly #readersMax: number;
  #wanted = 0;
  #waitingCount = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #isScheduled = false;
  /** Reads that came in the last turn of the event loop, and in this one. */
  #lastTurn = 0;
  #thisTurn = 0;
  /** Reads that were handed over together last. */
  #lastBatch = 1;
  /** Expected time of a read as its share of a batch, from the last reads. */
  #expectedMs = 0;
  /** Reads that wait for room, and the bytes reserved for reads that no longer wait. */
  #roomless: Job[] = [];
  #promised = 0;
  #way: Way | undefined;
  readonly #answers: AnswerBudget;
  #nextRef = 1;

  /**
   * @param wantReader Asks the supervisor for one more reader.
   * @param answers Counts the bytes of large answers. @default {new AnswerBudget()}
   * @param readersMax Readers that are started at most. @default {READERS_MAX}
   */
  constructor(wantReader: () => void = () => {}, answers = new AnswerBudget(), readersMax = READERS_MAX) {
    this.#wantReader = wantReader;
    this.#readersMax = readersMax;
    this.#answers = answers;
  }

  /** Takes one more reader into use. */
  add({ port, ticket }: ReaderLine): void {
    const reader: Reader = {
      port,
      ticket: new Ticket(ticket),
      jobs: [],
      handedOverMs: 0,
      current: 0,
      sinceMs: 0,
    };
    port.onmessage = ({ data }: MessageEvent<FromReader>) => {
      if (data.k === "results") this.#onResults(reader, unpackReadResults(data.results));
    };
    this.#readers.push(reader);
    this.#wanted = Math.max(this.#wanted, this.#readers.length);
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
   * @throws {BusyError} When too many wait, or its answer has found no room for too long.
   */
  read(request: Omit<ReadRequest, "ref">, whenOver?: () => Promise<void>): Promise<ReadResult | undefined> {
    if (this.#waitingCount >= WAITING_MAX) {
      throw new BusyError(`too many reads are waiting (${WAITING_MAX}): try again later`);
    }
    return new Promise((resolve, reject) => {
      const startedMs = performance.now();
      const deadlineMs = request.timeoutMs > 0 ? startedMs + request.timeoutMs : Infinity;
      const mustWait = this.#readers.every(({ jobs }) => jobs.length > 0);
      const fresh = { level: 0, isOver: false, mustWait, roomless: 0, roomlessSinceMs: 0, promised: 0 };
      this.#wait({ request, startedMs, deadlineMs, resolve, reject, whenOver, ...fresh });
      this.#schedule();
      if (this.#wanted === 0) this.#want();
      this.#watch ??= setInterval(() => this.#look(), LOOK_MS);
    });
  }

  /**
   * Lets no read begin until {@linkcode Readers.goOn}, and ends those that take long: they begin again then.
   * @returns When none runs, how long the longest of those had run, in milliseconds; 0 for none.
   */
  makeWay(): Promise<number> {
    return new Promise((resolve) => {
      this.#way = { sinceMs: performance.now(), resolve, endedMs: 0 };
      this.#watch ??= setInterval(() => this.#look(), LOOK_MS);
      this.#lookAtWay(this.#way);
    });
  }

  /** Lets reads begin again. */
  goOn(): void {
    this.#way = undefined;
    this.#dispatch();
  }

  #lookAtWay({ sinceMs, resolve, endedMs }: Way): void {
    if (this.#readers.every(({ jobs }) => jobs.length === 0)) resolve(endedMs);
    else if (performance.now() - sinceMs > PATIENCE_MS) this.#endReads();
    if (performance.now() - sinceMs <= WAY_MS_MAX) return;
    resolve(endedMs); // a checkpoint may move a part
    this.goOn();
  }

  #wait(job: Job): void {
    this.#waiting[job.level].push(job);
    this.#waitingCount++;
  }

  /**
   * A lone read leaves at once; others once per turn of the event loop, so that what arrives in one turn leaves together. The first of
   * many looks like a lone one: it waits where the batch before was of several, as waking a reader costs more than a turn.
   * Where many come in a turn, a reader that is idle begins with the first half while the other half is received.
   */
  #schedule(): void {
    if (this.#isScheduled) {
      const isPortion = ++this.#thisTurn % Math.max(PORTION_MIN, this.#lastTurn >> 1) === 0;
      if (isPortion && this.#jobs.size === 0) this.#dispatch();
      return;
    }
    if (this.#jobs.size === 0 && this.#waitingCount === 1 && this.#lastBatch === 1) return this.#dispatch();
    this.#thisTurn = 1;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#lastTurn = this.#thisTurn;
      this.#dispatch();
    });
  }

  /** Shares what waits among the readers that have nothing to do. */
  #dispatch(): void {
    if (this.#way) return this.#lookAtWay(this.#way);
    if (this.#waitingCount === 0 || this.#isWorthWaiting(performance.now())) return;
    // A reader that is alone takes them all.
    const isReserved = (reader: Reader) => reader === this.#readers[0] && this.#readersMax > 1;
    const free = this.#readers.filter((reader) => reader.jobs.length === 0);
    for (let at = free.length - 1; at >= 0 && this.#waitingCount > 0; at--) {
      const reader = free[at];
      const levelMax = isReserved(reader) ? RESERVED_LEVEL_MAX : SLICES_MS.length - 1;
      const level = this.#waiting.findIndex((jobs) => jobs.length > 0);
      if (level > levelMax) continue;
      // A read that has turned out to be slow goes alone, so that no other read waits behind it in its batch.
      const share = level > 0 ? 1 : Math.ceil(this.#waiting[0].length / Math.min(at + 1, this.#readersWorthwhile));
      this.#handOver(reader, this.#waiting[level].splice(0, Math.min(share, BATCH_MAX)));
    }
  }

  /** Readers for what waits at the lowest level. */
  get #readersWorthwhile(): number {
    return Math.max(1, Math.ceil(this.#waiting[0].length * this.#expectedMs / WORTH_WAKING_MS));
  }

  /** Whether a reader that is about to answer had better take what waits, too. */
  #isWorthWaiting(now: number): boolean {
    if (this.#waiting[0].length < this.#waitingCount || this.#readersWorthwhile > 1) return false;
    return this.#readers.some(({ jobs, handedOverMs }) => jobs.length > 0 && now - handedOverMs < WORTH_WAKING_MS);
  }

  /** Lets reads begin again whose answers have room now; none overtakes another. */
  #admit(): void {
    for (let job = this.#roomless[0]; job; job = this.#roomless[0]) {
      const wanted = job.roomless > 1 ? READ_ANSWERS_BYTES_MAX : ROOM_BYTES;
      if (!job.isOver && this.#answers.taken + this.#promised + wanted > READ_ANSWERS_BYTES_MAX) return;
      this.#roomless.shift();
      if (job.isOver) continue;
      job.promised = wanted;
      this.#promised += wanted;
      this.#wait(job);
    }
  }

  /** Ends the reservation of a read: it is in use, or not needed. */
  #endPromise(job: Job): void {
    this.#promised -= job.promised;
    job.promised = 0;
  }

  /** Has a read wait for room. */
  #awaitRoom(job: Job, now: number): void {
    this.#endPromise(job);
    if (job.roomless++ === 0) job.roomlessSinceMs = now;
    this.#roomless.push(job);
  }

  #handOver(reader: Reader, jobs: readonly Job[]): void {
    const now = performance.now();
    const isCrowded = this.#waitingCount > MANY_WAITING;
    this.#waitingCount -= jobs.length;
    const requests: ReadRequest[] = [];
    for (const job of jobs) {
      if (job.isOver) continue; // ended while it waited
      if (job.mustWait) {
        this.waits.count++;
        this.waits.ms += now - job.startedMs;
        job.mustWait = false;
      }
      const ref = this.#nextRef;
      this.#nextRef = ref % TICKET_MAX + 1;
      this.#jobs.set(ref, job);
      reader.jobs.push(ref);
      // The time that it has waited counts.
      let timeoutMs = job.deadlineMs === Infinity ? 0 : Math.max(1e-3, job.deadlineMs - now);
      if (isCrowded && job.level === 0) {
        timeoutMs = timeoutMs === 0 ? SHORT_SLICE_MS : Math.min(timeoutMs, SHORT_SLICE_MS);
      }
      requests.push({ ...job.request, ref, timeoutMs });
    }
    if (requests.length === 0) return;
    this.#lastBatch = requests.length;
    reader.current = requests[0].ref;
    reader.handedOverMs = reader.sinceMs = now;
    this.#post(reader, { k: "read", requests: packReads(requests) });
  }

  #post(reader: Reader, message: ToReader): void {
    reader.port.postMessage(message);
  }

  #onResults(reader: Reader, results: readonly ReadResult[]): void {
    const now = performance.now();
    this.#expectedMs += ((now - reader.handedOverMs) / results.length - this.#expectedMs) * LAST_BATCH_WEIGHT;
    reader.jobs = [];
    reader.current = 0;
    for (const result of results) {
      const job = this.#jobs.get(result.ref);
      if (job) this.#jobs.delete(result.ref);
      const isSliceOver = result.isLate && job !== undefined && now < job.deadlineMs; // not its time
      if (!job || job.isOver || isSliceOver) dropResults(result.results, this.#answers);
      if (!job || job.isOver) continue; // given up, or handed over again
      if (result.isTooLarge) this.#awaitRoom(job, now);
      else if (isSliceOver) this.#raise(job);
      else this.#resolve(job, result);
    }
    this.#dispatch();
  }

  #resolve(job: Job, result: ReadResult | undefined): void {
    job.isOver = true;
    this.#endPromise(job);
    job.resolve(result);
  }

  /** Has a read wait a level higher. */
  #raise(job: Job): void {
    job.level = Math.min(job.level + 1, SLICES_MS.length - 1);
    this.#wait(job);
  }

  /** Has all that run begin again later; whatever a reader is at without a job is ended. */
  #endReads(): void {
    const now = performance.now();
    for (const { jobs, sinceMs } of this.#readers) {
      for (const ref of jobs) {
        const job = this.#jobs.get(ref);
        if (!job) continue;
        this.#jobs.delete(ref);
        if (!job.isOver) this.#wait(job);
        if (this.#way) this.#way.endedMs = Math.max(this.#way.endedMs, now - sinceMs);
      }
    }
  }

  /** Looks for slices and time limits that have passed, and for clients that have left. */
  #look(): void {
    const now = performance.now();
    if (this.#way) this.#lookAtWay(this.#way);
    for (const reader of this.#readers) this.#lookAt(reader, now);
    for (const jobs of this.#waiting) for (const job of jobs) this.#lookAtJob(job, now);
    for (const job of this.#jobs.values()) this.#lookAtJob(job, now);
    for (const job of this.#roomless) this.#lookAtJob(job, now);
    this.#admit();
    for (const [ref, { isOver }] of this.#jobs) if (isOver) this.#jobs.delete(ref);
    const hasAll = this.#readers.length >= this.#readersMax;
    if (!hasAll && this.#wanted === this.#readers.length && this.#needsReader(now)) this.#want();
    this.#dispatch();
    const isIdle = !this.#way && this.#jobs.size === 0 && this.#waitingCount === 0 && this.#roomless.length === 0;
    if (isIdle && this.#readers.every(({ jobs }) => jobs.length === 0)) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  #want(): void {
    this.#wanted++;
    this.#wantReader();
  }

  /** Whether one more reader is worth its memory. */
  #needsReader(now: number): boolean {
    if (this.#waiting.some((jobs, level) => level > RESERVED_LEVEL_MAX && jobs.length > 0)) return true;
    const [first, ...others] = this.#readers;
    const isAtSlowRead = first?.jobs.length > 0 && first.current > 0 && now - first.sinceMs > SLICES_MS[0];
    if (isAtSlowRead && others.length === 0) return true; // where it is still starting, it is not at a read
    const isMuch = this.#waiting[0].length * this.#expectedMs > MUCH_MS;
    return isMuch && this.#readers.length < navigator.hardwareConcurrency;
  }

  #lookAt(reader: Reader, now: number): void {
    if (reader.jobs.length === 0) return;
    const { current } = reader.ticket;
    const job = this.#jobs.get(current);
    if (current > 0 && (!job || job.isOver)) reader.ticket.cancel(current); // nobody waits for it any more
    if (current !== reader.current) {
      reader.current = current;
      reader.sinceMs = now;
    } else if (job && !this.#way && now - reader.sinceMs > SLICES_MS[job.level]) {
      this.#moveOn(reader, current, job);
    }
  }

  /** A read has used up its slice: those behind it go elsewhere, and it makes way where any wait. */
  #moveOn(reader: Reader, ref: number, job: Job): void {
    for (const behind of reader.jobs) {
      const other = behind === ref ? undefined : this.#jobs.get(behind);
      if (!other) continue;
      this.#jobs.delete(behind);
      this.#wait(other);
    }
    reader.jobs = [ref];
    if (this.#waitingCount === 0) return;
    this.#jobs.delete(ref);
    this.#raise(job);
    reader.ticket.cancel(ref);
  }

  #lookAtJob(job: Job, now: number): void {
    if (job.isOver) return;
    if (now > job.deadlineMs + GRACE_MS) this.#resolve(job, undefined);
    else if (job.roomless > 0 && job.promised === 0 && now - job.roomlessSinceMs > ROOM_TIMEOUT_MS) this.#refuse(job);
    else if (job.whenOver && now - job.startedMs > WATCHED_AFTER_MS) {
      job.whenOver().then(() => this.#resolve(job, undefined));
      job.whenOver = undefined;
    }
  }

  #refuse(job: Job): void {
    job.isOver = true;
    const text = `too many large answers are on their way to clients (${READ_ANSWERS_BYTES_MAX} bytes at a time): ` +
      "try again later, or read less at a time with LIMIT";
    job.reject(new BusyError(text));
  }

  /** Counters for `/status`. */
  status(): Record<string, number> {
    return {
      readers: this.#readers.length,
      readers_max: this.#readersMax,
      waiting: this.#waitingCount,
      running: this.#jobs.size,
      busy: this.#readers.filter(({ jobs }) => jobs.length > 0).length,
      waiting_for_room: this.#roomless.length,
      answer_bytes: this.#answers.taken,
    };
  }

  /** Stops all readers after what they do. */
  close(): void {
    clearInterval(this.#watch);
    for (const reader of this.#readers) this.#post(reader, { k: "close" });
  }
}
