import { assert, assertEquals } from "@std/assert";
import { jitter, retry } from "../../../src/base/worker/backoff.ts";

/** The pauses that are made while `work` runs, which take no time. */
async function pausesOf(work: () => Promise<unknown>): Promise<number[]> {
  const original = globalThis.setTimeout;
  const pauses: number[] = [];
  globalThis.setTimeout = Object.assign(
    (callback: () => void, ms = 0) => (pauses.push(ms), original(callback, 0)),
    original,
  );
  try {
    await work();
  } finally {
    globalThis.setTimeout = original;
  }
  return pauses;
}

Deno.test("retry() pauses for longer each time, up to its limit, and never twice for as long as everybody else (F8)", async () => {
  const errors: string[] = [];
  let attempts = 0;
  const options = {
    signal: new AbortController().signal,
    firstMs: 20,
    mostMs: 500,
    onError: ({ message }: Error) => void errors.push(message),
  };
  const pauses = await pausesOf(() =>
    retry(() => ++attempts === 9 ? Promise.resolve() : Promise.reject(new Error(`attempt ${attempts}`)), options)
  );
  assertEquals(errors.length, 8);
  for (const [at, longest] of [20, 40, 80, 160, 320, 500, 500, 500].entries()) {
    assert(pauses[at] >= longest / 2 && pauses[at] <= longest, `pause ${at} of ${pauses[at]} ms`);
  }
  assertEquals(pauses.length, 8);
  assert(new Set(Array.from({ length: 20 }, () => jitter(500))).size > 1);
});

Deno.test("retry() ends when it is not wanted any more, also in the middle of a pause", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const onError = () => queueMicrotask(() => controller.abort());
  const result = await retry(() => Promise.reject(new Error("no")), { signal, firstMs: 1e6, mostMs: 1e6, onError });
  assertEquals(result, undefined);
});
