/**
 * The commands `shell`, `sql` and `status`, which speak to a node or an agent. Exit codes: 0 done, 1 something failed.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { wholeUtf8Text } from "../../base/net/utf8_lines.ts";
import { boolFlag, type Call, type Command, CommandError, textFlag } from "../client/command.ts";
import { fieldOf, text } from "../client/agent_api.ts";
import { UsageError } from "../config/flags.ts";
import { describeCluster } from "../shell/cluster_screen.ts";
import { isMode, type Mode, MODES } from "../shell/modes.ts";
import { Session } from "../shell/session.ts";
import { runSession } from "../shell/terminal.ts";

const FORMAT_FLAGS = [
  textFlag("format", `How rows are shown: ${MODES.join(", ")}`, "column"),
  boolFlag("no-header", "Leave out the names of the columns"),
  textFlag("level", "Read level of queries: none, weak, linearizable, strong or auto", ""),
  textFlag("datacenter", "Datacenter whose database is asked; that of the agent if not set", ""),
];

const encoder = new TextEncoder();

/** A session that writes to standard output. */
function sessionOf({ flags, api }: Call, standard: Mode): Session {
  const format = flags.has("format") ? flags.string("format") : standard;
  if (!isMode(format)) throw new UsageError(`-format must be one of ${MODES.join(", ")}`);
  const session = new Session({
    api: api(),
    datacenter: flags.string("datacenter"),
    write: (text) => writeAll(Deno.stdout, text),
    writeError: (text) => writeAll(Deno.stderr, Deno.stderr.isTerminal() && !Deno.noColor ? red(text) : text),
  });
  session.settings.mode = format;
  session.settings.hasHeader = !flags.bool("no-header");
  session.settings.level = flags.string("level");
  return session;
}

function red(line: string): string {
  return `\x1b[31m${line.trimEnd()}\x1b[0m\n`;
}

function writeAll(out: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  for (let written = 0; written < bytes.length;) written += out.writeSync(bytes.subarray(written));
}

const shell: Command = {
  name: "shell",
  summary: "type SQL, and see what comes of it",
  usage:
    "[flags]\n\nA statement ends with a semicolon and may take several lines; .help lists the commands. Lines that come from a\n" +
    "file or a pipe are run until one fails at the end.\n\nExamples:\n  muster shell\n  muster shell < schema.sql",
  flags: FORMAT_FLAGS,
  async run(call: Call) {
    const session = sessionOf(call, "column");
    const build = fieldOf(await session.api.get("/status"), "build");
    if (Deno.stdin.isTerminal()) {
      console.log(`muster shell, connected to version ${text(build, "version")}. Enter ".help" for usage hints.`);
    }
    await runSession(session, "muster> ").catch((error) => {
      throw new CommandError(`Error: ${messageOf(error)}`);
    });
    return session.errors > 0 && !Deno.stdin.isTerminal() ? 1 : 0;
  },
};

const sql: Command = {
  name: "sql",
  summary: "run SQL statements and print what comes of them",
  usage: "[flags] STATEMENTS\n\nSTATEMENTS may be -, which is standard input. They stop at the first that fails.\n\n" +
    'Examples:\n  muster sql "SELECT * FROM t" -format=csv\n  muster sql -format=json "SELECT name FROM muster.nodes"',
  flags: FORMAT_FLAGS,
  takesFlagsBehind: true,
  async run(call: Call) {
    const [given, ...more] = call.args;
    if (given === undefined || more.length > 0) throw new UsageError("expected the statements as one argument, or -");
    const session = sessionOf(call, "box");
    try {
      await session.run(given === "-" ? await wholeUtf8Text(Deno.stdin.readable) : given);
    } catch (error) {
      if (error instanceof Error) throw new CommandError(`Error: ${error.message}`);
      throw error;
    }
    return 0;
  },
};

const status: Command = {
  name: "status",
  summary: "show the cluster on one screen: who leads, how the nodes are",
  usage: "[flags]",
  flags: [],
  async run({ api }: Call) {
    console.log(await describeCluster(api()));
    return 0;
  },
};

/** The commands of this file. */
export const SHELL_COMMANDS: readonly Command[] = [shell, sql, status];
