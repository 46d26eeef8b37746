/** Large bodies, read by a Worker of their own: as this thread reads them, errors included. */
import { assertEquals, assertRejects } from "@std/assert";
import { allowedStatements } from "../../../src/app/database/allowed.ts";
import { RequestError } from "../../../src/app/database/errors.ts";
import { decodeStatements, sqlText } from "../../../src/api/http/sql_body.ts";
import { LARGE_BODY_BYTES, LargeBodies } from "../../../src/api/rqlite/large_bodies.ts";
import { HttpError } from "../../../src/api/http/problem.ts";
import { decodeCommand, encodeCommand } from "../../../src/core/sql/command.ts";
import { nodePlace, type NodeProcess, until, withThreads } from "../../harness/processes.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** Large bodies with a real Worker, which has no rights. */
async function withWorker(
  work: (bodies: LargeBodies, started: { count: number; workers: Worker[] }) => Promise<void>,
  idleMs?: number,
): Promise<void> {
  const started = { count: 0, workers: new Array<Worker>() };
  const bodies = new LargeBodies(() => {
    const worker = new Worker(new URL("../../../src/api/rqlite/parser_worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: "none" },
    });
    started.count++;
    started.workers.push(worker);
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ port: port1 }, [port1]);
    bodies.connect(port2);
  }, idleMs);
  try {
    await work(bodies, started);
  } finally {
    bodies.close();
    for (const worker of started.workers) worker.terminate();
  }
}

Deno.test("the statements of a large body are those that this thread finds in it", () =>
  withWorker(async (bodies, started) => {
    const texts = [
      JSON.stringify([["INSERT INTO t VALUES(?, ?)", 2 ** 53 + 2, "é"], "SELECT 1", ["UPDATE t SET a = :a", {
        a: null,
      }]]),
      `["SELECT 9223372036854775807", "SELECT * FROM sqlite_master"]`,
      `[["SELECT ?", "x'0102'"]] and what follows`,
    ];
    for (const text of texts) {
      const { command, count, mayBeRead } = await bodies.parse({ bytes: encode(text), isText: false });
      const statements = allowedStatements(decodeStatements(text));
      assertEquals(command, encodeCommand({ kind: "execute", transaction: false, statements }));
      assertEquals([count, mayBeRead], [statements.length, !text.includes("INSERT")]);
      const read = {
        kind: "query",
        transaction: true,
        readTimeoutMs: 7,
        statements: { command, count, mayBeRead },
      } as const;
      assertEquals(decodeCommand(encodeCommand(read)), decodeCommand(encodeCommand({ ...read, statements })));
      assertEquals(decodeCommand(command).kind, "execute", "what is given out is a copy");
    }
    const sql = "SELECT 1; SELECT 'a;b'";
    const { command } = await bodies.parse({ bytes: encode(sql), isText: true });
    assertEquals(command, encodeCommand({ kind: "execute", transaction: false, statements: sqlText(sql) }));
    assertEquals(started.count, 1);
  }));

Deno.test("what is wrong with a large body is told as this thread tells it", () =>
  withWorker(async (bodies) => {
    for (const text of ["[", "[]", "{}", `[["SELECT ?", {"a": {}}]]`, `["PRAGMA journal_mode=DELETE"]`, "[1e999]"]) {
      let expected: unknown;
      try {
        allowedStatements(decodeStatements(text));
      } catch (error) {
        expected = error;
      }
      const kind = expected instanceof HttpError ? HttpError : RequestError;
      const found = await assertRejects(() => bodies.parse({ bytes: encode(text), isText: false }), kind);
      assertEquals([found.message, found instanceof HttpError ? found.status : 0], [
        (expected as Error).message,
        expected instanceof HttpError ? expected.status : 0,
      ]);
    }
  }));

Deno.test("the Worker ends when no large body has come for a while, and another one starts for the next", () =>
  withWorker(async (bodies, started) => {
    const parse = () => bodies.parse({ bytes: encode(`["SELECT 1"]`), isText: false });
    assertEquals((await Promise.all([parse(), parse()])).map(({ count }) => count), [1, 1]);
    assertEquals(started.count, 1);
    await until("another one is started", async () => {
      assertEquals((await parse()).count, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return started.count > 1 || undefined;
    });
  }, 1));

/** A body of at least `bytes`, which inserts one row. */
function padded(bytes: number, sql = "INSERT INTO t(a) VALUES(?)"): string {
  return JSON.stringify([[sql, "a".repeat(bytes)]]);
}

async function post(
  node: NodeProcess,
  path: string,
  body: string,
  type = "application/json",
): Promise<[number, string]> {
  const response = await fetch(node.url + path, { method: "POST", headers: { "Content-Type": type }, body });
  return [response.status, await response.text()];
}

Deno.test("a node answers a large request as it answers a small one", () =>
  withThreads(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await node.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
    const half = LARGE_BODY_BYTES / 2;
    for (const [at, bytes] of [half, LARGE_BODY_BYTES].entries()) {
      const inserted = `{"results":[{"last_insert_id":${at + 1},"rows_affected":1}]}`;
      assertEquals(await post(node, "/db/execute", padded(bytes)), [200, inserted]);
      const counted = `{"results":[{"columns":["n"],"types":["integer"],"values":[[${at + 1}]]}]}`;
      const read = "SELECT count(*) AS n FROM t WHERE ? IS NOT NULL";
      for (const level of ["none", "weak", "linearizable", "strong"]) {
        assertEquals(await post(node, `/db/query?level=${level}`, padded(bytes, read)), [200, counted], level);
      }
      assertEquals(await post(node, "/db/request", padded(bytes, read)), [200, counted]);
      const failed = await post(node, "/db/execute?transaction", padded(bytes, "INSERT INTO none VALUES(?)"));
      assertEquals([failed[0], JSON.parse(failed[1]).results[0].error], [200, "no such table: none"]);
      const [status, why] = await post(node, "/db/execute", padded(bytes).slice(0, -1));
      assertEquals([status, String(why).split(":")[0]], [400, "invalid JSON body"]);
      const pragma = padded(bytes, "PRAGMA journal_mode=DELETE; SELECT ?");
      assertEquals(await post(node, "/db/execute", pragma), [200, `{"results":[],"error":"disallowed pragma"}`]);
      const comment = `-- ${"a".repeat(bytes)}\nDELETE FROM none`;
      const text = await post(node, "/db/execute", comment, "text/plain");
      assertEquals([text[0], JSON.parse(text[1]).results[0].error], [200, "no such table: none"]);
    }
  }));
