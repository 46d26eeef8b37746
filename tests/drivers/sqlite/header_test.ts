/** Damage to the head of a database file is damage, in whatever words SQLite says so; what SQLite reads as it is, is none. */
import { assertEquals, assertThrows } from "@std/assert";
import { DamagedDatabaseError, openUndamaged } from "../../../src/drivers/sqlite/taint.ts";
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

Deno.test("a database whose header is damaged, or which is cut short, is damaged", () =>
  withDatabase((path, open) => {
    const whole = Deno.readFileSync(path);
    for (const at of [0, 16, 18, 21, 100, 103]) {
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
