/** Copies of the database for users: nothing of what the cluster keeps in it is left in their bytes. */
import { assert, assertEquals } from "@std/assert";
import { copyForUsers } from "../../../src/drivers/backup/copy.ts";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";
import { bundledLibrary } from "../../../src/drivers/libsqlite/library.ts";
import { withDirectory } from "../../harness/directory.ts";

const SECRET = "pbkdf2-sha256-of-somebody";

Deno.test("a copy for users has no byte of the cluster's own tables, deleted rows of theirs included", () =>
  withDirectory((root) => {
    const library = { path: bundledLibrary(), extensions: [] };
    const path = `${root}/db.sqlite`;
    const database = new Database(path, { readOnly: false, foreignKeys: false, library });
    runOnce(database, "PRAGMA journal_mode = WAL");
    runOnce(database, "CREATE TABLE _muster(applied)");
    runOnce(database, "CREATE TABLE _muster_acl_users(name TEXT, password TEXT)");
    runOnce(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)");
    for (let id = 0; id < 200; id++) {
      runOnce(database, `INSERT INTO _muster_acl_users VALUES('user ${id}', '${SECRET}')`);
      runOnce(database, `INSERT INTO t VALUES(${id}, 'row ${id}')`);
    }
    // Pages that were freed are taken by others, with what is in their gaps.
    runOnce(database, "DELETE FROM _muster_acl_users WHERE name <> 'user 1'");
    runOnce(database, "INSERT INTO t SELECT id + 1000, 'r' FROM t");
    database.close();
    for (const format of ["wal", "delete"] as const) {
      const to = `${root}/${format}.sqlite`;
      assertEquals(copyForUsers(path, to, { library, format, isVacuumed: false }), false);
      const bytes = new TextDecoder("latin1").decode(Deno.readFileSync(to));
      assert(bytes.includes("row 199"));
      assert(!bytes.includes(SECRET) && !bytes.includes("user 1"), `${format} has it`);
      const copy = new Database(to, { readOnly: true, foreignKeys: false, library });
      assertEquals(runOnce(copy, "SELECT count(*) FROM t"), [[400n]]);
      assertEquals(runOnce(copy, "PRAGMA integrity_check"), [["ok"]]);
      copy.close();
    }
  }));
