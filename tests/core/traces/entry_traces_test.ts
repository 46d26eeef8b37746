import { assertEquals } from "@std/assert";
import { EntryTraces } from "../../../src/core/traces/entry_traces.ts";
import type { Span } from "../../../src/core/traces/span.ts";

const PARENT = "00f067aa0ba902b7";
const TRACEPARENT = `00-4bf92f3577b34da6a3ce929d0e0e4736-${PARENT}-01`;

/** Traces by a clock that each reading moves. */
function tracesInto(spans: Span[]): EntryTraces {
  let [now, id] = [0, 0];
  return new EntryTraces(
    { nowMs: () => ++now, spanId: () => String(++id).padStart(16, "0") },
    (span) => spans.push(span),
  );
}

Deno.test("a write of the leader is traced from its proposal until it is applied", () => {
  const spans: Span[] = [];
  const traces = tracesInto(spans);
  assertEquals([traces.begin(undefined), traces.begin("rubbish"), traces.begin(TRACEPARENT.replace(/01$/, "00"))], [
    undefined,
    undefined,
    undefined,
  ]);
  const write = traces.begin(TRACEPARENT);
  if (!write) throw new Error("it is sampled");
  traces.proposed(write);
  traces.placed(write, 7, 2);
  assertEquals(traces.isIdle, false);
  traces.written(6, 1);
  traces.persisted(1); // of the entries before
  traces.written(7, 2);
  traces.persisted(2);
  traces.committed(6);
  traces.committed(7);
  traces.applied(7);
  assertEquals(traces.isIdle, true);
  assertEquals(spans.map(({ name, kind, parentSpanId }) => [name, kind, parentSpanId]), [
    ["propose", "internal", PARENT],
    ["sync", "internal", PARENT],
    ["commit", "internal", PARENT],
    ["apply", "internal", PARENT],
  ]);
  assertEquals(spans.slice(1).map(({ attributes }) => attributes["raft.index"]), [7, 7, 7]);
  for (const { startMs, endMs } of spans) assertEquals(startMs < endMs, true);
  assertEquals(new Set(spans.map(({ spanId }) => spanId)).size, 4);
});

Deno.test("a write that another node proposes is traced until its place is known, and the leader's part belongs to that", () => {
  const spans: Span[] = [];
  const traces = tracesInto(spans);
  const write = traces.begin(TRACEPARENT);
  if (!write) throw new Error("it is sampled");
  write.isRelayed = true;
  const atLeader = tracesInto(spans).begin(write.traceparent);
  assertEquals(atLeader?.context.spanId, write.spanId);
  traces.placed(write, 7, 2);
  traces.committed(7);
  traces.applied(7); // durable by now, for all that is known
  assertEquals(spans.map(({ name, kind }) => [name, kind]), [
    ["relay", "client"],
    ["commit", "internal"],
    ["apply", "internal"],
  ]);
  assertEquals(spans[0].spanId, write.spanId);
});

Deno.test("no more entries are traced at a time than there is room for", () => {
  const spans: Span[] = [];
  const traces = tracesInto(spans);
  for (let index = 1; index <= 3000; index++) {
    const write = traces.begin(TRACEPARENT);
    if (write) traces.placed(write, index, 1);
  }
  traces.committed(3000);
  traces.applied(3000);
  assertEquals([spans.length, traces.isIdle], [2 * 1024, true]);
});
