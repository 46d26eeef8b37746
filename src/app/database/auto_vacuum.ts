/**
 * Rewrites the database at intervals (`-auto-vacuum-int`), so that space which deleted rows have left is given back. The node
 * that leads does it through the log, so that it is done once for all nodes. Writes wait meanwhile, as for any VACUUM.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeState } from "../../base/worker/node_state.ts";
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import type { Database, DataRequest } from "./database.ts";
import { dropResults } from "./held_answer.ts";
import type { AnswerBudget } from "../../base/worker/answer_budget.ts";

/** Longest wait for one to be done. */
const LIMIT_MS = 30 * 60_000;
/** The runtime's timers take no longer time: 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const VACUUM: DataRequest = {
  statements: [{ parts: splitStatements("VACUUM"), positional: [], named: null }],
  transaction: false,
  options: { ...PLAIN_RENDERING, errors: "v1" },
  level: "weak",
  freshness: { limitMs: 0, isStrict: false },
  dbTimeoutMs: 0,
  timeoutMs: LIMIT_MS,
  linearizableTimeoutMs: LIMIT_MS,
};

/** Dependencies of the rewriting. */
export interface AutoVacuumParts {
  readonly database: Pick<Database, "execute">;
  readonly state: Pick<NodeState, "isLeader">;
  readonly answers: AnswerBudget;
  readonly counters: { auto_vacuums: number; auto_vacuums_failed: number };
  log(line: string): void;
}

/** Rewrites the database where this node leads; never rejects. */
export async function vacuumIfLeader({ database, state, answers, counters, log }: AutoVacuumParts): Promise<void> {
  if (!state.isLeader) return;
  const started = performance.now();
  try {
    const { results, error } = await database.execute(VACUUM);
    const text = typeof results === "string" ? results : "";
    dropResults(results, answers);
    if (error !== undefined || text.includes(`"error":`)) throw new Error(error ?? text);
    counters.auto_vacuums++;
    log(`automatic VACUUM done in ${Math.round(performance.now() - started)} ms`);
  } catch (error) {
    counters.auto_vacuums_failed++;
    log(`automatic VACUUM failed, the next one is due in its time: ${messageOf(error)}`);
  }
}

/** Does so every `intervalMs`, one at a time; 0: never. */
export function vacuumEvery(intervalMs: number, parts: AutoVacuumParts): void {
  if (intervalMs <= 0) return;
  const next = () => {
    const timer = setTimeout(() => vacuumIfLeader(parts).then(next), Math.min(intervalMs, TIMER_MS_MAX));
    Deno.unrefTimer(Number(timer));
  };
  next();
}
