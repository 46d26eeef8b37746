/** What the log must never be told to write stops the node before it reaches the disk. */
import { assertEquals, assertThrows } from "@std/assert";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import type { LogWrite } from "../../../src/drivers/log/log_write.ts";
import { LogStore } from "../../../src/drivers/log/store.ts";
import { InvariantError } from "../../../src/invariant.ts";

const WRITE: LogWrite & { ticket: number } = { ticket: 2, append: [], commit: 2 };

/** Entries from `from` to `to`. */
function entries(from: number, to: number): LogWrite["append"] {
  return Array.from({ length: to - from + 1 }, (_, at) => ({
    index: from + at,
    term: 1,
    kind: "command" as const,
    body: new Uint8Array(3),
  }));
}

/** A log of three entries, of which two are committed, that is told to write something else. */
async function written(further: LogWrite & { ticket: number }): Promise<LogStore> {
  const directory = await Deno.makeTempDir({ prefix: "muster-invariants-" });
  const persisted = Promise.withResolvers<void>();
  const store = LogStore.open(new FileDisk(directory), {
    identity: { nodeId: "1", storageId: "s1" },
    applied: 0,
    segmentBytes: 64 * 1024,
  }, {
    onPersisted: () => persisted.resolve(),
    onSpace() {},
    onInstall: () => undefined,
    onFatal: persisted.reject,
    log() {},
  });
  try {
    store.persist({ ticket: 1, hard: { term: 1, vote: null }, append: entries(1, 3), commit: 2 });
    await persisted.promise;
    store.persist(further);
    return store;
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

for (
  const [what, write, message] of [
    ["a ticket behind a newer one", { ...WRITE, ticket: 0 }, "write 0 does not come before write 1"],
    ["a commit index that goes back", { ...WRITE, commit: 1 }, "the commit index does not go back from 2 to 1"],
    ["a committed entry replaced", { ...WRITE, truncateFrom: 2 }, "committed entry 2 is not replaced"],
    ["a gap", { ...WRITE, append: entries(5, 6) }, "entry 5 takes the place of entry 4"],
    ["an entry that is there already", { ...WRITE, append: entries(3, 4) }, "entry 3 takes the place of entry 4"],
    [
      "a gap behind what is cut off",
      { ...WRITE, truncateFrom: 3, append: entries(4, 4) },
      "entry 4 takes the place of entry 3",
    ],
  ] as const
) {
  Deno.test(`LogStore.persist() refuses ${what}`, async () => {
    let thrown: unknown;
    await written(write).catch((error) => thrown = error);
    assertThrows(
      () => {
        if (thrown) throw thrown;
      },
      InvariantError,
      message,
    );
  });
}

Deno.test("LogStore.persist() takes what continues the log, and what replaces its uncommitted end", async () => {
  assertEquals((await written({ ...WRITE, append: entries(4, 5) })).read(3, 5, Infinity).length, 3);
  assertEquals((await written({ ...WRITE, truncateFrom: 3, append: entries(3, 4) })).read(1, 4, Infinity).length, 4);
});
