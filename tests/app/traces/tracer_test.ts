import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { spanOver } from "../../../src/app/traces/active_span.ts";
import { BATCH_SPANS_MAX, SPANS_MAX, Tracer, type TracerParts } from "../../../src/app/traces/tracer.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

/** A tracer whose collector answers when `answer` is called. */
function tracerWith(parts: Partial<TracerParts> = {}): { tracer: Tracer; bodies: string[]; lines: string[] } {
  const [bodies, lines]: [string[], string[]] = [[], []];
  const tracer = new Tracer({
    ratio: 0,
    showsSql: false,
    endpoint: "http://collector",
    resource: { "service.name": "muster" },
    version: "1.2.3",
    deliver: (body) => (bodies.push(body), Promise.resolve()),
    log: (line) => lines.push(line),
    ...parts,
  });
  return { tracer, bodies, lines };
}

Deno.test("a request is traced if its header says so, and by the rate if it has none", () => {
  const { tracer } = tracerWith();
  assertEquals(tracer.begin("r", `00-${TRACE}-${PARENT}-01`)?.traceId, TRACE);
  for (const header of ["", "rubbish", `00-${TRACE}-${PARENT}-00`]) {
    assertEquals(tracer.begin("r", header), undefined, header);
  }
  const all = tracerWith({ ratio: 1 }).tracer;
  assertMatch(all.begin("r", "")?.traceId ?? "", /^[0-9a-f]{32}$/);
  assertMatch(all.begin("r", "rubbish")?.traceId ?? "", /^(?!4bf9)[0-9a-f]{32}$/);
  assertEquals(all.begin("r", `00-${TRACE}-${PARENT}-00`), undefined, "whoever asks has decided");
});

Deno.test("a span ends as its work does, and tells the kind of an error alone", async () => {
  const { tracer, bodies } = tracerWith();
  const span = () => tracer.begin("r", `00-${TRACE}-${PARENT}-01`);
  assertEquals(await spanOver(span(), () => Promise.resolve(7)), 7);
  assertEquals(await spanOver(undefined, () => Promise.resolve(8)), 8);
  await assertRejects(() => spanOver(span(), () => Promise.reject(new RangeError("of a secret"))), RangeError);
  await tracer.close(5000);
  const { resourceSpans: [{ scopeSpans: [{ spans }] }] } = JSON.parse(bodies[0]);
  assertEquals(spans.map(({ status }: { status: unknown }) => status), [{}, { code: 2, message: "RangeError" }]);
});

Deno.test("spans go to the collector together, as OTLP has them", async () => {
  const { tracer, bodies } = tracerWith();
  const span = tracer.begin("POST /db/execute", `00-${TRACE}-${PARENT}-01`);
  const child = span?.child("write", "client").set("muster.statements", 2).set("ratio", 0.5).set("isTrue", true);
  child?.end("no leader");
  child?.end();
  span?.end();
  await tracer.close(5000);
  assertEquals([bodies.length, tracer.exported, tracer.dropped], [1, 2, 0]);
  const { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [write, request] }] }] } = JSON.parse(bodies[0]);
  assertEquals(resource.attributes, [{ key: "service.name", value: { stringValue: "muster" } }]);
  assertEquals(scope, { name: "muster", version: "1.2.3" });
  assertEquals([request.traceId, request.parentSpanId, request.kind, request.status], [TRACE, PARENT, 2, {}]);
  assertEquals([write.parentSpanId, write.kind], [request.spanId, 3]);
  assertEquals(write.status, { code: 2, message: "no leader" });
  assertEquals(write.attributes, [
    { key: "muster.statements", value: { intValue: "2" } },
    { key: "ratio", value: { doubleValue: 0.5 } },
    { key: "isTrue", value: { boolValue: true } },
  ]);
  for (const { startTimeUnixNano, endTimeUnixNano } of [write, request]) {
    assertMatch(startTimeUnixNano, /^\d{19}$/);
    assert(BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano));
    assert(Math.abs(Number(BigInt(endTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000);
  }
});

Deno.test("while the collector takes nothing, spans wait up to a limit, the others are dropped and counted, and nobody waits", async () => {
  const gate = Promise.withResolvers<void>();
  const { tracer } = tracerWith({ deliver: () => gate.promise });
  for (let nth = 0; nth < SPANS_MAX + BATCH_SPANS_MAX + 100; nth++) {
    tracer.begin("r", `00-${TRACE}-${PARENT}-01`)?.end();
  }
  assertEquals([tracer.waiting, tracer.dropped], [SPANS_MAX, 100]); // a batch is on its way
  gate.resolve();
  await tracer.close(5000);
  assertEquals([tracer.waiting, tracer.exported], [0, SPANS_MAX + BATCH_SPANS_MAX]);
});

Deno.test("a collector that fails is told of once, and a batch that it does not take is dropped in the end", async () => {
  const { tracer, lines } = tracerWith({ deliver: () => Promise.reject(new Error("it answers 404")) });
  tracer.begin("r", `00-${TRACE}-${PARENT}-01`)?.end();
  await tracer.close(5000);
  assertEquals(lines, ["the collector http://collector does not take traces: it answers 404"]);
  assertEquals([tracer.exported, tracer.dropped, tracer.waiting], [0, 1, 0]);
});
