/** Which server of another datacenter is asked next, by a clock that the test turns. */
import { assertEquals } from "@std/assert";
import { byDistance, Datacenters, REQUESTS_MAX, REST_MS, type WanServer } from "../../../src/core/wan/datacenters.ts";

const server = (name: string, datacenter: string, isAlive = true): WanServer => ({
  name: `${name}.${datacenter}`,
  datacenter,
  addr: `${name}:8300`,
  isAlive,
});

const NOBODY: ReadonlySet<string> = new Set();

function known(...servers: readonly WanServer[]): Datacenters {
  const datacenters = new Datacenters("dc1");
  datacenters.setServers([server("a", "dc1"), ...servers]);
  return datacenters;
}

/** The address of the next step, or what else it is. */
function next(datacenters: Datacenters, nowMs: number, tried: ReadonlySet<string> = NOBODY): string {
  const step = datacenters.next("dc2", tried, nowMs);
  return step.k === "ask" ? step.addr : step.k;
}

Deno.test("servers take turns; those that are not alive are asked for nothing", () => {
  const datacenters = known(server("x", "dc2"), server("y", "dc2"), server("z", "dc2", false));
  assertEquals([1, 2, 3, 4].map((at) => next(datacenters, at)), ["x:8300", "y:8300", "x:8300", "y:8300"]);
  assertEquals(datacenters.names, ["dc1", "dc2"]);
  assertEquals(datacenters.next("dc9", NOBODY, 0), { k: "unknown" });
  datacenters.setServers([server("x", "dc2", false)]);
  assertEquals(next(datacenters, 5), "nobody", "known, and cut off");
  datacenters.setServers([]);
  assertEquals(next(datacenters, 6), "unknown");
});

Deno.test("a server that was not reached is left alone for a while, then one request tries it", () => {
  const datacenters = known(server("x", "dc2"), server("y", "dc2"));
  assertEquals(next(datacenters, 0), "x:8300");
  datacenters.unreached("x:8300", 0);
  assertEquals([1, 2, 3].map((at) => next(datacenters, at)), ["y:8300", "y:8300", "y:8300"]);
  assertEquals(next(datacenters, 4, new Set(["y:8300"])), "nobody", "not even by one that has tried all others");
  datacenters.unreached("y:8300", 10);
  assertEquals(next(datacenters, 11), "nobody", "cut off: no request waits");
  assertEquals(next(datacenters, REST_MS), "x:8300", "one tries");
  assertEquals(next(datacenters, REST_MS + 1), "nobody", "the others leave it alone meanwhile");
  datacenters.unreached("x:8300", REST_MS + 2);
  assertEquals(next(datacenters, REST_MS + 10), "y:8300");
  datacenters.reached("y:8300");
  assertEquals([1, 2].map((at) => next(datacenters, REST_MS + 10 + at)), ["y:8300", "y:8300"]);
});

Deno.test("a server that gossip calls alive again is asked at once", () => {
  const datacenters = known(server("x", "dc2"));
  next(datacenters, 0);
  datacenters.unreached("x:8300", 0);
  datacenters.setServers([server("x", "dc2", false)]);
  assertEquals(next(datacenters, 1), "nobody");
  datacenters.setServers([server("x", "dc2")]);
  assertEquals(next(datacenters, 2), "x:8300");
});

Deno.test("requests to one datacenter are limited, and those to another are not by it", () => {
  const datacenters = known(server("x", "dc2"), server("y", "dc3"));
  for (let count = 0; count < REQUESTS_MAX; count++) assertEquals(datacenters.begin("dc2"), true);
  assertEquals([datacenters.begin("dc2"), datacenters.begin("dc3")], [false, true]);
  datacenters.end("dc2");
  assertEquals(datacenters.begin("dc2"), true);
});

Deno.test("datacenters are sorted by the median of their distances, the own one first, unknown ones last", () => {
  const seconds: Readonly<Record<string, number[]>> = { near: [0.9, 0.01, 0.02], far: [0.1, 0.2, 0.3], dc1: [5] };
  const names = ["dc1", "far", "near", "silent-b", "silent-a"];
  assertEquals(byDistance(names, "dc1", (name) => seconds[name] ?? []), ["dc1", "near", "far", "silent-a", "silent-b"]);
});
