/** When a backup is made, when not, and which ones stay (Q18.1). */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { BackupPlan } from "../../../src/drivers/uploader/api.ts";
import { AutoBackup } from "../../../src/drivers/uploader/auto_backup.ts";
import { outdated, timestampedName, timestampedOf } from "../../../src/drivers/uploader/retention.ts";
import type { Store, Stored } from "../../../src/drivers/uploader/store.ts";

const signal = new AbortController().signal;

/** A store in memory that can fail. */
class MemoryStore implements Store {
  readonly place = "memory:a/db";
  readonly ids = new Map<string, string>();
  fault: string | undefined;

  idOf(name: string): Promise<string | undefined> {
    return Promise.resolve(this.ids.get(name));
  }
  async put(name: string, { pieces, id }: Stored): Promise<void> {
    for await (const _ of pieces);
    if (this.fault !== undefined) throw new Error(this.fault);
    this.ids.set(name, id);
  }
  list(): Promise<string[]> {
    return Promise.resolve([...this.ids.keys()].sort());
  }
  remove(name: string): Promise<void> {
    this.ids.delete(name);
    return Promise.resolve();
  }
  get(): Promise<never> {
    throw new Error("not used");
  }
}

function testBackup(differing: Partial<BackupPlan> = {}, store = new MemoryStore()) {
  const state = { isLeader: true, confirmedMs: Infinity, changed: 0 };
  const clock = { nowMs: Date.UTC(2026, 10, 28, 22, 0, 0) };
  const log: string[] = [];
  const made = { isEmpty: false, open: 0 };
  const backup = new AutoBackup({
    plan: {
      destination: { type: "file", directory: "/d", name: "a/db" },
      intervalMs: 1000,
      isTimestamped: false,
      isCompressed: true,
      isVacuumed: false,
      keep: 0,
      ...differing,
    },
    store,
    state,
    open: () =>
      Promise.resolve({
        isEmpty: made.isEmpty,
        pieces: ReadableStream.from([new Uint8Array(3), new Uint8Array(4)]),
        close: () => (made.open--, Promise.resolve()),
      }).finally(() => made.open++),
    now: () => clock.nowMs,
    log: (line) => log.push(line),
  });
  return { backup, state, store, clock, log, made };
}

Deno.test("AutoBackup stores what was written since its last upload, and nothing that was never written", async () => {
  const { backup, state, store } = testBackup();
  await backup.tick(signal);
  state.changed = 5;
  await backup.tick(signal);
  await backup.tick(signal);
  state.changed = 6;
  await backup.tick(signal);
  assertEquals(store.ids.get("a/db"), "6");
  assertEquals(backup.counters, {
    num_uploads_ok: 2,
    num_uploads_fail: 0,
    num_uploads_skipped: 2,
    num_uploads_skipped_id: 0,
    num_removed: 0,
    total_upload_bytes: 14,
    last_upload_bytes: 7,
  });
});

Deno.test("AutoBackup compares with what is stored when it begins to lead, and does nothing elsewhere", async () => {
  const store = new MemoryStore();
  store.ids.set("a/db", "5");
  const { backup, state } = testBackup({}, store);
  Object.assign(state, { changed: 5, isLeader: false });
  await backup.tick(signal);
  assertEquals([backup.counters.num_uploads_skipped, backup.counters.num_uploads_skipped_id], [0, 0]);
  state.isLeader = true;
  await backup.tick(signal);
  await backup.tick(signal);
  assertEquals([backup.counters.num_uploads_skipped_id, backup.counters.num_uploads_skipped], [1, 1]);
  state.isLeader = false; // another node leads and stores
  await backup.tick(signal);
  store.ids.set("a/db", "9");
  Object.assign(state, { changed: 9, isLeader: true });
  await backup.tick(signal);
  assertEquals([backup.counters.num_uploads_ok, backup.counters.num_uploads_skipped_id], [0, 2]);
});

Deno.test("AutoBackup stores no database without tables, which a backup may be about to be restored into", async () => {
  const store = new MemoryStore();
  store.ids.set("a/db", "9");
  const { backup, state, made } = testBackup({}, store);
  made.isEmpty = true;
  state.changed = 5;
  await backup.tick(signal);
  assertEquals([store.ids.get("a/db"), backup.counters.num_uploads_skipped, made.open], ["9", 1, 0]);
  made.isEmpty = false;
  state.changed = 6;
  await backup.tick(signal);
  assertEquals([store.ids.get("a/db"), made.open], ["6", 0]);
});

Deno.test("AutoBackup stores nothing for a leader that no majority has answered for long", async () => {
  const { backup, state, store, clock } = testBackup();
  Object.assign(state, { changed: 5, confirmedMs: clock.nowMs - 60_000 });
  await backup.tick(signal);
  assertEquals(store.ids.size, 0);
});

Deno.test("AutoBackup says that an upload has failed, and tries again at the next interval", async () => {
  const { backup, state, store, log } = testBackup();
  state.changed = 5;
  store.fault = "no room";
  await backup.tick(signal);
  assertEquals([backup.counters.num_uploads_fail, log.at(-1)], [
    1,
    "the automatic backup failed, and is tried again after 1s: no room",
  ]);
  store.fault = undefined;
  await backup.tick(signal);
  assertEquals([backup.counters.num_uploads_ok, store.ids.get("a/db")], [1, "5"]);
});

Deno.test("AutoBackup keeps the newest timestamped backups, and nothing else is removed", async () => {
  const { backup, state, store, clock } = testBackup({ isTimestamped: true, keep: 2 });
  const others = ["a/db", "a/20260101000000_other", "a/2026_db", "b/20260101000000_db"];
  for (const name of others) store.ids.set(name, "1");
  for (state.changed = 1; state.changed <= 4; state.changed++) {
    clock.nowMs += 1000;
    await backup.tick(signal);
  }
  assertEquals(await store.list(), [...others, "a/20261128220003_db", "a/20261128220004_db"].sort());
  assertEquals(backup.counters.num_removed, 2);
});

Deno.test("outdated() names all but the newest of the timestamped names, whatever else there is", () => {
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 2e9 }), { maxLength: 20 });
  fc.assert(fc.property(times, fc.constantFrom("db", "x/y/db.gz"), fc.nat({ max: 5 }), (seconds, name, keep) => {
    const names = seconds.map((second) => timestampedName(name, second * 1000));
    const newest = [...seconds].sort((a, b) => b - a).map((second) => timestampedName(name, second * 1000));
    assertEquals(timestampedOf(name, [...names, name, `z${name}`]), newest);
    assertEquals(outdated(name, names, keep), keep === 0 ? [] : newest.slice(keep));
  }));
});
