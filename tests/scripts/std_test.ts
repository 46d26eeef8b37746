/** The names of the standard library in `deno.json`. */
import { assert } from "@std/assert";
import configuration from "../../deno.json" with { type: "json" };

Deno.test("every name of the standard library stands for a file that loads, all of one version", async () => {
  const names = Object.entries(configuration.imports).filter(([name]) => name.startsWith("@std/"));
  const versions = new Set<string>();
  for (const [name, target] of names) {
    assert(Object.keys(await import(name)).length > 0, name);
    versions.add(/^npm:deno-std@([^/]+)\//.exec(target)?.[1] ?? target);
  }
  assert(versions.size === 1, [...versions].join());
});
