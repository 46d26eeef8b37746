/** HCL as Consul's configuration files use it. */
import { assertEquals, assertThrows } from "@std/assert";
import { HclError, parseHcl, parseHclOrJson } from "../../../src/base/codec/hcl.ts";

Deno.test("parseHcl() reads settings, blocks, lists and comments", () => {
  assertEquals(
    parseHcl(`
      # a comment, // and another
      server = true
      bootstrap_expect = 3 /* in
        the middle */ data_dir = "/opt/\\"data\\"\\n\\u00e9"
      retry_join = ["a", "b:8301",]
      ports { dns = -1, http = 8501 } // at the end
      "node_meta" = { rack = "r1", "zone" = "z-1" }
      float = 1.5e3
      hex = 0x10
      nested = [[1, 2], [{ a = "b" }]]
      empty = []
    `),
    {
      server: true,
      bootstrap_expect: 3,
      data_dir: '/opt/"data"\né',
      retry_join: ["a", "b:8301"],
      ports: { dns: -1, http: 8501 },
      node_meta: { rack: "r1", zone: "z-1" },
      float: 1500,
      hex: 16,
      nested: [[1, 2], [{ a: "b" }]],
      empty: [],
    },
  );
});

Deno.test("parseHcl() makes a list of blocks that repeat, and keeps labels", () => {
  assertEquals(
    parseHcl(`service { name = "web" }
service {
  name = "db"
  check { ttl = "10s" }
}
service "cache" { port = 1 }`),
    { service: [{ name: "web" }, { name: "db", check: { ttl: "10s" } }, { cache: { port: 1 } }] },
  );
});

Deno.test("parseHcl() reads heredocs, with their indentation or without", () => {
  assertEquals(parseHcl("a = <<EOF\n  one\n two\nEOF\nb = <<-END\n    one\n      two\n    END\nc = 1"), {
    a: "  one\n two\n",
    b: "one\n  two\n",
    c: 1,
  });
});

Deno.test("parseHcl() reads JSON", () => {
  const value = { server: true, ports: { dns: 1 }, list: ["a", { b: [1, 2] }] };
  assertEquals(parseHcl(JSON.stringify(value).slice(1, -1)), value);
});

Deno.test("parseHcl() names the line of what it cannot read", () => {
  const faults: [string, RegExp][] = [
    ["a = 1\nb", /^line 2: expected "=" or "\{" after "b", found the end$/],
    ["a = ", /^line 1: expected a value, found the end$/],
    ["a {\n b = 1", /^line 2: expected "\}", found the end$/],
    ["}", /^line 1: expected a key, found "\}"$/],
    ['a = "x\n"', /^line 1: expected the closing quote/],
    ['a = "\\q"', /^line 1: expected one of/],
    ["a = [1 2]", /^line 1: expected "," or "\]", found "2"$/],
    ["a = 12x", /^line 1: expected a value/],
    ["a = <<EOF\nx", /^line 2: expected a line "EOF"/],
    [`a ${"{ a ".repeat(100)}`, /at most 64 blocks/],
    [`a = ${"[".repeat(10_000)}`, /at most 64 lists/],
    ["= 1", /^line 1: expected a key/],
  ];
  for (const [text, message] of faults) {
    const error = assertThrows(() => parseHcl(text), HclError, undefined, text);
    assertEquals(message.test(error.message), true, `${text}: ${error.message}`);
  }
});

Deno.test("a file of HCL may hold JSON, whose faults are then those of JSON", () => {
  assertEquals(parseHclOrJson('\n\t {"data_dir": "/x", "ports": {"dns": 8653}, "retry_join": ["a", "b"]}\n'), {
    data_dir: "/x",
    ports: { dns: 8653 },
    retry_join: ["a", "b"],
  });
  assertEquals(parseHclOrJson('\ufeff{"server": true}'), { server: true });
  assertEquals(parseHclOrJson("server = true"), { server: true });
  for (const text of ['{"a": {"b": 1 "c": 2}}', '{"a": 1', '{"a": 1} b = 2', "{a = 1}"]) {
    assertThrows(() => parseHclOrJson(text), SyntaxError, undefined, text);
  }
});
