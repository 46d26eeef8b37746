/**
 * Maintenance of the database at intervals, by the node that leads, through the log and so once for all nodes: VACUUM
 * (`-auto-vacuum-int`), which gives back the space of deleted rows, and ANALYZE (`-auto-optimize-int`, see
 * auto_optimize.ts). Writes wait meanwhile, as for any such statement.
 * @module
 */
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import { type ResultText, wholeText } from "../../core/sql/result_text.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import type { Counters } from "./counters.ts";
import type { Answer, Database, DataRequest } from "./database.ts";
import { dropResults } from "./held_answer.ts";

/** Longest wait for one statement to be done. */
const LIMIT_MS = 30 * 60_000;
/** The runtime's timers take no longer time: 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Dependencies of the maintenance. */
export interface MaintenanceParts {
  readonly database: Pick<Database, "execute" | "query">;
  readonly state: Pick<NodeState, "isLeader">;
  readonly answers: AnswerBudget;
  readonly counters: Pick<
    Counters,
    "auto_vacuums" | "auto_vacuums_failed" | "auto_optimizes" | "auto_optimizes_failed" | "done"
  >;
  log(line: string): void;
}

/** The result of a statement. */
export interface StatementResult {
  readonly values?: readonly (readonly unknown[])[];
  readonly error?: string;
}

function requestOf(statements: readonly string[]): DataRequest {
  return {
    statements: statements.map((sql) => ({ parts: splitStatements(sql), positional: [], named: null })),
    transaction: false,
    options: { ...PLAIN_RENDERING, errors: "v1" },
    level: "none",
    freshness: { limitMs: 0, isStrict: false },
    dbTimeoutMs: 0,
    timeoutMs: LIMIT_MS,
    linearizableTimeoutMs: LIMIT_MS,
  };
}

/** Runs a write. @throws {Error} When it fails. */
export async function executeOwn({ database, answers }: MaintenanceParts, sql: string): Promise<void> {
  resultsOf(await database.execute(requestOf([sql])), answers);
}

/** Runs reads on this node. @throws {Error} When one fails. */
export async function queryOwn(
  { database, answers }: MaintenanceParts,
  statements: readonly string[],
): Promise<readonly (readonly (readonly unknown[])[])[]> {
  return resultsOf(await database.query(requestOf(statements)), answers).map(({ values = [] }) => values);
}

function resultsOf({ results, error }: Answer, answers: AnswerBudget): readonly StatementResult[] {
  const all: readonly StatementResult[] = JSON.parse(textOf(results, answers));
  const why = error ?? all.find((one) => one.error !== undefined)?.error;
  if (why !== undefined) throw new Error(why);
  return all;
}

function textOf(results: ResultText, answers: AnswerBudget): string {
  try {
    return wholeText(results);
  } finally {
    dropResults(results, answers);
  }
}

/** Rewrites the database where this node leads; never rejects. */
export async function vacuumIfLeader(parts: MaintenanceParts): Promise<void> {
  const { state, counters, log } = parts;
  if (!state.isLeader) return;
  const started = performance.now();
  try {
    await executeOwn(parts, "VACUUM");
    const durationMs = Math.round(performance.now() - started);
    counters.auto_vacuums++;
    counters.done.store.auto_vacuum_duration = durationMs;
    log(`automatic VACUUM done in ${durationMs} ms`);
  } catch (error) {
    counters.auto_vacuums_failed++;
    log(`automatic VACUUM failed, the next one is due in its time: ${messageOf(error)}`);
  }
}

/** Does `work`, which never rejects, every `intervalMs`, one at a time; 0: never. */
export function repeatEvery(intervalMs: number, work: () => Promise<void>): void {
  if (intervalMs <= 0) return;
  const next = () => {
    const timer = setTimeout(() => work().then(next), Math.min(intervalMs, TIMER_MS_MAX));
    Deno.unrefTimer(Number(timer));
  };
  next();
}
