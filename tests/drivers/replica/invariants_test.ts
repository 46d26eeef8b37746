/** What the log and the writer must never tell a replica stops it: tickets out of order, entries applied that it did not hand over. */
import { assertEquals, assertThrows } from "@std/assert";
import type { Effects } from "../../../src/core/raft/effects.ts";
import { createCore, DEFAULT_OPTIONS } from "../../../src/core/raft/raft.ts";
import { LogStore } from "../../../src/drivers/log/store.ts";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import { Replica } from "../../../src/drivers/replica/replica.ts";
import { NODE_STATE_BYTES, NodeState } from "../../../src/base/shared/node_state.ts";
import { InvariantError } from "../../../src/invariant.ts";

type Core = ConstructorParameters<typeof Replica>[0]["core"];

const NOTHING = { index: 0, term: 0 };
const NO_EFFECTS: Effects = { send: [], reads: [], proposals: [], answers: [], needSnapshot: [] };

/** A replica whose core gives `effects` at its next turn. */
async function withReplica(
  effects: readonly Partial<Effects>[],
  work: (replica: Replica, turn: () => Promise<void>) => Promise<void> | void,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-replica-" });
  const { port1, port2 } = new MessageChannel();
  const log = LogStore.open(new FileDisk(directory), { identity: { nodeId: "a", storageId: "a1" }, applied: 0 }, {
    onPersisted() {},
    onSpace() {},
    onInstall: () => undefined,
    onFatal() {},
    log() {},
  });
  const boot = { hard: { term: 1, vote: null }, base: NOTHING, last: NOTHING, terms: [], configs: [] };
  const real = createCore(
    { id: "a", storageId: "a1", ...boot, bytesOf: () => 0, commit: 0, applied: 0 },
    DEFAULT_OPTIONS,
    { u32: () => 0 },
  );
  const waiting = [...effects];
  let taken = Promise.withResolvers<void>();
  const core: Core = {
    step() {},
    status: () => real.status(),
    restTicks: 1,
    drain() {
      taken.resolve();
      return { ...NO_EFFECTS, ...waiting.shift() };
    },
  };
  const replica = new Replica({
    core,
    log,
    writer: port1,
    maxSteps: 1,
    ticker: { take: () => 0, wakeAfter() {} },
    tickMs: 50,
    applied: 0,
    state: new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES)),
    events: {
      send() {},
      ticked() {},
      refused() {},
      placed() {},
      onRole() {},
      onConfig() {},
      fatal() {},
      needSnapshot() {},
      log() {},
    },
  });
  const turn = async () => {
    taken = Promise.withResolvers();
    replica.input({ k: "tick" });
    await taken.promise;
  };
  try {
    await taken.promise;
    await work(replica, turn);
  } finally {
    replica.stop();
    await log.close();
    port1.close();
    port2.close();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Runs one turn whose failure is an event of the process, and gives that failure. */
async function failureOf(work: () => Promise<void>): Promise<unknown> {
  const failed = Promise.withResolvers<unknown>();
  const heard = (event: ErrorEvent) => {
    event.preventDefault();
    failed.resolve(event.error);
  };
  addEventListener("error", heard);
  try {
    await work();
    return await failed.promise;
  } finally {
    removeEventListener("error", heard);
  }
}

Deno.test("Replica.persisted() refuses a ticket behind a newer one", () =>
  withReplica([], (replica) => {
    replica.persisted(2);
    replica.persisted(2);
    assertThrows(() => replica.persisted(1), InvariantError, "write 1 is not durable before write 2");
  }));

Deno.test("Replica.appliedByWriter() refuses an entry that was not handed over", () =>
  withReplica([], (replica) => {
    const applied = (index: number) => replica.appliedByWriter({ k: "applied", index, term: 1, durable: 0 });
    applied(0);
    assertThrows(() => applied(1), InvariantError, "the writer applies no more than it was handed: 1 of 0");
    replica.installed(5);
    applied(3);
    assertEquals(replica.applied, 5, "what was said before a snapshot is no news");
    assertThrows(() => applied(6), InvariantError, "6 of 5");
  }));

for (
  const [what, effects, message] of [
    [
      "entries applied with a gap",
      { commit: 3, apply: { from: 2, to: 3 } },
      "entries 2 to 3 are applied behind entry 0",
    ],
    [
      "entries applied before they are committed",
      { commit: 1, apply: { from: 1, to: 2 } },
      "entry 2 is applied only once",
    ],
  ] as const
) {
  Deno.test(`Replica refuses ${what}`, () =>
    withReplica([{}, effects], async (_, turn) => {
      const failure = await failureOf(turn);
      assertThrows(
        () => {
          throw failure;
        },
        InvariantError,
        message,
      );
    }));
}

Deno.test("Replica refuses a second snapshot while one takes the database's place", () => {
  const install = (index: number): Partial<Effects> => ({
    persist: {
      ticket: index,
      append: [],
      commit: index,
      install: { base: { index, term: 1 }, config: { at: 0, clusterId: "", members: [] } },
    },
  });
  return withReplica([{}, install(5), install(6)], async (replica, turn) => {
    assertEquals(replica.isInstalling, false);
    await turn();
    assertEquals(replica.isInstalling, true);
    const failure = await failureOf(turn);
    assertThrows(
      () => {
        throw failure;
      },
      InvariantError,
      "one snapshot takes the database's place at a time",
    );
    replica.installed(5);
    assertEquals(replica.isInstalling, false);
  });
});
