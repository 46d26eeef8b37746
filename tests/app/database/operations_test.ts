/**
 * Operations between nodes: what travels comes back as it was, what is none is refused without harm, and a client agent's
 * backup goes no faster than its client takes it (Q10, C9.11).
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { Permission } from "../../../src/app/users/permission.ts";
import {
  BusyError,
  ForwardError,
  LoadError,
  NoLeaderError,
  NotLeaderError,
  OperationError,
  QueueWaitError,
  RefusedError,
  RemoteFailure,
  RequestError,
  TooLargeError,
  TooManyWaitError,
} from "../../../src/app/database/errors.ts";
import { decodeFailure, encodeFailure, isLeaderless } from "../../../src/app/database/failure.ts";
import { answerOf, CodedError, LocalNode, OTHER, SELF } from "../../harness/local_node.ts";

const NODE = { k: "node" } as const;
const CLIENT = { k: "client", authorization: "", address: "10.0.0.1" } as const;
const CALL = { by: CLIENT, timeoutMs: 1000, retries: 0 };

/** A client agent, and the servers that answer it in turn. */
function agentOf(...servers: LocalNode[]): LocalNode {
  const agent = new LocalNode({ agent: { isServer: false } });
  agent.replica.forward = async (forward) => {
    const to = servers.find((_, at) => `server ${at}` === forward.to) ?? servers[0];
    return { ...await to.serve(forward), from: `server ${servers.indexOf(to)}` };
  };
  return agent;
}

Deno.test("every failure is on the other node what it was here", () => {
  const permission: Permission = "query";
  const failures: [Error, Record<string, unknown>][] = [
    [new RequestError("no", "unknown"), { outcome: "unknown", leaderless: false }],
    [new RequestError("no", "none", { leaderless: true }), { outcome: "none", leaderless: true }],
    [new BusyError("later"), {}],
    [new TooLargeError("too large"), {}],
    [new LoadError("damaged"), {}],
    [new TooManyWaitError("too many"), {}],
    [new OperationError("it broke"), {}],
    [new NoLeaderError(), {}],
    [new NotLeaderError(), {}],
    [new QueueWaitError(), {}],
    [new RefusedError({ k: "unknown" }), { why: { k: "unknown" } }],
    [new RefusedError({ k: "later", seconds: 5 }), { why: { k: "later", seconds: 5 } }],
    [
      new RefusedError({ k: "lacking", username: "bob", permission }),
      { why: { k: "lacking", username: "bob", permission } },
    ],
    [new ForwardError("nobody there", "not_sent"), { code: "not_sent" }],
  ];
  for (const [error, facts] of failures) {
    for (const thrown of [error, new RemoteFailure(error, "h:1")]) {
      const decoded = decodeFailure(JSON.parse(JSON.stringify(encodeFailure(thrown))), "the failure");
      assertEquals([decoded.constructor, decoded.message], [error.constructor, error.message]);
      for (const [name, value] of Object.entries(facts)) assertEquals(Reflect.get(decoded, name), value);
      assertEquals(isLeaderless(decoded), isLeaderless(error));
    }
  }
  assertEquals(encodeFailure(new TypeError("nobody expects it")), undefined);
});

Deno.test("a call of any shape is answered, and harms nothing (Q10)", async () => {
  await using node = new LocalNode();
  const name = fc.constantFrom(
    "execute",
    "query",
    "loadStep",
    "batch",
    "enqueue",
    "catalogRead",
    "register",
    "toString",
    "elsewhere",
    "keyring",
  );
  const body = fc.uint8Array({ maxLength: 64 });
  const head = fc.oneof(
    fc.jsonValue(),
    fc.record({
      operation: name,
      by: fc.constantFrom(NODE, CLIENT),
      timeoutMs: fc.integer(),
      retries: fc.nat(9),
      params: fc.jsonValue(),
    }),
    fc.record({
      operation: fc.constant("elsewhere"),
      by: fc.constantFrom(NODE, CLIENT),
      timeoutMs: fc.constant(1),
      retries: fc.constant(0),
      params: fc.record({
        datacenter: fc.constantFrom("dc1", "dc2", ""),
        from: fc.constantFrom(undefined, "dc2", 7),
        operation: fc.oneof(name, fc.jsonValue()),
        params: fc.jsonValue(),
      }),
    }),
    fc.record({
      operation: fc.constant("execute"),
      by: fc.constant(CLIENT),
      timeoutMs: fc.constant(1),
      retries: fc.constant(0),
      params: fc.constant({
        level: "weak",
        render: 0,
        freshnessMs: 0,
        isStrict: false,
        dbTimeoutMs: 0,
        timeoutMs: 1000,
        linearizableTimeoutMs: 1000,
      }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(head, body, async (head, body) => {
      const { answer } = await node.serve({ call: { head: Object(head), body } });
      const failure = Object(answer.head.failure);
      // The one that needs no parameters does what it is asked for.
      if (Object(head).operation === "datacenters" && answer.head.failure === undefined) return;
      assert(typeof failure.message === "string" && failure.message.length > 0, JSON.stringify(answer.head));
    }),
    { numRuns: 300 },
  );
  assertEquals((await node.json("GET", "/db/query?q=SELECT+1")).results[0].values, [[1]]);
});

Deno.test("what statements are is seen by the node that gets them, not taken from another's word", async () => {
  await using node = new LocalNode();
  const { operations } = node.services;
  const lying = { sql: "PRAGMA journal_mode=DELETE", verb: "SELECT", parameterCount: 0 };
  const statements = [{ parts: [lying], positional: [], named: null }];
  await using asker = new LocalNode();
  asker.lead(OTHER);
  asker.replica.forward = (forward) => node.serve(forward);
  const batch = asker.services.operations.run("batch", { statements, transaction: false }, {
    by: NODE,
    timeoutMs: 1000,
  });
  const error = await assertRejects(() => batch, RemoteFailure);
  assertEquals(error.cause.message, "disallowed pragma");
  await operations.run("batch", { statements: [], transaction: false }, { by: NODE, timeoutMs: 1000 });
});

Deno.test("values of every kind arrive as they were, and rows come back as they were rendered", async () => {
  await using leader = new LocalNode();
  await using follower = new LocalNode();
  await leader.json("POST", "/db/execute", ["CREATE TABLE t(a, b, c, d, e)"]);
  follower.lead(OTHER);
  follower.replica.forward = (forward) => leader.serve(forward);
  const insert = ["INSERT INTO t VALUES(?, ?, ?, :d, ?)", 9007199254740993n, 1.5, "é\u0000𐍈", null, { d: "x" }];
  const text = JSON.stringify([insert], (_, value) => typeof value === "bigint" ? Number(value) : value);
  assertEquals((await follower.json("POST", "/db/execute", text)).results[0].rows_affected, 1);
  const read = "/db/query?associative&q=SELECT+typeof(a),b,c,d,e+FROM+t";
  assertEquals((await follower.send("GET", read)).text, (await leader.send("GET", read)).text);
  // Longer than what is copied as a text, and counted while it is on its way.
  const long = await follower.send("GET", "/db/query?q=SELECT+hex(zeroblob(100000))");
  assert(long.text.length > 200_000 && long.text.endsWith('"]]}]}'), long.text.slice(-80));
  assertEquals(follower.services.answers.taken, 0);
});

Deno.test("a server asks the leader for a client agent, once, and hands its answer on as it is", async () => {
  await using leader = new LocalNode();
  await using server = new LocalNode();
  await using agent = agentOf(server);
  await leader.json("POST", "/db/execute", ["CREATE TABLE t(a)"]);
  server.lead(OTHER);
  const asked: unknown[] = [];
  server.replica.forward = async (forward) => {
    asked.push(forward.call.head.relayed);
    return await leader.serve(forward);
  };
  const { text, servedBy } = await agent.send("POST", "/db/execute?redirect", ["INSERT INTO t VALUES(1)"]);
  assertEquals([text, servedBy], ['{"results":[{"last_insert_id":1,"rows_affected":1}]}', "h:1"]);
  assertEquals(asked, [undefined]);
  const queued = await agent.send("POST", "/db/execute?queue&wait", ["INSERT INTO t VALUES(2)"]);
  assert(/^\{"results":\[\],"sequence_number":\d+\}$/.test(queued.text), queued.text);
  assertEquals((await leader.json("GET", "/db/query?q=SELECT+count(*)+FROM+t")).results[0].values, [[2]]);
  server.lead(null);
  const leaderless = await agent.send("POST", "/db/execute", ["INSERT INTO t VALUES(3)"]);
  assertEquals([leaderless.status, leaderless.text, leaderless.leaderless], [503, "leader not found\n", true]);
});

Deno.test("an answer that cannot be read leaves the outcome unknown, and a lost one, too", async () => {
  await using node = new LocalNode();
  node.lead(OTHER);
  const run = () =>
    node.services.operations.run("batch", { statements: [], transaction: false }, { by: NODE, timeoutMs: 1 });
  for (const answer of [answerOf({ hasFailed: 1 }), answerOf(undefined, "", { k: "other" })]) {
    node.replica.forward = () => answer;
    assertEquals((await assertRejects(run, ForwardError)).code, "unknown");
  }
  node.replica.forward = () => Promise.reject(new CodedError("no answer", "unknown"));
  assertEquals((await assertRejects(run, ForwardError)).code, "unknown");
  node.lead(SELF);
});

/** Fills a table with more pieces than a backup sends ahead. */
async function fill(node: LocalNode): Promise<void> {
  await node.json("POST", "/db/execute", ["CREATE TABLE t(a)", "INSERT INTO t VALUES(zeroblob(4000000))"]);
}

Deno.test("a client agent's backup is read piece by piece from the server that made it, and closed (C9.11)", async () => {
  await using first = new LocalNode();
  await using second = new LocalNode();
  await using agent = agentOf(first, second);
  await fill(first);
  const asked: unknown[] = [];
  const { forward } = agent.replica;
  const { promise: ahead, resolve } = Promise.withResolvers<unknown>();
  agent.replica.forward = (params, call) => {
    const { operation } = params.call.head;
    if (asked.push([operation, params.to]) === 3) resolve(operation);
    return forward?.(params, call) ?? Promise.reject();
  };
  const { status, stream, servedBy } = await agent.ask("GET", "/db/backup?fmt=delete");
  assertEquals([status, servedBy, asked.length], [200, "h:1", 1]);
  const pieces = stream?.pieces(new Promise(() => {}))[Symbol.asyncIterator]();
  let bytes = (await pieces?.next())?.value?.length ?? 0;
  const third = await ahead;
  assertEquals([third, asked.length], ["readBackup", 3], "one piece is taken, one on its way, and no further one");
  for (let next = await pieces?.next(); next && !next.done; next = await pieces?.next()) bytes += next.value.length;
  assertEquals(bytes, stream?.length);
  assertEquals(asked.at(-1), ["closeBackup", "server 0"]);
  assert(asked.slice(1).every((one) => Array.isArray(one) && one[1] === "server 0"));

  // A client that leaves in the midst of it has it closed, too; an id is worth nothing then.
  const left = await agent.ask("GET", "/db/backup");
  const begun = left.stream?.pieces(new Promise(() => {}))[Symbol.asyncIterator]();
  await begun?.next();
  await begun?.return?.();
  assertEquals(asked.at(-1), ["closeBackup", "server 0"]);
  const { answer } = await first.serve({
    call: { head: { operation: "readBackup", ...CALL, params: { id: "x" } }, body: new Uint8Array(0) },
  });
  assertEquals(Object(answer.head.failure).message, "there is no such backup: it was closed, or not read for 120 s");
});

Deno.test("a backup that breaks off on the server breaks off for the client", async () => {
  await using server = new LocalNode();
  await using agent = agentOf(server);
  await fill(server);
  const { stream } = await agent.ask("GET", "/db/backup");
  agent.replica.forward = () => Promise.reject(new CodedError("the server has gone", "unknown"));
  const taken = async () => {
    for await (const _ of stream?.pieces(new Promise(() => {})) ?? []);
  };
  assertInstanceOf(await assertRejects(taken), ForwardError);
  const { status, text } = await agent.send("GET", "/db/backup");
  assertEquals([status, text], [200, '{"results":[],"error":"the server has gone","outcome":"unknown"}']);
});

Deno.test("a client agent loads a file through a server, step by step", async () => {
  await using source = new LocalNode();
  await using server = new LocalNode();
  await using agent = agentOf(server);
  await fill(source);
  const { stream } = await source.ask("GET", "/db/backup?fmt=delete");
  const incoming = stream?.pieces(new Promise(() => {}));
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const piece of incoming ?? []) if (typeof piece !== "string") yield piece;
  }
  assertEquals((await agent.send("POST", "/db/load", "", { incoming: bytes() })).text, '{"results":[]}');
  assertEquals((await server.json("GET", "/db/query?q=SELECT+length(a)+FROM+t")).results[0].values, [[4_000_000]]);
  const text = "BEGIN; CREATE TABLE u(a); INSERT INTO u VALUES(1); COMMIT;";
  assertEquals((await agent.send("POST", "/db/load", text)).status, 200);
  assertEquals((await server.json("GET", "/db/query?q=SELECT+a+FROM+u")).results[0].values, [[1]]);
});
