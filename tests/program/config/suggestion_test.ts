/** What was meant by who mistyped. */
import { assertEquals, assertThrows } from "@std/assert";
import { main } from "../../../src/program/cli/main.ts";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { Flags, UsageError } from "../../../src/program/config/flags.ts";
import { suggested, suggestion } from "../../../src/program/config/suggestion.ts";

Deno.test("suggestion() finds the name that is meant, and none where nothing is near", () => {
  const names = ["serve", "agent", "version", "kv get"];
  assertEquals(["sreve", "agnt", "verison", "kv gte"].map((word) => suggestion(word, names)), [
    "serve",
    "agent",
    "version",
    "kv get",
  ]);
  for (const word of ["", "x", "frobnicate", "se", "s".repeat(10_000)]) {
    assertEquals(suggestion(word, names), undefined);
  }
  assertEquals([suggested("sreve", names), suggested("frobnicate", names)], [": did you mean serve?", ""]);
});

Deno.test("a mistyped flag and a mistyped command are answered with what was meant", async () => {
  const wrong = () => Flags.parse(["-htp-port=1"], AGENT_FLAGS);
  assertThrows(wrong, UsageError, "flag provided but not defined: -htp-port: did you mean -http-port?");
  const lines: string[] = [];
  const original = console.error;
  console.error = (line: string) => lines.push(line);
  try {
    const codes = [await main(["sreve", "data"]), await main(["kv", "gte", "x"]), await main(["catlog", "nodes"])];
    assertEquals(codes, [2, 1, 2]);
  } finally {
    console.error = original;
  }
  assertEquals(lines[0].split("\n")[0], 'unknown command "sreve data": did you mean "muster serve"?');
  assertEquals(lines[2].split("\n")[0], 'unknown command "catlog nodes": did you mean "muster catalog nodes"?');
});
