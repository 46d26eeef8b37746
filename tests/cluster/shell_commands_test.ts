/** The commands shell, sql and status against a node. */
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
    assertEquals((await sql("SELECT id FROM t; SELECT NULL", "-format=csv", "-no-header")).stdout, "1\n2\nNULL\n");
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
