/**
 * Blocking queries: what Consul's API answers again as soon as it has changed. One that fails is tried again after a growing
 * pause; a tab that is not seen asks nothing, as browsers have six connections to an address.
 * @module
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask } from "../api.ts";
import { parseJson } from "../json.ts";
import { messageOf } from "../parts/fault.ts";

/** Longest wait for a change. */
const WAIT = "55s";
const PAUSE_MS = [500, 1000, 2000, 5000, 10_000];
/** Shortest time between two answers, so that what changes all the time does not keep the page busy. */
const GAP_MS = 200;

/** The index of an answer, exactly: that of events is a digest of 64 bits. 0: it has none. */
function indexOf(text: string | null): bigint {
  return text !== null && /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
}

/** A time that passes, or an end that comes before. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** Resolves when the tab is seen, or at the end. */
function seen(signal: AbortSignal): Promise<void> {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    document.addEventListener("visibilitychange", done);
    signal.addEventListener("abort", done);
  });
}

/** A signal that fires when the tab is hidden as well. */
function whileSeen(signal: AbortSignal): { readonly signal: AbortSignal; end(): void } {
  const round = new AbortController();
  const leave = () => round.abort();
  const hide = () => document.hidden && round.abort();
  signal.addEventListener("abort", leave);
  document.addEventListener("visibilitychange", hide);
  return {
    signal: round.signal,
    end() {
      signal.removeEventListener("abort", leave);
      document.removeEventListener("visibilitychange", hide);
    },
  };
}

/** Who hears of it. */
export interface LiveOptions {
  /** The end. */
  readonly signal: AbortSignal;
  /** Shortest time between two answers. @default {200} */
  readonly gapMs?: number;
  /** Gets each answer; what it does is waited for. */
  onData(data: unknown): unknown;
  /** Gets why it cannot be asked for; it is tried again. What is not there (404) is waited for as for a change. */
  onFault(error: unknown): void;
}

/** Asks for something again and again as it changes, until the end. */
export async function keepLive(path: string, { signal, onData, onFault, gapMs = GAP_MS }: LiveOptions): Promise<void> {
  let index = 0n;
  for (let attempt = 0; !signal.aborted;) {
    await seen(signal);
    const round = whileSeen(signal);
    try {
      const waits = index > 0n ? `${path.includes("?") ? "&" : "?"}index=${index}&wait=${WAIT}` : "";
      const response = await ask(`${path}${waits}`, { signal: round.signal });
      const found = indexOf(response.headers.get("X-Consul-Index"));
      const data = parseJson(await response.text());
      if (signal.aborted) return;
      if (found !== index) await onData(data);
      // An index that goes back is that of another log: a snapshot was restored.
      index = found < index ? 0n : found;
      attempt = 0;
      await pause(found > 0n ? gapMs : PAUSE_MS[3], signal);
    } catch (error) {
      if (signal.aborted) return;
      const missing = error instanceof ApiError && error.status === 404 ? indexOf(error.index) : 0n;
      if (missing > 0n) {
        if (missing !== index) onFault(error);
        index = missing < index ? 0n : missing;
        attempt = 0;
        await pause(gapMs, signal);
      } else if (!round.signal.aborted) {
        onFault(error);
        index = 0n;
        await pause(PAUSE_MS[Math.min(attempt++, PAUSE_MS.length - 1)], signal);
      }
    } finally {
      round.end();
    }
  }
}

/** Something that is kept current. */
export interface Live<T> {
  /** Undefined until the first answer, and while there is no such thing. */
  readonly value: T | undefined;
  /** Why it is not current; empty where it is. */
  readonly fault: string;
  /** HTTP status of the refusal; 0: none. */
  readonly status: number;
  /** Asks at once. */
  renew(): void;
}

/** Keeps something current while the component is shown. @param path Undefined: nothing. */
export function useLive<T>(path: string | undefined, decode: (data: unknown) => T): Live<T> {
  const [found, setFound] = useState<Omit<Live<T>, "renew">>({ value: undefined, fault: "", status: 0 });
  const [round, setRound] = useState(0);
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current !== path) setFound({ value: undefined, fault: "", status: 0 });
    shown.current = path;
    if (path === undefined) return;
    const ending = new AbortController();
    keepLive(path, {
      signal: ending.signal,
      onData: (data) => setFound({ value: decode(data), fault: "", status: 0 }),
      onFault(error) {
        const status = error instanceof ApiError ? error.status : 0;
        setFound(({ value }) => ({ value: status === 404 ? undefined : value, fault: messageOf(error), status }));
      },
    });
    return () => ending.abort();
  }, [path, round]);
  return { ...found, renew: () => setRound((one) => one + 1) };
}
