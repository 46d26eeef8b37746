/** Traces of requests over several nodes, as a collector sees them. */
import { agentPlace, withAgents } from "../harness/agents.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { clusterFlags, freePort, leaderOf, nodePlace, NodeProcess, until, withThreads } from "../harness/processes.ts";

/** A span as the collector got it, with the node that it is of. */
interface Seen {
  readonly node: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { readonly key: string; readonly value: Record<string, unknown> }[];
}

/** A collector, until `use` is done. */
async function withCollector(use: (port: number, seen: Seen[], bodies: string[]) => Promise<void>): Promise<void> {
  const [seen, bodies]: [Seen[], string[]] = [[], []];
  const collector = Deno.serve({ hostname: "127.0.0.1", port: freePort(), onListen() {} }, async (request) => {
    const text = await request.text();
    if (new URL(request.url).pathname !== "/v1/traces") return Response.json({});
    bodies.push(text);
    for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
      const id = resource.attributes.find(({ key }: { key: string }) => key === "service.instance.id");
      for (const span of scopeSpans[0].spans) seen.push({ ...span, node: id.value.stringValue });
    }
    return Response.json({});
  });
  try {
    await use(collector.addr.port, seen, bodies);
  } finally {
    await collector.shutdown();
  }
}

const SPAN = "00f067aa0ba902b7";
const traceOf = (nth: number) => String(nth).padStart(32, "a");

async function ask(node: NodeProcess, path: string, traceparent: string, body: unknown): Promise<string> {
  const response = await fetch(node.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json", traceparent },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  assert(response.ok, text);
  return text;
}

const within = (inner: Seen, outer: Seen): boolean =>
  BigInt(outer.startTimeUnixNano) <= BigInt(inner.startTimeUnixNano) + SLACK &&
  BigInt(inner.endTimeUnixNano) <= BigInt(outer.endTimeUnixNano) + SLACK;
/** Nodes in one process read one clock, in Workers that began at different times. */
const SLACK = 5_000_000n;

Deno.test("a write and reads through a follower are one trace each, with the leader's part, and no secret in it", () =>
  withCollector((port, seen, bodies) =>
    withThreads(async (root, start) => {
      const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
      const flags = ["-otlp-endpoint", `127.0.0.1:${port}`, "-otlp-insecure", "-otlp-interval", "1h"];
      const nodes = places.map((place) => start(place, [...clusterFlags(places), ...flags, "-slow-statements", "1us"]));
      await Promise.all(nodes.map((node) => node.ready()));
      const leader = await leaderOf(nodes);
      const follower = nodes.find((node) => node !== leader);
      if (!follower) throw new Error("three nodes have a follower");
      await leader.execute("CREATE TABLE private(a)");
      const trace = (nth: number, names: readonly string[]) =>
        until(`the spans of trace ${nth}`, () => {
          const own = seen.filter(({ traceId }) => traceId === traceOf(nth));
          const found = own.map(({ node, name }) => `${node === leader.place.id ? "leader" : "other"} ${name}`);
          if (names.some((name) => !found.includes(name))) throw new Error(`only ${found.join(", ")}`);
          return own;
        });
      const find = (own: Seen[], node: NodeProcess, name: string): Seen => {
        const found = own.filter((one) => one.node === node.place.id && one.name === name);
        assertEquals(found.length, 1, `${name} on node ${node.place.id}`);
        return found[0];
      };

      await ask(follower, "/db/execute", `00-${traceOf(1)}-${SPAN}-01`, ["INSERT INTO private VALUES('hidden')"]);
      const parts = ["propose", "sync", "commit", "apply"];
      const own = await trace(1, [
        ...["POST /db/execute", "parse", "write", "relay", "sync", "commit", "apply"].map((name) => `other ${name}`),
        ...parts.map((name) => `leader ${name}`),
      ]);
      const request = find(own, follower, "POST /db/execute");
      assertEquals([request.parentSpanId, request.kind], [SPAN, 2]);
      const write = find(own, follower, "write");
      assertEquals([find(own, follower, "parse"), write].map(({ parentSpanId }) => parentSpanId), [
        request.spanId,
        request.spanId,
      ]);
      const relay = find(own, follower, "relay");
      for (const span of [relay, ...["sync", "commit", "apply"].map((name) => find(own, follower, name))]) {
        assertEquals(span.parentSpanId, write.spanId, span.name);
        // The writer answers the client and Raft at once: Raft may hear later that the entry is applied.
        const timed = span.name === "apply" ? { ...span, endTimeUnixNano: span.startTimeUnixNano } : span;
        assert(within(timed, request), span.name);
      }
      for (const name of parts) assertEquals(find(own, leader, name).parentSpanId, relay.spanId, name);
      const begins = ["propose", "sync", "apply"].map((name) => BigInt(find(own, leader, name).startTimeUnixNano));
      assert(begins[0] <= begins[1] && begins[1] <= begins[2], String(begins));
      const attributes = Object.fromEntries(request.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
      assertEquals(attributes["db.system"], "sqlite");
      assertEquals([attributes["muster.statements"], attributes["http.response.status_code"]], ["1", "200"]);
      assertEquals(attributes["http.route"], "/db/execute");

      await ask(follower, "/db/query?level=linearizable", `00-${traceOf(2)}-${SPAN}-01`, ["SELECT a FROM private"]);
      const reading = await trace(2, ["other forward", "leader serve", "leader confirm", "leader read"]);
      const forward = find(reading, follower, "forward");
      const serve = find(reading, leader, "serve");
      assertEquals([forward.kind, serve.kind, serve.parentSpanId], [3, 2, forward.spanId]);
      assertEquals(find(reading, leader, "read").parentSpanId, serve.spanId);

      // Neither a header that breaks a rule nor one that is not sampled is traced.
      for (const header of [`00-${traceOf(3)}-${SPAN}-00`, `00-${traceOf(3)}-${SPAN}-01-x`, "rubbish"]) {
        await ask(follower, "/db/query?level=none&q=SELECT+1", header, undefined);
      }
      await ask(leader, "/db/query?level=none&q=SELECT+1", `00-${traceOf(4)}-${SPAN}-01`, undefined);
      await trace(4, ["leader GET /db/query", "leader read"]);
      assertEquals(seen.filter(({ traceId }) => traceId === traceOf(3)), []);
      for (const word of ["private", "hidden", "SELECT"]) {
        assertEquals(bodies.some((body) => body.includes(word)), false, word);
      }

      const slow = await follower.send("/db/query?level=none", ["SELECT trace_id FROM muster.slow_statements"]);
      assert(slow.results[0].values?.some(([id]) => id === traceOf(1)), "the slow statement names its trace");
      assertMatch(follower.log, new RegExp(`slow execute, .*, trace ${traceOf(1)}: INSERT`));
      const metrics = await (await follower.get("/metrics")).text();
      assertMatch(metrics, /^muster_trace_spans_exported_total [1-9]\d*$/m);
      assertMatch(metrics, /^muster_trace_spans_dropped_total 0$/m);
    })
  ));

Deno.test("a request below /v1 is traced from a client agent to the server that does it", () =>
  withCollector((port, seen) =>
    withAgents(async (root, start) => {
      const flags = ["-otlp-endpoint", `127.0.0.1:${port}`, "-otlp-insecure", "-otlp-interval", "1h"];
      const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", ...flags);
      const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`, ...flags);
      await Promise.all([server.up(), client.up()]);
      await until("the client agent knows a leader", () => client.leader());
      const response = await fetch(`${client.url}/v1/kv/hidden/key?token=secret`, {
        method: "PUT",
        body: "hidden value",
        headers: { traceparent: `00-${traceOf(5)}-${SPAN}-01` },
      });
      assertEquals(await response.text(), "true");
      const [request, forward, serve] = await until("the spans", () => {
        const own = ["PUT /v1/kv/", "forward", "serve"].map((name) =>
          seen.find((one) => one.traceId === traceOf(5) && one.name === name)
        );
        if (own.includes(undefined)) throw new Error(`only ${seen.map(({ name }) => name).join(", ")}`);
        return own;
      });
      assertEquals([forward?.parentSpanId, serve?.parentSpanId], [request?.spanId, forward?.spanId]);
      assert(request?.node === forward?.node && forward?.node !== serve?.node);
      assertEquals(/hidden|secret/.test(JSON.stringify(seen)), false);
    })
  ));
