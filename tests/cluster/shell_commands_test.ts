/** The commands shell, sql and status against a node. */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { muster } from "../harness/agents.ts";
import { runWith } from "../harness/peers/process.ts";
import { musterCommand, nodePlace, withNodes } from "../harness/processes.ts";

Deno.test("shell runs statements of several lines and its own commands; sql prints in any format; status is one screen", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const api = `-http-addr=127.0.0.1:${node.place.httpPort}`;
    const shell = async (input: string) => {
      const { command, args } = musterCommand();
      return await runWith(command, [...args, "shell", api], input);
    };
    const first = await shell(`CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO t(name)
 VALUES('fiona'), ('x;y');
.mode csv
SELECT * FROM t;
.tables
.backup ${root}/copy.sqlite
.dump ${root}/copy.sql
.output ${root}/rows.csv
SELECT name FROM t WHERE id = 1;
.output
.restore ${root}/copy.sqlite
.consistency strong
.mode line
SELECT count(*) AS n FROM t`);
    assertEquals([first.code, first.errors.replace(/^.*Permissions in the config file.*\n/m, "")], [0, ""]);
    assertEquals(
      first.out,
      "2 rows affected\nid,name\n1,fiona\n2,x;y\nname\nt\nbackup file written successfully\n" +
        "SQL text file written successfully\nDatabase restored successfully.\nn = 2\n",
    );
    assertEquals(await Deno.readTextFile(`${root}/rows.csv`), "name\nfiona\n");
    assertMatch(await Deno.readTextFile(`${root}/copy.sql`), /INSERT INTO "?t"? VALUES\(1,'fiona'\)/);

    await Deno.writeTextFile(`${root}/wrong.sql`, "INSERT INTO nope VALUES(1);");
    const again = await shell(`.backup ${root}/copy.sqlite\n.restore ${root}/wrong.sql\n`);
    assertEquals(again.out, "");
    assertMatch(again.errors, /Error: .*copy\.sqlite exists: it is not overwritten\nError: no such table: nope/);

    const second = await shell("SELECT nope;\n.nope\n.mode nope\nSELECT 1;\n.quit\nSELECT 2;\n");
    assertEquals(second.code, 1);
    assertMatch(
      second.errors,
      /Error: no such column: nope\nError: unknown command \.nope: \.help .*\nError: expected one of/,
    );
    assert(second.out.includes("| 1 |") && !second.out.includes("| 2 |"));

    const sql = async (...args: string[]) => await muster(["sql", api, ...args]);
    assertEquals((await sql("SELECT id FROM t; SELECT NULL", "-format=csv", "-no-header")).stdout, "1\n2\n\n");
    assertEquals(JSON.parse((await sql("-format=json", "SELECT 9223372036854775807 AS big")).stdout), [
      { big: "9223372036854775807" },
    ]);
    const failed = await sql("INSERT INTO t VALUES(3, 'c'); SELECT nope");
    assertEquals([failed.code, failed.stderr.trim()], [1, "Error: no such column: nope"]);
    assertMatch((await sql("SELECT 1", "-format=nope")).stderr, /-format must be one of column, box/);
    const status = await muster(["status", api]);
    assertMatch(status.stdout, /Leader +1 at http.*\nVoters +1 of 1 reachable, none more may fail/);
    assertMatch(status.stdout, /│ 1 +│ leader │ yes/);
    assertMatch((await muster(["status", "-http-addr=127.0.0.1:1"])).stderr, /is an agent running there\?/);
  }));

Deno.test("shell imports CSV and SQLite files, follows a query, and writes what the nodes say of themselves", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    // At the first of the two addresses nobody listens.
    const api = `-http-addr=127.0.0.1:${nodePlace(root, "2").httpPort},127.0.0.1:${node.place.httpPort}`;
    const shell = async (input: string) => {
      const { command, args } = musterCommand();
      return await runWith(command, [...args, "shell", api], input);
    };
    await Deno.writeTextFile(`${root}/people.csv`, 'name,note\nfiona,"a ""b"", c"\nbob,"two\nlines"\n');
    await Deno.writeTextFile(`${root}/more.csv`, "carol,\n");
    await Deno.writeTextFile(`${root}/uneven.csv`, 'dan,"x\ny"\n\nerin\n');
    using other = new DatabaseSync(`${root}/other.sqlite`);
    other.exec(`CREATE TABLE "odd name"(id INTEGER PRIMARY KEY, big, part REAL, bytes BLOB, empty);
      INSERT INTO "odd name" VALUES(7, 9223372036854775807, 2.0, x'00ff', NULL), (8, -1, 1e300, x'', 'é');
      CREATE TABLE many(n INTEGER PRIMARY KEY);
      INSERT INTO many WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1200) SELECT n FROM r;
      CREATE TABLE bounds(part REAL); INSERT INTO bounds VALUES(9e999), (-9e999)`);
    const done = await shell(`.mode csv
.import ${root}/people.csv people
.import ${root}/more.csv people
SELECT name, replace(note, char(10), '/') AS note FROM people;
.import ${root}/other.sqlite
SELECT id, big, typeof(big) AS a, part, typeof(part) AS b, hex(bytes) AS c, empty FROM "odd name";
SELECT count(*) AS n, sum(n) AS total FROM many;
SELECT part = 9e999 AS high, part = -9e999 AS low, typeof(part) AS kind FROM bounds;
.watch 1 SELECT 1 AS one
.live SELECT max(n) AS most FROM many
.extensions
.reap
.sysdump ${root}/dump.txt
`);
    assertEquals(
      [done.code, done.out, done.errors.replace(/^.*Permissions in the config file.*\n/m, "")],
      [
        0,
        `2 rows were imported into people
1 rows were imported into people
name,note
fiona,"a ""b"", c"
bob,two/lines
carol,""
2 rows were imported into odd name
1200 rows were imported into many
2 rows were imported into bounds
id,big,a,part,b,c,empty
7,9223372036854775807,integer,2,real,00FF,
8,-1,integer,1e+300,real,"",é
n,total
1200,720600
high,low,kind
1,0,real
0,1,real
one
1
most
1200
snapshots reaped: 0, WALs checkpointed: 0
1 nodes were written to ${root}/dump.txt
`,
        "",
      ],
    );
    const dump = await Deno.readTextFile(`${root}/dump.txt`);
    for (const part of ["/status?pretty", "/nodes?pretty&nonvoters", "/readyz", "/debug/vars", "/metrics"]) {
      assert(dump.includes(`== node 1, http://127.0.0.1:${node.place.httpPort}${part}\n`), part);
    }
    const refused = await shell(`.import ${root}/uneven.csv people
.import ${root}/more.csv
.import ${root}/other.sqlite many
.import ${root}/other.sqlite nope
.live SELECT nope
.watch SELECT 1
.boot ${root}/people.csv
SELECT count(*) FROM many;`);
    assertEquals(refused.code, 1);
    assertMatch(
      refused.errors,
      new RegExp(
        "Error: line 4 has 1 values, the table 2 columns; nothing was imported\n" +
          "Error: expected the name of a table for the rows of a CSV file\n" +
          "Error: rows 1 to 500 were refused, nothing was imported: UNIQUE constraint failed: many.n\n" +
          "Error: there is no such table in it; it has odd name, many, bounds\n" +
          "Error: .*no such column: nope\n" +
          "Error: expected seconds, 0.1 or more, and a query\n" +
          "Error: .*\n$",
      ),
    );
    assert(refused.out.includes("1200"));
  }));

Deno.test("shell imports a CSV file that was put right into a table that is as new as at the first try", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const { command, args } = musterCommand();
    const shell = (input: string) =>
      runWith(command, [...args, "shell", `-http-addr=127.0.0.1:${node.place.httpPort}`], input);
    const write = (text: string) => Deno.writeTextFile(`${root}/new.csv`, text);
    const rows = Array.from({ length: 501 }, (_, at) => `${at},x\n`).join("");
    const faults: readonly (readonly [text: string, why: string])[] = [
      ["id,name\n1,fiona\n2\n", "line 3 has 1 values, the table 2 columns; nothing was imported"],
      ['id,name\n1,"a\nb"\n\n2,c"d"\n', 'line 5 begins a row that is no CSV: bare " in non-quoted-field'],
      ["id,id\n1,fiona\n", "lines 2 to 2 were refused, nothing was imported: duplicate column name: id"],
      ["id,id\n", "new was refused, nothing was imported: duplicate column name: id"],
    ];
    for (const [text, why] of faults) {
      await write(text);
      const failed = await shell(`.import ${root}/new.csv new\n.tables new`);
      assert(failed.errors.includes(`Error: ${why}\n`), failed.errors);
      assertEquals(failed.out.includes("new"), false, text);
    }
    await Deno.writeFile(
      `${root}/new.csv`,
      new Uint8Array([...new TextEncoder().encode("id,name\n1,"), 0xe9, 0xff, 0x0a]),
    );
    const latin = await shell(`.import ${root}/new.csv new\n.read ${root}/new.csv\n.import /dev/zero new\n.tables new`);
    assertMatch(
      latin.errors,
      /Error: line 2 is not text in UTF-8\nError: line 2 is not text in UTF-8\nError: .* is not an ordinary file/,
    );
    assertEquals(latin.out.includes("new"), false);
    await write("id,name\n1,fiona\n2,bob\n");
    const done = await shell(`.import ${root}/new.csv new\n.mode csv\nSELECT * FROM new;`);
    assertEquals(done.out, "2 rows were imported into new\nid,name\n1,fiona\n2,bob\n");
    await write(`id,name\n${rows}9\n`);
    const half = await shell(`.import ${root}/new.csv half\n.mode csv\nSELECT count(*) FROM half;`);
    assert(
      half.errors.includes("line 503 has 1 values, the table 2 columns; the 500 rows before are there"),
      half.errors,
    );
    assertEquals(half.out, "count(*)\n500\n");
    await write("id,name\n");
    const empty = await shell(`.import ${root}/new.csv empty\n.mode csv\nSELECT name FROM pragma_table_info('empty');`);
    assertEquals(empty.out, "0 rows were imported into empty\nname\nid\nname\n");
  }));
