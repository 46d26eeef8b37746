/** Refusal of a node that claims the id of a known member, decided by probing that member's former address. */
import { assertEquals, assertRejects } from "@std/assert";
import type { Member } from "../../../src/core/raft/message.ts";
import type { Probed } from "../../../src/drivers/cluster/probed.ts";
import { refuseNamesake } from "../../../src/drivers/cluster/namesake.ts";
import { RemoteError } from "../../../src/drivers/transport/rpc.ts";

const KNOWN: Member = { id: "2", storageId: "disk", addr: "old:1", role: "voter" };
const HERE: Probed = { addr: "new:1", id: "2", storageId: "empty", process: "p2", state: "idle", why: "" };
const HOLDER: Probed = { addr: "old:1", id: "2", storageId: "disk", process: "p1", state: "member", why: "" };
const SILENT: Probed = { addr: "old:1", state: "silent", why: "no answer" };
const NOBODY: Probed = { addr: "old:1", state: "nobody", why: "connection refused" };

/** The nodes at the addresses where the member may be. */
interface Scene {
  readonly at: Readonly<Record<string, Probed>>;
  readonly found?: Probed;
  readonly isHeard?: boolean;
  readonly gossip?: string;
}

async function isRefused({ at, found = HERE, isHeard = false, gossip }: Scene): Promise<boolean> {
  try {
    await refuseNamesake({ known: KNOWN, storageId: found.storageId ?? "", found }, {
      addrOf: () => gossip,
      probe: (addrs) => Promise.resolve(addrs.map((addr) => at[addr] ?? { ...NOBODY, addr })),
      isHeard: () => isHeard,
    });
    return false;
  } catch (error) {
    if (error instanceof RemoteError) return true;
    throw error;
  }
}

Deno.test("refuseNamesake() refuses while the holder of an id answers where it was, or where gossip says it is", async () => {
  assertEquals(await isRefused({ at: { "old:1": HOLDER } }), true);
  assertEquals(await isRefused({ at: { "moved:1": { ...HOLDER, addr: "moved:1" } }, gossip: "moved:1" }), true);
  const { storageId: _, process: __, ...ofOldVersion } = HOLDER;
  assertEquals(await isRefused({ at: { "old:1": ofOldVersion } }), true);
  const copy = { ...HERE, storageId: "disk" };
  assertEquals(await isRefused({ at: { "old:1": HOLDER }, found: copy }), true);
});

Deno.test("refuseNamesake() refuses while a silent holder is heard, but not when its machine says that nobody is there", async () => {
  assertEquals(await isRefused({ at: { "old:1": SILENT }, isHeard: true }), true);
  assertEquals(await isRefused({ at: { "old:1": SILENT }, isHeard: false }), false);
  assertEquals(await isRefused({ at: { "old:1": NOBODY }, isHeard: true }), false);
});

Deno.test("refuseNamesake() lets a node pass that is the holder itself, or has taken its address", async () => {
  assertEquals(
    await isRefused({ at: { "old:1": HOLDER }, found: { ...HERE, storageId: "disk", process: "p1" } }),
    false,
  );
  assertEquals(await isRefused({ at: { "old:1": HOLDER }, found: { ...HERE, addr: "old:1" } }), false, "not asked");
  assertEquals(await isRefused({ at: { "old:1": { ...HOLDER, id: "7" } } }), false, "another node is there now");
  assertEquals(await isRefused({ at: { "old:1": { ...HOLDER, storageId: "third" } } }), false, "another newcomer");
});

Deno.test("refuseNamesake() tells what to do", async () => {
  const parts = { addrOf: () => undefined, probe: () => Promise.resolve([HOLDER]), isHeard: () => true };
  await assertRejects(
    () => refuseNamesake({ known: KNOWN, storageId: "empty", found: HERE }, parts),
    RemoteError,
    `node id "2" is taken: the node that has it is alive at old:1; give the node at new:1 another -node-id or, if it is ` +
      "to replace that one, stop that one first",
  );
});
