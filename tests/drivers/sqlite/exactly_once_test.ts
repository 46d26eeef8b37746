/**
 * An entry takes effect once, whenever the process dies (A1): the database's files are copied at the moment
 * of each COMMIT, as a crash would leave them, and a state machine goes on from the copy (seeded bug 16).
 */
import { assertEquals } from "@std/assert";
import { openStateMachine } from "../../../src/drivers/sqlite/state_machine.ts";
import { Bench, entry } from "./fixture.ts";

const SCRIPT = [
  entry(1, ["CREATE TABLE counter(n)", "INSERT INTO counter VALUES(0)"]),
  ...[2, 3, 4, 5].map((index) => entry(index, ["UPDATE counter SET n = n + 1"])),
];

/** The files of a database as a crash would leave them now. */
function copyFiles(directory: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name } of Deno.readDirSync(directory)) {
    // The index of the WAL is rebuilt after a crash.
    if (!name.endsWith("-shm")) Deno.copyFileSync(`${directory}/${name}`, `${to}/${name}`);
  }
}

Deno.test("StateMachine applies each entry once when it goes on from the files of any COMMIT", () => {
  const root = Deno.makeTempDirSync({ prefix: "muster-once-" });
  const copies: string[] = [];
  try {
    Deno.mkdirSync(`${root}/live`);
    const machine = openStateMachine(`${root}/live/db.sqlite`, {
      foreignKeys: false,
      deliver: () => {},
      onApplied: (index) => {
        copies.push(`${root}/${index}`);
        copyFiles(`${root}/live`, `${root}/${index}`);
      },
    });
    // Entry by entry, then two in one transaction.
    for (const batch of [SCRIPT.slice(0, 1), SCRIPT.slice(1, 2), SCRIPT.slice(2, 3), SCRIPT.slice(3)]) {
      machine.apply(batch);
    }
    machine.close();
    assertEquals(copies.length, 4);
    for (const copy of copies) {
      using bench = new Bench(`${copy}/db.sqlite`);
      bench.machine.apply(SCRIPT);
      assertEquals(bench.rows("SELECT n FROM counter"), [[4]], copy);
    }
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});
