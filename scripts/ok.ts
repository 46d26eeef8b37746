/**
 * Proves a change: format, lint, types, documentation, layers, all tests, each with its time. Ends with what failed, repeated
 * where nobody has to look for it, and `N passed, N failed`. Exits 1 when anything failed, after having run everything.
 *
 * The tests run in four lanes side by side: many of them wait for processes, time-outs and elections, and leave two
 * processors idle meanwhile. A lane that has done one portion of the tests takes the next, so that all end at about the same
 * time. Each lane has ports of its own.
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

const LANES = 4;
/** Ports of the first lane; those of the others follow. */
const [FIRST_PORT, LANE_PORTS] = [10_000, 5500];

/** Folders whose files are portions of their own, as they start many processes. */
const BY_FILE = ["agent", "cluster", "documentation", "faults", "processes/discovery"];
/** What takes longest goes first: nothing long is left for the end. */
const FIRST = [
  "deploy",
  "processes/discovery/faults_test.ts",
  "clients",
  "faults/sql_test.ts",
  "cluster/namesake_test.ts",
  "agent/datacenters_test.ts",
  "drivers",
  "sim",
  "console",
  "fuzz",
];

function entriesOf(folder: string, isWanted: (entry: Deno.DirEntry) => boolean): string[] {
  const prefix = folder === "" ? "" : `${folder}/`;
  return [...Deno.readDirSync(`tests/${folder}`)].filter(isWanted).map(({ name }) => prefix + name).sort();
}

/** The portions of the tests: folders, and files of some; below `tests/`. */
function portions(): string[] {
  const isFolder = ({ isDirectory }: Deno.DirEntry) => isDirectory;
  const folders = entriesOf("", isFolder).filter((folder) => folder !== "fixtures");
  const all = folders.flatMap((folder) => folder === "processes" ? entriesOf(folder, isFolder) : [folder])
    .flatMap((folder) =>
      BY_FILE.includes(folder) ? entriesOf(folder, ({ name }) => name.endsWith("_test.ts")) : [folder]
    );
  return [...FIRST.filter((one) => all.includes(one)), ...all.filter((one) => !FIRST.includes(one))];
}

/** Takes one portion after the other until none is left. */
async function lane(number: number, waiting: string[]): Promise<void> {
  const port = FIRST_PORT + (number - 1) * LANE_PORTS;
  for (let portion = waiting.shift(); portion !== undefined; portion = waiting.shift()) {
    await run({
      name: `tests/${portion}, lane ${number}`,
      args: ["test", LOCK, "-P=test", "--no-check", `tests/${portion}`, ...Deno.args],
      ports: `${port}-${port + LANE_PORTS - 1}`,
      mark: `${number} `,
    });
  }
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

const waiting = portions();
await Promise.all([checkAll(), ...Array.from({ length: LANES }, (_, at) => lane(at + 1, waiting))]);
for (const line of failures) console.log(line);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
