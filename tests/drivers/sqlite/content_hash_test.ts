/** The hash of a database's content: equal for equal content, whatever its pages look like, and different for any change. */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { contentHash } from "../../../src/drivers/sqlite/content_hash.ts";
import { Database, STORED_BYTES_MAX, VALUE_BYTES_MAX } from "../../../src/drivers/libsqlite/driver.ts";
import { copyDatabase } from "../../../src/drivers/snapshot/transfer.ts";
import { snapshotPaths } from "../../../src/drivers/sqlite/snapshot_file.ts";
import { Bench } from "./fixture.ts";

const SCHEMA = `
  CREATE TABLE a (id INTEGER PRIMARY KEY, v);
  CREATE TABLE "odd ""name" (rowid TEXT, _rowid_ TEXT, v);
  CREATE TABLE keyed (x TEXT, y INTEGER, v, PRIMARY KEY (y, x)) WITHOUT ROWID;
  CREATE VIRTUAL TABLE words USING fts5(text);
  CREATE INDEX by_v ON a(v);
`;
const ROWS = [
  "INSERT INTO a VALUES(1, 1), (2, 1.0), (3, '1'), (4, x'31'), (5, NULL), (9223372036854775807, 'last')",
  `INSERT INTO "odd ""name" VALUES('p', 'q', 1), ('r', 's', 2)`,
  "INSERT INTO keyed VALUES('x', 2, 1), ('y', 1, 2)",
  "INSERT INTO words VALUES('one two'), ('three')",
];

function hashOf(directory: string, ...sql: string[]): string {
  const path = Deno.makeTempFileSync({ dir: directory, suffix: ".sqlite" });
  const writer = new DatabaseSync(path);
  for (const text of [SCHEMA, ...sql]) writer.exec(text);
  writer.close();
  const database = new Database(path, { readOnly: true, foreignKeys: false });
  try {
    return contentHash(database);
  } finally {
    database.close();
  }
}

Deno.test("contentHash() tells content, types and schema, and nothing else", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const whole = hashOf(directory, ...ROWS);
    assertEquals(hashOf(directory, ...ROWS), whole);
    assertEquals(hashOf(directory, "INSERT INTO a VALUES(7, 'gone')", "DELETE FROM a", ...ROWS), whole);
    for (
      const change of [
        "UPDATE a SET v = 1.0 WHERE id = 1",
        "UPDATE a SET v = 1 WHERE id = 2",
        "UPDATE a SET v = x'31' WHERE id = 3",
        "UPDATE a SET v = '' WHERE id = 5",
        "UPDATE a SET id = 6 WHERE id = 5",
        "UPDATE keyed SET x = 'z' WHERE x = 'y'",
        `DELETE FROM "odd ""name" WHERE v = 2`,
        "UPDATE words SET text = 'four' WHERE rowid = 2",
        "DROP INDEX by_v",
        "ALTER TABLE a RENAME COLUMN v TO w",
      ]
    ) assertNotEquals(hashOf(directory, ...ROWS, change), whole, change);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a value that an earlier version has stored is compared and copied, and refused to statements", () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/db.sqlite`;
  try {
    {
      using bench = new Bench(path);
      bench.run(["CREATE TABLE t(v)"]);
    }
    const earlier = new Database(path, { readOnly: false, foreignKeys: false, valueBytesMax: STORED_BYTES_MAX });
    earlier.prepare("INSERT INTO t VALUES(zeroblob(?))").run([BigInt(VALUE_BYTES_MAX) + 1n]);
    assertEquals(contentHash(earlier).length, 64);
    earlier.close();
    assertEquals(copyDatabase(snapshotPaths(path)).bytes > VALUE_BYTES_MAX, true);
    const today = new Database(path, { readOnly: true, foreignKeys: false });
    assertThrows(() => today.prepare("SELECT v FROM t").all(), Error, "string or blob too big");
    today.close();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
