/**
 * Trying again, with growing pauses and jitter, until it works or is no longer wanted.
 * @module
 */

import { delay } from "@std/async/delay";
import { retry as retryWithin } from "@std/async/retry";

/** How to try again. */
export interface RetryOptions {
  /** Ends the attempts. */
  readonly signal: AbortSignal;
  /** First pause; each further one doubles. */
  readonly firstMs: number;
  /** Longest pause. */
  readonly mostMs: number;
  /** Told of each failure. */
  onError(error: Error): void;
}

/** Waits, or ends early when `signal` is aborted. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, { signal }).catch(() => {}); // aborting is the other way to the end of the pause
}

/** Half of `ms` to all of it, at random, so that nodes started together do not stay in step. */
export function jitter(ms: number): number {
  return ms / 2 + Math.random() * ms / 2;
}

/** Runs `work` until it succeeds; undefined when it was given up by the signal. */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T | undefined> {
  const { signal, firstMs: minTimeout, mostMs: maxTimeout, onError } = options;
  const isRetriable = (error: unknown) => {
    if (!signal.aborted) onError(error instanceof Error ? error : new Error(String(error)));
    return true;
  };
  try {
    const limits = { minTimeout, maxTimeout, jitter: 0.5, maxAttempts: Number.MAX_SAFE_INTEGER };
    return await retryWithin(work, { ...limits, signal, isRetriable });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
