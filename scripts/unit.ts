/**
 * Runs the tests that start no process (FOLDERS): they have no right to. With `--coverage` it then says which share of the
 * lines of src/ they reached: by room, the files that are furthest from it, and in total; a file that no test loads counts
 * with all its lines. Further arguments, such as `--filter WORD`, go to `deno test`. Exits 1 when a test fails.
 *
 *     deno task test:unit [--coverage] [ARGS]
 *
 * @module
 */
import { codeOf, sourceFiles } from "./tidy/source.ts";

/**
 * Folders of tests/ whose tests start no process; those of src/'s floors that do are in tests/processes. Two runs side by
 * side take half the time, each with ports of its own; in one run with threads a test could not measure its memory.
 */
const FOLDERS = [["program", "api", "app", "base", "core", "scripts"], ["drivers"]];
const PORTS = ["10000-19999", "20000-29999"];

/** Files with the most unreached lines that are listed. */
const FILES_SHOWN = 30;

/** The lines of a file or a room. */
interface Lines {
  readonly all: number;
  readonly reached: number;
}

/** Runs deno to its end; what it printed. */
async function deno(args: readonly string[], env: Record<string, string> = {}): Promise<Deno.CommandOutput> {
  return await new Deno.Command(Deno.execPath(), { args: [...args], env, stdin: "null" }).output();
}

/** Runs the tests of some folders, and shows what they print when they are done. */
async function test(folders: readonly string[], ports: string): Promise<boolean> {
  const { success, stdout, stderr } = await deno([
    "test",
    "--lock=deno.dev.lock",
    "-P=unit",
    "--no-check",
    ...(withCoverage ? [`--coverage=${profile}`, "--coverage-raw-data-only"] : []),
    ...folders.map((folder) => `tests/${folder}`),
    ...others,
  ], { MUSTER_TEST_PORTS: ports });
  await Deno.stdout.write(stdout);
  await Deno.stderr.write(stderr);
  return success;
}

/** Lines by path, of a report in LCOV format. */
function linesOf(report: string, root: string): Map<string, Lines> {
  const found = new Map<string, Lines>();
  for (const record of report.split("end_of_record")) {
    const path = /^SF:(.*)$/m.exec(record)?.[1];
    if (!path?.startsWith(`${root}src/`)) continue;
    const counts = [...record.matchAll(/^DA:\d+,(\d+)$/gm)].map(([, count]) => Number(count));
    found.set(path.slice(root.length), { all: counts.length, reached: counts.filter((count) => count > 0).length });
  }
  return found;
}

/** Lines of a file that no test loads: without comments and empty ones; none where it has only types. */
function unloaded(path: string): Lines {
  const lines = codeOf(Deno.readTextFileSync(path)).split("\n").filter((line) => line.trim() !== "");
  const isCode = lines.some((line) =>
    /^(export )?(abstract |async )?(const|let|class|function)\b|^[\w.]+\(/.test(line)
  );
  return { all: isCode ? lines.length : 0, reached: 0 };
}

function sum(lines: Iterable<Lines>): Lines {
  let [all, reached] = [0, 0];
  for (const one of lines) [all, reached] = [all + one.all, reached + one.reached];
  return { all, reached };
}

function row(name: string, { all, reached }: Lines): string {
  const percent = all === 0 ? "" : `${(100 * reached / all).toFixed(1)} %`;
  return `${name.padEnd(44)} ${percent.padStart(8)} ${String(all - reached).padStart(6)} of ${String(all).padStart(6)}`;
}

function print(files: ReadonlyMap<string, Lines>): void {
  const rooms = Map.groupBy(files, ([path]) => path.split("/").slice(1, -1).join("/"));
  console.log("Lines that were reached, and how many were not:");
  for (const [room, of] of [...rooms].sort()) console.log(row(room, sum(of.map(([, lines]) => lines))));
  console.log("\nThe files with the most lines that were not reached:");
  const missing = ({ all, reached }: Lines) => all - reached;
  const worst = [...files].sort(([, a], [, b]) => missing(b) - missing(a)).slice(0, FILES_SHOWN);
  for (const [path, lines] of worst) console.log(row(path.slice(4), lines));
  console.log(`\n${row("all of src/", sum(files.values()))}`);
}

const withCoverage = Deno.args.includes("--coverage");
const others = Deno.args.filter((arg) => arg !== "--coverage");
const profile = withCoverage ? await Deno.makeTempDir({ prefix: "muster-coverage-" }) : "";
const started = performance.now();
let passed = false;
try {
  passed = (await Promise.all(FOLDERS.map((folders, at) => test(folders, PORTS[at])))).every((success) => success);
  console.log(`tests that start no process: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (withCoverage) {
    const report = await deno(["coverage", profile, "--lcov"]);
    const found = linesOf(new TextDecoder().decode(report.stdout), new URL("../", import.meta.url).pathname);
    print(new Map([...sourceFiles("src")].map((path) => [path, found.get(path) ?? unloaded(path)])));
  }
} finally {
  if (withCoverage) await Deno.remove(profile, { recursive: true });
}
Deno.exit(passed ? 0 : 1);
