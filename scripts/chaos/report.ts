/**
 * The report of a run, as text.
 * @module
 */
import { duration, table } from "../terminal/table.ts";
import { thousands } from "../../src/program/client/progress.ts";
import type { ChaosReport } from "./run.ts";

const REASONS_MAX = 12;
const VIOLATIONS_MAX = 10;

/** Renders the result of a run. */
export function renderReport(report: ChaosReport): string {
  const { options, seconds, tally, longestGapMs, faults, missing, checked, violations, keptAt } = report;
  const kinds = [...tally.kinds].sort(([a], [b]) => a < b ? -1 : 1);
  const injected = options.kinds.map((kind) => `${kind} ${faults.get(kind) ?? 0}`).join(", ");
  return [
    `${options.nodes} ${options.agents ? "agents" : "nodes"}, ${seconds.toFixed(0)} s, seed ${options.seed}`,
    "",
    table(
      ["operation", "done", "not done", "unknown"],
      [...kinds, ["all", tally.total] as const].map(([kind, { done, notDone, unknown }]) => [
        kind,
        done,
        notDone,
        unknown,
      ]),
    ),
    "",
    "Why not done or unknown:",
    ...tally.reasons.slice(0, REASONS_MAX).map(([reason, count]) => `  ${thousands(count).padStart(7)}  ${reason}`),
    "",
    `Faults: ${injected}`,
    ...[...missing].map(([kind, reason]) => `!! NO ${kind.toUpperCase()} FAULT WAS TRIED: ${reason}`),
    `Longest time without an acknowledged write: ${duration(longestGapMs)}`,
    `Checked: ${thousands(checked.keys)} registers (${checked.undecided} undecided), ` +
    `${thousands(checked.witnessed)} operations against the log, ${thousands(checked.transactions)} transactions`,
    ...(checked.tenures === undefined
      ? []
      : [`Checked: ${thousands(checked.agentKeys ?? 0)} keys, ${thousands(checked.tenures)} tenures of locks`]),
    ...(checked.fenced === undefined ? [] : [
      `Checked: ${thousands(checked.fenced.written)} fenced writes, ` +
      `${thousands(checked.fenced.refused)} refused to who had lost his lock`,
    ]),
    ...(checked.changes === undefined ? [] : [
      `Checked: ${thousands(checked.changes.entries)} changes as streams and as they were delivered, ` +
      `${thousands(checked.changes.again)} delivered again`,
    ]),
    ...(keptAt === undefined ? [] : [`Histories: ${keptAt}`]),
    ...violations.slice(0, VIOLATIONS_MAX).map((violation) => `\nVIOLATION: ${violation}`),
    ...(violations.length > VIOLATIONS_MAX ? [`\n… ${violations.length} in all`] : []),
    "",
    violations.length === 0
      ? `Verdict: fine. All nodes hold the same, and every answer has its place in one order.`
      : `Verdict: ${violations.length} VIOLATIONS`,
  ].join("\n");
}
