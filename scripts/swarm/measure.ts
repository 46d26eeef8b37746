/**
 * Processor time and memory of processes, read from `/proc`.
 * @module
 */
import type { AgentProcess } from "../../tests/harness/agents.ts";

/** Ticks of processor time in a second, on Linux. */
const TICKS = 100;

/** Processor time and memory of a process. */
export interface Usage {
  /** Percent of a core. */
  readonly processor: number;
  readonly residentMb: number;
  /** Pages that processes share are divided among them. */
  readonly shareMb: number;
  /** Memory that belongs to the process alone. */
  readonly ownMb: number;
}

/** A file about a process. The runtime itself gives these only to a program that may do everything. */
function about(pid: number, file: string): string {
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/${file}`] }).outputSync();
  return new TextDecoder().decode(stdout);
}

function megabytes(pid: number, file: string, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(about(pid, file));
  return Number(found?.[1] ?? 0) / 1024;
}

/** Processor time so far, in seconds. */
function processorSeconds(pid: number): number {
  const fields = about(pid, "stat").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Watches agents for a while. */
export async function usages(agents: readonly AgentProcess[], seconds: number): Promise<Usage[]> {
  const before = agents.map(({ pid }) => processorSeconds(pid));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return agents.map(({ pid }, at) => ({
    processor: 100 * (processorSeconds(pid) - before[at]) / seconds,
    residentMb: megabytes(pid, "status", "VmRSS"),
    shareMb: megabytes(pid, "smaps_rollup", "Pss"),
    ownMb: megabytes(pid, "status", "RssAnon"),
  }));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function show(what: string, values: readonly number[], unit: string): void {
  console.log(
    `  ${what}: median ${median(values).toFixed(1)} ${unit}, largest ${Math.max(...values).toFixed(1)} ${unit}`,
  );
}

/** Prints the median and the largest of each figure. */
export function showUsages(all: readonly Usage[]): void {
  show("processor", all.map(({ processor }) => processor), "% of a core");
  show("resident", all.map(({ residentMb }) => residentMb), "MB");
  show("its share, shared pages divided", all.map(({ shareMb }) => shareMb), "MB");
  show("of that its own alone", all.map(({ ownMb }) => ownMb), "MB");
}
