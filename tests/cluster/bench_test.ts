/**
 * The benchmark measures, with wrk and without, and refuses what it does not understand.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";

const SCRIPT = new URL("../../scripts/bench.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

async function bench(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", `--config=${CONFIG}`, "-P=tool", SCRIPT, ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("the benchmark writes a table and JSON, and exits 0", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const { code, stdout, stderr } = await bench(
      ["--only", "^(write/1/1|start/empty)$", "--seconds", "1", "--rounds", "1", "--json", path],
    );
    assertEquals(code, 0, `${stdout}\n${stderr}`);
    assertMatch(stdout, /fdatasync of 4 KiB: [\d.]+ ms/);
    assertMatch(stdout, /INSERT, 1 node, 1 connection +[\d,]+\/s +[\d.]+ ms/);
    assertMatch(stdout, /No request failed/);
    const { results } = JSON.parse(await Deno.readTextFile(path));
    assertEquals(results.map(({ id }: { id: string }) => id), ["write/1/1", "start/empty"]);
    for (const { systems } of results) assert(systems.muster.value > 0);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("the benchmark makes its own load where there is no wrk, and says so", async () => {
  const { code, stdout, stderr } = await bench(
    ["--only", "^(read/none|write/1/32)$", "--seconds", "1", "--rounds", "1"],
    { PATH: "/nowhere" },
  );
  assertEquals(code, 0, `${stdout}\n${stderr}`);
  assertMatch(stdout, /load by own generator, for want of wrk/);
  assertMatch(stdout, /SELECT, none, 1 node, 32 connections +[\d,]+\/s/);
});

Deno.test("the benchmark exits 2 when it does not understand a flag or finds nothing to measure", async () => {
  assertEquals((await bench(["--rounds", "0"])).code, 2);
  assertEquals((await bench(["--only", "nothing"])).code, 2);
  assertEquals((await bench(["--vs", "postgres"])).code, 2);
  assertEquals((await bench(["--fast"])).code, 2);
});
