/**
 * Runs simulations by hand: `deno task sim --help`. Exits 0 when no seed failed, 1 when one did, 2 on wrong usage.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type BatchOptions, describeSummary, runBatch } from "./batch.ts";
import { BUGS } from "./bugs/list.ts";
import { runAllBugs, runBug } from "./bugs/run.ts";
import { isProfileName, PROFILES } from "./profile.ts";

const HELP = `Whole clusters under faults, each run drawn from its seed.

deno task sim [--seeds N] [--first S] [--profile P] [--stop]
deno task sim --seed S [--until N] [--trace] [--profile P]
deno task sim --bug K [the same options]
deno task sim --bugs

  --seeds N    so many seeds (default 100), counting up from
  --first S    the first one (default 1)
  --stop       end with the first failure
  --seed S     one seed
  --until N    end it after N events
  --trace      print every event
  --profile P  which faults (default swarm):
${Object.entries(PROFILES).map(([name, what]) => `               ${name.padEnd(11)}${what}`).join("\n")}
  --bug K      run with bug K seeded into a copy of the code; a failure means that it is caught
  --bugs       run all ${BUGS.length} of them, and print which seed and invariant caught each

Exit codes: 0 no failure, 1 a failure, with --bugs one that was not caught, 2 wrong usage.`;

/** The command line was wrong. */
class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}

interface Flags {
  readonly batch: BatchOptions;
  /** Set where the command line says how many seeds. */
  readonly isCounted: boolean;
  readonly bug?: string;
  readonly bugs: boolean;
  readonly help: boolean;
}

function readFlags(args: readonly string[]): Flags {
  const flags = parseArgs([...args], {
    string: ["seeds", "first", "seed", "until", "profile", "bug"],
    boolean: ["trace", "stop", "bugs", "help"],
    unknown: (arg: string) => {
      throw new UsageError(`unknown argument "${arg}"`);
    },
  });
  const seed = wholeNumber("seed", flags.seed);
  const until = wholeNumber("until", flags.until);
  const profile = flags.profile ?? "swarm";
  if (!isProfileName(profile)) throw new UsageError(`unknown profile "${profile}"`);
  if (seed === undefined && (until !== undefined || flags.trace)) {
    throw new UsageError("--until and --trace need --seed");
  }
  if (seed !== undefined && (flags.seeds ?? flags.first) !== undefined) {
    throw new UsageError("--seed goes without --seeds and --first");
  }
  if (flags.bugs && args.length > 1) throw new UsageError("--bugs goes alone");
  if (flags.bug !== undefined && !BUGS.some(({ id }) => id === flags.bug)) {
    throw new UsageError(`unknown bug "${flags.bug}": there are ${BUGS.map(({ id }) => id).join(", ")}`);
  }
  return {
    batch: {
      first: seed ?? wholeNumber("first", flags.first) ?? 1,
      seeds: seed === undefined ? wholeNumber("seeds", flags.seeds) ?? 100 : 1,
      profile,
      ...(until !== undefined && { until }),
      trace: flags.trace,
      stop: flags.stop,
    },
    isCounted: (flags.seed ?? flags.seeds ?? flags.first ?? flags.profile) !== undefined,
    ...(flags.bug !== undefined && { bug: flags.bug }),
    bugs: flags.bugs,
    help: flags.help,
  };
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${name} must be a whole number: current value is "${text}"`);
  return Number(text);
}

async function main(args: readonly string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = readFlags(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\nRun deno task sim --help.`);
    return 2;
  }
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  if (flags.bugs) return await runAllBugs() ? 0 : 1;
  const bug = BUGS.find(({ id }) => id === flags.bug);
  if (bug !== undefined) return await runBug(bug, flags.isCounted ? flags.batch : undefined);
  const summary = runBatch(flags.batch, { showProgress: Deno.stderr.isTerminal() && !flags.batch.trace });
  console.log(describeSummary(summary));
  return summary.failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
