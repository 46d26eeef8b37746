/**
 * Fuzzes the state machine with random SQL: replicas that apply the same log must hold the same, and no statement may
 * end one.
 *
 *     deno task fuzz-sql --minutes N [--seed S] [--only KINDS] [--without KINDS] [--with KINDS] ...
 *
 * The rounds run in a process of their own, so that an entry that ends the process or never ends itself is found as well:
 * it is then made small by further processes. Progress goes to stderr, findings to stdout. Exits 0 when nothing was found,
 * 1 when anything was, 2 for wrong usage, 3 when a replayed case fails.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { Campaign, type Finding } from "../tests/harness/fuzz/campaign.ts";
import { type Case, readCase, showCase, writeCase } from "../tests/harness/fuzz/case.ts";
import type { Failure } from "../tests/harness/fuzz/failure.ts";
import { isKind, type Kind, KINDS, selectedKinds } from "../tests/harness/fuzz/grammar/kinds.ts";
import { fastDirectory, runCase } from "../tests/harness/fuzz/run.ts";
import { shrink } from "../tests/harness/fuzz/shrink.ts";
import { optionsOrExitCode, UsageError } from "./usage.ts";

const USAGE = `Usage: deno task fuzz-sql --minutes N [flags]
       deno task fuzz-sql --replay FILE [--shrink] [flags]

  --minutes N       length of the run; fractions are fine
  --seed S          first seed; each round takes the next one (default: another one each time)
  --entries N       entries of a round (default 100)
  --replicas N      replicas of a round (default 3)
  --only KINDS      of all kinds of statement and fault only these, separated by commas
  --without KINDS   not these
  --with KINDS      these as well, which are off otherwise
  --limit SECONDS   an entry that takes longer hangs (default 60)
  --out DIR         folder for the cases of what is found, to be replayed
  --errors          show which errors statements gave as results
  --replay FILE     run one case and show it; with --shrink make it small
  --help            show this

Kinds:
${Object.entries(KINDS).map(([name, text]) => `  ${name.padEnd(17)} ${text}`).join("\n")}`;

/** Cases tried to make a hang or the end of a process small: each is a process of its own. */
const CHILD_ATTEMPTS_MAX = 80;
/** Seconds after which a smaller case counts as one that hangs too. */
const CHILD_HANG_SECONDS = 5;
/** Exit code of a replay that fails as cases do; any other one but 0 is the end of the process. */
const FAILED = 3;
/** Name of the file in which a child keeps the case that it runs. */
const CURRENT = "current.json";

/** Wrong use of the command line. */
interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly entries: number;
  readonly replicas: number;
  readonly limitSeconds: number;
  readonly kinds: ReadonlySet<Kind>;
  readonly out: string | undefined;
  readonly showErrors: boolean;
  readonly replay: string | undefined;
  readonly isShrinking: boolean;
  /** Set in a child: the folder for its files. */
  readonly child: string | undefined;
}

function kindsOf(flag: string, text: string | undefined): Kind[] | undefined {
  if (text === undefined) return undefined;
  return text.split(",").filter((name) => name !== "").map((name) => {
    if (!isKind(name)) throw new UsageError(`Cannot take --${flag}: there is no kind "${name}"`);
    return name;
  });
}

function numberOf(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < least) {
    throw new UsageError(`Cannot take --${flag} as it must be a number >= ${least}: current value is "${text}"`);
  }
  return value;
}

function readOptions(args: readonly string[]): Options {
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    string: ["minutes", "seed", "entries", "replicas", "only", "without", "with", "limit", "out", "replay", "child"],
    boolean: ["errors", "shrink"],
    default: { seed: String(Math.floor(Math.random() * 1_000_000_000)), entries: "100", replicas: "3", limit: "60" },
    unknown: (name: string) => void unknown.push(name),
  });
  if (unknown.length > 0) throw new UsageError(`Cannot understand ${unknown.join(" ")}`);
  if (flags.minutes === undefined && flags.replay === undefined) throw new UsageError("Expected --minutes or --replay");
  return {
    minutes: numberOf("minutes", flags.minutes ?? "0", 0),
    seed: numberOf("seed", flags.seed, 0),
    entries: numberOf("entries", flags.entries, 1),
    replicas: numberOf("replicas", flags.replicas, 2),
    limitSeconds: numberOf("limit", flags.limit, 1),
    kinds: selectedKinds({
      only: kindsOf("only", flags.only),
      without: kindsOf("without", flags.without),
      with: kindsOf("with", flags.with),
    }),
    out: flags.out,
    showErrors: flags.errors,
    replay: flags.replay,
    isShrinking: flags.shrink,
    child: flags.child,
  };
}

/** A line of a child's output. */
type Word =
  | { readonly k: "run" } // a case begins
  | {
    readonly k: "round";
    readonly seed: number;
    readonly rounds: number;
    readonly entries: number;
    readonly valid: number;
  }
  | { readonly k: "found"; readonly failure: Failure; readonly text: string }
  | { readonly k: "end"; readonly counts: readonly number[]; readonly errors: readonly (readonly [string, number])[] };

function say(word: Word): void {
  console.log(JSON.stringify(word));
}

/** The rounds, in a process of their own. */
async function runRounds({ minutes, seed, entries, replicas, kinds, child = "." }: Options): Promise<void> {
  const onCase = (testCase: Case) => {
    Deno.writeTextFileSync(`${child}/${CURRENT}`, writeCase(testCase));
    say({ k: "run" });
  };
  const campaign = new Campaign({ kinds, entries, replicas, directory: child, onCase });
  const endMs = performance.now() + minutes * 60_000;
  for (let at = seed; performance.now() < endMs; at++) {
    const finding = await campaign.round(at);
    if (finding) say({ k: "found", failure: finding.failure, text: writeCase({ ...finding.case, seed: at }) });
    say({ k: "round", seed: at, rounds: campaign.rounds, entries: campaign.entries, valid: campaign.validShare });
  }
  const errors = [...campaign.errors].sort(([, a], [, b]) => b - a);
  say({ k: "end", counts: campaign.findings.map(({ count }: Finding) => count), errors });
}

/** One case. */
async function replay({ replay: file = "", kinds, child, isShrinking }: Options): Promise<number> {
  let testCase = readCase(Deno.readTextFileSync(file));
  const directory = child ?? fastDirectory();
  let { failure } = await runCase(testCase, { kinds, directory });
  if (failure !== undefined && isShrinking) {
    const { kind } = failure;
    const fails = async (one: Case) => (await runCase(one, { kinds, directory })).failure?.kind === kind;
    testCase = await shrink(testCase, { fails, attemptsMax: 3000 });
    failure = (await runCase(testCase, { kinds, directory })).failure;
    Deno.writeTextFileSync(`${file}.small`, writeCase(testCase));
  }
  if (child === undefined) console.log(showCase(testCase));
  console.log(failure === undefined ? "passes" : `fails: ${failure.kind}: ${failure.message}\n${failure.detail ?? ""}`);
  return failure === undefined ? 0 : FAILED;
}

/** Runs rounds in a child until it ends; resolves to how it ended where that was not as planned. */
class Supervisor {
  found = 0;
  #rounds = 0;
  #entries = 0;
  #seed: number;
  readonly #options: Options;
  readonly #args: readonly string[];
  readonly #directory: string;

  constructor(options: Options, args: readonly string[], directory: string) {
    this.#options = options;
    this.#args = args;
    this.#directory = directory;
    this.#seed = options.seed;
  }

  async run(): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      const minutes = this.#options.minutes - (performance.now() - startMs) / 60_000;
      if (minutes <= 0) break;
      const failure = await this.#runChild(minutes);
      if (failure === undefined) break;
      await this.#shrinkInChildren(failure);
      this.#seed++;
    }
    const seconds = (performance.now() - startMs) / 1000;
    console.error(
      `\n${this.#rounds} rounds, ${this.#entries} entries, ${
        Math.round(this.#entries / seconds)
      } a second: ${this.found} findings`,
    );
  }

  #spawn(args: readonly string[]): Deno.ChildProcess {
    const script = new URL(import.meta.url).pathname;
    const permissions = fastDirectory() === undefined ? "-P=tool" : "-A";
    const all = ["run", permissions, "--no-check", script, "--child", this.#directory, ...args];
    return new Deno.Command(Deno.execPath(), { args: all, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  }

  async #runChild(minutes: number): Promise<Failure | undefined> {
    const child = this.#spawn([...this.#args, "--minutes", String(minutes), "--seed", String(this.#seed)]);
    const errors = new Response(child.stderr).text();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let hasHung = false;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        hasHung = true;
        child.kill("SIGKILL");
      }, this.#options.limitSeconds * 1000);
    };
    watch();
    const before = { rounds: this.#rounds, entries: this.#entries };
    for await (const line of linesOf(child.stdout)) {
      watch();
      this.#take(JSON.parse(line), before);
    }
    clearTimeout(timer);
    const { success, code, signal } = await child.status;
    if (success) return undefined;
    if (hasHung) return { kind: "hang", message: `a case takes longer than ${this.#options.limitSeconds} s` };
    return { kind: "crash", message: `the process ended with ${signal ?? code}`, detail: (await errors).slice(-2000) };
  }

  #take(word: Word, before: { readonly rounds: number; readonly entries: number }): void {
    switch (word.k) {
      case "round":
        this.#seed = word.seed + 1;
        this.#rounds = before.rounds + word.rounds;
        this.#entries = before.entries + word.entries;
        if (word.rounds % 50 === 0) {
          console.error(
            `${this.#rounds} rounds, ${this.#entries} entries, ${
              (word.valid * 100).toFixed(1)
            } % valid, ${this.found} findings`,
          );
        }
        break;
      case "found":
        this.#report(word.failure, word.text);
        break;
      case "end":
        console.error(`rounds that met each finding: ${word.counts.join(", ") || "none"}`);
        if (this.#options.showErrors) {
          for (const [text, count] of word.errors.slice(0, 60)) console.error(`${count} ${text}`);
        }
    }
  }

  #report(failure: Failure, text: string): void {
    this.found++;
    console.log(
      `\n### ${this.found}. ${failure.kind}: ${failure.message}\n${showCase(readCase(text))}\n${failure.detail ?? ""}`,
    );
    if (this.#options.out === undefined) return;
    Deno.mkdirSync(this.#options.out, { recursive: true });
    Deno.writeTextFileSync(`${this.#options.out}/${failure.kind}-${readCase(text).seed}.json`, text);
  }

  /** Makes small what ends or hangs a process. */
  async #shrinkInChildren(failure: Failure): Promise<void> {
    const file = `${this.#directory}/${CURRENT}`;
    const original = readCase(Deno.readTextFileSync(file));
    console.error(
      `${failure.kind} at seed ${original.seed}: ${failure.message}; making it small\n${failure.detail ?? ""}`,
    );
    const small = await shrink(original, {
      attemptsMax: CHILD_ATTEMPTS_MAX,
      fails: (testCase) => this.#failsInChild(testCase, failure.kind === "hang"),
    });
    this.#report(failure, writeCase(small));
  }

  async #failsInChild(testCase: Case, isHang: boolean): Promise<boolean> {
    const file = `${this.#directory}/candidate.json`;
    Deno.writeTextFileSync(file, writeCase(testCase));
    const child = this.#spawn(["--replay", file]);
    let hasHung = false;
    const timer = setTimeout(() => {
      hasHung = true;
      child.kill("SIGKILL");
    }, CHILD_HANG_SECONDS * 1000);
    const [{ code }] = await Promise.all([
      child.status,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    clearTimeout(timer);
    return isHang ? hasHung : code !== 0 && code !== FAILED && !hasHung;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** Arguments that a child takes over. */
function passedOn(args: readonly string[]): string[] {
  const passed: string[] = [];
  args.forEach((arg, at) => {
    const flag = arg.split("=")[0];
    if (!["--only", "--without", "--with", "--entries", "--replicas"].includes(flag)) return;
    passed.push(arg, ...(arg.includes("=") ? [] : [args[at + 1] ?? ""]));
  });
  return passed;
}

/** Runs; resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = optionsOrExitCode(args, USAGE, readOptions);
  if (typeof options === "number") return options;
  if (options.replay !== undefined) return await replay(options);
  if (options.child !== undefined) {
    await runRounds(options);
    return 0;
  }
  console.error(`seed ${options.seed}`);
  const directory = Deno.makeTempDirSync({ prefix: "fuzz-sql-", dir: fastDirectory() });
  const supervisor = new Supervisor(options, passedOn(args), directory);
  try {
    await supervisor.run();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
  return supervisor.found === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
