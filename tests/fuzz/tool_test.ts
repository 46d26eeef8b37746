import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeCase } from "../harness/fuzz/campaign.ts";
import { writeCase } from "../harness/fuzz/case.ts";
import { selectedKinds } from "../harness/fuzz/grammar/kinds.ts";

async function tool(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const all = ["run", "-P=tool", "--no-check", "scripts/fuzz_sql.ts", ...args];
  const command = new Deno.Command(Deno.execPath(), { args: all, stdin: "null", stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("fuzz-sql explains itself and refuses what it does not understand", async () => {
  const help = await tool("--help");
  assertEquals(help.code, 0);
  assertStringIncludes(help.out, "insert-select");
  for (const args of [["--minutes", "x"], ["--minutes", "1", "--only", "nothing"], ["--nonsense"], []]) {
    const { code, err } = await tool(...args);
    assertEquals(code, 2, err);
    assertStringIncludes(err, "Usage:");
  }
});

Deno.test("fuzz-sql runs rounds in a process of its own and says how many", async () => {
  const { code, err } = await tool("--minutes", "0.05", "--seed", "1");
  assertEquals(code, 0, err);
  assertStringIncludes(err, "0 findings");
});

Deno.test("fuzz-sql replays a case from a file", async () => {
  const kinds = selectedKinds({});
  const file = Deno.makeTempFileSync({ prefix: "fuzz-case-", suffix: ".json" });
  try {
    Deno.writeTextFileSync(file, writeCase(makeCase({ seed: 1, kinds, entries: 20, replicas: 3 })));
    const { code, out, err } = await tool("--replay", file);
    assertEquals(code, 0, out + err);
    assertStringIncludes(out, "entry 20: ");
    assertStringIncludes(out, "passes");
  } finally {
    Deno.removeSync(file);
  }
});
