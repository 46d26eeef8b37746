/**
 * The command `version`. Called as `consul` it prints the lines that programs look for in Consul's (C3.10).
 * @module
 */
import config from "../../../deno.json" with { type: "json" };
import { versionLine } from "../node/version.ts";
import { type Call, type Command, CommandError, textFlag } from "../client/command.ts";
import { type ProgramName, programName } from "../client/program_name.ts";

/** Versions of the gossip protocol: the one that is spoken, and those that are understood. */
const PROTOCOL = { Default: 2, Min: 2, Max: 3 };

/** The command. */
export const versionCommand: Command = {
  name: "version",
  summary: "print the version",
  usage: "[flags]",
  flags: [textFlag("format", "pretty or json", "pretty")],
  isLocal: true,
  run({ flags }: Call) {
    console.log(versionText(flags.string("format"), programName()));
    return 0;
  },
};

/** What it prints. @throws {CommandError} For another format. */
export function versionText(format: string, program: ProgramName): string {
  if (format === "json") {
    const facts = { Version: config.version, Revision: "", Prerelease: "", BuildDate: "0001-01-01T00:00:00Z" };
    return JSON.stringify({ ...facts, RPC: PROTOCOL }, undefined, 3);
  }
  if (format !== "pretty") throw new CommandError(`Unknown format: ${format}`);
  if (program === "muster") return versionLine();
  const { Default, Min, Max } = PROTOCOL;
  return `Consul v${config.version}+muster\n` +
    `Protocol ${Default} spoken by default, understands ${Min} to ${Max} ` +
    `(agent will automatically use protocol >${Default} when speaking to compatible agents)\n`;
}
