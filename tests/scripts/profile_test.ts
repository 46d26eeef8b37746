/** What `deno task profile` makes of the logs of the profiler, and of metrics. */
import { assertEquals } from "@std/assert";
import { stagesBetween } from "../../scripts/profile/hops.ts";
import { byFunction, byOwn, parseTicks, since } from "../../scripts/profile/ticks.ts";

const LOG = JSON.stringify({
  code: [
    { name: " file:///home/me/src/drivers/log/task.ts:1:1", type: "CODE" },
    { name: "#write file:///home/me/src/drivers/log/store.ts:208:7", type: "CODE" },
    { name: "__send@@GLIBC_2.2.5", type: "CPP" },
    { name: " file:///home/me/src/drivers/replica/worker.ts:1:1", type: "CODE" },
    { name: "/usr/lib/deno", type: "SHARED_LIB" },
  ],
  ticks: [
    { tm: 1000, s: [3, 0] },
    { tm: 2000, s: [2, 0, 1, 0] },
    { tm: 3000, s: [4, 0, 1, 0] },
    { tm: 4000, s: [-1, 0] },
  ],
});

Deno.test("samples tell their Worker, the running function, and the nearest one of muster's own", () => {
  const all = parseTicks(LOG);
  assertEquals([all.worker, all.samples.length], ["drivers/replica/worker", 4]);
  const ticks = since(all, 2);
  assertEquals(byFunction(ticks).map(({ name }) => name), ["__send", "deno", "(unknown)"]);
  assertEquals(byOwn(ticks), [
    { name: "#write src/drivers/log/store.ts:208", share: 2 / 3 },
    { name: "(the runtime alone)", share: 1 / 3 },
  ]);
  assertEquals(parseTicks("{}"), { worker: "supervisor", samples: [] });
});

Deno.test("stages are the means of what came to the histograms, over all labels", () => {
  const exposition = (count: number, seconds: number) =>
    `muster_http_request_duration_seconds_sum{endpoint="/db/query"} ${seconds}
muster_http_request_duration_seconds_count{endpoint="/db/query"} ${count}
muster_http_request_duration_seconds_sum{endpoint="/status"} ${seconds}
muster_http_request_duration_seconds_count{endpoint="/status"} ${count}
muster_log_sync_duration_seconds_sum 1
muster_log_sync_duration_seconds_count 3
`;
  assertEquals(stagesBetween(exposition(10, 1), exposition(20, 3)), [
    { title: "request: head to answer", meanMs: 200, count: 20 },
  ]);
});
