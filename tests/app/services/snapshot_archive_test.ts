/** The file of a snapshot: what it holds comes out of it, and of a file that is none it is said what is wrong. */
import { assertEquals, assertRejects } from "@std/assert";
import { openSnapshot, packSnapshot, SnapshotFileError } from "../../../src/app/services/snapshot_archive.ts";

Deno.test("openSnapshot() has what packSnapshot() was given, and says of another file that it is not a snapshot", async () => {
  const lines = new TextEncoder().encode('{"snapshot":1}\n');
  const packed = await packSnapshot({ lines, index: 7 });
  assertEquals((await openSnapshot(packed)).state, lines);
  for (const bytes of ["", "null", "SQLite format 3\0 and so on"]) {
    const opening = () => openSnapshot(new TextEncoder().encode(bytes));
    await assertRejects(opening, SnapshotFileError, "failed to read snapshot file: it is not a snapshot");
  }
  // Where it is cut, other bytes than its size say how large it is unpacked, by chance too large.
  for (let missing = 1; missing < packed.length - 2; missing++) {
    await assertRejects(() => openSnapshot(packed.slice(0, -missing)), SnapshotFileError, "it is cut short, or");
  }
});
