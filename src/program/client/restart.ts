/**
 * When a child that has ended is started again. Pure.
 *
 * Restarts in a row are a row as long as no child has run for {@linkcode STEADY_MS}. The pause before each doubles, and their
 * number is limited: a program that cannot run is not started for ever.
 * @module
 */

/** After which ends a child is started again; a failure is any exit code but 0, or a signal. */
export const RESTART_REASONS = ["never", "on-failure", "always"] as const;

/** One of {@linkcode RESTART_REASONS}. */
export type RestartReason = typeof RESTART_REASONS[number];

/** Whether a text is one. */
export function isRestartReason(text: string): text is RestartReason {
  return RESTART_REASONS.some((reason) => reason === text);
}

/** A child that has run for so long begins a new row. */
export const STEADY_MS = 60_000;
/** The longest pause, unless the first one is longer. */
export const DELAY_MS_MAX = 30_000;

/** What is restarted, how soon, and how often. */
export interface RestartPolicy {
  readonly reason: RestartReason;
  /** The first pause of a row, above 0. */
  readonly delayMs: number;
  /** Restarts in a row; 0: any number. */
  readonly limit: number;
}

/** How a child has ended. */
export interface ChildEnd {
  readonly isFailure: boolean;
  readonly ranMs: number;
  /** Restarts in the row before it ended. */
  readonly row: number;
}

/** What comes next: another start, or none, since there is no reason for one or since there were too many. */
export type Next =
  | { readonly k: "restart"; readonly delayMs: number; readonly row: number }
  | { readonly k: "over"; readonly isLimit: boolean };

/** Decides after an end. */
export function nextAfter({ isFailure, ranMs, row }: ChildEnd, { reason, delayMs, limit }: RestartPolicy): Next {
  if (reason === "never" || reason === "on-failure" && !isFailure) return { k: "over", isLimit: false };
  const before = ranMs >= STEADY_MS ? 0 : row;
  if (limit > 0 && before >= limit) return { k: "over", isLimit: true };
  return { k: "restart", delayMs: Math.min(delayMs * 2 ** before, Math.max(delayMs, DELAY_MS_MAX)), row: before + 1 };
}
