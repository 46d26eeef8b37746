/**
 * The report of a failed run: where it happened, which invariant broke, and how to see it again.
 * @module
 */
import { SimFailure } from "./checker.ts";

/** A run that failed. */
export class RunFailure extends SimFailure {
  /** The seed. */
  readonly seed: number;
  /** Number of the event at which it failed. */
  readonly event: number;
  /** The broken rule and the facts, on one line or more. */
  readonly reason: string;

  /** @param at Where, with the run's faults as text; @param error What was thrown. */
  constructor(at: { seed: number; event: number; seconds: number; faults: string }, error: unknown) {
    const reason = error instanceof SimFailure
      ? error.message
      : error instanceof Error
      ? `${error.name}: ${error.message}`
      : String(error);
    super(`seed ${at.seed}, event ${at.event}, ${at.seconds.toFixed(6)} s: ${reason}\n${at.faults}`, { cause: error });
    this.seed = at.seed;
    this.event = at.event;
    this.reason = reason;
  }

  /** Short name of what broke: `I7`, `S6`, `liveness`, or `assertion` for the core's own. */
  get invariant(): string {
    return /^([A-Z]\d+|liveness)/.exec(this.reason)?.[0] ?? "assertion";
  }
}
