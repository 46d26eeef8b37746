/** What a watch asks an agent. */
import { assertEquals, assertThrows } from "@std/assert";
import { WatchError, type WatchKeys, watchQuery } from "../../../src/program/config/watch.ts";

Deno.test("watchQuery() has a path for each type", () => {
  const paths: [WatchKeys, string][] = [
    [{ type: "key", key: "a/b c" }, "/v1/kv/a%2Fb%20c"],
    [{ type: "keyprefix", prefix: "a/", stale: true }, "/v1/kv/a%2F?recurse&stale"],
    [{ type: "services", datacenter: "dc1" }, "/v1/catalog/services?dc=dc1"],
    [{ type: "nodes" }, "/v1/catalog/nodes"],
    [{ type: "service", service: "web" }, "/v1/health/service/web"],
    [
      { type: "service", service: "web", tag: ["a", "b&c"], passingonly: true },
      "/v1/health/service/web?tag=a&tag=b%26c&passing",
    ],
    [{ type: "checks" }, "/v1/health/state/any"],
    [{ type: "checks", state: "critical" }, "/v1/health/state/critical"],
    [{ type: "checks", service: "web" }, "/v1/health/checks/web"],
    [{ type: "event", name: "deploy", stale: true }, "/v1/event/list?name=deploy"],
    [{ type: "event" }, "/v1/event/list"],
  ];
  for (const [keys, target] of paths) assertEquals(watchQuery(keys).target, target);
});

Deno.test("watchQuery() refuses what makes no sense", () => {
  const faults: [WatchKeys, string][] = [
    [{}, "Watch type must be specified"],
    [{ type: "toString" }, "Unsupported watch type: toString"],
    [{ type: "key" }, "Must specify a single key to watch"],
    [{ type: "service", tag: "a" }, "Must specify a single service to watch"],
    [{ type: "checks", service: "a", state: "any" }, "Cannot specify service and state"],
    [{ type: "nodes", key: "a", tag: "b" }, "Invalid parameters: [key tag]"],
  ];
  for (const [keys, message] of faults) assertThrows(() => watchQuery(keys), WatchError, message);
});

Deno.test("watchQuery() shows keys as Consul's library does, and only events that are new", () => {
  const entry = '[{"LockIndex":0,"Key":"a","Flags":18446744073709551615,"Value":null,"CreateIndex":1,"ModifyIndex":2}]';
  const key = watchQuery({ type: "key", key: "a" });
  assertEquals(
    JSON.stringify(key.shown(entry, "0")),
    '{"Key":"a","CreateIndex":1,"ModifyIndex":2,"LockIndex":0,"Flags":18446744073709551615,"Value":null,"Session":""}',
  );
  assertEquals(key.shown(undefined, "0"), null);
  assertEquals(watchQuery({ type: "keyprefix", prefix: "a" }).shown(undefined, "0"), null);
  const [first, second] = ["00000000-0000-0001-0000-000000000003", "00000000-0000-0000-0000-000000000009"]
    .map((ID) => ({ ID }));
  const { shown } = watchQuery({ type: "event" });
  const body = JSON.stringify([first, second]);
  assertEquals(shown(body, "0"), [first, second]);
  assertEquals(shown(body, "2"), [second]);
  assertEquals(shown(body, "9"), undefined);
  assertEquals(shown("[]", "0"), []);
});
