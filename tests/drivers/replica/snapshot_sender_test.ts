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
