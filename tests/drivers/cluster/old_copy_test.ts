/**
 * A node whose directory is an older copy of itself: the leader's word ends it, for the reason that its exit code tells,
 * and it says nothing more (B3).
 */
import { assert, assertEquals } from "@std/assert";
import type { OutgoingMessage } from "../../../src/core/raft/message.ts";
import { createCore, DEFAULT_OPTIONS } from "../../../src/core/raft/raft.ts";
import { isDamage } from "../../../src/drivers/replica/damage.ts";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import { LogStore } from "../../../src/drivers/log/store.ts";
import { Replica } from "../../../src/drivers/replica/replica.ts";
import { NODE_STATE_BYTES, NodeState } from "../../../src/base/shared/node_state.ts";

const NOTHING = { index: 0, term: 0 };

Deno.test("Replica ends with damage, and sends nothing, when its leader remembers more than the log holds", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-old-copy-" });
  const { port1, port2 } = new MessageChannel();
  const log = LogStore.open(new FileDisk(directory), { identity: { nodeId: "a", storageId: "a1" }, applied: 0 }, {
    onPersisted: () => {},
    onSpace: () => {},
    onInstall: () => undefined,
    onFatal: () => {},
    log: () => {},
  });
  try {
    const boot = { hard: { term: 1, vote: null }, base: NOTHING, last: NOTHING, terms: [], configs: [] };
    const core = createCore(
      { id: "a", storageId: "a1", ...boot, bytesOf: () => 0, commit: 0, applied: 0 },
      DEFAULT_OPTIONS,
      { u32: () => 0 },
    );
    const sent: OutgoingMessage[] = [];
    const ended = Promise.withResolvers<Error>();
    const replica = new Replica({
      core,
      log,
      writer: port1,
      maxSteps: 1e9,
      ticker: { take: () => 0, wakeAfter() {} },
      tickMs: 100,
      state: new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES)),
      applied: 0,
      events: {
        send: (m) => sent.push(m),
        refused: () => {},
        placed: () => {},
        ticked: () => {},
        onRole: () => {},
        onConfig: () => {},
        needSnapshot: () => {},
        fatal: ended.resolve,
        log: () => {},
      },
    });
    replica.receive([{ k: "heartbeat", from: "b", to: "a", term: 1, commit: { index: 5, term: 1 }, round: 1 }]);
    assert(isDamage(await ended.promise));
    replica.receive([{ k: "preVote", from: "c", to: "a", term: 2, last: { index: 9, term: 1 } }]);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(sent, []);
  } finally {
    port1.close();
    port2.close();
    await log.close();
    await Deno.remove(directory, { recursive: true });
  }
});
