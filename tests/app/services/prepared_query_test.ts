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

/** Ids of the instances that a query finds. */
async function found(service: Record<string, unknown>, checks: readonly CatalogRow[] = []): Promise<unknown[]> {
  const body = JSON.stringify({ Name: "q", Service: { Service: "web", ...service } });
  const result = await executeQuery({
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
  const none = { query: () => Promise.resolve([]), catalog: () => Promise.resolve([[], []]) };
  assertEquals(await executeQuery(none, "q"), undefined);
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
