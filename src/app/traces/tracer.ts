/**
 * The traces of a node: decides which requests are traced, gathers the spans of this process, and hands them to a collector in
 * batches (OTLP over HTTP in JSON, Q20.2).
 *
 * A request whose `traceparent` says so is traced; one without a valid header is traced at the rate of the flag; one whose
 * header says "not sampled" is not (parent-based sampling). Nothing waits for the collector: what does not fit into the
 * queue is dropped and counted. While nothing is traced there is no timer and no work.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { SpanSource } from "../../base/worker/clock.ts";
import { parseTraceparent, type TraceContext } from "../../core/traces/context.ts";
import { encodeSpans, type Span } from "../../core/traces/span.ts";
import { ActiveSpan, type SpanSink } from "./active_span.ts";

/** Spans that wait for the collector; further ones are dropped. */
export const SPANS_MAX = 8192;
/** Spans of one batch. */
export const BATCH_SPANS_MAX = 512;
/** How long a batch waits for more. */
const BATCH_MS = 1000;
/** Time for the collector to take a batch. */
const DELIVER_MS = 10_000;
/** Attempts at a batch, with pauses between them; then it is dropped. */
const ATTEMPTS_MAX = 4;
const RETRY_MS = 2000;

/** Dependencies of the traces. */
export interface TracerParts {
  /** Share of the requests without a header that are traced, 0 to 1. */
  readonly ratio: number;
  /** Whether spans carry the text of statements. */
  readonly showsSql: boolean;
  /** As it is shown. */
  readonly endpoint: string;
  /** `service.name` and so on. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
  /** @throws {Error} When the collector has not taken it. */
  deliver(body: string, timeoutMs: number): Promise<void>;
  log(line: string, level?: LogLevel): void;
}

/** The traces of a node. */
export class Tracer implements SpanSink {
  readonly source = new SpanSource();
  readonly showsSql: boolean;
  /** Spans that the collector has taken. */
  exported = 0;
  /** Spans that it has not, or that found no room. */
  dropped = 0;
  readonly #parts: TracerParts;
  #queue: Span[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(parts: TracerParts) {
    this.#parts = parts;
    this.showsSql = parts.showsSql;
  }

  /** Spans that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Begins the span of a client's request; undefined where it is not traced. `traceparent` is the header, empty for none. */
  begin(name: string, traceparent: string): ActiveSpan | undefined {
    const asked = traceparent === "" ? undefined : parseTraceparent(traceparent);
    if (asked ? !asked.isSampled : !(Math.random() < this.#parts.ratio)) return undefined;
    return this.#serve(name, asked);
  }

  /** Begins the span of what another node asks for. */
  continued(name: string, traceparent: string | undefined): ActiveSpan | undefined {
    const asked = traceparent === undefined ? undefined : parseTraceparent(traceparent);
    return asked?.isSampled ? this.#serve(name, asked) : undefined;
  }

  #serve(name: string, asked: TraceContext | undefined): ActiveSpan {
    const { traceId = this.source.traceId(), spanId: parentSpanId = "" } = asked ?? {};
    return new ActiveSpan(this, { name, kind: "server", traceId, parentSpanId });
  }

  /** Takes a span that has ended, from here or from another Worker. */
  take(span: Span): void {
    if (this.#queue.length >= SPANS_MAX || this.#isClosed) return void this.dropped++;
    this.#queue.push(span);
    if (this.#queue.length >= BATCH_SPANS_MAX) this.#send();
    else if (this.#timer === undefined && !this.#sending) this.#sendIn(BATCH_MS);
  }

  #sendIn(ms: number): void {
    this.#timer = setTimeout(() => this.#send(), ms);
    Deno.unrefTimer(Number(this.#timer));
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#queue.length > 0) this.#sendIn(BATCH_MS); // taken after the last look
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_SPANS_MAX);
      if (await this.#sendBatch(batch)) this.exported += batch.length;
      else this.dropped += batch.length;
    }
  }

  async #sendBatch(batch: readonly Span[]): Promise<boolean> {
    const { deliver, resource, version, endpoint, log } = this.#parts;
    const body = encodeSpans(batch, { resource, version });
    for (let attempt = 1;; attempt++) {
      try {
        await deliver(body, DELIVER_MS);
        if (this.#isFailing) log(`the collector ${endpoint} takes traces again`);
        this.#isFailing = false;
        return true;
      } catch (error) {
        if (!this.#isFailing) log(`the collector ${endpoint} does not take traces: ${messageOf(error)}`, "warn");
        this.#isFailing = true;
        if (attempt >= ATTEMPTS_MAX || this.#isClosed) return false;
      }
      await new Promise<void>((resolve) => Deno.unrefTimer(Number(setTimeout(resolve, RETRY_MS * attempt))));
    }
  }

  /** Sends what waits, for no longer than `timeoutMs`; takes nothing more. */
  async close(timeoutMs: number): Promise<void> {
    this.#send();
    this.#isClosed = true;
    const inTime = new Promise<void>((resolve) => Deno.unrefTimer(Number(setTimeout(resolve, timeoutMs))));
    await Promise.race([this.#sending, inTime]);
  }
}
