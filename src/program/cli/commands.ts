/**
 * The commands that end when their work is done, and the help of all commands.
 * @module
 */
import { ACL_COMMANDS } from "./acl_commands.ts";
import { AGENT_HELP, SERVE_HELP } from "../manual/program_help.ts";
import { AGENT_FLAGS } from "../config/agent_flags.ts";
import { AUTOPILOT_COMMANDS } from "./autopilot_commands.ts";
import { BACKUP_COMMANDS } from "./backup_commands.ts";
import { CLUSTER_COMMANDS } from "./cluster_commands.ts";
import { type Command, flagsOf, helpOf, runCommand } from "../client/command.ts";
import { type Completed, completionScript, isShell, SHELLS } from "../manual/completion.ts";
import { docsCommand } from "../manual/docs_command.ts";
import { DEBUG_COMMANDS } from "./debug_command.ts";
import { KV_COMMANDS } from "./kv_commands.ts";
import { LOCK_COMMANDS } from "./lock_command.ts";
import { POOL_COMMANDS } from "./pool_commands.ts";
import type { Described } from "../manual/man_page.ts";
import { named, programName } from "../client/program_name.ts";
import { pageText, topicOf } from "../manual/pages.ts";
import { RENDEZVOUS_COMMANDS, RENDEZVOUS_HELP } from "./rendezvous_commands.ts";
import { RUN_COMMANDS } from "./run_command.ts";
import { asksForHelp, describeFlags, UsageError } from "../config/flags.ts";
import { suggestion } from "../config/suggestion.ts";
import { SERVE_FLAGS } from "../config/serve_flags.ts";
import { SERVICE_COMMANDS } from "./service_commands.ts";
import { SHELL_COMMANDS } from "./shell_commands.ts";
import { SNAPSHOT_COMMANDS } from "./snapshot_commands.ts";
import { TLS_COMMANDS } from "./tls_commands.ts";
import { USER_COMMANDS } from "./user_commands.ts";
import { WATCH_COMMANDS } from "./watch_command.ts";
import { versionCommand } from "./version_command.ts";

const COMMANDS: readonly Command[] = [
  ...ACL_COMMANDS,
  ...AUTOPILOT_COMMANDS,
  ...BACKUP_COMMANDS,
  ...POOL_COMMANDS,
  ...CLUSTER_COMMANDS,
  ...DEBUG_COMMANDS,
  ...KV_COMMANDS,
  ...LOCK_COMMANDS,
  ...RENDEZVOUS_COMMANDS,
  ...RUN_COMMANDS,
  ...SERVICE_COMMANDS,
  ...SHELL_COMMANDS,
  ...SNAPSHOT_COMMANDS,
  ...TLS_COMMANDS,
  ...USER_COMMANDS,
  ...WATCH_COMMANDS,
];

const completion: Command = {
  name: "completion",
  summary: "print a script that completes commands and flags in a shell",
  usage: `${SHELLS.join("|")}\n\nExample:\n  source <(muster completion bash)`,
  flags: [],
  isLocal: true,
  run({ args: [shell = ""] }) {
    if (!isShell(shell)) throw new UsageError(`expected one of ${SHELLS.join(", ")}`);
    const clients = ALL_COMMANDS.map((command) => ({ ...command, flags: flagsOf(command) }));
    console.log(completionScript(shell, [...OWN_COMMANDS, ...clients]).trimEnd());
    return 0;
  },
};

const ALL_COMMANDS: readonly Command[] = [...COMMANDS, completion, docsCommand(everyCommand)];

/** Commands that are no client's, in the order of the help. */
const OWN_COMMANDS: readonly Completed[] = [
  { name: "serve", summary: "run a node that serves SQL over HTTP and replicates it", flags: SERVE_FLAGS },
  {
    name: "agent",
    summary: "run a member of a pool of nodes that find each other, as consul agent does",
    flags: AGENT_FLAGS,
  },
  {
    name: "rendezvous",
    summary: "help agents find each other that know nothing but a URL and a token",
    flags: AGENT_FLAGS,
  },
  { name: "version", summary: "print the version", flags: versionCommand.flags },
  { name: "help", summary: "print help, also: muster help COMMAND, muster help TOPIC", flags: [] },
];

/** Arguments and examples of commands that are no client's. */
const OWN_USAGE: Readonly<Record<string, string>> = {
  serve: usageIn(SERVE_HELP),
  agent: usageIn(AGENT_HELP),
  rendezvous: usageIn(RENDEZVOUS_HELP),
  version: versionCommand.usage,
  help: "[COMMAND|TOPIC]",
};

/** What a help text says after "Usage: muster NAME", up to its flags. */
function usageIn(help: string): string {
  return (/\nUsage: muster \w+ ?([^]*?)(?:\nFlags |$)/.exec(help)?.[1] ?? "").trimEnd();
}

/** All commands, for the manual page. */
export function everyCommand(): readonly Described[] {
  const own = OWN_COMMANDS.map((command) => ({ ...command, usage: OWN_USAGE[command.name] ?? "" }));
  // A rendezvous takes the flags of an agent, which the page has once.
  const once = own.map((command) => command.name === "rendezvous" ? { ...command, flags: [] } : command);
  return [...once, ...ALL_COMMANDS.map((command) => ({ ...command, flags: flagsOf(command) }))];
}

function summaries(commands: readonly Command[]): string {
  return commands.toSorted((a, b) => a.name < b.name ? -1 : 1).map(({ name, summary }) =>
    `  ${name.padEnd(29)} ${summary}`
  ).join("\n");
}

const HELP = `muster: a replicated SQLite database whose nodes find each other

Usage: muster COMMAND [flags] [arguments]

Commands:
${OWN_COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join("\n")}

Commands that speak to an agent (-http-addr says where it is):
${summaries(ALL_COMMANDS.filter(({ isLocal }) => !isLocal))}

Commands that speak to nobody:
${summaries(ALL_COMMANDS.filter(({ isLocal }) => isLocal))}

Examples:
  muster serve data                          one node on localhost:4001, its data in ./data
  muster serve -node-id 2 -http-addr localhost:4011 -raft-addr localhost:4012 -join localhost:4002 data2
                                             a second node joins the first
  curl -XPOST localhost:4001/db/execute -H 'Content-Type: application/json' -d '["CREATE TABLE foo (id INTEGER PRIMARY KEY, name TEXT)"]'
                                             a client writes
`;

/** Runs a command line that begins with none of the programs that stay; resolves to the process's exit code. */
export async function command(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  switch (name) {
    case "version":
    case "-version":
    case "--version":
    case "-v":
      return await runCommand(versionCommand, rest);
    case undefined:
      if (programName() === "consul") return unknown("");
      console.log(HELP);
      return 0;
    case "-h":
    case "-help":
    case "--help":
      console.log(named(HELP));
      return 0;
    case "help":
      return help(rest);
    case "rendezvous":
      return rest[0] === "token" ? await client(args) : help(args);
    default:
      return await client(args);
  }
}

/** Runs a client command. */
async function client(args: readonly string[]): Promise<number> {
  const found = commandOf(args);
  if (found) return await runCommand(found.command, found.rest);
  const group = groupOf(args);
  if (group) {
    // As Consul, which takes a group without a command for a mistake.
    if (asksForHelp(args)) console.log(group + pointer(args));
    else console.error(group);
    return asksForHelp(args) ? 0 : 1;
  }
  return unknownCommand(args.filter((arg) => !arg.startsWith("-")));
}

/** Tells what may have been meant, or else what there is. */
function unknownCommand(words: readonly string[]): number {
  const names = [...OWN_COMMANDS, ...ALL_COMMANDS].map(({ name }) => name);
  const firsts = names.map((name) => name.split(" ")[0]);
  const meant = suggestion(words.slice(0, 3).join(" "), names) ?? suggestion(words.slice(0, 2).join(" "), names) ??
    suggestion(words[0] ?? "", firsts);
  const problem = `unknown command "${words.join(" ")}"`;
  if (meant === undefined || programName() === "consul") return unknown(`${problem}\n\n`);
  console.error(`${problem}: did you mean "muster ${meant}"?\nRun "muster help" for all commands.`);
  return 2;
}

/** Shows the help for what is no command. */
function unknown(words: string): number {
  console.error(words + named(HELP));
  return programName() === "consul" ? 127 : 2;
}

/** The client command that the arguments begin with; of several words, the longest first. */
function commandOf(args: readonly string[]): { command: Command; rest: readonly string[] } | undefined {
  for (const command of ALL_COMMANDS) {
    const words = command.name.split(" ");
    if (words.every((word, at) => args[at] === word)) return { command, rest: args.slice(words.length) };
  }
  return undefined;
}

/** Help on all commands that begin with a word, such as `kv`; undefined where none does. */
function groupOf([word]: readonly string[]): string | undefined {
  const group = ALL_COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
  if (group.length === 0) return undefined;
  return named(`Usage: muster ${word} COMMAND [flags] [arguments]\n\nCommands:\n${summaries(group)}`);
}

function help(topics: readonly string[]): number {
  const [topic] = topics;
  switch (topic) {
    case "serve":
      console.log(named(SERVE_HELP) + describeFlags(SERVE_FLAGS) + pointer(topics));
      return 0;
    case "agent":
      console.log(named(AGENT_HELP) + describeFlags(AGENT_FLAGS) + pointer(topics));
      return 0;
    case "rendezvous":
      if (topics.length > 1) return clientHelp(topics);
      console.log(named(RENDEZVOUS_HELP).trimEnd() + pointer(topics));
      return 0;
    case "version":
      console.log(helpOf(versionCommand));
      return 0;
    case undefined:
    case "help":
      console.log(named(HELP));
      return 0;
    default:
      return clientHelp(topics);
  }
}

function clientHelp(topics: readonly string[]): number {
  const found = commandOf(topics);
  const text = found ? helpOf(found.command) : groupOf(topics);
  const topic = text === undefined && topics.length === 1 ? topicOf(topics[0]) : undefined;
  if (text !== undefined) console.log(text + pointer(topics));
  else if (topic !== undefined) console.log(pageText(topic).trimEnd());
  else return unknownCommand(topics);
  return 0;
}

/** A line about the page that has the name of a command, to follow its help; nothing in the words of Consul. */
function pointer([word]: readonly string[]): string {
  const topic = programName() === "consul" ? undefined : topicOf(word);
  return topic === undefined ? "" : `\n\nMore: muster docs ${topic}`;
}
