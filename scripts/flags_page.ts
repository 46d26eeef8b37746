/**
 * `deno task flags-page`: writes docs/flags.md from the flags that the program declares.
 * @module
 */
import { AGENT_FLAGS } from "../src/program/config/agent_flags.ts";
import type { FlagSpec } from "../src/program/config/flags.ts";
import { SERVE_FLAGS } from "../src/program/config/serve_flags.ts";

/** Path of the page, from the root of the repository. */
export const FLAGS_PAGE = "docs/flags.md";

/** The page, as Markdown; `deno fmt` aligns its tables. */
export function flagsPage(): string {
  return `# Flags

    muster serve -help
    muster agent -help

Flags take one dash or two, and \`-flag value\` or \`-flag=value\`. A flag that is marked "Not supported" is accepted with
its default value and refused with any other. The tables are those of the help.

## muster serve

The names and defaults are those of rqlited. Flags marked "(muster)" are muster's own.

| flag | type | default | meaning |
| --- | --- | --- | --- |
${SERVE_FLAGS.map((flag) => row([nameOf(flag), ...restOf(flag)])).join("\n")}

## muster agent

The names and defaults are those of \`consul agent\`. The second column is the key of a configuration file that the flag
sets.

| flag | key | type | default | meaning |
| --- | --- | --- | --- | --- |
${AGENT_FLAGS.map((flag) => row([nameOf(flag), code(flag.key ?? ""), ...restOf(flag)])).join("\n")}
`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function nameOf({ name }: FlagSpec): string {
  return code(`-${name}`);
}

function restOf({ kind, value, help, supported, reason }: FlagSpec): string[] {
  return [
    kind,
    code(value),
    supported ? help : reason ? `Not supported: ${reason}. ${help}` : `Not supported yet. ${help}`,
  ];
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

if (import.meta.main) await Deno.writeTextFile(FLAGS_PAGE, flagsPage());
