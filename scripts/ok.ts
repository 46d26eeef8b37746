/**
 * Proves a change: format, lint, types, documentation, layers, all tests, each with its time. Ends with what failed, repeated
 * where nobody has to look for it, and `N passed, N failed`. Exits 1 when anything failed, after having run everything.
 *
 * The tests run in four lanes side by side: many of them wait for processes, time-outs and elections, and leave two
 * processors idle meanwhile. Each lane has ports of its own.
 *
 * @module
 */

/** Something to run. */
interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** Ports that its tests may take, `FIRST-LAST`. */
  readonly ports?: string;
  /** Before each line that it prints, where two print at once. */
  readonly mark?: string;
}

/**
 * The lock file of tests and tools: deno.lock has only what the program uses, so that a machine that only runs it
 * downloads no more.
 */
const LOCK = "--lock=deno.dev.lock";

const CHECKS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "types", args: ["check", LOCK, "mod.ts", "src", "tests", "scripts"] },
  { name: "types of the console", args: ["check", "--config=console/deno.json", "console/app.tsx"] },
  { name: "documentation", args: ["doc", "--lint", "mod.ts"] },
  { name: "layers", args: ["run", "--allow-read=src,tests,scripts", "scripts/tidy.ts"] },
];

/** Folders of tests in the first lanes, which take about as long as all others. */
const FIRST_LANES = [["cluster", "deploy"], ["faults", "processes"], ["agent"]];
/** Ports of the first lane; those of the others follow. */
const [FIRST_PORT, LANE_PORTS] = [10_000, 5500];

function lanes(): Step[] {
  const folders = [...Deno.readDirSync("tests")].filter(({ isDirectory }) => isDirectory).map(({ name }) => name)
    .sort();
  const others = folders.filter((folder) => !FIRST_LANES.flat().includes(folder));
  return [...FIRST_LANES, others].map((lane, at) => {
    const port = FIRST_PORT + at * LANE_PORTS;
    return {
      name: `tests, lane ${at + 1}`,
      args: ["test", LOCK, "-P=test", "--no-check", ...lane.map((one) => `tests/${one}`), ...Deno.args],
      ports: `${port}-${port + LANE_PORTS - 1}`,
      mark: `${at + 1} `,
    };
  });
}

/** Lines of a failed step that are repeated at the end, at most: the first ones, which name the first error. */
const REPEATED_LINES = 120;

let passed = 0;
let failed = 0;
/** The lines that are repeated at the end. */
const failures: string[] = [];

/** The lines of what a program prints, as they come. */
async function* linesOf(stream: ReadableStream<BufferSource>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** Runs deno, showing what it prints; counts what it reports, or itself as one. */
async function run({ name, args, ports, mark = "" }: Step): Promise<void> {
  const started = performance.now();
  console.error(`── ${name}`);
  const env: Record<string, string> = ports ? { MUSTER_TEST_PORTS: ports } : {};
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const counts: number[][] = [];
  const lines: string[] = [];
  const show = async (stream: ReadableStream<BufferSource>, out: (line: string) => void) => {
    for await (const line of linesOf(stream)) {
      out(mark + line);
      // deno-lint-ignore no-control-regex -- colours are control characters
      const plain = line.replace(/\x1b\[[0-9;]*m/g, "");
      lines.push(plain);
      const found = /\| (\d+) passed.*\| (\d+) failed/.exec(plain);
      if (found) counts.push([Number(found[1]), Number(found[2])]);
    }
  };
  await Promise.all([show(child.stdout, console.log), show(child.stderr, console.error)]);
  const { success } = await child.status;
  console.error(`── ${name}: ${success ? "ok" : "FAILED"} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  const [good, bad] = counts.at(-1) ?? [success ? 1 : 0, 0];
  passed += good;
  failed += success ? bad : Math.max(bad, 1);
  if (!success) failures.push(`── ${name}: FAILED`, ...explained(lines).map((line) => mark + line));
}

/**
 * The explanation of a failed step: the lines from the heading of `deno test` for failures on, or else its last lines.
 */
function explained(lines: readonly string[]): readonly string[] {
  const heading = lines.findIndex((line) => line.trim() === "ERRORS");
  return heading < 0 ? lines.slice(-REPEATED_LINES) : lines.slice(heading).slice(0, REPEATED_LINES);
}

/** One after the other, beside the tests. */
async function checkAll(): Promise<void> {
  for (const check of CHECKS) await run({ ...check, mark: "0 " });
}

await Promise.all([checkAll(), ...lanes().map(run)]);
for (const line of failures) console.log(line);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
