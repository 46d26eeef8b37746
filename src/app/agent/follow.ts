/**
 * Following a state by blocking reads: `muster watch`, and the watches in files of configuration (C3.10, C6.3).
 *
 * A read tells the index of its answer, and waits when it is given one. An answer does not prove a change, so that it is compared
 * with the one before. An index that is lower than before is that of another state, such as a restored one: the next read does not
 * wait. After an error the pauses grow, and the next read does not wait either.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";

/** The first pause after an error; the n-th in a row is n² times as long, up to {@linkcode RETRY_MS_MAX}. */
const RETRY_MS = 5000;
const RETRY_MS_MAX = 180_000;
/** An answer without news that comes sooner than this did not wait: something between here and the agent does not let it. */
const QUICK_MS = 200;
/** Pause after such an answer. */
const QUICK_PAUSE_MS = 1000;
/** Index that waits for nothing. */
const NOW = "0";

/** A state that was read. */
export interface Followed {
  /** Decimal. */
  readonly index: string;
  /** As JSON; undefined: nothing is new, whatever the index says. */
  readonly value: unknown;
}

/** What to follow. */
export interface FollowOptions {
  /** Reads; with an index other than `0` when the state has another one, or after a while. */
  ask(index: string): Promise<Followed>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Whether indices have no order, as those of events: none is too low, and an error does not make them void. */
  readonly isUnordered: boolean;
  /** Told of an error, and how long the pause after it is. */
  onError(error: unknown, pauseMs: number): void;
  /** Waits, or ends early when `signal` is aborted. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The states, each one that differs from the one before, beginning with that of now. */
export async function* follow(
  { ask, signal, isUnordered, onError, wait = pause }: FollowOptions,
): AsyncGenerator<Followed> {
  let index = NOW;
  let last: string | undefined;
  let errors = 0;
  while (!signal.aborted) {
    const askedMs = performance.now();
    let found: Followed;
    try {
      found = await ask(index);
      errors = 0;
    } catch (error) {
      if (signal.aborted) return;
      errors++;
      const pauseMs = Math.min(RETRY_MS * errors ** 2, RETRY_MS_MAX);
      onError(error, pauseMs);
      if (!isUnordered) index = NOW;
      await wait(pauseMs, signal);
      continue;
    }
    const isSame = found.index === index;
    const isBack = !isUnordered && BigInt(found.index) < BigInt(index);
    index = isBack ? NOW : found.index;
    const value = found.value === undefined ? last : JSON.stringify(found.value);
    if (value !== last) {
      last = value;
      yield found;
    } else if (isSame && performance.now() - askedMs < QUICK_MS) await wait(QUICK_PAUSE_MS, signal);
  }
}
