/**
 * The demonstration runs to its end, shows what it promises, and leaves nothing behind.
 */
import { assertEquals, assertMatch, assertNotMatch } from "@std/assert";

const SCRIPT = new URL("../../scripts/demo.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const LOCK = new URL("../../deno.dev.lock", import.meta.url).pathname;

async function demo(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", `--config=${CONFIG}`, `--lock=${LOCK}`, "-P=tool", SCRIPT, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("the demonstration shows a cluster that survives its leader, and exits 0", async () => {
  const { code, stdout, stderr } = await demo("--no-wait");
  assertEquals(code, 0, `${stdout}\n${stderr}`);
  assertMatch(stdout, /one cluster after/);
  assertMatch(stdout, /171,075 of 171,075 rows \(100%\)/);
  for (const level of ["none", "weak", "linearizable", "strong"]) assertMatch(stdout, RegExp(`level ${level}, asked`));
  assertMatch(stdout, /United States +17,343/);
  assertMatch(stdout, /next write accepted at \S+ after \d/);
  const copies = [...stdout.matchAll(/^ +[123] +(171,076) +([0-9a-f]{64})$/gm)].map(([, rows, hash]) => rows + hash);
  assertEquals(copies.length, 3);
  assertEquals(new Set(copies).size, 1);
  assertMatch(stdout, /All as expected/);
  // deno-lint-ignore no-control-regex -- the bar is drawn with them
  assertNotMatch(stdout, /\r|\x1b/, "a bar that redraws itself, where there is no terminal");
  const [, root] = /a demonstration in (\S+)/.exec(stdout) ?? [];
  assertEquals(await Deno.stat(root).catch(() => undefined), undefined, `${root} is still there`);
});

Deno.test("the demonstration exits 2 when it does not understand a flag", async () => {
  const { code, stderr } = await demo("--now");
  assertEquals(code, 2);
  assertMatch(stderr, /Cannot understand --now/);
});
