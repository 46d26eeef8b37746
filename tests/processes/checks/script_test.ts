/** Checks that run programs. */
import { assertEquals, assertRejects } from "@std/assert";
import type { ScriptKind } from "../../../src/core/health/check_kind.ts";
import { EndOfRun, type RunResult } from "../../../src/drivers/checks/runner.ts";
import { checkScript } from "../../../src/drivers/checks/script.ts";

const line = (text: string): ScriptKind => ({ k: "script", args: [text], shell: "/bin/sh" });

function run(kind: ScriptKind, outputBytesMax = 4096, signal = new AbortController().signal): Promise<RunResult> {
  return checkScript(kind, { signal, outputBytesMax });
}

/** Processes whose command line has `word`. */
async function processes(word: string): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-eo", "args"] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((args) => args.includes(word)).length;
}

Deno.test("a script is passing with exit code 0, warning with 1, critical with any other", async () => {
  assertEquals(await run(line("echo fine")), { status: "passing", output: "fine\n" });
  assertEquals(await run(line("echo hm; exit 1")), { status: "warning", output: "hm\n" });
  assertEquals(await run(line("exit 2")), { status: "critical", output: "" });
  assertEquals((await run(line("kill -9 $$"))).status, "critical");
});

Deno.test("a script without a shell has its arguments as they are, no input, and both outputs together", async () => {
  assertEquals(await run({ k: "script", args: ["printf", "%s|", "a b", "$HOME", "*"] }), {
    status: "passing",
    output: "a b|$HOME|*|",
  });
  assertEquals((await run(line("cat; echo error >&2"))).output, "error\n");
});

Deno.test("a script that cannot be started says why", async () => {
  await assertRejects(() => run({ k: "script", args: ["/nowhere/to/be/found"] }), Error, "/nowhere/to/be/found");
});

Deno.test("the last of a script's output is kept", async () => {
  const { output } = await run(line("i=0; while [ $i -lt 30000 ]; do echo 0123456789; i=$((i+1)); done"), 22);
  assertEquals(output, "Captured 22 of 330000 bytes\n...\n0123456789\n0123456789\n");
});

Deno.test("a script that takes too long is ended with everything it has started, and its output is kept", async () => {
  const controller = new AbortController();
  const seconds = `3${Math.floor(Math.random() * 1e6)}`; // a mark to find the processes by
  const running = run(line(`echo begun; sleep ${seconds} & sleep ${seconds}; echo late`), 4096, controller.signal);
  while (await processes(`sleep ${seconds}`) < 3) { /* until the shell and both are there */ }
  controller.abort(new EndOfRun("Timed out (1s) running check"));
  const { status, output, over } = await running;
  assertEquals([status, output], ["critical", "Timed out (1s) running check\n\nbegun\n"]);
  await over;
  assertEquals(await processes(`sleep ${seconds}`), 0);
});

Deno.test("a script that does not listen is killed", async () => {
  const controller = new AbortController();
  const seconds = `4${Math.floor(Math.random() * 1e6)}`;
  const running = run(line(`trap '' TERM; sleep ${seconds}; sleep ${seconds}`), 4096, controller.signal);
  while (await processes(`sleep ${seconds}`) < 2) { /* until the shell and the first are there */ }
  controller.abort(new EndOfRun("enough"));
  const { output, over } = await running;
  assertEquals(output, "enough");
  await over;
  assertEquals(await processes(`sleep ${seconds}`), 0);
});

Deno.test("a script is done when it has ended, also where what it has started holds its output open", async () => {
  const { status, output } = await run(line("sleep 1000 & echo $!"));
  assertEquals(status, "passing");
  Deno.kill(Number(output), "SIGKILL"); // it goes on
});
