/** `/metrics/history` over a node of which every metric can be told. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { historyFamilies } from "../../../src/api/metrics/prometheus.ts";
import { History } from "../../../src/core/metrics/history.ts";
import { readSeries, SERIES } from "../../../src/core/metrics/series.ts";
import type { LocalNode } from "../../harness/local_node.ts";
import { exposed, leadingServer } from "./exposed.ts";

/** Has a node take two samples, 10 s apart, the last one now. */
async function sampled(node: LocalNode): Promise<void> {
  const history = new History();
  for (const nowMs of [Date.now() - 10_000, Date.now()]) {
    history.take(readSeries(await historyFamilies(node.services, nowMs)), nowMs);
  }
  Object.assign(node.services, { history });
}

Deno.test("every figure is read from metrics that there are, with labels that they have", async () => {
  await using node = leadingServer();
  const families = await exposed(node);
  for (const { name, family, labels = {}, kind } of SERIES) {
    const found = families.find((one) => one.name === family);
    assertEquals(found?.kind, { gauge: "gauge", rate: "counter", quantile: "histogram" }[kind], name);
    for (const label of Object.keys(labels)) assert(found?.points.some((point) => point.labels?.[label]), name);
  }
});

Deno.test("/metrics/history shows figures in columns, all or those that are asked for, since a time", async () => {
  await using node = leadingServer();
  await sampled(node);
  const all = await node.json("GET", "/metrics/history");
  assertEquals([all.step, all.times.length, all.node], [10, 2, node.services.options.nodeId]);
  const { kind, unit, help, values } = all.series.memory_bytes;
  assertEquals([kind, unit, help], ["gauge", "By", "Resident memory"]);
  assert(values[0] > 20_000_000 && Number.isInteger(values[1]));
  assertEquals(all.series.cpu.values[0], null);
  assert(all.series.cpu.values[1] >= 0);
  for (const name of ["raft_term", "gossip_alive", "http_connections"]) {
    assertEquals(all.series[name]?.values.length, 2, name);
  }
  for (const since of ["5s", new Date(Date.now() - 5000).toISOString(), String(Date.now() - 5000)]) {
    const some = await node.json("GET", `/metrics/history?since=${since}&series=memory_bytes,cpu`);
    assertEquals([some.times.length, Object.keys(some.series)], [1, ["memory_bytes", "cpu"]], since);
  }
  assertEquals((await node.json("GET", "/metrics/history?since=24h&series=cpu")).step, 60);
  assertEquals((await node.json("GET", "/metrics/history?since=1h&series=")).step, 10);
});

Deno.test("/metrics/history refuses a time that is none, and a figure that there is not", async () => {
  await using node = leadingServer();
  for (const query of ["since=yesterday", "since=-1h", "since=1", "since=2020-13-99T00:00:00Z", "since="]) {
    const { status, text } = await node.send("GET", `/metrics/history?${query}`);
    assertEquals(status, 400, query);
    assertMatch(text, /since must be a duration/);
  }
  for (const query of ["series=cpu,none", "series=,", `series=${"cpu,".repeat(1000)}cpu`]) {
    const { status, text } = await node.send("GET", `/metrics/history?${query}`);
    assertEquals(status, 400, query);
    assertMatch(text, /series must be names, .*memory_bytes/);
  }
  assertEquals((await node.send("POST", "/metrics/history")).status, 405);
});

Deno.test("/metrics/history of a client agent has nothing of a log or a database", async () => {
  await using node = leadingServer();
  const { options } = node.services;
  Object.assign(node.services, { options: { ...options, agent: { ...options.agent, isServer: false } } });
  await sampled(node);
  const { series } = await node.json("GET", "/metrics/history");
  assertEquals(Object.keys(series).filter((name) => /^(raft|write|sync|commit|apply|wal|database)/.test(name)), []);
  assertEquals(series.memory_bytes.values.length, 2);
});
