/**
 * The durable log on real files: what is written is there again, and each case of recovery (D17).
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import type { LogDisk } from "../../../src/drivers/log/disk.ts";
import type { LogWrite } from "../../../src/drivers/log/log_write.ts";
import { LogStore, type LogStoreOptions } from "../../../src/drivers/log/store.ts";
import { LogDamageError, readLogBase } from "../../../src/drivers/log/recovery.ts";
import { BATCH_HEADER_BYTES, decodeSegmentHeader, SECTOR_BYTES } from "../../../src/drivers/log/format.ts";
import { encodeConfig } from "../../../src/core/raft/configuration.ts";
import type { Config, Entry, EntryId } from "../../../src/core/raft/message.ts";

const IDENTITY = { nodeId: "1", storageId: "s1" };
const SEGMENT_BYTES = 64 * 1024;

interface Opened {
  readonly store: LogStore;
  readonly lines: string[];
  /** Snapshots that took the log's place. */
  readonly installed: EntryId[];
  write(batch: {
    entries?: readonly Entry[];
    truncateFrom?: number;
    term?: number;
    commit?: number;
    install?: LogWrite["install"];
  }): Promise<void>;
}

function open(
  directory: string,
  options: Partial<LogStoreOptions> = {},
  disk: LogDisk = new FileDisk(directory),
): Opened {
  const waiting = new Map<number, () => void>();
  const lines: string[] = [];
  const installed: EntryId[] = [];
  let ticket = 0;
  const store = LogStore.open(disk, {
    identity: IDENTITY,
    applied: 0,
    segmentBytes: SEGMENT_BYTES,
    ...options,
  }, {
    onPersisted: (upTo) => {
      for (const [at, done] of waiting) {
        if (at > upTo) continue;
        waiting.delete(at);
        done();
      }
    },
    onSpace: () => {},
    onInstall: (base) => Promise.resolve(void installed.push(base)),
    onFatal: (error) => {
      throw error;
    },
    log: (line) => lines.push(line),
  });
  return {
    store,
    lines,
    installed,
    write: ({ entries = [], truncateFrom, term, commit = 0, install }) =>
      new Promise((resolve) => {
        waiting.set(++ticket, resolve);
        const hard = term === undefined ? {} : { hard: { term, vote: "1" } };
        store.persist({
          ticket,
          append: entries,
          commit,
          ...hard,
          ...(truncateFrom === undefined ? {} : { truncateFrom }),
          ...(install && { install }),
        });
      }),
  };
}

function entry(index: number, term: number, text = `entry ${index}`): Entry {
  return { index, term, kind: "command", body: new TextEncoder().encode(text) };
}

function texts(entries: readonly Entry[]): string[] {
  return entries.map(({ body }) => new TextDecoder().decode(body));
}

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-log-" });
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Three batches of one entry each; returns the path of the only segment and the offsets of the batches. */
async function threeBatches(
  directory: string,
  bodyBytes = 10,
): Promise<{ path: string; offsets: number[]; end: number }> {
  const { store, write } = open(directory);
  for (const index of [1, 2, 3]) await write({ entries: [entry(index, 1, "x".repeat(bodyBytes))], term: 1 });
  await store.close();
  const path = `${directory}/${segments(directory)[0]}`;
  const bytes = Deno.readFileSync(path);
  const offsets: number[] = [];
  let at = decodeSegmentHeader(bytes)?.length ?? 0;
  for (let i = 0; i < 3; i++) {
    offsets.push(at);
    at += BATCH_HEADER_BYTES + new DataView(bytes.buffer, at).getUint32(16);
  }
  return { path, offsets, end: at };
}

function segments(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => name.endsWith(".log")).sort();
}

function change(path: string, work: (bytes: Uint8Array) => void): void {
  const bytes = Deno.readFileSync(path);
  work(bytes);
  Deno.writeFileSync(path, bytes);
}

function refuses(directory: string, words: RegExp, options: Partial<LogStoreOptions> = {}): void {
  const before = segments(directory).map((name) => Deno.readFileSync(`${directory}/${name}`));
  const error = assertThrows(() => open(directory, options), LogDamageError);
  assert(words.test(error.message), error.message);
  const after = segments(directory).map((name) => Deno.readFileSync(`${directory}/${name}`));
  assertEquals(after, before, "evidence is never touched");
}

Deno.test("LogStore gives back after a restart what was persisted", () =>
  inDirectory(async (directory) => {
    const first = open(directory);
    await first.write({ entries: [entry(1, 1), entry(2, 1)], term: 1 });
    await first.write({ entries: [entry(3, 2)], term: 2, commit: 2 });
    await first.store.close();
    const { store } = open(directory);
    assertEquals(store.recovered.last, { index: 3, term: 2 });
    assertEquals(store.recovered.hard, { term: 2, vote: "1" });
    assertEquals(store.recovered.commit, 2);
    assertEquals(store.recovered.terms, [{ first: 1, term: 1 }, { first: 3, term: 2 }]);
    assertEquals(texts(store.read(1, 3, Infinity)), ["entry 1", "entry 2", "entry 3"]);
    assertEquals(texts(store.read(2, 3, 1)), ["entry 2"], "at least one, then as many as fit");
    await store.close();
  }));

Deno.test("LogStore replaces a truncated tail, in memory, on disk and after a restart", () =>
  inDirectory(async (directory) => {
    const first = open(directory);
    await first.write({ entries: [1, 2, 3, 4, 5].map((index) => entry(index, 1)), term: 1 });
    await first.store.close();
    const second = open(directory); // nothing of it is in memory now
    const pending = second.write({ entries: [entry(3, 2, "new 3")], truncateFrom: 3, term: 2 });
    assertEquals(texts(second.store.read(1, 3, Infinity)), ["entry 1", "entry 2", "new 3"], "before it is on disk");
    await pending;
    await second.store.close();
    const { store } = open(directory);
    assertEquals(store.recovered.last, { index: 3, term: 2 });
    assertEquals(texts(store.read(1, 3, Infinity)), ["entry 1", "entry 2", "new 3"]);
    await store.close();
  }));

Deno.test("LogStore merges what waits into one batch and reports the last ticket", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await Promise.all([
      write({ entries: [entry(1, 1)], term: 1 }),
      write({ entries: [entry(2, 1), entry(3, 1)] }),
      write({ entries: [entry(2, 2, "newer 2")], truncateFrom: 2, term: 2 }),
    ]);
    await store.close();
    const again = open(directory);
    assertEquals(texts(again.store.read(1, 2, Infinity)), ["entry 1", "newer 2"]);
    assertEquals(again.store.recovered.last, { index: 2, term: 2 });
    await again.store.close();
  }));

Deno.test("LogStore goes on through many segments and reads cold entries from them", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory, { cacheBytes: 1000 });
    for (let index = 1; index <= 100; index++) {
      await write({ entries: [entry(index, 1, `${index} ${"y".repeat(4000)}`)], term: 1 });
    }
    assertEquals(texts(store.read(1, 1, Infinity))[0].slice(0, 3), "1 y");
    assertEquals(store.read(1, 100, Infinity).length, 100);
    await store.close();
    assert(segments(directory).length >= 6, "segments are of the size that was asked for");
    const again = open(directory);
    assertEquals(again.store.recovered.last.index, 100);
    assertEquals(again.store.read(37, 40, Infinity).map(({ index }) => index), [37, 38, 39, 40]);
    await again.store.close();
  }));

Deno.test("LogStore takes a batch that is larger than a segment", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await write({ entries: [entry(1, 1, "z".repeat(SEGMENT_BYTES * 3))], term: 1 });
    await write({ entries: [entry(2, 1)], term: 1 });
    await store.close();
    const again = open(directory);
    assertEquals(again.store.recovered.last.index, 2);
    await again.store.close();
  }));

Deno.test("LogStore starts in its spare segment if there is a whole one of that size, and makes another", () =>
  inDirectory(async (directory) => {
    const inodeOf = (name: string) => Deno.statSync(`${directory}/${name}`).ino;
    const quarter = SEGMENT_BYTES / 4;
    const first = open(directory);
    await first.write({ entries: [entry(1, 1, "x".repeat(quarter))], term: 1 });
    await first.store.close();
    const spare = inodeOf("spare");

    Deno.writeFileSync(`${directory}/spare.tmp`, new Uint8Array(10)); // a crash cut the making of one short
    Deno.writeFileSync(`${directory}/fresh.tmp`, new Uint8Array(10).fill(7));
    const second = open(directory);
    assertEquals(inodeOf(segments(directory)[0]), spare);
    assertEquals(Deno.readFileSync(`${directory}/${segments(directory)[0]}`).length, SEGMENT_BYTES);
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), segments(directory));
    await second.write({ entries: [entry(2, 1)] });
    await second.store.close();
    assert(inodeOf("spare") !== spare);

    Deno.truncateSync(`${directory}/spare`, 512); // of a node with smaller segments
    const third = open(directory);
    assertEquals(texts(third.store.read(1, 2, Infinity)), ["x".repeat(quarter), "entry 2"]);
    assertEquals(Deno.readFileSync(`${directory}/${segments(directory)[0]}`).length, SEGMENT_BYTES);
    await third.store.close();
  }));

Deno.test("recovery ends at zeros after the last batch", () =>
  inDirectory(async (directory) => {
    await threeBatches(directory);
    const { store, lines } = open(directory);
    assertEquals([store.recovered.last.index, lines], [3, []]);
    await store.close();
  }));

Deno.test("recovery cuts a torn last batch that has an unwritten sector", () =>
  inDirectory(async (directory) => {
    const { path, offsets, end } = await threeBatches(directory, 3000);
    const sector = Math.ceil(offsets[2] / SECTOR_BYTES) * SECTOR_BYTES + SECTOR_BYTES;
    assert(sector + SECTOR_BYTES < end);
    change(path, (bytes) => bytes.fill(0, sector, sector + SECTOR_BYTES));
    const { store, lines } = open(directory);
    assertEquals(store.recovered.last.index, 2);
    assert(/cut \d+ bytes/.test(lines.join()));
    await store.close();
    const again = open(directory);
    assertEquals([again.store.recovered.last.index, again.lines], [2, []], "it is cut once, for good");
    await again.store.close();
  }));

Deno.test("recovery cuts a torn last batch whose header lies in two sectors, either of them unwritten", () =>
  inDirectory(async (directory) => {
    const { path, offsets, end } = await threeBatches(directory, 146); // batches of 240 bytes
    const boundary = Math.ceil(offsets[2] / SECTOR_BYTES) * SECTOR_BYTES;
    assert(offsets[2] < boundary && boundary < offsets[2] + BATCH_HEADER_BYTES, `${offsets}`);
    const whole = Deno.readFileSync(path);
    for (const [from, to] of [[offsets[2], boundary], [boundary, end]]) {
      Deno.writeFileSync(path, whole.slice().fill(0, from, to));
      const { store } = open(directory);
      assertEquals(store.recovered.last.index, 2);
      await store.close();
    }
  }));

Deno.test("recovery cuts a last batch that the file is too short for", () =>
  inDirectory(async (directory) => {
    const { path, offsets } = await threeBatches(directory, 3000);
    Deno.truncateSync(path, offsets[2] + 100);
    const { store } = open(directory);
    assertEquals(store.recovered.last.index, 2);
    await store.close();
  }));

Deno.test("recovery stops at a last batch that was fully written and is damaged", () =>
  inDirectory(async (directory) => {
    const { path, end } = await threeBatches(directory, 3000);
    change(path, (bytes) => bytes[end - 100] ^= 1);
    refuses(directory, /at offset \d+: the last batch was fully written and is damaged/);
  }));

Deno.test("recovery stops at damage in the middle of the log", () =>
  inDirectory(async (directory) => {
    const { path, offsets } = await threeBatches(directory);
    change(path, (bytes) => bytes[offsets[1] + BATCH_HEADER_BYTES + 3] ^= 1);
    refuses(
      directory,
      new RegExp(
        `at offset ${offsets[1]}: a batch is damaged, which was durable as the one at offset ${offsets[2]} says`,
      ),
    );
  }));

Deno.test("recovery stops at a torn batch in the middle, too", () =>
  inDirectory(async (directory) => {
    const { path, offsets } = await threeBatches(directory, 3000);
    change(path, (bytes) => bytes.fill(0, offsets[1] + 600, offsets[1] + 1700));
    refuses(directory, /a batch is damaged, which was durable/);
  }));

Deno.test("recovery stops when a torn tail lies at or below what was applied or committed", () =>
  inDirectory(async (directory) => {
    const { path, offsets } = await threeBatches(directory, 3000);
    change(path, (bytes) => bytes.fill(0, offsets[2] + 600, offsets[2] + 1700));
    refuses(directory, /ends at index 2, but index 3 was applied/, { applied: 3 });
    const { store } = open(directory, { applied: 2 });
    await store.close();
  }));

Deno.test("recovery stops when the database is ahead of the log", () =>
  inDirectory(async (directory) => {
    await threeBatches(directory);
    refuses(directory, /ends at index 3, but index 7 was applied to the database: its tail is lost/, { applied: 7 });
  }));

async function manySegments(directory: string): Promise<string[]> {
  const { store, write } = open(directory);
  for (let index = 1; index <= 60; index++) await write({ entries: [entry(index, 1, "y".repeat(4000))], term: 1 });
  await store.close();
  const names = segments(directory);
  assert(names.length >= 4);
  return names.map((name) => `${directory}/${name}`);
}

Deno.test("recovery stops when a segment is missing", () =>
  inDirectory(async (directory) => {
    const paths = await manySegments(directory);
    Deno.removeSync(paths[1]);
    refuses(directory, /segment 2 is missing/);
  }));

Deno.test("recovery stops when a segment's header is damaged", () =>
  inDirectory(async (directory) => {
    const paths = await manySegments(directory);
    change(paths[1], (bytes) => bytes[40] ^= 1);
    refuses(directory, /at offset 0: the segment's header is damaged/);
  }));

Deno.test("recovery stops when the only segment's header and first batch are damaged", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await write({ entries: [entry(1, 1)], term: 1 });
    await store.close();
    change(`${directory}/${segments(directory)[0]}`, (bytes) => {
      bytes[180] ^= 1;
      bytes[560] ^= 1;
    });
    refuses(directory, /at offset 0: the segment's header is damaged/);
  }));

Deno.test("recovery stops when an older segment lost its tail", () =>
  inDirectory(async (directory) => {
    const paths = await manySegments(directory);
    change(paths[1], (bytes) => bytes.fill(0, bytes.length / 2));
    refuses(directory, /damaged/);
  }));

Deno.test("recovery deletes a newest segment that a crash left without a header", () =>
  inDirectory(async (directory) => {
    const paths = await manySegments(directory);
    const unborn = `${directory}/${String(paths.length + 1).padStart(10, "0")}-0000000000000061.log`;
    Deno.writeFileSync(unborn, new Uint8Array(SEGMENT_BYTES));
    const { store } = open(directory);
    assertEquals(store.recovered.last.index, 60);
    assertEquals(segments(directory).length, paths.length);
    await store.close();
  }));

Deno.test("recovery stops at another node's files", () =>
  inDirectory(async (directory) => {
    await threeBatches(directory);
    refuses(directory, /belongs to node "1" \(storage s1\).*foreign files/, {
      identity: { nodeId: "1", storageId: "s2" },
    });
  }));

Deno.test("recovery survives any single flipped bit without losing or inventing an entry", () =>
  inDirectory(async (directory) => {
    const { path, offsets, end } = await threeBatches(directory, 40);
    const whole = Deno.readFileSync(path);
    for (let at = offsets[0]; at < end; at++) {
      const bytes = whole.slice();
      bytes[at] ^= 1 << at % 8;
      Deno.writeFileSync(path, bytes);
      assertThrows(() => open(directory), LogDamageError, undefined, `bit at ${at}`);
    }
  }));

Deno.test("LogStore seals its last batch when none follows for a tick, once, and not again after a restart", () =>
  inDirectory(async (directory) => {
    const first = open(directory);
    for (const index of [1, 2, 3]) {
      await first.write({ entries: [entry(index, 1)], term: 1 });
      first.store.tick();
    }
    const unsealed = writtenBytes(directory);
    for (let tick = 0; tick < 5; tick++) await tickOnce(first.store);
    await first.store.close();
    const sealed = writtenBytes(directory);
    assertEquals(sealed - unsealed, 56, "one empty batch");
    const second = open(directory);
    assertEquals(second.store.recovered.last.index, 3);
    for (let tick = 0; tick < 5; tick++) await tickOnce(second.store);
    await second.store.close();
    assertEquals(writtenBytes(directory), sealed);
  }));

Deno.test("LogStore at rest holds little of its entries in memory, and reads them from the disk", () =>
  inDirectory(async (directory) => {
    class Clocked extends FileDisk {
      ms = 0;
      override nowMs(): number {
        return this.ms;
      }
    }
    const disk = new Clocked(directory);
    const { store, write } = open(directory, { segmentBytes: 1024 * 1024 }, disk);
    const sizes = [60_000, 50_000, 40_000];
    const entries = sizes.map((bytes, at) => entry(at + 1, 1, `${at}`.repeat(bytes)));
    await write({ entries, term: 1 });
    const isHeld = () => sizes.map((bytes, at) => store.bytesOf(at + 1) === bytes); // exact in memory alone
    const tickAt = (ms: number) => {
      disk.ms = ms;
      store.tick();
    };
    tickAt(1000);
    tickAt(2000); // which seals the batch
    while (!store.isAtRest) await new Promise((resolve) => setTimeout(resolve, 1));
    tickAt(3000);
    tickAt(8000);
    assertEquals(isHeld(), [true, true, true]);
    tickAt(8001);
    assertEquals(isHeld(), [false, false, true]);
    assertEquals(texts(store.read(1, 3, Infinity)).map((text) => text.length), sizes);
    await write({ entries: [entry(4, 1, "x".repeat(70_000))] });
    tickAt(70_000);
    assertEquals(store.bytesOf(4), 70_000);
    await store.close();
  }));

Deno.test("recovery stops at a lost last batch that a seal vouches for, however torn the seal is", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await write({ entries: [entry(1, 1, "x".repeat(3000))], term: 1 });
    await tickOnce(store);
    await tickOnce(store);
    await store.close();
    const path = `${directory}/${segments(directory)[0]}`;
    const end = writtenBytes(directory);
    change(path, (bytes) => {
      bytes.fill(0, 1024, 2048); // a sector run that reads as never written
      bytes.fill(0, end - 8, end);
    });
    refuses(directory, /at offset 512: a batch is damaged, which was durable as the one at offset \d+ says/);
  }));

/** A tick, and whatever it begins to write. */
async function tickOnce(store: LogStore): Promise<void> {
  store.tick();
  while (store.busy) await new Promise((resolve) => setImmediate(resolve));
}

/** Bytes up to the last that is not zero, of the only segment. */
function writtenBytes(directory: string): number {
  const [name] = segments(directory);
  return Deno.readFileSync(`${directory}/${name}`).findLastIndex((byte) => byte !== 0) + 1;
}

/** Ticks until all sealed segments were read again. */
function scrub(store: LogStore): void {
  const passes = store.scrubs;
  for (let tick = 0; store.scrubs === passes; tick++) {
    assert(tick < 100_000, "it comes to an end");
    store.tick();
  }
}

Deno.test("LogStore reads its sealed segments again, piece by piece, while it is written to and cut", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory, { scrubBytes: 1000 });
    for (let index = 1; index <= 80; index++) {
      await write({ entries: [entry(index, 1, "y".repeat(4000))], term: 1, commit: index });
      store.tick();
      if (index === 60) store.cut(40, { keepBytes: 0 });
    }
    scrub(store);
    scrub(store);
    await store.close();
  }));

Deno.test("LogStore ends at any bit that changes in a sealed segment, and names the file and the place", () =>
  inDirectory(async (directory) => {
    const paths = await manySegments(directory);
    const size = Deno.statSync(paths[1]).size;
    const end = Deno.readFileSync(paths[1]).findLastIndex((byte) => byte !== 0) + 1;
    const { store } = open(directory, { scrubBytes: 5000 });
    scrub(store);
    await store.close();
    for (const at of [10, 100, SECTOR_BYTES + 3, SECTOR_BYTES + 60, 20_000, end - 1, end, size - 1]) {
      const { store } = open(directory, { scrubBytes: 5000 });
      change(paths[1], (bytes) => bytes[at] ^= 16);
      const error = assertThrows(() => scrub(store), LogDamageError, undefined, `byte ${at}`);
      assert(new RegExp(`${paths[1]} at offset \\d+: .* damaged, as reading it once more shows`).test(error.message));
      change(paths[1], (bytes) => bytes[at] ^= 16);
      await store.close();
    }
  }));

/** A configuration at `at`, told apart by its cluster id. */
function config(at: number): Config {
  return { at, clusterId: `c${at}`, members: [{ id: "1", storageId: "s1", addr: "a:1", role: "voter" }] };
}

Deno.test("LogStore.cut() deletes whole segments that hold nothing above the index, and the rest is read as before", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    for (let index = 1; index <= 10; index++) {
      await write({ entries: [entry(index, 1)], term: 1, commit: index });
      if (index % 3 === 0) await store.rotate(); // segments begin with 1, 4, 7, 10
    }
    assertEquals(segments(directory).length, 4);
    assertEquals(store.cut(2, { keepBytes: 0 }), undefined);
    assertEquals(store.cut(7, { keepBytes: 0 }), { index: 6, term: 1 });
    assertEquals(segments(directory).length, 2);
    assertEquals(store.base, { index: 6, term: 1 });
    assertEquals(texts(store.read(7, 10, Infinity)), [7, 8, 9, 10].map((index) => `entry ${index}`));
    assertEquals(store.cut(10, { keepBytes: 2 * SEGMENT_BYTES }), undefined, "so much stays in any case");
    await store.close();

    const again = open(directory, { applied: 8 });
    assertEquals([again.store.base, again.store.recovered.last], [{ index: 6, term: 1 }, { index: 10, term: 1 }]);
    assertEquals(again.store.recovered.terms, [{ first: 7, term: 1 }]);
    assertEquals(again.store.recovered.hard, { term: 1, vote: "1" });
    await again.write({ entries: [entry(11, 2)], term: 2, commit: 10 });
    assertEquals(texts(again.store.read(7, 11, Infinity)).length, 5);
    await again.store.close();
    refuses(directory, /begins after index 6, but the database holds only index 5/, { applied: 5 });
  }));

Deno.test("LogStore.cut() keeps a segment whose successor supersedes entries of it", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await write({ entries: [1, 2, 3].map((index) => entry(index, 1)), term: 1 });
    await store.rotate();
    await write({ entries: [entry(4, 1)] });
    await write({ truncateFrom: 3, entries: [entry(3, 2, "new 3"), entry(4, 2, "new 4")], term: 2, commit: 4 });
    assertEquals(store.cut(4, { keepBytes: 0 }), undefined);
    await store.rotate();
    const superseding = segments(directory)[1];
    const kept = Deno.readFileSync(`${directory}/${superseding}`);
    assertEquals(store.cut(4, { keepBytes: 0 }), { index: 4, term: 2 });
    await store.close();
    const again = open(directory, { applied: 4 });
    assertEquals(again.store.base, { index: 4, term: 2 });
    await again.store.close();

    // A crash while the old segments were deleted, one after the other: the next start finishes it.
    Deno.writeFileSync(`${directory}/${superseding}`, kept);
    const third = open(directory, { applied: 4 });
    assertEquals([third.store.base, third.store.recovered.terms], [{ index: 4, term: 2 }, []]);
    await third.store.close();
    assertEquals(segments(directory).length, 1);
  }));

Deno.test("LogStore.configAt() knows the configuration in force from the base on, after a cut and a restart too", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    store.setConfig(config(1));
    await write({ entries: [entry(1, 1), entry(2, 1)], term: 1, commit: 2 });
    await store.rotate();
    store.setConfig(config(3));
    await write({ entries: [entry(3, 1)], commit: 3 });
    await store.rotate();
    store.setConfig(config(4));
    store.setConfig(config(3)); // a truncation brought it back
    assertEquals([2, 3, 4].map((index) => store.configAt(index).at), [1, 3, 3]);
    assertEquals(store.cut(3, { keepBytes: 0 }), { index: 3, term: 1 });
    await store.close();
    const again = open(directory, { applied: 3 });
    assertEquals(again.store.recovered.configs, [config(3)]);
    assertEquals(again.store.configAt(3), config(3));
    await again.store.close();
  }));

Deno.test("LogStore.configAt() knows every configuration of one write, of which it is told the last alone", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    const changes = [1, 2, 3].map((index): Entry => ({
      ...entry(index, 1),
      kind: "config",
      body: encodeConfig(config(index)),
    }));
    store.setConfig(config(3));
    await write({ entries: changes, term: 1, commit: 3 });
    assertEquals([1, 2, 3].map((index) => store.configAt(index)), [1, 2, 3].map(config));
    await store.close();
  }));

Deno.test("LogStore installs a snapshot in the place of all that was there, at once and after a restart", () =>
  inDirectory(async (directory) => {
    const { store, write, installed } = open(directory);
    await write({ entries: [1, 2, 3].map((index) => entry(index, 1)), term: 1, commit: 1 });
    const install = { base: { index: 100, term: 3 }, config: config(90) };
    await write({ install, term: 3, commit: 100 });
    assertEquals(installed, [install.base]);
    assertEquals(segments(directory).length, 1);
    await write({ entries: [entry(101, 3)], commit: 100 });
    assertEquals(texts(store.read(101, 101, Infinity)), ["entry 101"]);
    await store.close();
    const again = open(directory, { applied: 100 });
    const { base, last, terms, configs, hard, commit } = again.store.recovered;
    assertEquals([base, last, terms, configs, hard, commit], [
      install.base,
      { index: 101, term: 3 },
      [{ first: 101, term: 3 }],
      [install.config],
      { term: 3, vote: "1" },
      100,
    ]);
    assertEquals(readLogBase(new FileDisk(directory)), install.base);
    await again.store.close();
  }));

Deno.test("a new segment's header promises no commit of the batch behind it, which a power loss may take", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await write({ entries: [entry(1, 1)], term: 1, commit: 1 });
    const rotated = store.rotate();
    await write({ entries: [entry(2, 1), entry(3, 1)], commit: 3 }); // a follower that catches up
    await rotated;
    await store.close();
    const path = `${directory}/${segments(directory)[1]}`;
    assertEquals(decodeSegmentHeader(Deno.readFileSync(path))?.header.commit, 1);
    change(path, (bytes) => bytes.fill(0, SECTOR_BYTES));
    const again = open(directory, { applied: 1 });
    assertEquals(again.store.recovered.last.index, 1);
    await again.store.close();
  }));

/** A disk on which something happens when a segment is made. */
class WatchedDisk extends FileDisk {
  onMake: (() => void) | undefined;

  override makeZeros(name: string, bytes: number): Promise<void> {
    this.onMake?.();
    this.onMake = undefined;
    return super.makeZeros(name, bytes);
  }
}

Deno.test("a new segment's header knows nothing of a truncation that is asked for while the segment is made", async () => {
  for (const last of [3, 5]) {
    await inDirectory(async (directory) => {
      const disk = new WatchedDisk(directory);
      const { store, write } = open(directory, {}, disk);
      store.setConfig(config(1));
      const superseded: Entry = { ...entry(4, 1), kind: "config", body: encodeConfig(config(4)) };
      await write({ entries: [entry(1, 1), entry(2, 1), entry(3, 1), superseded], term: 1, commit: 1 });
      let truncated: Promise<void> | undefined;
      disk.onMake = () => {
        const entries = [2, 3, 4, 5].filter((index) => index <= last).map((index) => entry(index, 2, `new ${index}`));
        store.setConfig(config(1));
        truncated = write({ truncateFrom: 2, entries, term: 2, commit: 1 });
      };
      await store.rotate();
      await truncated;
      await store.close();
      const path = `${directory}/${segments(directory)[1]}`;
      const header = decodeSegmentHeader(Deno.readFileSync(path))?.header;
      assertEquals([header?.previous, header?.config], [{ index: 4, term: 1 }, config(4)]);
      const again = open(directory, { applied: 1 });
      assertEquals(again.store.recovered.last, { index: last, term: 2 });
      assertEquals(again.store.recovered.configs.map(({ at }) => at), []);
      await again.store.close();
    });
  }
});

Deno.test("an installation that a crash cut short before the old segments were gone is finished at the next start", () =>
  inDirectory(async (directory) => {
    const { store, write } = open(directory);
    await write({ entries: [entry(1, 1), entry(2, 1)], term: 1, commit: 1 });
    const [old] = segments(directory);
    const kept = Deno.readFileSync(`${directory}/${old}`);
    await write({ install: { base: { index: 9, term: 2 }, config: config(5) }, term: 2, commit: 9 });
    await store.close();
    Deno.writeFileSync(`${directory}/${old}`, kept); // as if the process had ended before
    assertEquals(readLogBase(new FileDisk(directory)), { index: 9, term: 2 });
    refuses(directory, /begins after index 9, but the database holds only index 1/, { applied: 1 });
    const again = open(directory, { applied: 9 });
    assertEquals(again.store.base, { index: 9, term: 2 });
    assertEquals(segments(directory).includes(old), false);
    await again.store.close();
  }));
