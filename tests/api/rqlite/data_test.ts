/** rqlite's data endpoints over a database in this thread: bodies, parameters, levels, refusals. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { answerOf, CodedError, LocalNode, OTHER } from "../../harness/local_node.ts";
import { decodeCommand } from "../../../src/core/sql/command.ts";

/** What a statement comes to that is none. */
const NONSENSE = {
  error: 'near "nonsense": syntax error',
  error_v2: { message: 'near "nonsense": syntax error', sqlite: { code: 1, extended_code: 1 } },
};
const NO_TABLE = { message: "no such table: none", sqlite: { code: 1, extended_code: 1 } };
const INSERT = "INSERT INTO t(a) VALUES('x')";

async function withTable(work: (node: LocalNode) => Promise<void>): Promise<void> {
  await using node = new LocalNode();
  assertEquals(
    await node.json("POST", "/db/execute", ["CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)", INSERT]),
    { results: [{}, { last_insert_id: 1, rows_affected: 1 }] },
  );
  await work(node);
}

Deno.test("writes answer with rowids and counts, in the order of the statements, and stop at nothing", () =>
  withTable(async (node) => {
    assertEquals(
      await node.json("POST", "/db/execute", [INSERT, "nonsense", ["INSERT INTO t(a) VALUES(?)", "é"]]),
      {
        results: [
          { last_insert_id: 2, rows_affected: 1 },
          NONSENSE,
          { last_insert_id: 3, rows_affected: 1 },
        ],
      },
    );
    const named = await node.json("POST", "/db/execute", [["UPDATE t SET a = :a WHERE id = :id", { a: "z", id: 3 }]]);
    assertEquals(named, { results: [{ last_insert_id: 3, rows_affected: 1 }] });
    assertEquals(
      await node.json("POST", "/db/execute?transaction", [INSERT, "INSERT INTO none VALUES(1)"]),
      { results: [{ last_insert_id: 4, rows_affected: 1 }, { error: "no such table: none", error_v2: NO_TABLE }] },
    );
    assertEquals((await node.json("GET", "/db/query?q=SELECT+count(*)+FROM+t")).results[0].values, [[3]]);
    const timed = await node.json("POST", "/db/execute?timings&raft_index", ["DELETE FROM t"]);
    assertEquals(timed.results[0].rows_affected, 3);
    assert(timed.time > 0 && timed.results[0].time >= 0);
    assertEquals(timed.raft_index, 5);
  }));

Deno.test("reads answer with columns, types and values, in the form that the parameters ask for", () =>
  withTable(async (node) => {
    const plain = { columns: ["id", "a"], types: ["integer", "text"], values: [[1, "x"]] };
    assertEquals(await node.json("GET", "/db/query?q=SELECT+*+FROM+t"), { results: [plain] });
    assertEquals(await node.json("POST", "/db/query", ["SELECT * FROM t", ["SELECT a FROM t WHERE id = ?", 9]]), {
      results: [plain, { columns: ["a"], types: ["text"] }],
    });
    assertEquals(await node.json("POST", "/db/query?associative", ["SELECT * FROM t"]), {
      results: [{ types: { a: "text", id: "integer" }, rows: [{ id: 1, a: "x" }] }],
    });
    const blob = await node.json("POST", "/db/query?blob_array", ["SELECT x'0102' AS b"]);
    assertEquals(blob.results[0].values, [[[1, 2]]]);
    assertEquals((await node.json("POST", "/db/query", ["SELECT x'0102' AS b"])).results[0].values, [["AQI="]]);
    const joined = await node.json("POST", "/db/query?qualify_columns", ["SELECT t.id, u.id FROM t, t AS u"]);
    assertEquals(joined.results[0].columns, ["t.id", "t.id"]);
    const pretty = await node.send("GET", "/db/query?pretty&q=SELECT+1");
    assertMatch(pretty.text, /^\{\n {4}"results": \[\n {8}\{/);
    assertEquals(pretty.servedBy, "h:1");
    assertEquals(await node.json("GET", "/db/query"), { results: [] });
    const text = await node.send("POST", "/db/query", "SELECT a FROM t", { contentType: "text/plain" });
    assertEquals(JSON.parse(text.text).results[0].values, [["x"]]);
    assertEquals(await node.json("GET", "/db/query?q=SELECT+*+FROM+none"), {
      results: [{ error: "no such table: none", error_v2: NO_TABLE }],
    });
  }));

Deno.test("reads of each level: through the log, after a confirmation, and from what is here", () =>
  withTable(async (node) => {
    const rows = async (level: string) =>
      (await node.json("POST", `/db/query?level=${level}`, ["SELECT a FROM t"])).results[0].values;
    for (const level of ["none", "weak", "linearizable", "strong", "auto"]) assertEquals(await rows(level), [["x"]]);
    let confirmations = 0;
    node.replica.confirm = () => {
      confirmations++;
      return { byLease: false };
    };
    await rows("linearizable");
    assertEquals(confirmations, 1);
    node.replica.confirm = () => Promise.reject(new CodedError("timeout waiting for fsm", "failed"));
    assertEquals(await node.json("GET", "/db/query?level=linearizable&q=SELECT+1"), {
      results: [],
      error: "timeout waiting for fsm",
    });
  }));

Deno.test("a request of reads and writes answers each in its own form", () =>
  withTable(async (node) => {
    assertEquals(await node.json("POST", "/db/request", [INSERT, "SELECT count(*) AS n FROM t", "nonsense"]), {
      results: [
        { last_insert_id: 2, rows_affected: 1 },
        { columns: ["n"], types: ["integer"], values: [[2]] },
        NONSENSE,
      ],
    });
    const read = await node.json("POST", "/db/request", ["SELECT max(id) FROM t"]);
    assertEquals(read.results[0].values, [[2]]);
    assertEquals(node.services.counters.requests, 2);
  }));

Deno.test("what the replica refuses has its own status: a busy leader, a full disk, a request too large", () =>
  withTable(async (node) => {
    const write = async (code: LocalNode["refusal"]) => {
      node.refusal = code;
      const { status, text, retryAfter } = await node.send("POST", "/db/execute", [INSERT]);
      return [status, text.trim(), retryAfter];
    };
    for (const code of ["queue_full", "behind", "storage_full"] as const) {
      assertEquals(await write(code), [503, `refused: ${code}`, 1]);
    }
    assertEquals(await write("too_large"), [413, "refused: too_large", undefined]);
    assertEquals(await write("timeout"), [200, '{"results":[],"error":"refused: timeout"}', undefined]);
    const unknown = '{"results":[],"error":"refused: unknown","outcome":"unknown"}';
    assertEquals(await write("unknown"), [200, unknown, undefined]);
    node.refusal = undefined;
    assertEquals((await node.json("GET", "/db/query?q=SELECT+count(*)+FROM+t")).results[0].values, [[1]]);
  }));

Deno.test("bodies that are no statements, pragmas that harm, and wrong parameters are refused", () =>
  withTable(async (node) => {
    const refused = async (body: string) => {
      const { status, text } = await node.send("POST", "/db/execute", body);
      return [status, text.split(":")[0]];
    };
    for (const body of ["", "{"]) assertEquals(await refused(body), [400, "invalid JSON body"]);
    for (const body of ["[1]", "{}", "[[]]", "null"]) assertEquals(await refused(body), [400, "invalid request"]);
    assertEquals(await node.json("POST", "/db/execute", ["PRAGMA journal_mode=delete"]), {
      results: [],
      error: "disallowed pragma",
    });
    for (const query of ["timeout=x", "freshness=x", "retries=x"]) {
      assertEquals((await node.send("GET", `/db/query?q=SELECT+1&${query}`)).status, 400, query);
    }
    assert(node.services.counters.bad_requests >= 9);
    assertEquals((await node.send("PUT", "/db/execute")).status, 405);
    assertEquals((await node.send("GET", "/none")).status, 404);
    assertEquals((await node.send("OPTIONS", "/db/execute")).status, 200);
  }));

Deno.test("a follower whose leader takes that proposes writes, and answers from its own database", () =>
  withTable(async (node) => {
    node.lead({ ...OTHER, takesProposals: true });
    const asked: unknown[] = [];
    node.replica.forward = ({ call: { head } }) => {
      asked.push(head.operation);
      return answerOf({}, "[{}]");
    };
    const insert = await node.send("POST", "/db/execute?raft_index", [INSERT]);
    assertMatch(insert.text, /^\{"results":\[\{"last_insert_id":2,"rows_affected":1\}\],"raft_index":\d+\}$/);
    assertEquals(insert.servedBy, "o:1", "the leader gave it its place");
    for (const level of ["none", "weak", "strong"]) {
      const { text, servedBy } = await node.send("POST", `/db/request?level=${level}`, [
        "SELECT count(*) FROM t",
        INSERT,
      ]);
      assertMatch(text, /"rows_affected":1/, level);
      assertEquals(servedBy, "o:1");
      const moved = await node.send("POST", `/db/request?redirect&level=${level}`, [INSERT]);
      assertEquals([moved.status, moved.location], [301, `http://o:1/db/request?redirect&level=${level}`]);
    }
    const strong = await node.json("GET", "/db/query?level=strong&q=SELECT+count(*)+FROM+t");
    assertEquals(strong.results[0].values, [[5]]);
    assertEquals(asked, [], "nothing was asked of the leader");
    await node.send("GET", "/db/query?q=SELECT+1");
    await node.send("POST", "/db/request", ["SELECT 1"]);
    assertEquals(asked, ["query", "request"], "reads that only the leader can answer are");
    const here = await node.send("GET", "/db/query?level=none&q=SELECT+1");
    assertEquals(here.servedBy, "h:1");
  }));

Deno.test("a follower hands writes and confirmed reads to the leader, once, or redirects", () =>
  withTable(async (node) => {
    node.lead(OTHER);
    const asked: unknown[] = [];
    node.replica.forward = ({ call: { head, body } }) => {
      const { statements: [{ parts: [{ sql }] }] } = decodeCommand(body);
      asked.push([head.operation, sql, Object(head.params).level]);
      return answerOf({ index: 7 }, "[{}]");
    };
    const { text, servedBy } = await node.send("POST", "/db/execute?raft_index", [INSERT]);
    assertEquals([text, servedBy], ['{"results":[{}],"raft_index":7}', "o:1"]);
    await node.send("GET", "/db/query?q=SELECT+1&level=strong");
    assertEquals(asked, [["execute", INSERT, undefined], ["query", "SELECT 1", "strong"]]);
    const here = await node.json("GET", "/db/query?level=none&q=SELECT+a+FROM+t");
    assertEquals(here.results[0].values, [["x"]]);
    const moved = await node.send("POST", "/db/execute?redirect", [INSERT]);
    assertEquals([moved.status, moved.location], [301, "http://o:1/db/execute?redirect"]);
    // Another node takes this one for the leader: it asks nobody else.
    node.replica.forward = (forward) => node.serve(forward);
    const again = await node.send("POST", "/db/execute", [INSERT]);
    assertEquals([again.text, again.leaderless], ['{"results":[],"error":"not leader"}', true]);

    const failing = async (code: string) => {
      node.replica.forward = () => Promise.reject(new CodedError(`it failed: ${code}`, code));
      const { status, text, leaderless } = await node.send("POST", "/db/execute", [INSERT]);
      return [status, text.trim(), leaderless ?? false];
    };
    const found = (why: string) => [200, `{"results":[],"error":"it failed: ${why}"}`, why === "not_sent"];
    assertEquals(await failing("not_sent"), found("not_sent"));
    assertEquals(await failing("remote"), found("remote"));
    assertEquals(await failing("unknown"), [
      200,
      '{"results":[],"error":"it failed: unknown","outcome":"unknown"}',
      false,
    ]);
    assertEquals(await failing("no_leader"), [503, "leader not found", true]);
    node.lead(null);
    assertEquals((await node.send("POST", "/db/execute", [INSERT])).status, 503);
    assertEquals(node.services.counters.leader_not_found, 2);
  }));

Deno.test("queued writes are written together, in their order; one may wait for them", () =>
  withTable(async (node) => {
    // Numbers of 64 bits, which JSON.parse() would round.
    const sequence = (text: string) => BigInt(/^\{"results":\[\],"sequence_number":(\d+)/.exec(text)?.[1] ?? 0);
    const first = await node.send("POST", "/db/execute?queue", [INSERT]);
    const second = await node.send("POST", "/db/execute?queue&wait&timings", [INSERT, INSERT]);
    assertEquals(sequence(second.text) - sequence(first.text), 1n);
    assertMatch(second.text, /,"time":0\.\d+\}$/);
    assertEquals((await node.json("GET", "/db/query?q=SELECT+count(*)+FROM+t")).results[0].values, [[4]]);
    assertEquals((await node.send("POST", "/db/execute?queue", "[")).status, 400);

    // Elsewhere than on the leader, a batch goes there as one command, which the leader carries out.
    const leading = new LocalNode();
    await using _ = leading;
    await leading.json("POST", "/db/execute", ["CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)"]);
    node.lead(OTHER);
    node.replica.forward = (forward) => leading.serve(forward);
    await node.json("POST", "/db/execute?queue&wait", [INSERT, INSERT]);
    assertEquals((await leading.json("GET", "/db/query?q=SELECT+count(*)+FROM+t")).results[0].values, [[2]]);
    node.lead(null);
    assertEquals((await node.send("POST", "/db/execute?queue", [INSERT])).status, 503);
  }));

Deno.test("statements are analyzed: what SQLite cannot compile is named", () =>
  withTable(async (node) => {
    const found = await node.json("POST", "/db/sql", [
      "SELECT * FROM t",
      "SELECT * FORM t",
      "PRAGMA x",
      "SELECT * FROM u",
    ]);
    assertEquals(found.results, [
      { original: "SELECT * FROM t", rewritten: "SELECT * FROM t" },
      { original: "SELECT * FORM t", error: 'near "FORM": syntax error' },
      { original: "PRAGMA x", rewritten: "PRAGMA x" },
      { original: "SELECT * FROM u", rewritten: "SELECT * FROM u" },
    ]);
    assertEquals((await node.json("GET", "/db/sql?q=EXPLAIN+SELECT+1")).results[0].original, "EXPLAIN SELECT 1");
    assertEquals((await node.send("GET", "/db/sql")).text, "query not specified\n");
  }));
