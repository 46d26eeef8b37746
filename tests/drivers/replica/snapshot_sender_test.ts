/** While a copy of the database is under way, the log must go on where it ends (S6, seeded bug 22). */
import { assertEquals } from "@std/assert";
import { EMPTY_CONFIG } from "../../../src/core/raft/configuration.ts";
import { type SenderParts, SnapshotSender } from "../../../src/drivers/replica/snapshot_sender.ts";

Deno.test("SnapshotSender pins the log from the first moment until the peer follows it again", async () => {
  const seen: Record<string, number> = {};
  let match = 0;
  const parts = {
    snapshots: {
      copy: () => {
        seen.copying = sender.pinned;
        return Promise.resolve({ id: "copy", applied: 7, term: 1, bytes: 0 });
      },
      read: () => Promise.resolve(new Uint8Array(0)),
    },
    rpc: {
      call: () => {
        seen.sending = sender.pinned;
        return Promise.resolve({ head: { needed: true, offset: 0 }, body: new Uint8Array(0) });
      },
    },
    addrOf: () => "127.0.0.1:1",
    base: () => 3,
    configAt: () => EMPTY_CONFIG,
    matchOf: () => match,
    onSent: () => {
      seen.sent = sender.pinned;
      match = 7;
    },
    log: () => {},
  };
  // The other fields of its surroundings serve larger copies.
  const sender: SnapshotSender = new SnapshotSender(parts as unknown as SenderParts);
  assertEquals(sender.pinned, Infinity);
  await sender.send("b");
  assertEquals(seen, { copying: 3, sending: 7, sent: 7 });
  assertEquals(sender.pinned, Infinity);
  sender.close();
});

for (
  const [compress, codings, expected] of [
    [true, ["zstd"], { asked: true, heads: [{ id: "copy", offset: 0, coding: "zstd" }, { id: "copy", offset: 6 }] }],
    [true, undefined, { asked: false, heads: [{ id: "copy", offset: 0 }, { id: "copy", offset: 6 }] }],
    [true, ["other"], { asked: false, heads: [{ id: "copy", offset: 0 }, { id: "copy", offset: 6 }] }],
    [false, ["zstd"], { asked: false, heads: [{ id: "copy", offset: 0 }, { id: "copy", offset: 6 }] }],
  ] as const
) {
  Deno.test(`SnapshotSender with compression ${compress ? "on" : "off"} sends a node that takes ${codings} what it takes`, async () => {
    let asked = false;
    const heads: unknown[] = [];
    const parts = {
      compress,
      snapshots: {
        copy: () => Promise.resolve({ id: "copy", applied: 7, term: 1, bytes: 10 }),
        read: (offset: number, _length: number, isAsked: boolean) => {
          asked = isAsked;
          const isCompressed = isAsked && offset === 0; // the second piece does not get shorter
          return Promise.resolve({ chunk: new Uint8Array(2), bytes: offset === 0 ? 6 : 4, isCompressed });
        },
      },
      rpc: {
        call: (_addr: string, method: string, head: unknown) => {
          if (method === "snapshotPiece") heads.push(head);
          return Promise.resolve({ head: { needed: true, offset: 0, codings }, body: new Uint8Array(0) });
        },
      },
      addrOf: () => "127.0.0.1:1",
      base: () => 3,
      configAt: () => EMPTY_CONFIG,
      matchOf: () => 7,
      onSent: () => {},
      log: () => {},
    };
    const sender = new SnapshotSender(parts as unknown as SenderParts);
    await sender.send("b");
    sender.close();
    assertEquals({ asked, heads }, { ...expected, heads: [...expected.heads] });
  });
}
