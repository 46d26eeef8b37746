/**
 * Runs checks at their intervals.
 *
 * (1) The first run of a check is at a random point within its interval, so that checks that start together are spread;
 *     each further run begins an interval after the end of the one before.
 * (2) There is never more than one run of a check at a time, also where it was replaced by one of the same ID.
 * (3) At most {@linkcode RUNS_MAX} runs are under way; others that are due wait for their turn, in their order.
 * (4) A run that is not done within its time limit is critical, and is told to end. One that does not end in
 *     {@linkcode ENDING_MS_MAX} after that is left alone, so that it does not hold its place for ever.
 * (5) A result is reported only where its status or output is another than what was reported last.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { IntervalKind } from "../../core/health/check_kind.ts";
import { cutOutput } from "../../core/health/output.ts";
import { Thresholds } from "../../core/health/thresholds.ts";
import { Agenda, type AgendaClock, type AgendaEntry, THREAD_CLOCK } from "./agenda.ts";
import type { CheckOutcome, CheckResult, RunnableCheck } from "./api.ts";

/** Runs under way at a time. */
export const RUNS_MAX = 256;
/** Time that a run has to end, after it was told to. */
export const ENDING_MS_MAX = 5000;
/** Time that a run has to say how it ended, after it was told to. */
const ABORT_MS = 500;

/** Circumstances of a run. */
export interface RunContext {
  /** Aborted when the run is to end; the reason is an {@linkcode EndOfRun}. */
  readonly signal: AbortSignal;
  /** Bytes of output to keep. */
  readonly outputBytesMax: number;
}

/** How a run ended. */
export interface RunResult extends CheckOutcome {
  /** Resolves when everything that the run has started is over; absent: it is already. */
  readonly over?: Promise<unknown>;
}

/** Does what a check does. An error that it throws makes the check critical. */
export type Run = (kind: IntervalKind, context: RunContext) => Promise<RunResult>;

/** Why a run is to end. */
export class EndOfRun extends Error {
  /** Always `EndOfRun`. */
  override readonly name = "EndOfRun";
}

/** What a runner needs. */
export interface RunnerOptions {
  readonly run: Run;
  /** Takes results that are to be reported. */
  report(results: readonly CheckResult[]): void;
  /** @default {the clock of this thread} */
  readonly clock?: AgendaClock;
  /** A random number from 0 to 1. @default {Math.random} */
  readonly random?: () => number;
  /** @default {256} */
  readonly runsMax?: number;
}

/** A check that is started, until it is stopped or replaced. */
interface Started {
  readonly check: RunnableCheck;
  readonly thresholds: Thresholds;
  reported: CheckOutcome;
  isStopped: boolean;
  /** Its next run. */
  next: AgendaEntry | undefined;
  /** Its run under way. */
  abort: AbortController | undefined;
  /** Resolves when its run, or that of the check that it replaces, is over. */
  over: Promise<void> | undefined;
}

/** Runs checks. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #agenda: Agenda;
  readonly #clock: AgendaClock;
  readonly #checks = new Map<string, Started>();
  readonly #waiting = new Set<Started>();
  readonly #results = new Map<string, CheckResult>();
  #running = 0;

  /** A runner without checks. */
  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? THREAD_CLOCK;
    this.#agenda = new Agenda(this.#clock);
  }

  /** Runs under way. */
  get running(): number {
    return this.#running;
  }

  /** Runs a check from now on, in place of one of the same ID. */
  start(check: RunnableCheck, initial: CheckOutcome): void {
    const over = this.#end(check.id);
    const thresholds = new Thresholds(check);
    const started = { check, thresholds, reported: initial, isStopped: false, next: undefined, abort: undefined, over };
    this.#checks.set(check.id, started);
    this.#schedule(started, check.intervalMs * (this.#options.random ?? Math.random)());
  }

  /** Runs a check no more. */
  stop(id: string): void {
    this.#end(id);
  }

  /** Ends all checks; resolves when their runs are over. */
  async close(): Promise<void> {
    await Promise.all([...this.#checks.keys()].map((id) => this.#end(id)));
    this.#agenda.clear();
  }

  /** Returns the promise of a run under way. */
  #end(id: string): Promise<void> | undefined {
    const started = this.#checks.get(id);
    if (!started) return undefined;
    started.isStopped = true;
    this.#checks.delete(id);
    this.#results.delete(id);
    this.#waiting.delete(started);
    if (started.next) this.#agenda.remove(started.next);
    started.abort?.abort(new EndOfRun("the check was stopped"));
    return started.over;
  }

  #schedule(started: Started, ms: number): void {
    started.next = this.#agenda.add(ms, () => {
      started.next = undefined;
      if (this.#running >= (this.#options.runsMax ?? RUNS_MAX)) this.#waiting.add(started);
      else started.over = this.#turn(started, started.over);
    });
  }

  /** One run, with its place among those under way. @param before The run of the check that this one replaces. */
  async #turn(started: Started, before: Promise<void> | undefined): Promise<void> {
    this.#running++;
    if (before) await before;
    if (!started.isStopped) await this.#run(started);
    this.#running--;
    started.over = undefined;
    if (!started.isStopped) this.#schedule(started, started.check.intervalMs);
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next.over = this.#turn(next, next.over);
      return;
    }
  }

  async #run(started: Started): Promise<void> {
    const { kind, timeoutMs, outputBytesMax } = started.check;
    const timedOut = { status: "critical", output: `Timed out (${formatDuration(timeoutMs)}) running check` } as const;
    const abort = new AbortController();
    started.abort = abort;
    const { promise: cut, resolve: giveUp } = Promise.withResolvers<RunResult>();
    let alarm = this.#agenda.add(timeoutMs, () => {
      abort.abort(new EndOfRun(timedOut.output));
      alarm = this.#agenda.add(ABORT_MS, () => giveUp({ ...timedOut, over: running }));
    });
    const running = this.#outcome(kind, { signal: abort.signal, outputBytesMax });
    const result = await Promise.race([running, cut]);
    this.#agenda.remove(alarm);
    started.abort = undefined;
    if (!started.isStopped) this.#take(started, result);
    if (result.over) await this.#ending(result.over);
  }

  /** Never rejects. */
  async #outcome(kind: IntervalKind, context: RunContext): Promise<RunResult> {
    try {
      return await this.#options.run(kind, context);
    } catch (error) {
      const text = messageOf(context.signal.aborted ? context.signal.reason : error);
      return { status: "critical", output: cutOutput(text, context.outputBytesMax) };
    }
  }

  async #ending(over: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = this.#agenda.add(ENDING_MS_MAX, resolve);
    await Promise.race([over, promise]);
    this.#agenda.remove(limit);
  }

  #take(started: Started, { status, output }: RunResult): void {
    const { check: { id }, thresholds, reported } = started;
    const counted = thresholds.count(status);
    if (counted === undefined || counted === reported.status && output === reported.output) return;
    started.reported = { status: counted, output };
    if (this.#results.size === 0) this.#clock.after(0, () => this.#flush());
    this.#results.set(id, { id, status: counted, output });
  }

  #flush(): void {
    const results = [...this.#results.values()];
    this.#results.clear();
    if (results.length > 0) this.#options.report(results);
  }
}
