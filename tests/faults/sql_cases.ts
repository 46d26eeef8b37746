/**
 * Problems reported by users of replicated SQLite, each with the right value; the number is that of the report.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { rawRequests } from "./raw_http.ts";
import type { FaultCluster } from "./cluster.ts";

/** A case. */
export interface Case {
  readonly name: string;
  /** Whether it needs foreign keys to be enforced. @default {false} */
  readonly foreignKeys?: boolean;
  run(cluster: FaultCluster): Promise<void>;
}

const ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c";
const MAX = "9223372036854775807";

/** All of them. */
export const CASES: readonly Case[] = [
  {
    name: "1 an exhausted AUTOINCREMENT is an error of the statement, however it was exhausted",
    async run(c) {
      const exhausting = [
        `UPDATE sqlite_sequence SET seq = ${MAX} WHERE name = 'orders'`,
        `UPDATE sqlite_sequence SET seq = '${MAX}' WHERE name = 'orders'`,
        `UPDATE orders SET id = ${MAX}`,
        `INSERT INTO orders VALUES(${MAX}, 1), (5, 2)`,
      ];
      for (const sql of exhausting) {
        await c.x("execute", [
          "DROP TABLE IF EXISTS orders",
          "CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)",
          "INSERT INTO orders(what) VALUES(1)",
          sql,
        ]);
        const text = await c.text("execute", ["INSERT INTO orders(what) VALUES(2)"]);
        assertEquals(text, '[{"error":"database or disk is full"}]', sql);
      }
    },
  },
  {
    name: "2 a rowid that is picked at random is the same on every node",
    async run(c) {
      const ways = [
        ["CREATE TABLE seat(id INTEGER PRIMARY KEY, who TEXT)", `INSERT INTO seat VALUES(${MAX}, 'ann')`],
        [
          "CREATE TABLE seat(id INTEGER PRIMARY KEY, who TEXT)",
          "INSERT INTO seat(who) VALUES('ann')",
          `UPDATE seat SET rowid = ${MAX}`,
        ],
        [
          "CREATE TABLE seat(id INTEGER PRIMARY KEY, who TEXT)",
          `INSERT INTO seat(id) SELECT ${MAX} UNION ALL SELECT 3`,
        ],
        ["CREATE VIRTUAL TABLE seat USING fts5(who)", `INSERT INTO seat(rowid, who) VALUES(${MAX}, 'ann'), (5, 'eve')`],
        ["CREATE VIRTUAL TABLE seat USING rtree(id, a, b)", `INSERT INTO seat VALUES(${MAX}, 1, 2), (5, 1, 2)`],
      ];
      for (const way of ways) {
        await c.x("execute", ["DROP TABLE IF EXISTS seat", ...way]);
        const inserted = way[0].includes("rtree")
          ? "INSERT INTO seat VALUES(NULL, 3, 4)"
          : "INSERT INTO seat(who) VALUES('bob')";
        await c.x("execute", [inserted]);
        await c.everywhere("SELECT rowid FROM seat ORDER BY rowid");
      }
    },
  },
  {
    name: "3 a row that a generated column cannot compute is no damage",
    async run(c) {
      await c.x("execute", [
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)",
        ["INSERT INTO docs(body) VALUES(?)", '{"title":"a"}'],
        ["INSERT INTO docs(body) VALUES(?)", "not json"],
        "ALTER TABLE docs ADD COLUMN title TEXT AS (json_extract(body, '$.title'))",
        "CREATE TABLE o(v INTEGER, w AS (abs(v)))",
        "INSERT INTO o(v) VALUES(-9223372036854775808)",
      ]);
      assertMatch(await c.text("query", ["SELECT * FROM docs"]), /malformed JSON/);
      assertEquals(await c.everywhere("SELECT id, body FROM docs"), [[1, '{"title":"a"}'], [2, "not json"]]);
      for (let k = 0; k < 3; k++) {
        await c.x("execute", [["INSERT INTO docs(body) VALUES(?)", "{}"]]);
        const snapshot = await fetch(`${c.nodes[0].url}/snapshot?trailing_logs=1`, { method: "POST" });
        assertEquals([snapshot.status, await snapshot.text()], [200, ""]);
      }
    },
  },
  {
    name: "4 the word now in a row is refused where SQLite refuses it, and other rows stay readable",
    async run(c) {
      await c.x("execute", [
        "CREATE TABLE visit(id INTEGER PRIMARY KEY, at TEXT, day AS (date(at)) STORED)",
        "INSERT INTO visit(at) VALUES('2024-05-06')",
      ]);
      for (const word of ["now", "NOW", "subsec"]) {
        assertMatch(
          await c.text("execute", [["INSERT INTO visit(at) VALUES(?)", word]]),
          /non-deterministic use of date/,
        );
      }
      for (const level of ["none", "weak", "strong", "linearizable"]) {
        const query = c.text(`query?level=${level}`, ["SELECT id, day FROM visit WHERE day = '2024-05-06'"]);
        assertMatch(await query, /"values":\[\[1,"2024-05-06"\]\]/);
      }
    },
  },
  {
    name: "5 ALTER TABLE takes columns that SQLite tests the rows for",
    async run(c) {
      const results = await c.text("execute", [
        "CREATE TABLE p(id INTEGER PRIMARY KEY)",
        "INSERT INTO p VALUES(1)",
        "ALTER TABLE p ADD COLUMN state TEXT NOT NULL DEFAULT 'new' CHECK(state <> '')",
        "CREATE TABLE s(id INTEGER PRIMARY KEY) STRICT",
        "ALTER TABLE s ADD COLUMN note TEXT",
        "CREATE TABLE g(id INTEGER PRIMARY KEY, a INT)",
        "ALTER TABLE g ADD COLUMN b INT NOT NULL AS (a * 2)",
      ]);
      assert(!results.includes("error") && !results.includes("columns"), results);
      assertMatch(
        await c.text("execute", ["ALTER TABLE p ADD COLUMN x TEXT CHECK(x IS NOT NULL)"]),
        /"error":"CHECK constraint failed"/,
      );
      assertEquals(await c.everywhere("SELECT * FROM p"), [[1, "new"]]);
    },
  },
  {
    name: "6 sorting and indexing need no room outside the data directory",
    async run(c) {
      const { results } = await c.x("execute", [
        "CREATE TABLE big(id INTEGER PRIMARY KEY, v TEXT)",
        "INSERT INTO big(v) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 60000) SELECT hex(randomblob(100)) FROM c",
        "CREATE INDEX big_v ON big(v)",
        "INSERT INTO big(v) SELECT v FROM big ORDER BY v || id LIMIT 10",
      ]);
      assert(results.every(({ error }) => error === undefined), JSON.stringify(results));
      await c.inStep(); // a leader that is still at it refuses what would wait behind it for more than a second
      const sorted = await c.x("query", ["SELECT id FROM big ORDER BY v || id LIMIT 300 OFFSET 50000"]);
      assertEquals(sorted.results[0].values?.length, 300);
    },
  },
  {
    name: "7 a statement that yields no rows ends at its limit, reads and writes",
    async run(c) {
      await c.x("execute", ["CREATE TABLE w(a)"]);
      const reads = Array.from({ length: 20 }, () => c.text("query?db_timeout=200ms", [ENDLESS]));
      for (const text of await Promise.all(reads)) assertEquals(text, '[{"error":"query timeout"}]');
      assertMatch(await c.text("query?db_timeout=2s", ["SELECT 1"]), /"values":\[\[1\]\]/);
      assertMatch(await c.text("query?level=strong&db_timeout=200ms", [ENDLESS]), /"error":"query timeout"/);
      // Beside virtual tables it runs on every replica, which end it by its steps.
      const read = await c.text("request?level=strong&db_timeout=200ms", [ENDLESS]);
      assertMatch(read, /"error":"(?:query timeout|statement exceeded its limit of 10000000 steps)/);
      const limit = /"error":"statement exceeded its limit of 5000000 steps/;
      for (const path of ["execute", "request", "execute?transaction"]) {
        const [before = path, flag = ""] = path.split("?");
        assertMatch(await c.text(`${before}?db_timeout=100ms&${flag}`, [`INSERT INTO w ${ENDLESS}`]), limit);
      }
      assertMatch(
        await c.text("execute?db_timeout=100ms", [`CREATE TABLE x AS ${ENDLESS}`, "INSERT INTO w VALUES(1)"]),
        limit,
      );
      assertEquals(await c.everywhere("SELECT count(*) FROM w"), [[1]]);
    },
  },
  {
    name: "8 a read that fails in any row undoes its transaction",
    async run(c) {
      await c.x("execute", [
        "CREATE TABLE log(m)",
        "CREATE TABLE d(id INTEGER PRIMARY KEY, v TEXT)",
        "INSERT INTO d(v) VALUES('{}'),('oops')",
      ]);
      for (const read of ["SELECT json(v) FROM d ORDER BY id", "WITH e AS (SELECT json(v) FROM d) SELECT * FROM e"]) {
        for (const path of ["request?transaction", "execute?transaction"]) {
          const text = await c.text(path, [
            "INSERT INTO log VALUES('before')",
            read,
            "INSERT INTO log VALUES('after')",
          ]);
          assertMatch(text, /"error":"malformed JSON"\}\]$/);
        }
      }
      assertEquals(await c.everywhere("SELECT m FROM log"), []);
    },
  },
  {
    name: "10 a table is rebuilt with foreign keys on, and its children stay",
    foreignKeys: true,
    async run(c) {
      const rebuild = [
        "CREATE TABLE p_new(id INTEGER PRIMARY KEY, n TEXT)",
        "INSERT INTO p_new(id) SELECT id FROM p",
        "DROP TABLE p",
        "ALTER TABLE p_new RENAME TO p",
      ];
      for (
        const [before, after] of [["PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON"], [
          "PRAGMA defer_foreign_keys=ON",
          "SELECT 1",
        ]]
      ) {
        for (const path of ["execute", "execute?transaction"]) {
          const action = before.includes("defer") ? "" : "ON DELETE CASCADE";
          await c.x("execute", [
            "DROP TABLE IF EXISTS c",
            "DROP TABLE IF EXISTS p",
            "CREATE TABLE p(id INTEGER PRIMARY KEY)",
            `CREATE TABLE c(id INTEGER PRIMARY KEY, pid INT REFERENCES p(id) ${action})`,
            "INSERT INTO p VALUES(1),(2)",
            "INSERT INTO c(pid) VALUES(1),(2)",
          ]);
          const text = await c.text(path, [before, ...rebuild, after]);
          assert(!text.includes("error"), text);
          assertEquals(await c.everywhere("SELECT count(*) FROM c"), [[2]]);
          // A request's own setting ends with the request.
          assertMatch(await c.text("execute", ["INSERT INTO c(pid) VALUES(9)"]), /FOREIGN KEY constraint failed/);
        }
      }
    },
  },
  {
    name: "11 text is whole, whatever it holds",
    async run(c) {
      await c.x("execute", ["CREATE TABLE k(k TEXT PRIMARY KEY)"]);
      await c.x("execute", [["INSERT INTO k VALUES(?)", "tenant\0one"], ["INSERT INTO k VALUES(?)", "tenant\0two"]]);
      const rows = [["tenant\0one"], ["tenant\0two"]];
      assertEquals(await c.everywhere("SELECT k FROM k"), rows);
      assertEquals((await c.x("query?level=strong", ["SELECT k FROM k"])).results[0].values, rows);
      const others =
        "SELECT char(97,0,98), json_extract('\"x\\u0000y\"','$'), CAST(x'610062' AS TEXT), (SELECT group_concat(k) FROM k)";
      assertEquals(await c.everywhere(others), [["a\0b", "x\0y", "a\0b", "tenant\0one,tenant\0two"]]);
    },
  },
  {
    name: "13 an empty line between two requests is passed over",
    async run(c) {
      const body = '["SELECT 1"]';
      const post =
        `POST /db/query HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const last = "GET /readyz?noleader HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n";
      assertEquals(await rawRequests(c.nodes[0], `${post}\r\n`, last), ["200", "200"]);
      assertEquals(await rawRequests(c.nodes[0], `\r\n${post}`, last), ["200", "200"]);
    },
  },
  {
    name: "14 local time is UTC, in reads and writes, whatever the time zone of the host",
    async run(c) {
      const local = "datetime('2024-07-01 12:00:00','localtime')";
      await c.x("execute", [
        "CREATE TABLE made(at, d DEFAULT (strftime('%H', '2024-07-01 12:00:00', 'localtime')))",
        `INSERT INTO made(at) VALUES(${local})`,
      ]);
      assertEquals(await c.everywhere(`SELECT at, d, ${local}, unixepoch('2024-07-01','utc') FROM made`), [[
        "2024-07-01 12:00:00",
        "12",
        "2024-07-01 12:00:00",
        1719792000,
      ]]);
      for (const level of ["weak", "strong"]) {
        assertMatch(await c.text(`query?level=${level}`, [`SELECT ${local}`]), /2024-07-01 12:00:00/);
      }
    },
  },
  {
    name: "15 VACUUM and auto_vacuum give space back",
    async run(c) {
      const fill =
        "INSERT INTO v SELECT randomblob(1000) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 500) SELECT x FROM c)";
      await c.x("execute", ["CREATE TABLE v(a)", fill, "DELETE FROM v WHERE rowid > 10"]);
      assertEquals(
        await c.text("execute", ["PRAGMA auto_vacuum = INCREMENTAL"]).then((text) => text.includes("error")),
        false,
      );
      assertEquals(await c.everywhere("SELECT auto_vacuum FROM pragma_auto_vacuum"), [[2]]);
      await c.x("execute", [fill, "DELETE FROM v WHERE rowid > 10", "PRAGMA incremental_vacuum(5)"]);
      const text = await c.text("execute", ["VACUUM"]);
      assert(!text.includes("error"), text);
      assertEquals(await c.everywhere("SELECT freelist_count FROM pragma_freelist_count"), [[0]]);
      assertMatch(await c.text("execute", ["VACUUM", "SELECT 1"]), /VACUUM must be the only statement/);
    },
  },
  {
    name: "16 plans go by what is stored, not by what a node has seen",
    async run(c) {
      await c.x("execute", [
        "CREATE TABLE b(id INTEGER PRIMARY KEY, p INT, q INT, v TEXT)",
        "CREATE INDEX bp ON b(p)",
        "CREATE INDEX bq ON b(q)",
        "INSERT INTO b(p,q,v) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 2000) SELECT x%1000, (2000-x)/10, 'v'||x FROM c",
        "CREATE TABLE picked(n INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)",
        "ANALYZE",
      ]);
      const pick = "INSERT INTO picked(v) SELECT v FROM b WHERE p BETWEEN 10 AND 20 AND q BETWEEN 5 AND 190";
      for (
        const change of [
          "DELETE FROM sqlite_stat1",
          "UPDATE sqlite_stat1 SET stat = '2000 1'",
          "DROP TABLE sqlite_stat1",
        ]
      ) {
        await c.x("execute", [change]);
        const last = c.nodes.length - 1;
        await c.nodes[last].stop("SIGKILL");
        await c.restart();
        await c.x("execute", [pick]);
        await c.everywhere("SELECT n, v FROM picked");
      }
      await c.x("execute?transaction", ["ANALYZE", "SELECT json('{')"]); // rolled back
      await c.x("execute", [pick]);
      await c.everywhere("SELECT n, v FROM picked");
    },
  },
  {
    name: "17 a word in the text of a read switches no limit off",
    async run(c) {
      for (const name of ["walk", "random_walk"]) {
        const sql =
          `WITH RECURSIVE ${name}(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM ${name}) SELECT x, x FROM ${name}`;
        assertMatch(await c.text("query?db_timeout=300ms", [sql]), /^\[\{"error":"query timeout"\}\]$/);
      }
      assertMatch(await c.text("query", ["SELECT randomblob(1000000000)"]), /string or blob too big/);
      assertMatch(
        await c.text("execute", ["CREATE TABLE blob(b)", "INSERT INTO blob VALUES(randomblob(1000000000))"]),
        /string or blob too big/,
      );
      const many = Array.from({ length: 6 }, () => "randomblob(60000000)").join();
      assertMatch(await c.text("query", [`SELECT ${many}`]), /exceeded its limit of 268435456 bytes/);
      assertMatch(
        await c.text("execute", [`CREATE TABLE m AS SELECT ${many}`]),
        /exceeded its limit of 268435456 bytes/,
      );
    },
  },
  {
    name: "20 a browser may send its token",
    async run(c) {
      const headers = { "Origin": "http://app.example", "Access-Control-Request-Method": "POST" };
      const response = await fetch(`${c.nodes[0].url}/db/execute`, { method: "OPTIONS", headers });
      await response.body?.cancel();
      assertEquals(response.headers.get("access-control-allow-headers"), "Content-Type, Authorization");
      assertEquals(response.headers.get("access-control-allow-credentials"), "true");
    },
  },
  {
    name: "25 to 37 values, names and texts that are right stay right",
    async run(c) {
      await c.x("execute", [
        "CREATE TABLE dates(b BOOLEAN, da DATE, dt DATETIME, ts TIMESTAMP)",
        "INSERT INTO dates VALUES(NULL,NULL,NULL,NULL)",
      ]);
      assertEquals(await c.everywhere("SELECT * FROM dates"), [[null, null, null, null]]);
      await c.x("execute", [
        "DELETE FROM dates",
        "INSERT INTO dates VALUES(2, 1706842979630, '2024-02-02 03:02:59.63', 'no date')",
      ]);
      assertEquals(await c.everywhere("SELECT * FROM dates"), [[
        true,
        "2024-02-02T03:02:59.63Z",
        "2024-02-02T03:02:59.63Z",
        "no date",
      ]]);
      const types = await c.text("query", [[
        "SELECT typeof(?), typeof(?), typeof(?), json_object('a',?)",
        1,
        1.5,
        1e300,
        5,
      ]]);
      assertMatch(types, /\["integer","real","real","\{\\"a\\":5\}"\]/);
      const fts = await c.x("execute", [
        "CREATE VIRTUAL TABLE ft USING fts5(a, b, tokenize='porter unicode61')",
        "INSERT INTO ft VALUES('running dogs','x')",
        "INSERT INTO ft(ft) VALUES('optimize')",
        "CREATE TABLE m(a); CREATE TABLE n(b); CREATE TRIGGER t AFTER INSERT ON m BEGIN INSERT INTO n VALUES(CASE WHEN new.a>0 THEN 1 ELSE 2 END); /* END; */ UPDATE n SET b=b+1; END; INSERT INTO m VALUES(8)",
      ]);
      assert(fts.results.every(({ error }) => error === undefined));
      assertEquals(await c.everywhere("SELECT highlight(ft,0,'[',']') FROM ft WHERE ft MATCH 'run' ORDER BY rank"), [[
        "[running] dogs",
      ]]);
      assertEquals(await c.everywhere("SELECT b FROM n"), [[2]]);
      assertMatch(await c.text("query?level=none&freshness=15m", ["SELECT 1"]), /\[\[1\]\]/);
      assertMatch(await c.text("query?associative", ["SELECT 1 AS a, 2 AS a, 3 AS b"]), /\{"a":2,"b":3\}/);
      assertMatch(await c.text("query", [["SELECT typeof(?), length(?)", [], []]]), /\["blob",0\]/);
      assertEquals(await c.text("query", ["-- nothing", ";;;"]), "[{},{}]");
    },
  },
  {
    name: "29 bodies, pipelining, chunks and 100-continue",
    async run(c) {
      const body = '["SELECT 1"]';
      const head = "POST /db/query HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n";
      const post = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
      const last = "GET /readyz?noleader HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n";
      assertEquals(
        await rawRequests(
          c.nodes[0],
          `${head}Content-Length: ${body.length + 3000}\r\n\r\n${body}${" ".repeat(3000)}`,
          post,
          last,
        ),
        ["200", "200", "200"],
      );
      assertEquals(await rawRequests(c.nodes[0], post.repeat(3), last), ["200", "200", "200", "200"]);
      const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n["SEL\r\n7\r\nECT 1"]\r\n0\r\nT: a\r\n\r\n`;
      assertEquals(await rawRequests(c.nodes[0], chunked, last), ["200", "200"]);
      const expecting = `${head}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`;
      assertEquals(await rawRequests(c.nodes[0], expecting, body, last), ["100", "200", "200"]);
    },
  },
  {
    name: "38 RETURNING with a violated foreign key",
    foreignKeys: true,
    async run(c) {
      await c.x("execute", [
        "CREATE TABLE parent(id INTEGER PRIMARY KEY)",
        "CREATE TABLE child(pid INT REFERENCES parent(id))",
        "INSERT INTO parent VALUES(1)",
      ]);
      const text = await c.text("execute", [
        "INSERT INTO child VALUES(9) RETURNING pid",
        "INSERT INTO child VALUES(1) RETURNING pid",
      ]);
      assertMatch(
        text,
        /^\[\{"error":"FOREIGN KEY constraint failed"\},\{"columns":\["pid"\],"types":\["int"\],"values":\[\[1\]\]\}\]$/,
      );
      assertEquals(await c.everywhere("SELECT pid FROM child"), [[1]]);
    },
  },
];
