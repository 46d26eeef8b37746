import { assertEquals, assertMatch } from "@std/assert";
import { Acquaintances } from "../../../src/drivers/transport/acquaintances.ts";
import type { Hello } from "../../../src/drivers/transport/wire.ts";

function hello(id: string, sqlite?: string): Hello {
  return {
    protocol: 1,
    purpose: "raft",
    clusterId: "c",
    id,
    storageId: `${id}1`,
    addr: "a:1",
    apiUrl: "",
    version: "v",
    incarnation: "i",
    ...(sqlite === undefined ? {} : { sqlite }),
  };
}

Deno.test("Acquaintances warn once of a node whose SQLite is another, and of none that says nothing of it", () => {
  const lines: string[] = [];
  const met = new Acquaintances("3.53.2 (a, options 1)", (line) => lines.push(line));
  met.meet(hello("same", "3.53.2 (a, options 1)"));
  met.meet(hello("older"));
  assertEquals(lines, []);
  met.meet(hello("other", "3.53.2 (a, options 2)"));
  met.meet(hello("other", "3.53.2 (a, options 2)"));
  assertEquals(lines.length, 1);
  assertMatch(
    lines[0],
    /^WARNING: node other has SQLite 3\.53\.2 \(a, options 2\), this one has 3\.53\.2 \(a, options 1\)/,
  );
  assertEquals(met.get("other")?.sqlite, "3.53.2 (a, options 2)");
});

Deno.test("what says hello under ever new names does not fill the memory", () => {
  const met = new Acquaintances("", () => {});
  for (let at = 0; at < 1000; at++) met.meet(hello(`n${at}`));
  assertEquals([met.get("n0"), met.get("n999")?.id], [undefined, "n999"]);
});
