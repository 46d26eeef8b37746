/**
 * Thresholds of consecutive results before the status of a check changes. Pure.
 *
 * Passing and warning both count as success, as both mean that the service answers. The first result of a check is
 * reported whatever the thresholds are, so that a new check has a status of its own at once.
 * @module
 */
import type { CheckStatus } from "./aggregate.ts";

/** Consecutive results that are needed; 0 and 1 mean the same. */
export interface ThresholdOptions {
  /** Successes before a success is reported. */
  readonly successBeforePassing: number;
  /** Failures before warning is reported. 0: the same as `failuresBeforeCritical`. */
  readonly failuresBeforeWarning: number;
  /** Failures before critical is reported. */
  readonly failuresBeforeCritical: number;
}

/** Counts the consecutive results of one check. */
export class Thresholds {
  readonly #options: ThresholdOptions;
  #successes: number;
  #failures: number;

  /** Thresholds of a check that has not run yet. */
  constructor(options: ThresholdOptions) {
    this.#options = options;
    this.#successes = options.successBeforePassing;
    this.#failures = options.failuresBeforeCritical;
  }

  /** Counts a result. Returns the status to report; undefined: what was reported last stays, with its output. */
  count(result: CheckStatus): CheckStatus | undefined {
    const { successBeforePassing, failuresBeforeWarning, failuresBeforeCritical } = this.#options;
    if (result !== "critical") {
      this.#failures = 0;
      this.#successes++;
      return this.#successes >= successBeforePassing ? result : undefined;
    }
    this.#successes = 0;
    this.#failures++;
    if (this.#failures >= failuresBeforeCritical) return "critical";
    const warning = failuresBeforeWarning === 0 ? failuresBeforeCritical : failuresBeforeWarning;
    return this.#failures >= warning ? "warning" : undefined;
  }
}
