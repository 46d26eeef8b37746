/** Prepared queries: which instances are found, and what a template fills in. */
import { assertEquals } from "@std/assert";
import type { CatalogRow } from "../../../src/app/agent/catalog.ts";
import { executeQuery, filledIn } from "../../../src/app/services/prepared_query.ts";

const instance = (id: string, tags: string[], more: Record<string, string> = {}): CatalogRow => ({
  node: "N1",
  id,
  name: "web",
  tags: JSON.stringify(tags),
  meta: "{}",
  node_meta: `{"rack":"a"}`,
  ...more,
});
const INSTANCES = [
  instance("one", ["V1", "canary"]),
  instance("two", ["v1"], { meta: `{"env":"prod"}` }),
  instance("three", ["v1"], { node: "n2", node_meta: "{}" }),
];
const check = (id: string, service_id: string, status: string): CatalogRow => ({ node: "n1", id, service_id, status });

/** A datacenter alone. */
const ALONE = { datacenter: "dc1", datacenters: () => Promise.resolve(["dc1"]), noteFailure() {} };

/** Ids of the instances that a query finds. */
async function found(service: Record<string, unknown>, checks: readonly CatalogRow[] = []): Promise<unknown[]> {
  const body = JSON.stringify({ Name: "q", Service: { Service: "web", ...service } });
  const result = await executeQuery({
    ...ALONE,
    query: () => Promise.resolve([{ id: "i", name: "q", body }]),
    catalog: () => Promise.resolve([INSTANCES, checks]),
  }, "q");
  return (result?.instances ?? []).map(({ id }) => id);
}

Deno.test("tags, metadata and health choose", async () => {
  assertEquals(await found({}), ["one", "two", "three"]);
  assertEquals(await found({ Tags: ["v1", "!canary"] }), ["two", "three"]);
  assertEquals(await found({ NodeMeta: { rack: "a" } }), ["one", "two"]);
  assertEquals(await found({ ServiceMeta: { env: "prod" } }), ["two"]);
  const checks = [check("a", "one", "critical"), check("b", "two", "warning")];
  assertEquals(await found({}, checks), ["two", "three"]);
  assertEquals(await found({ OnlyPassing: true }, checks), ["three"]);
  assertEquals(await found({ IgnoreCheckIDs: ["a", "b"], OnlyPassing: true }, checks), ["one", "two", "three"]);
  assertEquals(await found({}, [check("node", "", "critical")]), ["three"]);
  const none = { ...ALONE, query: () => Promise.resolve([]), catalog: () => Promise.resolve([[], []]) };
  assertEquals(await executeQuery(none, "q"), undefined);
});

Deno.test("other datacenters are asked one after the other, the nearest first, until one has an instance", async () => {
  const execute = async (
    failover: Record<string, unknown>,
    { has, cutOff = [] }: { has: string; cutOff?: string[] },
  ) => {
    const asked: string[] = [];
    const failed: string[] = [];
    const body = JSON.stringify({ Name: "q", Service: { Service: "web", Failover: failover } });
    const found = await executeQuery({
      query: () => Promise.resolve([{ id: "i", name: "q", body }]),
      catalog: (_, datacenter) => {
        asked.push(datacenter);
        if (cutOff.includes(datacenter)) return Promise.reject(new Error("cut off"));
        return Promise.resolve([datacenter === has ? INSTANCES : [], []]);
      },
      datacenter: "dc1",
      datacenters: () => Promise.resolve(["dc1", "near", "far", "farther"]),
      noteFailure: (datacenter) => failed.push(datacenter),
    }, "q");
    return { asked, failed, where: found?.datacenter, failovers: found?.failovers, count: found?.instances.length };
  };
  const here = await execute({ NearestN: 2 }, { has: "dc1" });
  assertEquals(here, { asked: ["dc1"], failed: [], where: "dc1", failovers: 0, count: 3 });
  const near = await execute({ NearestN: 1, Datacenters: ["farther", "near", "unknown", "FAR"] }, { has: "far" });
  assertEquals(near.asked, ["dc1", "near", "farther", "far"], "none twice, none that nobody knows");
  assertEquals([near.where, near.failovers, near.count], ["far", 3, 3]);
  const cut = await execute({ Targets: [{ Datacenter: "near" }, { Datacenter: "far" }] }, {
    has: "far",
    cutOff: ["near"],
  });
  assertEquals(cut, { asked: ["dc1", "near", "far"], failed: ["near"], where: "far", failovers: 2, count: 3 });
  assertEquals((await execute({}, { has: "far" })).asked, ["dc1"]);
  const nowhere = await execute({ NearestN: 9 }, { has: "elsewhere" });
  assertEquals([nowhere.failovers, nowhere.count], [3, 0]);
});

Deno.test("a template fills in the parts of the name that asks", () => {
  const Service = { Service: "${name.suffix}", Tags: ["${name.prefix}", "${name.full}", "${unknown}"] };
  const Template = { Type: "name_prefix_match" };
  const row = (body: unknown) => ({ id: "i", name: "geo-", body: JSON.stringify(body) });
  const body = filledIn(row({ Name: "geo-", Service, Template }), "geo-db");
  assertEquals(body, {
    Name: "geo-",
    Service: { Service: "db", Tags: ["geo-", "geo-db", "${unknown}"] },
    Template,
  });
  assertEquals(filledIn(row({ Name: "geo-", Service }), "geo-"), { Name: "geo-", Service });
});
