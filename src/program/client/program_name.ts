/**
 * The name by which this program was called. A link or a copy named `consul` behaves as Consul's command does in its help, its
 * version and its exit codes.
 * @module
 */
// Deno.execPath() tells where the executable is, whatever link it was called by.
import process from "node:process";

/** Names of this program. */
export type ProgramName = "muster" | "consul";

/** The name in a path by which a program was called. */
export function programNameIn(path: string): ProgramName {
  return /(?:^|[\\/])consul(?:\.exe)?$/i.test(path) ? "consul" : "muster";
}

/** The name by which this one was called. */
export function programName(): ProgramName {
  return programNameIn(process.argv0);
}

/** A help text with the name in front of its commands. */
export function named(text: string, name: ProgramName = programName()): string {
  return name === "muster" ? text : text.replaceAll(/\bmuster (?=[a-zA-Z-])/g, `${name} `);
}
