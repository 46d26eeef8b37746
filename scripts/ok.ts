/**
 * Proves a change: format, lint, types, documentation, layers, all tests; one after the other, each with its time.
 * Ends with `N passed, N failed`. Exits 1 when anything failed, after having run everything.
 *
 * @module
 */

interface Step {
  readonly name: string;
  readonly args: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "types", args: ["check", "mod.ts", "src", "tests", "scripts"] },
  { name: "documentation", args: ["doc", "--lint", "mod.ts"] },
  { name: "layers", args: ["run", "--allow-read=src", "scripts/tidy.ts"] },
  { name: "tests", args: ["test", "-P=test", "--no-check", "tests", ...Deno.args] },
];

/** Runs deno with `args`, showing its output, and returns that as text too. */
async function run(args: readonly string[]): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  const parts: string[] = [];
  const show = async (stream: ReadableStream<Uint8Array>, out: { writeSync(bytes: Uint8Array): number }) => {
    for await (const chunk of stream) {
      for (let written = 0; written < chunk.length;) written += out.writeSync(chunk.subarray(written));
      parts.push(new TextDecoder().decode(chunk));
    }
  };
  await Promise.all([show(child.stdout, Deno.stdout), show(child.stderr, Deno.stderr)]);
  const { success } = await child.status;
  return { success, output: parts.join("") };
}

let passed = 0;
let failed = 0;
for (const { name, args } of STEPS) {
  const started = performance.now();
  console.error(`── ${name}`);
  const { success, output } = await run(args);
  console.error(`── ${name}: ${success ? "ok" : "FAILED"} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  // deno-lint-ignore no-control-regex -- colours are control characters
  const counts = [...output.replace(/\x1b\[[0-9;]*m/g, "").matchAll(/\| (\d+) passed.*\| (\d+) failed/g)].at(-1);
  if (counts) {
    passed += Number(counts[1]);
    failed += Number(counts[2]);
    if (!success && Number(counts[2]) === 0) failed++;
  } else if (success) passed++;
  else failed++;
}
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
