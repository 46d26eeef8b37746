/** The published state of a replica's database: it covers applied entries, not those that are still under way. */
import { assert, assertEquals } from "@std/assert";
import { createCore, DEFAULT_OPTIONS } from "../../../src/core/raft/raft.ts";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import { LogStore } from "../../../src/drivers/log/store.ts";
import { Replica } from "../../../src/drivers/replica/replica.ts";
import { NODE_STATE_BYTES, NodeState } from "../../../src/base/shared/node_state.ts";
import { encodeCommand } from "../../../src/core/sql/command.ts";
import { unpackEntries } from "../../../src/core/sql/exchange.ts";
import { renderFlags } from "../../../src/core/sql/render_options.ts";
import type { ToWriter } from "../../../src/drivers/sqlite/api.ts";

const NOTHING = { index: 0, term: 0 };
const BODY = encodeCommand({ kind: "execute", transaction: false, statements: [] });

Deno.test("Replica tells since when entries wait, and the leader's clock once they are applied", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-node-state-" });
  const { port1, port2 } = new MessageChannel();
  const log = LogStore.open(new FileDisk(directory), { identity: { nodeId: "a", storageId: "a1" }, applied: 0 }, {
    onPersisted: (ticket) => replica.persisted(ticket),
    onSpace: () => {},
    onInstall: () => undefined,
    onFatal: () => {},
    log: () => {},
  });
  const boot = { hard: { term: 0, vote: null }, base: NOTHING, last: NOTHING, terms: [], configs: [] };
  const state = new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES));
  const replica = new Replica({
    core: createCore(
      { id: "a", storageId: "a1", ...boot, bytesOf: () => BODY.length, commit: 0, applied: 0 },
      DEFAULT_OPTIONS,
      { u32: () => 0 },
    ),
    log,
    writer: port1,
    maxSteps: 1e9,
    ticker: { take: () => 0, wakeAfter() {} },
    tickMs: 100,
    state,
    applied: 0,
    events: {
      send: () => {},
      refused: () => {},
      placed: () => {},
      ticked: () => {},
      onRole: () => {},
      onConfig: () => {},
      needSnapshot: () => {},
      fatal: () => {},
      log: () => {},
    },
  });
  /** Resolves when the writer was handed a command, to that entry. */
  const command = new Promise<{ index: number; term: number }>((resolve) => {
    port2.onmessage = ({ data }: MessageEvent<ToWriter>) => {
      const found = data.k === "apply" && unpackEntries(data.entries).find(({ kind }) => kind === "command");
      if (found) resolve(found);
    };
  });
  try {
    const startedMs = Date.now();
    await replica.bootstrap({
      at: 1,
      clusterId: "c",
      members: [{ id: "a", storageId: "a1", addr: "a:1", role: "voter" }],
    });
    await replica.confirmLeadership();
    assertEquals([state.role, state.confirmedMs, state.appliedTerm], ["leader", Infinity, 0]);
    replica.propose([{ body: BODY, asker: { port: 1, ref: 1, options: renderFlags(0) } }]);
    const { index, term } = await command;
    assertEquals([state.leaderAppendedMs, state.appliedTerm, state.applied], [0, 0, 0], "it is not applied yet");
    assert(state.waitingSinceMs >= startedMs && state.waitingSinceMs <= Date.now());

    replica.appliedByWriter({ k: "applied", index: index - 1, term, durable: 0 });
    assertEquals([state.leaderAppendedMs, state.appliedTerm], [0, term]);
    assert(state.waitingSinceMs > 0, "it still waits");
    replica.appliedByWriter({ k: "applied", index, term, durable: 0 });
    assert(state.leaderAppendedMs >= startedMs);
    assertEquals([state.waitingSinceMs, state.appliedTerm], [0, state.term]);
  } finally {
    replica.stop();
    port1.close();
    port2.close();
    await log.close();
    await Deno.remove(directory, { recursive: true });
  }
  assertEquals(state.isLeader, false, "one that has stopped leads no more");
});
