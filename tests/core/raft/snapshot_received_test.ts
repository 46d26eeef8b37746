/**
 * A snapshot that arrived whole, against what the log holds already (S7): entries that it does not
 * contradict are kept, and what it stands for is not handed out again. Rare in whole clusters, so tried by hand.
 */
import { assertEquals } from "@std/assert";
import { encodeConfig } from "../../../src/core/raft/configuration.ts";
import type { Core } from "../../../src/core/raft/effects.ts";
import type { Config } from "../../../src/core/raft/message.ts";
import { createCore, DEFAULT_OPTIONS } from "../../../src/core/raft/raft.ts";

const CONFIG: Config = {
  at: 1,
  clusterId: "c",
  members: ["a", "b", "c"].map((id) => ({ id, storageId: `disk-${id}`, addr: `${id}:1`, role: "voter" })),
};

/** A follower with entries 1 to 10 of term 2, of which 4 are committed and applied. */
function follower(): Core {
  const boot = {
    id: "a",
    hard: { term: 2, vote: null },
    base: { index: 0, term: 0 },
    last: { index: 10, term: 2 },
    terms: [{ first: 1, term: 2 }],
    bytesOf: () => encodeConfig(CONFIG).length,
    configs: [CONFIG],
    commit: 4,
    applied: 4,
  };
  return createCore(boot, DEFAULT_OPTIONS, { u32: () => 0 });
}

Deno.test("a snapshot that the log goes on beyond only moves the commit index", () => {
  const core = follower();
  core.step({ k: "snapshotReceived", base: { index: 7, term: 2 }, config: CONFIG });
  const { persist, apply, commit } = core.drain();
  assertEquals({ persist, apply, commit }, { persist: undefined, apply: { from: 5, to: 7 }, commit: 7 });
  assertEquals(core.status().last, { index: 10, term: 2 });
});

Deno.test("a snapshot that contradicts the log takes its place, and what follows it is applied from there on", () => {
  const core = follower();
  // A leader of term 3, whose snapshot ends in an entry of its own: the entries here were never committed.
  const last = { index: 7, term: 3 };
  core.step({
    k: "message",
    m: { k: "heartbeat", from: "b", to: "a", term: 3, commit: { index: 4, term: 2 }, round: 1 },
  });
  core.step({ k: "snapshotReceived", base: last, config: CONFIG });
  const { persist } = core.drain();
  assertEquals(persist?.install, { base: last, config: CONFIG });
  assertEquals([core.status().base, core.status().last, core.status().commit], [last, last, 7]);
  const entry = { index: 8, term: 3, kind: "command", body: new Uint8Array(1) } as const;
  const append = { k: "appendEntries", from: "b", to: "a", term: 3, prev: last, entries: [entry], commit: 8 } as const;
  core.step({ k: "message", m: { ...append, round: 2 } });
  const ticket = core.drain().persist?.ticket ?? 0;
  core.step({ k: "persisted", ticket });
  assertEquals(core.drain().apply, { from: 8, to: 8 });
});
