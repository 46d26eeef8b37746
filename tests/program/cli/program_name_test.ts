/** The name by which the program is called (C3.13). */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { named, programNameIn } from "../../../src/program/client/program_name.ts";
import { versionText } from "../../../src/program/cli/version_command.ts";

Deno.test("programNameIn() knows links and copies named consul", () => {
  for (const path of ["consul", "./consul", "/usr/local/bin/consul", "C:\\bin\\consul.exe"]) {
    assertEquals(programNameIn(path), "consul", path);
  }
  for (const path of ["", "muster", "deno", "/opt/consul/muster", "consul2", "myconsul"]) {
    assertEquals(programNameIn(path), "muster", path);
  }
});

Deno.test("named() puts the name in front of commands, and nowhere else", () => {
  const text = "muster: a database\nUsage: muster kv get\n  muster -help\nmuster.kv";
  assertEquals(named(text, "consul"), "muster: a database\nUsage: consul kv get\n  consul -help\nmuster.kv");
  assertEquals(named(text, "muster"), text);
});

Deno.test("versionText() has the lines that programs look for in Consul's", () => {
  assertMatch(
    versionText("pretty", "consul"),
    /^Consul v\d+\.\d+\.\d+\S*\nProtocol 2 spoken by default, understands 2 to 3/,
  );
  assertMatch(versionText("pretty", "muster"), /^muster v/);
  const { Version, RPC } = JSON.parse(versionText("json", "muster"));
  assertMatch(Version, /^\d+\.\d+\.\d+$/);
  assertEquals(RPC, { Default: 2, Min: 2, Max: 3 });
  assertThrows(() => versionText("xml", "muster"), Error, "Unknown format: xml");
});
