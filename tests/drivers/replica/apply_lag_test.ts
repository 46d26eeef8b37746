/** How long entries wait to be committed and to be applied. */
import { assertEquals } from "@std/assert";
import { REPLICA_COUNTS_BYTES, ReplicaCounts } from "../../../src/base/shared/replica_counts.ts";
import { ApplyLag, CommitTimes } from "../../../src/drivers/replica/apply_lag.ts";

Deno.test("ApplyLag tells since when the oldest entry waits, while others are applied and committed", () => {
  const lag = new ApplyLag(10);
  assertEquals(lag.sinceMs, 0);
  lag.committed(12, 1000);
  lag.committed(15, 3000);
  assertEquals(lag.sinceMs, 1000);
  lag.applied(11);
  assertEquals(lag.sinceMs, 1000, "12 still waits");
  lag.applied(12);
  assertEquals(lag.sinceMs, 3000);
  lag.committed(15, 9000);
  lag.applied(15);
  assertEquals(lag.sinceMs, 0);
  lag.applied(20); // by a snapshot
  lag.committed(18, 9500);
  assertEquals(lag.sinceMs, 0);
  lag.committed(21, 9600);
  assertEquals(lag.sinceMs, 9600);
});

Deno.test("ApplyLag never makes an entry younger than it is, however many are committed", () => {
  const lag = new ApplyLag(0);
  const committedMs = (index: number) => 1000 + index * 30;
  for (let index = 1; index <= 10_000; index++) lag.committed(index, committedMs(index));
  for (let index = 1; index < 10_000; index++) {
    lag.applied(index);
    const isOld = lag.sinceMs <= committedMs(index + 1);
    if (!isOld) throw new Error(`entry ${index + 1} counts from ${lag.sinceMs}`);
  }
  assertEquals(lag.sinceMs > committedMs(100), true, "what is applied is forgotten");
});

Deno.test("CommitTimes measures each batch until it is committed, and none that a lost leadership cut off", () => {
  const counts = new ReplicaCounts(new ArrayBuffer(REPLICA_COUNTS_BYTES), 0);
  const times = new CommitTimes(counts);
  times.proposed(2, 12, 100);
  times.proposed(3, 15, 110);
  assertEquals([times.isDue(11), times.isDue(12)], [false, true]);
  times.committed(14, 130);
  assertEquals([counts.commits.observed.count, counts.commits.observed.sum], [1, 30]);
  times.committed(15, 150);
  assertEquals([counts.commits.observed.count, counts.commits.observed.sum], [2, 70]);
  times.proposed(1, 16, 200);
  times.clear();
  times.committed(16, 300);
  assertEquals([counts.commits.observed.count, counts.proposals], [2, 6]);
});

Deno.test("CommitTimes leaves out batches beyond those that it keeps", () => {
  const counts = new ReplicaCounts(new ArrayBuffer(REPLICA_COUNTS_BYTES), 0);
  const times = new CommitTimes(counts);
  for (let index = 1; index <= 100; index++) times.proposed(1, index, 0);
  times.committed(100, 5);
  assertEquals([counts.commits.observed.count, counts.proposals, times.isDue(1000)], [64, 100, false]);
  times.proposed(1, 101, 5);
  times.committed(101, 6);
  assertEquals(counts.commits.observed.count, 65);
});
