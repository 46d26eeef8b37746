/** Damage to the head of a database file is damage, in whatever words SQLite says so; what SQLite reads as it is, is none. */
import { assertEquals, assertThrows } from "@std/assert";
import { DamagedDatabaseError, openUndamaged } from "../../../src/drivers/sqlite/taint.ts";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";
import { openStateMachine } from "../../../src/drivers/sqlite/state_machine.ts";

async function withDatabase(work: (path: string, open: () => void) => void): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-header-" });
  const path = `${directory}/db.sqlite`;
  const open = () => openStateMachine(path, { foreignKeys: false, deliver: () => {} }).close();
  try {
    openUndamaged(path, open);
    work(path, () => openUndamaged(path, open));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Turns a bit of the byte at an offset. */
function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at] ^= 4;
  Deno.writeFileSync(path, bytes);
}

/** Bytes that may have any value: counters, what a client has set, and what is only a hint. */
const ARBITRARY = [[40, 44], [48, 52], [60, 64], [68, 72], [96, 100]];

function isArbitrary(byte: number): boolean {
  return ARBITRARY.some(([from, to]) => byte >= from && byte < to);
}

for (const mode of ["NONE", "FULL", "INCREMENTAL"]) {
  Deno.test(`a flipped bit of the header is damage, or changes nothing (auto_vacuum ${mode})`, () =>
    withDatabase((path, open) => {
      const database = new Database(path, { readOnly: false, foreignKeys: false });
      runOnce(database, `PRAGMA auto_vacuum = ${mode}`);
      runOnce(database, "VACUUM");
      runOnce(database, "CREATE TABLE t(a UNIQUE)"); // a largest root of 5: a flip does not make it 0, which turns the mode off
      runOnce(database, "CREATE TABLE dropped(a)");
      runOnce(database, "INSERT INTO dropped VALUES(zeroblob(50000))");
      runOnce(database, "DROP TABLE dropped");
      database.close();
      open();
      const whole = Deno.readFileSync(path);
      for (let at = 0; at < 100; at++) {
        flip(path, at);
        if (isArbitrary(at)) open();
        else assertThrows(open, DamagedDatabaseError, "db.sqlite is damaged", `byte ${at}`);
        Deno.writeFileSync(path, whole);
      }
      open();
    }));
}

Deno.test("a database that is damaged behind its header, or cut short, is damaged", () =>
  withDatabase((path, open) => {
    const whole = Deno.readFileSync(path);
    for (const at of [100, 103]) {
      flip(path, at);
      assertThrows(open, DamagedDatabaseError, "db.sqlite is damaged", `byte ${at}`);
      Deno.writeFileSync(path, whole);
    }
    for (const length of [50, 1000]) {
      Deno.writeFileSync(path, whole.subarray(0, length));
      assertThrows(open, DamagedDatabaseError, "is damaged", `${length} bytes`);
      Deno.writeFileSync(path, whole);
    }
    open();
  }));

Deno.test("a file that was made and never written to is a new database", () =>
  withDatabase((path, open) => {
    Deno.writeFileSync(path, new Uint8Array(0));
    open();
    assertEquals(Deno.statSync(path).size > 0, true);
  }));
