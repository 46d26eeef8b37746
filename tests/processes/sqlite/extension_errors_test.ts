/** Errors of an extension's functions are those of the statement, whatever code they have, and alike on every replica. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { Outcome } from "../../../src/core/sql/exchange.ts";
import { wholeText } from "../../../src/core/sql/result_text.ts";
import { bundledLibrary } from "../../../src/drivers/libsqlite/library.ts";
import { SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import { openReader } from "../../../src/drivers/sqlite/reader.ts";
import { openStateMachine, type StateMachine } from "../../../src/drivers/sqlite/state_machine.ts";
import { entry, PLAIN, read, type Sql } from "../../drivers/sqlite/fixture.ts";
import { buildExtension, hasCompiler } from "../../harness/extension/build.ts";

/** Every primary code of an error, and some extended ones. */
const CODES = [...Array.from({ length: 28 }, (_, at) => at + 1), 11 | 3 << 8, 10 | 1 << 8, 10 | 2 << 8, 5 | 2 << 8];

interface Replica {
  readonly machine: StateMachine;
  run(statements: readonly Sql[], kind?: "execute" | "query"): string;
  close(): void;
}

function openReplica(path: string, extension: string): Replica {
  let last: Outcome | undefined;
  const machine = openStateMachine(path, {
    foreignKeys: false,
    library: { path: bundledLibrary(), extensions: [extension] },
    deliver: (_, outcomes) => last = outcomes.at(-1),
  });
  return {
    machine,
    run(statements, kind = "execute") {
      const index = machine.applied + 1;
      const options = { ...PLAIN, errors: "both" as const };
      machine.apply([{ ...entry(index, statements, { kind }), waiter: { port: 1, ref: index, options } }]);
      return last ? wholeText(last.results) : "";
    },
    close: () => machine.close(),
  };
}

async function withReplicas(work: (replicas: Replica[], path: string, extension: string) => void): Promise<void> {
  if (!await hasCompiler()) return;
  const directory = await Deno.makeTempDir({ prefix: "muster-extension-" });
  const extension = await buildExtension(directory, "twice");
  const paths = ["a", "b"].map((name) => `${directory}/${name}.sqlite`);
  const replicas = paths.map((path) => openReplica(path, extension));
  try {
    work(replicas, paths[0], extension);
  } finally {
    for (const replica of replicas) replica.close();
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a write that an extension lets fail with any code of SQLite is undone, and nothing else is", () =>
  withReplicas((replicas) => {
    for (const { run } of replicas) run(["CREATE TABLE t(a UNIQUE)", "INSERT INTO t VALUES(1)"]);
    for (const code of CODES) {
      const statements = [
        `INSERT INTO t VALUES(${code * 10})`,
        `INSERT INTO t SELECT ${code * 10 + 1} UNION ALL SELECT fails(${code})`,
        `UPDATE t SET a = coalesce(fails(${code}), a + 0.5)`,
        "DELETE FROM t WHERE a > 1",
      ];
      const texts = replicas.map(({ run }) => run(statements));
      assertEquals(texts[0], texts[1], `${code}`);
      const results = JSON.parse(texts[0]);
      assertEquals(
        results.map(({ error }: { error?: string }) => error !== undefined),
        [false, true, true, false],
        texts[0],
      );
      assertEquals(results[1].error_v2.sqlite.code, code & 0xff, texts[0]);
      assertEquals(results[3].rows_affected, 1, texts[0]);
    }
    assertEquals(
      replicas.map(({ run }) => run(["SELECT a FROM t"], "query")),
      Array(2).fill(`[{"columns":["a"],"types":["integer"],"values":[[1]]}]`),
    );
    assertEquals(replicas[0].machine.digest.value, replicas[1].machine.digest.value);
  }));

Deno.test("a function that reports SQLITE_ROW as its error holds a write up to the limit of steps, and a read for a moment", () =>
  withReplicas(([replica], path, extension) => {
    const statements = ["CREATE TABLE t(a)", "INSERT INTO t VALUES(fails(100))", "INSERT INTO t VALUES(1)"];
    let texts = "";
    const machine = openStateMachine(`${path}-2`, {
      foreignKeys: false,
      library: { path: bundledLibrary(), extensions: [extension] },
      deliver: (_, outcomes) => texts = outcomes.map(({ results }) => wholeText(results)).join(),
    });
    machine.apply([{ ...entry(1, statements, { maxSteps: 1_000_000 }), waiter: { port: 1, ref: 1, options: PLAIN } }]);
    machine.close();
    assertMatch(texts, /^\[\{\},\{"error":"statement exceeded its limit of 1000000 steps/);
    replica.run(["CREATE TABLE t(a)"]);
    const reader = openReader(path, {
      foreignKeys: false,
      library: { path: bundledLibrary(), extensions: [extension] },
    });
    assertMatch(wholeText(reader.read(read(["SELECT fails(100)"])).results), /^\[\{"error":"/);
    reader.close();
  }));

Deno.test("a read that an extension lets fail fails, beside others that succeed", () =>
  withReplicas(([replica], path, extension) => {
    replica.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"]);
    const library = { path: bundledLibrary(), extensions: [extension] };
    const reader = openReader(path, { foreignKeys: false, library });
    for (const code of CODES) {
      const { results } = reader.read(read([`SELECT fails(${code})`, "SELECT a FROM t"]));
      assertMatch(
        wholeText(results),
        /^\[\{"error":"[^"]+"\},\{"columns":\["a"\],.*"values":\[\[1\]\]\}\]$/,
        `${code}`,
      );
    }
    reader.close();
  }));

Deno.test("a strong read that an extension lets fail changes nothing for the replicas on which nobody waits for it", () =>
  withReplicas(([asked, other]) => {
    const statements = ["SELECT fails(11)", "INSERT INTO t VALUES(fails(11))", "INSERT INTO t VALUES(2)"];
    for (const { run } of [asked, other]) run(["CREATE TABLE t(a)"]);
    assertMatch(
      asked.run(statements),
      /^\[\{"error":"database.*\},\{"error":"database.*\},\{"last_insert_id":1,"rows_aff/,
    );
    assertMatch(asked.run(["SELECT fails(11)", "SELECT a FROM t"], "query"), /^\[\{"error":.*"values":\[\[2\]\]\}\]$/);
    other.machine.apply([entry(2, statements), entry(3, ["SELECT fails(11)", "SELECT a FROM t"], { kind: "query" })]);
    assertEquals(asked.machine.digest.value, other.machine.digest.value);
    assertEquals(other.run(["SELECT a FROM t"], "query"), asked.run(["SELECT a FROM t"], "query"));
  }));

Deno.test("damage of the database is still damage where extensions are loaded", () =>
  withReplicas(([replica], path, extension) => {
    replica.run(["CREATE TABLE t(a)", "INSERT INTO t VALUES(zeroblob(100000))"]);
    replica.machine.checkpoint("TRUNCATE");
    const file = Deno.openSync(path, { write: true });
    file.seekSync(8192, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(4096).fill(0xa5));
    file.close();
    const reader = openReader(path, {
      foreignKeys: false,
      library: { path: bundledLibrary(), extensions: [extension] },
    });
    assertThrows(() => reader.read(read(["SELECT length(hex(a)) FROM t"])), SqliteError, "malformed");
    reader.close();
  }));
