/**
 * Messages of the Worker that runs checks. Its first message is `{ port }`, its end of the line for these.
 * @module
 */
import type { CheckStatus } from "../../core/health/aggregate.ts";
import type { IntervalKind } from "../../core/health/check_kind.ts";
import type { CheckDefinition } from "../../core/health/definitions.ts";

/** A check that runs at an interval. */
export interface RunnableCheck extends
  Pick<
    CheckDefinition,
    | "id"
    | "intervalMs"
    | "timeoutMs"
    | "successBeforePassing"
    | "failuresBeforeWarning"
    | "failuresBeforeCritical"
    | "outputBytesMax"
  > {
  readonly kind: IntervalKind;
}

/** What a check has found. */
export interface CheckOutcome {
  readonly status: CheckStatus;
  readonly output: string;
}

/** The result of a check. */
export interface CheckResult extends CheckOutcome {
  /** ID of the check. */
  readonly id: string;
}

/** To the Worker. */
export type ToChecks =
  /** Runs a check from now on, in place of one of the same ID. `initial` is what its owner has: it is not reported again. */
  | { readonly k: "start"; readonly check: RunnableCheck; readonly initial: CheckOutcome }
  /** Runs a check no more; a run under way is ended, and its result is not reported. Unknown IDs are ignored. */
  | { readonly k: "stop"; readonly id: string }
  /** Ends all runs and the Worker. */
  | { readonly k: "close" };

/**
 * From the Worker: results that differ from the last ones, at most one of each check. One that was sent before the Worker
 * received a `stop` arrives after it was sent: the receiver ignores IDs that it does not know.
 */
export type FromChecks = { readonly k: "results"; readonly results: readonly CheckResult[] };
