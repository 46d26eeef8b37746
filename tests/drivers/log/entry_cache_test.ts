import { assertEquals } from "@std/assert";
import type { Entry } from "../../../src/core/raft/message.ts";
import { EntryCache } from "../../../src/drivers/log/entry_cache.ts";

const LARGE_BYTES = 64 * 1024;

function entry(index: number, body: Uint8Array): Entry {
  return { index, term: 1, kind: "command", body };
}

function cacheOf(bodies: readonly Uint8Array[]): EntryCache {
  const cache = new EntryCache(1, 0);
  bodies.forEach((body, at) => cache.push(entry(at + 1, body)));
  return cache;
}

Deno.test("the cache frees a large buffer when the last entry in it is dropped, and not before it is durable", () => {
  const message = new Uint8Array(3 * LARGE_BYTES);
  const bodies = [0, 1, 2].map((at) => message.subarray(at * LARGE_BYTES, (at + 1) * LARGE_BYTES));
  const cache = cacheOf(bodies);
  cache.shrink(2);
  assertEquals([cache.first, cache.get(3)?.body.length], [3, LARGE_BYTES]);
  cache.shrink(3);
  assertEquals([cache.first, message.length], [4, 0]);
});

Deno.test("the cache does not free a buffer of which an entry was superseded, nor one after a snapshot, nor a small one", () => {
  const message = new Uint8Array(2 * LARGE_BYTES);
  const cache = cacheOf([message.subarray(0, LARGE_BYTES), message.subarray(LARGE_BYTES)]);
  cache.truncate(2);
  cache.shrink(1);
  assertEquals(message.length, 2 * LARGE_BYTES);

  const before = new Uint8Array(LARGE_BYTES);
  const other = cacheOf([before]);
  other.reset(9);
  other.push(entry(9, before.subarray(1)));
  other.reset(10);
  assertEquals(before.length, LARGE_BYTES);

  const small = new Uint8Array(100);
  cacheOf([small]).shrink(1);
  assertEquals(small.length, 100);
});
