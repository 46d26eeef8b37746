/** The manual page as roff: what the commands say stays text, and flags are where they belong. */
import { assert, assertEquals } from "@std/assert";
import { escaped, manPage } from "../../../src/program/manual/man_page.ts";

const flag = (name: string, help: string, kind: "bool" | "string" | "strings", supported = true) => ({
  name,
  kind,
  value: kind === "string" ? "a-b" : "",
  help,
  supported,
});
const SHARED = [flag("http-addr", "Where the agent is", "string")];

function page(): string {
  return manPage({
    version: "1.2.3",
    date: "2026-11-29",
    commands: [
      {
        name: "kv put",
        summary: "write a key",
        usage: "[flags] KEY\n\nDATA is \\n or @FILE.\n\nExamples:\n  .kv put\n  'x",
        flags: [flag("z", ".TH stays text", "bool"), flag("a", "a text", "strings"), ...SHARED],
      },
      { name: "agent", summary: "run an agent", usage: "", flags: [flag("later", "not there", "bool", false)] },
    ],
    shared: SHARED,
    pages: [{ topic: "auto_backup", title: "Automatic backups" }],
  });
}

Deno.test("manPage() has the commands in order, each with its usage and the flags that do something", () => {
  const lines = page().split("\n");
  assertEquals(lines[0], '.TH MUSTER 1 "2026-11-29" "muster 1.2.3" "User Commands"');
  assertEquals(lines.filter((line) => line.startsWith(".SS")), [".SS muster agent", ".SS muster kv put"]);
  const from = lines.indexOf(".SS muster kv put");
  assertEquals(lines.slice(from + 1, lines.findIndex((line, at) => at > from && line.startsWith(".SH"))), [
    "Write a key.",
    ".PP",
    ".B muster kv put",
    "[flags] KEY",
    ".PP",
    ".nf",
    "DATA is \\en or @FILE.",
    ".sp",
    "Examples:",
    "  .kv put",
    "  'x",
    ".fi",
    ".TP",
    '.BI \\-a " " "string"',
    "a text",
    ".TP",
    ".B \\-z",
    "\\&.TH stays text",
    ".PP",
    "It also takes the flags of commands that speak to an agent.",
  ]);
  assert(!page().includes("later"));
  assertEquals(lines.filter((line) => line.includes("http\\-addr")), ['.BI \\-http\\-addr " " "string"']);
  assert(lines.includes("Where the agent is (default a\\-b)"));
  assert(lines.includes(".B muster docs auto_backup"));
});

Deno.test("escaped() leaves nothing that roff takes for its own", () => {
  assertEquals(escaped(".TH"), "\\&.TH");
  assertEquals(escaped("'quote"), "\\&'quote");
  assertEquals(escaped("a\\fB -x"), "a\\efB \\-x");
  assertEquals(escaped("two\n  lines"), "two lines");
  assertEquals(escaped("für 😀"), "f\\[u00FC]r \\[u1F600]");
});
