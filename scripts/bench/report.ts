/**
 * The benchmark's figures: medians over the rounds, as a table for people and as JSON for programs.
 * @module
 */
import { type Cell, duration, table } from "../terminal/table.ts";
import { thousands } from "../../src/program/client/progress.ts";
import { type Machine, median } from "./machine.ts";
import { isRate, type Measurement, type Sample, type Unit } from "./measurements.ts";
import type { System } from "./systems.ts";

/** All samples of one system for one measurement. */
export interface Samples {
  /** In the order of the rounds. */
  readonly samples: Sample[];
  /** The errors, for rounds without a sample. */
  readonly errors: string[];
}

/** A measurement with what came of it. */
export interface Result {
  /** The measurement. */
  readonly measurement: Measurement;
  /** By the system's name. */
  readonly bySystem: ReadonlyMap<System["name"], Samples>;
}

/** A run of the benchmark. */
export interface Run {
  /** Where. */
  readonly machine: Machine;
  /** The program that made the load. */
  readonly generator: string;
  /** Of a phase. */
  readonly seconds: number;
  /** Phases per system and measurement. */
  readonly rounds: number;
  /** The systems that were measured, muster first. */
  readonly systems: readonly System["name"][];
}

/** Medians over the rounds, failures added up. */
interface Summary {
  readonly value: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly failures: number;
}

/** Number of failed requests and phases. */
export function failuresOf(results: readonly Result[]): number {
  return results.flatMap(({ bySystem }) => [...bySystem.values()])
    .reduce((sum, one) => sum + summarize(one).failures, 0);
}

/** The table, with the machine above it. */
export function renderReport(run: Run, results: readonly Result[]): string {
  const { machine, systems } = run;
  const others = systems.slice(1);
  const failures = failuresOf(results);
  const failed = failures > 0 ? ["failed"] : [];
  const heading = [
    "measurement",
    ...systems.flatMap((name) => [name, "p50", "p99", ...failed]),
    ...others.map((name) => `to ${name}`),
    ...(others.includes("rqlite") ? ["aim"] : []),
    "at least",
    "reached",
  ];
  return [
    `${machine.model}, ${machine.processors} processors, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, load ` +
    `${machine.load.toFixed(2)} before; Deno ${machine.deno}`,
    `fdatasync of 4 KiB: ${duration(machine.syncMs)} (median); load by ${run.generator}`,
    `medians of ${run.rounds} × ${run.seconds} s`,
    "",
    table(heading, results.map((result) => row(result, systems, failures > 0))),
    "",
    failures === 0 ? "No request failed." : `${thousands(failures)} requests or phases failed.`,
    "p50, p99: time to an answer. “at least”: what muster has to reach with two processors and an fdatasync of 0.19 ms.",
    ...(others.length > 0
      ? [
        "to …: how many times better than that system (its time by muster's, for times); aim: what is wanted to rqlite.",
      ]
      : []),
    ...(others.includes("etcd") ? ["etcd puts and gets keys where the others insert and select rows: less work."] : []),
  ].join("\n");
}

function row({ measurement, bySystem }: Result, systems: readonly System["name"][], withFailures: boolean): Cell[] {
  const { unit, aim, aimP50Ms, aimRatio } = measurement;
  const summaries = systems.map((name) => summarize(bySystem.get(name)));
  const [muster, ...others] = summaries;
  const aims = [
    ...(aim === undefined ? [] : [figure(aim, unit)]),
    ...(aimP50Ms === undefined ? [] : [`p50 ${duration(aimP50Ms)}`]),
  ];
  return [
    measurement.title,
    ...summaries.flatMap((summary) => [
      figure(summary.value, unit),
      summary.p50Ms === undefined ? "–" : duration(summary.p50Ms),
      summary.p99Ms === undefined ? "–" : duration(summary.p99Ms),
      ...(withFailures ? [summary.failures] : []),
    ]),
    ...others.map((other) => ratioText(ratio(muster, other, unit))),
    ...(systems.includes("rqlite") ? [aimRatio === undefined ? "–" : `${aimRatio}×`] : []),
    aims.length === 0 ? "–" : aims.join(", "),
    aims.length === 0 ? "–" : hasReached(measurement, muster) ? "yes" : "no",
  ];
}

function hasReached({ unit, aim, aimP50Ms }: Measurement, { value, p50Ms }: Summary): boolean {
  const isEnough = aim === undefined || (isRate(unit) ? value >= aim : value <= aim);
  return isEnough && (aimP50Ms === undefined || p50Ms !== undefined && p50Ms <= aimP50Ms);
}

function summarize(samples: Samples | undefined): Summary {
  const { samples: all, errors } = samples ?? { samples: [], errors: [] };
  const middle = (pick: (sample: Sample) => number | undefined) => {
    const values = all.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  };
  return {
    value: middle((sample) => sample.value) ?? NaN,
    p50Ms: middle((sample) => sample.p50Ms),
    p99Ms: middle((sample) => sample.p99Ms),
    failures: all.reduce((sum, { failures = 0 }) => sum + failures, 0) + errors.length,
  };
}

function ratio(muster: Summary, other: Summary, unit: Unit): number {
  return isRate(unit) ? muster.value / other.value : other.value / muster.value;
}

function ratioText(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)}×` : "–";
}

/** A figure with its unit. */
export function figure(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return "–";
  if (unit === "ms") return duration(value);
  if (unit === "%") return `${value.toFixed(1)} %`;
  return `${thousands(Math.round(value))}${unit === "/s" ? "" : " "}${unit}`;
}

/** Everything, for `--json`: rates per second, times in ms, memory in MB of 1,000,000 bytes, processor in percent of one. */
export function jsonReport(run: Run, results: readonly Result[]): string {
  const report = {
    ...run,
    at: new Date().toISOString(),
    results: results.map(({ measurement, bySystem }) => {
      const { id, title, unit, aim, aimP50Ms, aimRatio } = measurement;
      const summaries = new Map([...bySystem].map(([name, samples]) => [name, summarize(samples)]));
      const muster = summaries.get("muster");
      const others = [...summaries].filter(([name]) => name !== "muster");
      return {
        id,
        title,
        unit,
        aim,
        aimP50Ms,
        aimRatio,
        reached: muster && (aim !== undefined || aimP50Ms !== undefined) ? hasReached(measurement, muster) : undefined,
        ratios: muster && Object.fromEntries(others.map(([name, other]) => [name, ratio(muster, other, unit)])),
        systems: Object.fromEntries(
          [...bySystem].map(([name, samples]) => [name, { ...summaries.get(name), ...samples }]),
        ),
      };
    }),
  };
  return JSON.stringify(report, undefined, 2) + "\n";
}
