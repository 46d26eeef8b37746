/** Automatic restore: the leader of an empty cluster restores, other nodes wait, and both come to an end (Q18.2). */
import { assertEquals, assertRejects } from "@std/assert";
import { AutoRestore, type AutoRestoreParts } from "../../../src/app/database/auto_restore.ts";
import type { LoadStep } from "../../../src/core/sql/load_step.ts";

function made(differing: Partial<AutoRestoreParts> = {}) {
  const state = {
    isLeader: true,
    leaderKnown: true,
    ready: true,
    applied: 2,
    changed: 0,
    term: 2,
    appliedTerm: 2,
    waitingSinceMs: 0,
  };
  const steps: string[] = [];
  const log: string[] = [];
  const restore = new AutoRestore({
    state,
    hasTables: () => Promise.resolve(false),
    load: (step: LoadStep) => (steps.push(step.k), Promise.resolve()),
    download: () => ReadableStream.from([new Uint8Array(10)]),
    timeoutMs: 60_000,
    continuesOnFailure: false,
    log: (line) => log.push(line),
    ...differing,
  });
  return { restore, state, steps, log };
}

/** A download that fails. */
async function* broken(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10);
  throw new Error("the connection broke");
}

Deno.test("AutoRestore loads what it downloads on the leader of an empty database", async () => {
  const { restore, steps } = made();
  await restore.run();
  assertEquals([steps, restore.isOver], [["part", "install"], true]);
});

Deno.test("AutoRestore leaves a database with tables as it is, also one that cannot be looked at yet", async () => {
  let looks = 0;
  const hasTables = () => ++looks === 1 ? Promise.reject(new Error("busy")) : Promise.resolve(true);
  const { restore, state, steps } = made({ hasTables });
  state.changed = 5;
  await restore.run();
  assertEquals([steps, looks, restore.isOver], [[], 2, true]);
});

Deno.test("AutoRestore waits on other nodes until they hold what was restored", async () => {
  let looks = 0;
  const { restore, state, steps } = made({ hasTables: () => Promise.resolve(++looks === 2) });
  Object.assign(state, { isLeader: false, changed: 1 });
  await restore.run();
  assertEquals([steps, looks], [[], 2]);
});

Deno.test("AutoRestore ends on other nodes when nothing happens", async () => {
  const { restore, state, steps, log } = made({ timeoutMs: 1 });
  state.isLeader = false;
  await restore.run();
  assertEquals([steps, log], [[], ["another node leads, and restores nothing"]]);
});

Deno.test("AutoRestore begins anew when the node leads again after it was replaced", async () => {
  let attempts = 0;
  const { restore, state, steps, log } = made({
    async *download() {
      yield new Uint8Array(10);
      if (++attempts > 1) return;
      Object.assign(state, { term: 4, appliedTerm: 4 });
      throw new Error("not leader");
    },
  });
  await restore.run();
  assertEquals(steps.filter((step) => step !== "drop"), ["part", "install"]);
  assertEquals(log[1], "the restore was given up, as this node did not lead any more: nothing was loaded: not leader");
});

Deno.test("AutoRestore fails where the download does, unless the node is to go on without data", async () => {
  await assertRejects(
    () => made({ download: broken }).restore.run(),
    Error,
    "Cannot restore the database: nothing was loaded: the connection broke",
  );
  const { restore, steps } = made({ download: broken, continuesOnFailure: true });
  await restore.run();
  assertEquals([steps.includes("install"), restore.isOver], [false, true]);
});

Deno.test("AutoRestore fails where the source is empty, which SQLite would take for a database", async () => {
  const { restore, steps } = made({ download: () => ReadableStream.from([new Uint8Array(0)]) });
  await assertRejects(() => restore.run(), Error, "Cannot restore the database: nothing was loaded: the file is empty");
  assertEquals([steps.includes("install"), restore.counters.num_auto_restores], [false, 0]);
});

Deno.test("AutoRestore that is stopped ends without a failure, and is not over", async () => {
  const { restore, log } = made({
    async *download() {
      yield new Uint8Array(10);
      restore.stop();
      throw new Error("gone");
    },
  });
  await restore.run();
  assertEquals([restore.isOver, log[1]], [
    false,
    "the shutdown has ended the restore: it begins anew at the next start",
  ]);
});
