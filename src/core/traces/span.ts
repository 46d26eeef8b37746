/**
 * Spans, and a batch of them as OTLP has it (opentelemetry-proto 1.3: ExportTraceServiceRequest in JSON). Pure.
 * @module
 */

/** Who asked for the work: another process, this node of another one, or a part of this node. */
export type SpanKind = "internal" | "server" | "client";

/** The value of an attribute. */
export type AttributeValue = string | number | boolean;

/** A piece of work that has ended. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** The span that this one is part of; empty for none. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Wall clock, in ms since 1970, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Why it failed; undefined where it did not. */
  readonly error?: string | undefined;
}

/** Numbers of the kinds in OTLP. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 };
const STATUS_ERROR = 2;

/** The body of a request to `/v1/traces`. */
export function encodeSpans(
  spans: readonly Span[],
  { resource, version }: { readonly resource: Readonly<Record<string, string>>; readonly version: string },
): string {
  const scopeSpans = [{ scope: { name: "muster", version }, spans: spans.map(encoded) }];
  return JSON.stringify({ resourceSpans: [{ resource: { attributes: attributesOf(resource) }, scopeSpans }] });
}

function encoded({ startMs, endMs, kind, attributes, error, parentSpanId, ...ids }: Span): Record<string, unknown> {
  return {
    ...ids,
    ...(parentSpanId === "" ? {} : { parentSpanId }),
    kind: KINDS[kind],
    startTimeUnixNano: nanosOf(startMs),
    endTimeUnixNano: nanosOf(Math.max(startMs, endMs)),
    attributes: attributesOf(attributes),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  };
}

function attributesOf(values: Readonly<Record<string, AttributeValue>>): unknown[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: AttributeValue): Record<string, unknown> {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** 64 bits do not fit into a number of JSON. */
function nanosOf(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}
