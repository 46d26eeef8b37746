/**
 * The interface of client commands, and the function that runs them.
 * @module
 */
import { named } from "./program_name.ts";
import { AgentApi, API_FLAGS, ApiError } from "./agent_api.ts";
import { describeFlags, Flags, type FlagSpec, UsageError } from "../config/flags.ts";

/** A command that speaks to an agent, or to nobody. */
export interface Command {
  /** Words by which it is called, such as `catalog nodes`. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Arguments after the name, and examples. */
  readonly usage: string;
  /** Its own; those of the API are added where it speaks to an agent. */
  readonly flags: readonly FlagSpec[];
  readonly isLocal?: boolean;
  /** Whether flags may stand behind its first argument, too. */
  readonly takesFlagsBehind?: boolean;
  /** Resolves to the exit code. */
  run(call: Call): Promise<number> | number;
}

/** One call of a command. */
export interface Call {
  readonly flags: Flags;
  /** Arguments behind the flags. */
  readonly args: readonly string[];
  /** The agent; made when it is first asked for. */
  api(): AgentApi;
}

/** A failure with the words and the exit code that the command has for it. */
export class CommandError extends Error {
  /** Always `CommandError`. */
  override readonly name = "CommandError";
  readonly exitCode: number;

  /** @param message For standard error; empty for none. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A boolean flag. */
export function boolFlag(name: string, help: string, value = false): FlagSpec {
  return { name, kind: "bool", value: String(value), help, supported: true };
}

/** A flag with a text. */
export function textFlag(name: string, help: string, value = ""): FlagSpec {
  return { name, kind: "string", value, help, supported: true };
}

/** A flag with a text that may be given several times. */
export function textsFlag(name: string, help: string): FlagSpec {
  return { name, kind: "strings", value: "", help, supported: true };
}

/** A flag with a whole number. */
export function intFlag(name: string, help: string, value = 0): FlagSpec {
  return { name, kind: "int", value: String(value), help, supported: true };
}

/** A flag with a duration, such as `30s`. */
export function durationFlag(name: string, help: string, value = "0s"): FlagSpec {
  return { name, kind: "duration", value, help, supported: true };
}

/** Pairs of `key=value` by their keys. @throws {UsageError} When one is none. */
export function pairsOf(flags: Flags, name: string): Record<string, string> {
  return Object.fromEntries(
    flags.all(name).map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) {
        throw new UsageError(`invalid value "${pair}" for flag -${name}: missing "=" value in argument: ${pair}`);
      }
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** All flags of a command. */
export function flagsOf({ flags, isLocal }: Command): readonly FlagSpec[] {
  return isLocal ? flags : [...flags, ...API_FLAGS];
}

/** The help of a command. */
export function helpOf(command: Command): string {
  const flags = flagsOf(command);
  const text = `muster ${command.name}: ${command.summary}\n\nUsage: muster ${command.name} ${command.usage}\n`;
  return named(text) + (flags.length === 0 ? "" : `\nFlags:\n${describeFlags(flags)}`);
}

function parsed(command: Command, args: readonly string[]): { flags: Flags; rest: readonly string[] } {
  const flags = Flags.parse(args, flagsOf(command));
  const [first, ...behind] = flags.rest;
  if (!command.takesFlagsBehind || behind.length === 0) return { flags, rest: flags.rest };
  const all = Flags.parse([...args.slice(0, args.length - flags.rest.length), ...behind], flagsOf(command));
  return { flags: all, rest: [first, ...all.rest] };
}

/** Runs a command; resolves to the exit code. */
export async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  try {
    const { flags, rest } = parsed(command, args);
    let api: AgentApi | undefined;
    return await command.run({ flags, args: rest, api: () => api ??= new AgentApi(flags) });
  } catch (error) {
    if (error instanceof UsageError && error.message === "help") {
      console.log(helpOf(command));
      return 0;
    }
    if (error instanceof UsageError) {
      console.error(`${error.message}\n${named(`Run "muster ${command.name} -help" for the flags.`)}`);
      return 1;
    }
    if (error instanceof CommandError) {
      if (error.message !== "") console.error(error.message);
      return error.exitCode;
    }
    if (!(error instanceof ApiError)) throw error;
    console.error(`Error querying Consul agent: ${error.message}`);
    return 1;
  }
}

/** Runs `work`, and tells its failure as `prefix: why`. */
export async function told<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError) throw new CommandError(`${prefix}: ${error.message}`);
    throw error;
  }
}
