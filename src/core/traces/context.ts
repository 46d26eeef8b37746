/**
 * The trace that a request belongs to, as the header `traceparent` has it (W3C Trace Context §3.2). Nodes hand it on to each
 * other in the same form. Pure.
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *     version, trace id, id of the span that asks, flags; all of them hexadecimal, in lower case
 * @module
 */

/** A place in a trace. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The span that asks, 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whether whoever asks records the trace. */
  readonly isSampled: boolean;
}

/** Length of a context in {@linkcode formatTraceparent}'s form. */
export const TRACEPARENT_LENGTH = 55;

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
/** Longest header that is looked at: later versions may add fields. */
const LENGTH_MAX = 512;
const SAMPLED = 1;

/** Reads a header; undefined for one that breaks a rule, which counts as none (§4.3). */
export function parseTraceparent(text: string): TraceContext | undefined {
  if (text.length > LENGTH_MAX) return undefined;
  const [, version, traceId, spanId, flags, rest] = FORM.exec(text) ?? [];
  if (version === undefined || version === "ff" || version === "00" && rest !== undefined) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** The header for the next one. */
export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}
