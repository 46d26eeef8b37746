/** A database in doubt is checked and written anew, or left alone with a message (D14). */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { exists } from "../../../src/base/worker/files.ts";
import { Control, type FileKind } from "../../../src/drivers/libsqlite/control.ts";
import { SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import { DamagedDatabaseError, healTainted, markTainted, taints } from "../../../src/drivers/sqlite/taint.ts";

function withDatabase(work: (path: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    const path = `${directory}/db.sqlite`;
    const database = new DatabaseSync(path);
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES(zeroblob(100000)), ('kept')");
    database.exec("CREATE INDEX i ON t(v)");
    database.close();
    work(path);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("healTainted() leaves a database alone that is not in doubt", () =>
  withDatabase((path) => {
    const before = Deno.statSync(path).ino;
    assertEquals(healTainted(path), undefined);
    assertEquals(Deno.statSync(path).ino, before);
  }));

Deno.test("healTainted() writes a whole database into another file, what was in the WAL included, once", () =>
  withDatabase((path) => {
    // As a killed writer leaves it: the newest row only in the WAL.
    const writer = new DatabaseSync(path);
    writer.exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES('in the WAL')");
    for (const suffix of ["", "-wal"]) Deno.copyFileSync(path + suffix, `${path}.kept${suffix}`);
    writer.close();
    for (const suffix of ["", "-wal"]) Deno.renameSync(`${path}.kept${suffix}`, path + suffix);
    const before = Deno.statSync(path).ino;
    markTainted(path, "disk I/O error");
    assertEquals(healTainted(path), "disk I/O error");
    assert(Deno.statSync(path).ino !== before);
    const database = new DatabaseSync(path);
    assertEquals(database.prepare("SELECT count(*) AS n FROM t").get()?.n, 3);
    database.close();
    assertEquals(healTainted(path), undefined);
  }));

Deno.test("healTainted() stops at damage, every time, and keeps the file", () =>
  withDatabase((path) => {
    const bytes = Deno.readFileSync(path);
    bytes.fill(0xa5, 4096 + 8, 4096 + 64); // the first page of the table
    Deno.writeFileSync(path, bytes);
    markTainted(path, "disk I/O error");
    for (let start = 0; start < 2; start++) {
      const error = assertThrows(() => healTainted(path), DamagedDatabaseError);
      assertMatch(error.message, /db\.sqlite is damaged \(.+\): this node stops/);
    }
    assertEquals(Deno.readFileSync(path), bytes);
    assert(!exists(`${path}.rewritten`));
  }));

Deno.test("taints() tells an error of the disk from one of a statement", () => {
  const coded = (code: number, file: FileKind = "database") =>
    Object.assign(new SqliteError("x", code, new Control()), { io: { code, errno: 5, file } });
  for (const code of [10, 11, 10 | 5 << 8]) assert(taints(coded(code)), `${code}`);
  assert(!taints(coded(10 | 5 << 8, "temporary")));
  assert(!taints(coded(11 | 1 << 8))); // a full-text index that disagrees with what it indexes
  for (const error of [coded(19), coded(13), coded(1), new Error("x"), undefined]) assert(!taints(error));
});
