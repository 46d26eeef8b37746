/** Statements and requests that try to do harm and cannot: each is refused or answered, and the node goes on. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { nodePlace, type NodeProcess, withNodes } from "../harness/processes.ts";
import { peakResidentBytes, RSS_MAX } from "./memory.ts";
import { rawRequests } from "./raw_http.ts";

/** The result of one statement, errors as text. */
async function result(node: NodeProcess, path: string, statement: unknown): Promise<string> {
  const response = await fetch(`${node.url}${path}${path.includes("?") ? "&" : "?"}errors=v1`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify([statement]),
    signal: AbortSignal.timeout(60_000),
  });
  assert(response.status < 500, `${response.status} ${JSON.stringify(statement).slice(0, 200)}`);
  return await response.text();
}

/** Values too large for SQLite or for this node, and texts that grow. */
const BOMBS: readonly (readonly [string, RegExp])[] = [
  ["INSERT INTO t VALUES(randomblob(1000000000))", /"error":".*too big/],
  ["INSERT INTO t VALUES(zeroblob(1000000000))", /"error":".*too big/],
  ["INSERT INTO t VALUES(printf('%1000000000d', 1))", /"error":".*(too big|memory)/],
  ["INSERT INTO t VALUES(replace(hex(zeroblob(10000000)), '0', hex(zeroblob(1000))))", /"error":".*(too big|memory)/],
  [
    "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<2000) " +
    "SELECT group_concat(hex(zeroblob(500000))) FROM c",
    /"error":"/,
  ],
  [`INSERT INTO t VALUES(json('${"[".repeat(100_000)}'))`, /"error":"malformed JSON"/],
  [`SELECT ${"(".repeat(100_000)}1${")".repeat(100_000)}`, /"error":"/],
  [`SELECT ${"1+".repeat(100_000)}1`, /"error":"/],
  [`INSERT INTO t VALUES('${"a".repeat(50_000)}' LIKE '${"%a".repeat(25_000)}b')`, /"error":"/],
  [`INSERT INTO t VALUES('${"a".repeat(50_000)}' GLOB '${"*a".repeat(25_000)}b')`, /"error":"/],
];

/** Statements that would reach outside the database, or change how it works. */
const REACHING = [
  "ATTACH '/etc/passwd' AS x",
  "DETACH main",
  "VACUUM INTO '/tmp/stolen'",
  "SELECT load_extension('/tmp/x.so')",
  "SELECT readfile('/etc/passwd')",
  "SELECT writefile('/tmp/x', 'x')",
  "SELECT fts3_tokenizer('simple', x'00')",
  "PRAGMA journal_mode=DELETE",
  "PRAGMA locking_mode=EXCLUSIVE",
  "PRAGMA writable_schema=1",
  "PRAGMA synchronous=0",
  "PRAGMA query_only=1",
  "PRAGMA temp_store_directory='/tmp'",
  "PRAGMA key='x'",
  "PRAGMA wal_checkpoint(TRUNCATE)",
  "BEGIN",
  "COMMIT",
  "ROLLBACK",
  "SAVEPOINT x",
  "INSERT INTO sqlite_master VALUES('table','x','x',0,'CREATE TABLE x(a)')",
  "DELETE FROM _muster",
  "/* x */ DELETE -- y\n FROM main . [_muster]",
  'UPDATE "_MUSTER" SET id=1',
  "DROP TABLE _muster",
  "CREATE VIEW _muster_nodes AS SELECT 1",
  "CREATE TRIGGER x AFTER INSERT ON _muster BEGIN SELECT 1; END",
  "CREATE TEMP TABLE x(a)",
  "REINDEX nothing",
];

/** Requests that two readers could take for different ones, or that are no HTTP. */
const AMBIGUOUS = [
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n[1,2]",
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n[12]",
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\n[12]",
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
  "POST /db/execute HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
  "GET /readyz HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
  "GET /readyz HTTP/1.1\nHost: a\n\n",
  "GET  /readyz HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /readyz HTTP/2.0\r\nHost: a\r\n\r\n",
  "GET /\0readyz HTTP/1.1\r\nHost: a\r\n\r\n",
];

Deno.test({
  name: "bombs, statements that reach outside and ambiguous requests do no harm",
  ignore: Deno.build.os !== "linux",
  fn: (t) =>
    withNodes(async (root, start) => {
      const node = start(nodePlace(root, "1"));
      await node.ready();
      await node.execute("CREATE TABLE t(a)");
      for (const [sql, wanted] of BOMBS) {
        await t.step(sql.slice(0, 80), async () => {
          for (const path of ["/db/execute", "/db/request?transaction"]) {
            assertMatch((await result(node, path, sql)).slice(0, 2000), wanted);
          }
          assertEquals(await node.row("SELECT count(*) FROM t"), [0]);
        });
      }
      await t.step("statements that reach outside", async () => {
        for (const sql of REACHING) {
          for (const path of ["/db/execute", "/db/request", "/db/query?level=none", "/db/query?level=strong"]) {
            assertMatch(await result(node, path, sql), /"error":"/, `${path} ${sql}`);
          }
        }
        assertEquals(await node.row("SELECT count(*) FROM sqlite_master WHERE name NOT LIKE '_muster%'"), [1]);
      });
      await t.step("bodies that are no statements", async () => {
        for (const body of ["\0", "\xff\xfe", '["\\ud800"]', "{}", "[[]]", "[[1]]", "[1e400]", "null", ""]) {
          for (const path of ["/db/execute", "/db/query", "/db/request"]) {
            const bytes = Uint8Array.from(body, (char) => char.charCodeAt(0));
            const response = await fetch(node.url + path, { method: "POST", body: bytes });
            const text = await response.text();
            assert(response.status === 400 || /"error":/.test(text), `${path} ${body}: ${response.status} ${text}`);
          }
        }
      });
      await t.step("ambiguous requests are refused, and what follows them is not read", async () => {
        for (const request of AMBIGUOUS) {
          const statuses = await rawRequests(
            node,
            `${request}GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
          );
          assertEquals(statuses.length, 1, request);
          assertMatch(statuses[0], /400|501|505/, request);
        }
      });
      await t.step("a load that ends early is refused, and is no unexpected error", async () => {
        for (const framed of ["Content-Length: 100\r\n\r\nCREATE", "Transfer-Encoding: chunked\r\n\r\n9\r\nCREATE"]) {
          const conn = await Deno.connect({ hostname: "127.0.0.1", port: node.place.httpPort });
          await conn.write(new TextEncoder().encode(`POST /db/load HTTP/1.1\r\nHost: a\r\n${framed}`));
          await conn.closeWrite();
          assertMatch(await new Response(conn.readable).text(), /^HTTP\/1\.1 400 [^]*body ends before its length/);
        }
        assertEquals(node.log.includes("unexpectedly"), false, node.log);
      });
      await t.step("a thousand pipelined requests are answered in order", async () => {
        const one = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
        const last = "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        const statuses = await rawRequests(node, one.repeat(1000) + last);
        assertEquals(statuses, [...Array(1000).fill("200"), "404"]);
      });
      assert(await peakResidentBytes(node) < RSS_MAX, `${await peakResidentBytes(node)}`);
      await node.execute("INSERT INTO t VALUES(1)");
      assertEquals(await node.row("SELECT a FROM t", "strong"), [1]);
    }),
});

Deno.test("a write that rolls its transaction back takes no other write with it (OR ROLLBACK, RAISE)", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await node.execute(
      "CREATE TABLE t(id INTEGER PRIMARY KEY)",
      "CREATE TABLE guarded(id)",
      "CREATE TRIGGER guard BEFORE INSERT ON guarded WHEN NEW.id % 3 = 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
      "INSERT INTO t VALUES(0)",
    );
    const written = (await Promise.all(Array.from({ length: 16 }, async (_, client) => {
      const mine: number[] = [];
      for (let nth = 0; nth < 30; nth++) {
        const id = 1 + client + nth * 16;
        const statement = nth % 3 === 0 ? "INSERT OR ROLLBACK INTO t VALUES(0)" : `INSERT INTO guarded VALUES(${id})`;
        const [other, own] = await Promise.all([
          result(node, "/db/execute", statement),
          result(node, "/db/execute", `INSERT INTO t VALUES(${id})`),
        ]);
        assertEquals(other.includes('"error"'), nth % 3 === 0 || id % 3 === 0, `${statement}: ${other}`);
        assertMatch(own, /"rows_affected":1/);
        mine.push(id);
      }
      return mine;
    }))).flat();
    const { results: [{ values = [] }] } = await node.send("/db/query?level=strong", ["SELECT id FROM t WHERE id > 0"]);
    assertEquals(values.map(([id]) => Number(id)), written.sort((a, b) => a - b));
  }));
