import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Database, runOnce, SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import { ExtensionError, SUFFIX } from "../../../src/drivers/libsqlite/extension.ts";
import { bundledLibrary } from "../../../src/drivers/libsqlite/library.ts";
import { findDamage } from "../../../src/drivers/sqlite/soundness.ts";
import { buildExtension, hasCompiler } from "../../harness/extension/build.ts";

function open(extensions: readonly string[], path = ":memory:"): Database {
  return new Database(path, {
    readOnly: false,
    foreignKeys: false,
    library: { path: bundledLibrary(), extensions },
  });
}

async function withDirectory(work: (directory: string) => Promise<void> | void): Promise<void> {
  if (!await hasCompiler()) return;
  const directory = await Deno.makeTempDir({ prefix: "muster-extension-" });
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a connection has what its extensions add, and SQL can still load none", () =>
  withDirectory(async (directory) => {
    const extensions = [
      await buildExtension(directory, "twice"),
      await buildExtension(directory, "libMore.1", ["NAME=more", "ENTRY=sqlite3_more_init"]), // derived from its name
    ];
    const database = open(extensions, `${directory}/db`);
    assertEquals(runOnce(database, "SELECT twice(21), more(4)"), [[42n, 8n]]);
    assertEquals(database.extensionModules, new Set(["hollow"]));
    const error = assertThrows(
      () => runOnce(database, `SELECT load_extension('${extensions[0]}')`),
      SqliteError,
    );
    assertStringIncludes(error.message, "not authorized");
    database.close();

    const without = open([]);
    assertThrows(() => runOnce(without, "SELECT twice(21)"), SqliteError, "no such function: twice");
    assertThrows(() => runOnce(without, `SELECT load_extension('${extensions[0]}')`), SqliteError, "not authorized");
    without.close();
  }));

Deno.test("an extension that cannot be loaded is named, with the reason", () =>
  withDirectory(async (directory) => {
    const text = `${directory}/text${SUFFIX}`;
    await Deno.writeTextFile(
      text,
      "not an extension, but longer than the header of one would be, so that this is read",
    );
    const noEntry = await buildExtension(directory, "noentry", ["ENTRY=something_else"]);
    const failing = await buildExtension(directory, "failing", ["FAILS"]);
    const good = await buildExtension(directory, "good");
    for (
      const [file, why] of [
        [text, `${text}: `],
        [`${directory}/absent${SUFFIX}`, "absent"],
        [noEntry, "sqlite3_noentry_init"],
        [failing, "no licence was found"],
      ]
    ) {
      const error = assertThrows(() => open([good, file]), ExtensionError);
      assertStringIncludes(error.message, `Cannot load the SQLite extension "${file}" (`);
      assertStringIncludes(error.message, why);
    }
  }));

Deno.test("a virtual table of an extension that finds fault with itself is no damage of the database", () =>
  withDirectory(async (directory) => {
    const database = open([await buildExtension(directory, "twice")], `${directory}/db`);
    runOnce(database, "CREATE VIRTUAL TABLE v USING hollow");
    assertEquals(runOnce(database, "PRAGMA quick_check"), [["nothing is in it"]]);
    assertEquals(findDamage(database), undefined);
    database.close();
  }));
