/**
 * Spans of the writes that are traced, on this node: how long a write waited to be proposed, or to get its place from the leader;
 * how long its entry took to be durable in this node's log, to be committed, and to be applied.
 *
 *     leader     propose ▶ sync ┐          on behalf of a client of its own, or of another node
 *                        commit ┴▶ apply
 *     elsewhere  relay ▶ sync ┐            the leader's spans are part of "relay"
 *                      commit ┴▶ apply
 *
 * Without a traced write there is nothing here to be done. No more than {@linkcode TRACED_MAX} entries are traced at a time. Pure.
 * @module
 */
import { formatTraceparent, parseTraceparent, type TraceContext } from "./context.ts";
import type { Span, SpanKind } from "./span.ts";

/** A place in the log, and the term of its leader. */
type Index = number;
type Term = number;

/** Makes ids and tells the time: from outside, as this is pure. */
export interface SpanIds {
  /** Wall clock, in ms since 1970, with fractions. */
  nowMs(): number;
  /** A new id of a span. */
  spanId(): string;
}

/** Entries that are traced at a time; the spans of others end with their place. */
const TRACED_MAX = 1024;

/** A write that is traced, on its way to its place in the log. */
export class WriteTrace {
  /** What it is part of. */
  readonly context: TraceContext;
  readonly startMs: number;
  /** Id of the span that ends with its place. */
  readonly spanId: string;
  /** Whether another node proposes it. */
  isRelayed = false;

  constructor(context: TraceContext, source: SpanIds) {
    this.context = context;
    this.startMs = source.nowMs();
    this.spanId = source.spanId();
  }

  /** For the leader. */
  get traceparent(): string {
    return formatTraceparent({ ...this.context, spanId: this.spanId });
  }
}

/** An entry that is traced. */
interface Traced {
  readonly write: WriteTrace;
  readonly index: Index;
  readonly term: Term;
  readonly placedMs: number;
  /** The write to the log that makes it durable; 0: not known yet. */
  ticket: number;
  writtenMs: number;
  isDurable: boolean;
  committedMs: number;
}

/** Facts of a span. */
interface Piece {
  readonly name: string;
  readonly kind?: SpanKind;
  readonly startMs: number;
  readonly spanId?: string;
}

/** The traced writes of a node. */
export class EntryTraces {
  readonly #source: SpanIds;
  readonly #emit: (span: Span) => void;
  #entries: Traced[] = [];

  /** @param emit Takes each span as it ends. */
  constructor(source: SpanIds, emit: (span: Span) => void) {
    this.#source = source;
    this.#emit = emit;
  }

  /** Whether there is nothing to be done. */
  get isIdle(): boolean {
    return this.#entries.length === 0;
  }

  /** A write with this traceparent begins; undefined for one that is not traced. */
  begin(traceparent: string | undefined): WriteTrace | undefined {
    const context = traceparent === undefined ? undefined : parseTraceparent(traceparent);
    return context?.isSampled ? new WriteTrace(context, this.#source) : undefined;
  }

  /** The leader proposes it now. */
  proposed(write: WriteTrace): void {
    this.#end(write, { name: "propose", startMs: write.startMs, spanId: write.spanId }, {});
  }

  /** It has its place in the log. */
  placed(write: WriteTrace, index: Index, term: Term): void {
    if (write.isRelayed) {
      this.#end(write, { name: "relay", kind: "client", startMs: write.startMs, spanId: write.spanId }, {});
    }
    if (this.#entries.length >= TRACED_MAX) return;
    const placedMs = this.#source.nowMs();
    const open = { ticket: 0, writtenMs: 0, isDurable: false, committedMs: 0 };
    this.#entries.push({ write, index, term, placedMs, ...open });
  }

  /** Entries up to `last` are on their way to the disk, with a write of this number. */
  written(last: Index, ticket: number): void {
    for (const entry of this.#entries) {
      if (entry.ticket !== 0 || entry.index > last) continue;
      entry.ticket = ticket;
      entry.writtenMs = this.#source.nowMs();
    }
  }

  /** Writes up to this number are durable. */
  persisted(ticket: number): void {
    for (const entry of this.#entries) {
      if (entry.isDurable || entry.ticket === 0 || entry.ticket > ticket) continue;
      entry.isDurable = true;
      this.#end(entry.write, { name: "sync", startMs: entry.writtenMs }, entry);
    }
  }

  /** Entries up to `commit` are committed. */
  committed(commit: Index): void {
    for (const entry of this.#entries) {
      if (entry.committedMs !== 0 || entry.index > commit) continue;
      entry.committedMs = this.#source.nowMs();
      this.#end(entry.write, { name: "commit", startMs: entry.placedMs }, entry);
    }
  }

  /** The database holds entries up to `applied`. */
  applied(applied: Index): void {
    for (const entry of this.#entries) {
      if (entry.index > applied || entry.committedMs === 0) continue;
      this.#end(entry.write, { name: "apply", startMs: entry.committedMs }, entry);
    }
    this.#entries = this.#entries.filter(({ index }) => index > applied);
  }

  #end({ context }: WriteTrace, piece: Piece, place: { readonly index?: Index; readonly term?: Term }): void {
    const { name, kind = "internal", startMs, spanId = this.#source.spanId() } = piece;
    const { index, term } = place;
    this.#emit({
      traceId: context.traceId,
      spanId,
      parentSpanId: context.spanId,
      name,
      kind,
      startMs,
      endMs: this.#source.nowMs(),
      attributes: index === undefined || term === undefined ? {} : { "raft.index": index, "raft.term": term },
    });
  }
}
