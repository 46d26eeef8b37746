/**
 * A write that landed in a wrong place of the log, where it is whole and right in itself: only its checksum tells that it
 * is not what was written there (D9).
 */
import { assertEquals, assertThrows } from "@std/assert";
import type { Entry } from "../../../src/core/raft/message.ts";
import { BATCH_HEADER_BYTES, decodeBatchHeader, decodeSegmentHeader } from "../../../src/drivers/log/format.ts";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import { LogDamageError } from "../../../src/drivers/log/recovery.ts";
import { LogStore } from "../../../src/drivers/log/store.ts";

const OPTIONS = { identity: { nodeId: "1", storageId: "s1" }, applied: 0, segmentBytes: 64 * 1024, cacheBytes: 0 };

function entry(index: number, term: number): Entry {
  return { index, term, kind: "command", body: new TextEncoder().encode(`entry ${index} of ${term}`) };
}

/** Offsets of all batches of a segment. */
function offsets(bytes: Uint8Array): number[] {
  const found: number[] = [];
  let at = decodeSegmentHeader(bytes)?.length ?? 0;
  for (;;) {
    const header = decodeBatchHeader(bytes.subarray(at));
    if (!header) return found;
    found.push(at);
    at += BATCH_HEADER_BYTES + header.bodyLength;
  }
}

Deno.test("LogStore does not read a superseded batch in the place of the one that replaced it", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-log-" });
  try {
    const persisted: (() => void)[] = [];
    const store = LogStore.open(new FileDisk(directory), OPTIONS, {
      onPersisted: () => persisted.shift()?.(),
      onSpace: () => {},
      onInstall: () => undefined,
      onFatal: (error) => {
        throw error;
      },
      log: () => {},
    });
    let ticket = 0;
    const write = (append: readonly Entry[], truncateFrom?: number) =>
      new Promise<void>((resolve) => {
        persisted.push(resolve);
        const hard = { term: append[0].term, vote: null };
        store.persist({
          ticket: ++ticket,
          hard,
          append,
          commit: 0,
          ...(truncateFrom !== undefined && { truncateFrom }),
        });
      });
    await write([entry(1, 1)]);
    await write([entry(2, 1)]);
    await write([entry(2, 2)], 2);
    await write([entry(3, 2)]);
    assertEquals(store.read(2, 2, Infinity), [entry(2, 2)]);

    const path = `${directory}/${
      [...Deno.readDirSync(directory)].map(({ name }) => name).find((name) => name.endsWith(".log"))
    }`;
    const bytes = Deno.readFileSync(path);
    const [, superseded, replacement] = offsets(bytes);
    bytes.copyWithin(replacement, superseded, replacement);
    Deno.writeFileSync(path, bytes);

    assertThrows(() => store.read(2, 2, Infinity), LogDamageError, "cannot be read");
    assertEquals(store.read(1, 1, Infinity), [entry(1, 1)]);
    await store.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
