/**
 * Runs a range of seeds and says what came of it: the failures with the command that replays each, the rates, and the
 * coverage marks.
 * @module
 */
import process from "node:process";
import { type RunResult, runSeed } from "./cluster.ts";
import { MARKS } from "./coverage.ts";
import { RunFailure } from "./failure.ts";
import type { ProfileName } from "./profile.ts";

/** Which seeds, and how. */
export interface BatchOptions {
  /** First seed. */
  readonly first: number;
  /** How many, counting up. */
  readonly seeds: number;
  /** Which faults. */
  readonly profile: ProfileName;
  /** Ends each run after this many events. */
  readonly until?: number;
  /** Prints every event. */
  readonly trace?: boolean;
  /** Ends with the first failure. */
  readonly stop?: boolean;
  /** Number of the seeded bug in the code that runs: part of the command that replays a failure. */
  readonly bug?: string;
}

/** The result of a batch of runs. */
export interface Summary {
  /** Seeds run. */
  seeds: number;
  /** Failed ones. */
  failures: number;
  /** Events of the runs that did not fail. */
  events: number;
  /** Virtual seconds of the runs that did not fail. */
  seconds: number;
  /** Real milliseconds. */
  elapsedMs: number;
  /** Milliseconds of CPU, those of the garbage collector's threads included. */
  cpuMs: number;
  /** How often each mark was reached. */
  readonly marks: Map<string, number>;
}

const PROGRESS_MS = 1000;

/** Runs the seeds; failures and traces are printed at once. @returns The totals. */
export function runBatch(options: BatchOptions, { showProgress = false } = {}): Summary {
  const started = performance.now();
  const summary: Summary = { seeds: 0, failures: 0, events: 0, seconds: 0, elapsedMs: 0, cpuMs: 0, marks: new Map() };
  const cpuBefore = cpuMs();
  let shown = started;
  for (let seed = options.first; seed < options.first + options.seeds; seed++) {
    summary.seeds++;
    const failure = runOne(seed, options, summary);
    const now = performance.now();
    summary.elapsedMs = now - started;
    summary.cpuMs = cpuMs() - cpuBefore;
    if (failure !== undefined) {
      summary.failures++;
      console.log(describeFailure(failure, options));
      if (options.stop) break;
    }
    if (!showProgress || now - shown < PROGRESS_MS) continue;
    shown = now;
    progress(`${summary.seeds} of ${options.seeds} seeds, ${summary.failures} failed, ${rates(summary)}`);
  }
  if (showProgress) progress("");
  return summary;
}

function runOne(
  seed: number,
  { seeds, profile, until, trace }: BatchOptions,
  summary: Summary,
): RunFailure | undefined {
  let result: RunResult;
  try {
    result = runSeed(seed, {
      profile,
      ...(until !== undefined && { until }),
      ...(trace && { trace: (line) => console.log(line) }),
    });
  } catch (error) {
    if (error instanceof RunFailure) return error;
    throw error;
  }
  summary.events += result.events;
  summary.seconds += result.seconds;
  for (const [mark, count] of result.marks) summary.marks.set(mark, (summary.marks.get(mark) ?? 0) + count);
  if (seeds === 1) console.log(`hash ${result.hash.toString(16)}`);
  return undefined;
}

/** Describes a failure, its place and how to see it again; bugs/run.ts reads the first line. */
function describeFailure(failure: RunFailure, { profile, bug, trace }: BatchOptions): string {
  const isEventKnown = failure.invariant !== "liveness";
  const replay = [
    "deno task sim",
    ...(bug === undefined ? [] : [`--bug ${bug}`]),
    ...(profile === "swarm" ? [] : [`--profile ${profile}`]),
    `--seed ${failure.seed}`,
    // A failure by something that does not happen has no event at which to stop.
    ...(isEventKnown ? [`--until ${failure.event}`] : []),
    "--trace",
  ].join(" ");
  // The states of all nodes follow on further lines: worth their room only to whoever looks at this one seed.
  const reason = trace ? failure.reason : failure.reason.split("\n")[0];
  return `FAILED: seed ${failure.seed}, profile ${profile}, event ${failure.event}, ${failure.invariant}\n` +
    `  ${reason}\n  ${replay}`;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function rates({ events, seconds, elapsedMs, cpuMs }: Summary): string {
  const rate = Math.round(events / elapsedMs * 1000);
  const hours = (seconds / 3600 / (cpuMs / 60_000)).toFixed(1);
  return `${rate} events/s, ${hours} simulated cluster-hours per CPU-minute`;
}

/** The totals as text. */
export function describeSummary(summary: Summary): string {
  const hours = (summary.seconds / 3600).toFixed(1);
  const marks = MARKS.map((mark) => `  ${mark}: ${summary.marks.get(mark) ?? 0}`).join("\n");
  return `coverage marks:\n${marks}\n` +
    `${summary.seeds} seeds, ${summary.failures} failed, ${summary.events} events, ${hours} cluster-hours in ` +
    `${(summary.elapsedMs / 1000).toFixed(1)} s\n${rates(summary)}`;
}

/** Writes over the line before; an empty one clears it. */
function progress(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
}
