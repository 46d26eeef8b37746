/**
 * The manual page `muster(1)` in roff, made from the commands themselves. It has every command with its usage, its examples and
 * the flags that do something; the flags by which a command finds its agent are described once. Pure.
 * @module
 */
import type { FlagSpec } from "../config/flags.ts";

/** A command as the manual page describes it. */
export interface Described {
  /** Words by which it is called. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Its arguments in the first line; then a text that is set as it stands. */
  readonly usage: string;
  readonly flags: readonly FlagSpec[];
}

/** The parts of a manual page. */
export interface Manual {
  readonly version: string;
  /** Date of the page, such as `2026-11-29`. */
  readonly date: string;
  readonly commands: readonly Described[];
  /** Flags of every command that speaks to an agent. */
  readonly shared: readonly FlagSpec[];
  /** Pages of the documentation. */
  readonly pages: readonly { readonly topic: string; readonly title: string }[];
}

/** Exit codes with what they mean. */
const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "Done."],
  ["1", "Failed; the reason is on standard error."],
  ["2", "Wrong usage. A service that ends with it is not restarted."],
  ["3", "A file of the data directory is damaged. See muster docs operations."],
];

/** Files of the packages. */
const FILES: readonly (readonly [path: string, meaning: string])[] = [
  ["/etc/default/muster", "Flags of muster.service."],
  ["/etc/default/muster-agent", "Flags of muster-agent.service."],
  ["/etc/muster.d/", "Settings of muster-agent.service (.json, .hcl)."],
  ["/var/lib/muster/", "Data of muster.service."],
  ["/var/lib/muster-agent/", "Data of muster-agent.service."],
];

/** The page, as roff for `man`. */
export function manPage({ version, date, commands, shared, pages }: Manual): string {
  const sorted = commands.toSorted((a, b) => a.name < b.name ? -1 : 1);
  return [
    `.TH MUSTER 1 "${date}" "muster ${escaped(version)}" "User Commands"`,
    ".SH NAME",
    "muster \\- a replicated SQLite database whose nodes find each other",
    ".SH SYNOPSIS",
    ".B muster",
    ".I command",
    "[flags] [arguments]",
    ".SH DESCRIPTION",
    "A node of muster serves SQL over HTTP and replicates it with Raft.",
    "An agent of muster is a member of a pool of nodes that find each other: it has a catalog of services with health checks,",
    "names over DNS, keys and locks.",
    ".PP",
    "Flags take one dash or two, and",
    ".B \\-flag value",
    "or",
    ".BR \\-flag=value .",
    "Flags of rqlite and Consul that are accepted only with their default value are not listed here.",
    ".SH COMMANDS",
    ...sorted.flatMap((command) => section(command, shared)),
    ".SH FLAGS OF COMMANDS THAT SPEAK TO AN AGENT",
    ...shared.flatMap(flag),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, meaning]) => [".TP", code, escaped(meaning)]),
    ".SH FILES",
    ...FILES.flatMap(([path, meaning]) => [".TP", `.I ${escaped(path)}`, escaped(meaning)]),
    ".SH SEE ALSO",
    "The program has its documentation inside:",
    ...pages.flatMap(({ topic, title }) => [".TP", `.B muster docs ${escaped(topic)}`, escaped(title)]),
    "",
  ].join("\n");
}

function section({ name, summary, usage, flags }: Described, shared: readonly FlagSpec[]): string[] {
  const own = flags.filter((one) => one.supported && !shared.includes(one)).toSorted((a, b) =>
    a.name < b.name ? -1 : 1
  );
  const [synopsis, ...rest] = usage.trimEnd().split("\n");
  const text = rest.join("\n").trim();
  const isShared = flags.some((one) => shared.includes(one));
  return [
    `.SS muster ${escaped(name)}`,
    `${escaped(capitalized(summary))}.`,
    ".PP",
    `.B muster ${escaped(name)}`,
    ...(synopsis.trim() === "" ? [] : [escaped(synopsis.trim())]),
    ...(text === "" ? [] : [".PP", ".nf", ...verbatim(rest), ".fi"]),
    ...own.flatMap(flag),
    ...(isShared ? [".PP", "It also takes the flags of commands that speak to an agent."] : []),
  ];
}

/** A flag with its type, its meaning and its default. */
function flag({ name, kind, value, help }: FlagSpec): string[] {
  const type = kind === "bool" ? "" : ` " " "${kind === "strings" ? "string" : kind}"`;
  const standard = value === "" || value === "false" ? "" : ` (default ${escaped(value)})`;
  return [
    ".TP",
    type === "" ? `.B \\-${escaped(name)}` : `.BI \\-${escaped(name)}${type}`,
    `${escaped(help)}${standard}`,
  ];
}

/** Lines that are set as they stand, without the empty ones at both ends and without the indentation that all share. */
function verbatim(lines: readonly string[]): string[] {
  const text = lines.join("\n").replace(/^(?:[ \t]*\n)+/, "").trimEnd();
  // An empty line is a macro of its own in roff, which mandoc reports.
  return text.split("\n").map((line) => line === "" ? ".sp" : escaped(line));
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Text of one line that roff takes for text: no escape, no request, and hyphens that can be copied. */
export function escaped(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, " ").replaceAll("\t", "    ").replaceAll("\\", "\\e").replaceAll(
    "-",
    "\\-",
  );
  return line.replaceAll(/[^\x20-\x7e]/gu, (sign) => `\\[u${hex(sign)}]`).replace(/^[.']/, "\\&$&");
}

function hex(sign: string): string {
  return (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}
