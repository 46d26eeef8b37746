/** docs/metrics.md, the alert rules and the dashboard name the metrics that there are. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { COUNTERS, GAUGES, LAST_CONTACT, SAMPLES } from "../../../src/api/metrics/consul.ts";
import { SERIES } from "../../../src/core/metrics/series.ts";
import { exposed, leadingServer } from "./exposed.ts";
import { dashboardExpressions, metricsIn, ruleExpressions } from "./expressions.ts";

const PAGE = await Deno.readTextFile(new URL("../../../docs/metrics.md", import.meta.url));
await using node = leadingServer();
const FAMILIES = await exposed(node);
const NAMES = new Set(FAMILIES.map(({ name }) => name));

Deno.test("docs/metrics.md has every metric with its type and its labels, and no other", () => {
  const rows = [...PAGE.matchAll(/^\| `((?:muster|process)_\w+)` +\| (\w+) +\| (.*?) *\|/gm)];
  const documented = rows.map(([, name, kind, labels]) => ({ name, kind, labels: labels.match(/\w+/g) ?? [] }));
  assertEquals(documented.map(({ name }) => name).sort(), [...NAMES].sort());
  for (const { name, kind, labels } of documented) {
    const family = FAMILIES.find((one) => one.name === name);
    assertEquals(kind, family?.kind, name);
    const points = family?.points ?? [];
    assert(points.length > 0, name);
    for (const point of points) assertEquals(Object.keys(point.labels ?? {}).sort(), labels.sort(), name);
  }
});

Deno.test("docs/metrics.md has every name of Consul's", () => {
  const section = PAGE.slice(PAGE.indexOf("## Consul's names"));
  for (const { name, of } of [...GAUGES, ...COUNTERS, ...SAMPLES, LAST_CONTACT]) {
    const parts = name.split(".");
    const last = name.startsWith("client.api.") ? "catalog_*" : parts.at(-1);
    const row = section.split("\n").find((line) =>
      line.includes(`\`consul.${[...parts.slice(0, -1), last].join(".")}\``) ||
      line.includes(`\`.${last}\``) && line.includes(`\`consul.${parts.slice(0, -1).join(".")}.`)
    );
    assert(row?.includes(`\`${of}\``), `${name} is not in the page, or not as ${of}`);
  }
});

Deno.test("metrics have names and texts as Prometheus wants them", () => {
  for (const { name, kind, help } of FAMILIES) {
    assertEquals(name.endsWith("_total"), kind === "counter", name);
    if (kind === "histogram") assertMatch(name, /_seconds$/);
    assertMatch(help, /^[A-Z].*[^.]$/, name);
  }
});

Deno.test("the alert rules and the dashboard ask for metrics that there are", async () => {
  const rules = await ruleExpressions();
  const panels = await dashboardExpressions();
  assert(rules.length > 15 && panels.length > 40, `${rules.length} rules, ${panels.length} expressions of panels`);
  for (const [where, expression] of [...rules, ...panels]) {
    const names = metricsIn(expression);
    assert(names.length > 0 || expression.startsWith("up{"), `${where} names no metric: ${expression}`);
    for (const name of names) assert(NAMES.has(name), `${where} asks for ${name}, which is not there`);
  }
});

Deno.test("docs/metrics.md has every figure of the last hours with its kind and unit", () => {
  const section = PAGE.slice(PAGE.indexOf("## The last hours"), PAGE.indexOf("## Traces"));
  const rows = [...section.matchAll(/^\| `([a-z0-9_]+)` +\| (gauge|rate|quantile) +\| (\S+) +\|/gm)];
  assertEquals(rows.map(([, ...row]) => row), SERIES.map(({ name, kind, unit }) => [name, kind, unit]));
});
