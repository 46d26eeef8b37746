/**
 * A span under way, handed from one layer to the next with what it is part of. Where a request is not traced there is none,
 * and every layer has one check to make.
 * @module
 */
import type { SpanSource } from "../../base/worker/clock.ts";
import { formatTraceparent } from "../../core/traces/context.ts";
import type { AttributeValue, Span, SpanKind } from "../../core/traces/span.ts";

/** Where spans go that have ended. */
export interface SpanSink {
  readonly source: SpanSource;
  /** Whether spans may carry the text of statements. */
  readonly showsSql: boolean;
  /** Takes one, or drops it. */
  take(span: Span): void;
}

/** How a span begins. */
export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  /** Empty for none. */
  readonly parentSpanId: string;
  /** @default {now} */
  readonly startMs?: number;
}

/** A span under way. */
export class ActiveSpan {
  readonly #sink: SpanSink;
  readonly #start: SpanStart;
  readonly #startMs: number;
  readonly #spanId: string;
  readonly #attributes: Record<string, AttributeValue> = {};
  #name: string;
  #hasEnded = false;

  constructor(sink: SpanSink, start: SpanStart) {
    this.#sink = sink;
    this.#start = start;
    this.#name = start.name;
    this.#startMs = start.startMs ?? sink.source.nowMs();
    this.#spanId = sink.source.spanId();
  }

  /** Id of the trace. */
  get traceId(): string {
    return this.#start.traceId;
  }

  /** Whether the text of statements may be set. */
  get showsSql(): boolean {
    return this.#sink.showsSql;
  }

  /** For whoever does a part of this work elsewhere: another Worker, another node. */
  get traceparent(): string {
    return formatTraceparent({ traceId: this.traceId, spanId: this.#spanId, isSampled: true });
  }

  /** Begins a span that is part of this one. */
  child(name: string, kind: SpanKind = "internal"): ActiveSpan {
    return new ActiveSpan(this.#sink, { name, kind, traceId: this.traceId, parentSpanId: this.#spanId });
  }

  /** Gives it the name that is known by now. */
  rename(name: string): this {
    this.#name = name;
    return this;
  }

  /** Sets an attribute; not one with a secret, or data of a client. */
  set(name: string, value: AttributeValue): this {
    this.#attributes[name] = value;
    return this;
  }

  /** Ends it, once. */
  end(error?: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { kind, traceId, parentSpanId } = this.#start;
    this.#sink.take({
      traceId,
      spanId: this.#spanId,
      parentSpanId,
      name: this.#name,
      kind,
      startMs: this.#startMs,
      endMs: this.#sink.source.nowMs(),
      attributes: this.#attributes,
      error,
    });
  }
}

/** Ends a span as the work ends that it stands for. Of an error it has the kind alone: texts may repeat what a client has sent. */
export async function spanOver<T>(span: ActiveSpan | undefined, work: () => Promise<T>): Promise<T> {
  if (!span) return await work();
  try {
    const result = await work();
    span.end();
    return result;
  } catch (error) {
    span.end(error instanceof Error ? error.name : "Error");
    throw error;
  }
}
