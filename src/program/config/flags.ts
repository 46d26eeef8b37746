/**
 * Flags in Go's notation (Q14.1): one dash or two, `-name value` or `-name=value`, booleans take a value
 * only with `=`, parsing stops at the first argument that is no flag. Pure.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { suggested } from "./suggestion.ts";

/** One flag. */
export interface FlagSpec {
  readonly name: string;
  /** `strings` may be repeated, and keeps every value. */
  readonly kind: "string" | "strings" | "int" | "bool" | "duration";
  /** As it would be typed. */
  readonly value: string;
  readonly help: string;
  /** false: known, and refused unless it has its default value. */
  readonly supported: boolean;
  /** Why it is refused for good, and what to do instead; without it, a flag that is not supported is not supported yet. */
  readonly reason?: string;
}

/** One value of a flag that may be repeated. */
export interface Given {
  readonly name: string;
  readonly value: string;
}

/** Wrong usage: exit code 2. */
export class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}

const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];

/** The flags and arguments of a command line. */
export class Flags {
  readonly #specs: ReadonlyMap<string, FlagSpec>;
  readonly #given: ReadonlyMap<string, string>;
  readonly #repeated: readonly Given[];
  /** Arguments after the flags. */
  readonly rest: readonly string[];

  private constructor(
    specs: ReadonlyMap<string, FlagSpec>,
    given: ReadonlyMap<string, string>,
    { repeated, rest }: { repeated: readonly Given[]; rest: readonly string[] },
  ) {
    this.#specs = specs;
    this.#given = given;
    this.#repeated = repeated;
    this.rest = rest;
  }

  /**
   * Reads a command line.
   * @throws {UsageError} With Go's words.
   */
  static parse(args: readonly string[], specs: readonly FlagSpec[]): Flags {
    const known = new Map(specs.map((spec) => [spec.name, spec]));
    const given = new Map<string, string>();
    const repeated: Given[] = [];
    let at = 0;
    for (; at < args.length; at++) {
      const arg = args[at];
      if (arg === "--") {
        at++;
        break;
      }
      const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg);
      if (!match) {
        if (arg.startsWith("-") && arg !== "-") throw new UsageError(`bad flag syntax: ${arg}`);
        break;
      }
      const [, name, inline] = match;
      const spec = known.get(name);
      if (!spec) {
        if (name === "h" || name === "help") throw new UsageError("help");
        const names = specs.filter(({ supported }) => supported).map((one) => one.name);
        throw new UsageError(`flag provided but not defined: -${name}${suggested(name, names, "-")}`);
      }
      let value = inline;
      if (value === undefined && spec.kind === "bool") value = "true";
      if (value === undefined) {
        if (at + 1 >= args.length) throw new UsageError(`flag needs an argument: -${name}`);
        value = args[++at];
      }
      check(spec, value);
      given.set(name, value);
      if (spec.kind === "strings") repeated.push({ name, value });
    }
    const flags = new Flags(known, given, { repeated, rest: args.slice(at) });
    flags.#refuseUnsupported();
    return flags;
  }

  #refuseUnsupported(): void {
    for (const [name, value] of this.#given) {
      const spec = this.#specs.get(name);
      if (!spec || spec.supported || isSame(spec, value)) continue;
      throw new UsageError(spec.reason ? `not supported: -${name}: ${spec.reason}` : `not supported yet: -${name}`);
    }
  }

  /** Whether it was on the command line. */
  has(name: string): boolean {
    return this.#given.has(name);
  }

  /** A flag's text, given or default. */
  string(name: string): string {
    const given = this.#given.get(name);
    if (given !== undefined) return given;
    const spec = this.#specs.get(name);
    if (!spec) throw new RangeError(`Cannot read flag -${name}: it is not defined`);
    return spec.value;
  }

  /** An integer flag. */
  int(name: string): number {
    return Number(this.string(name));
  }

  /** A boolean flag. */
  bool(name: string): boolean {
    return TRUE.includes(this.string(name));
  }

  /** A duration flag, in milliseconds. */
  durationMs(name: string): number {
    return parseDuration(this.string(name)) ?? 0;
  }

  /** Every value of a flag that may be repeated. */
  all(name: string): readonly string[] {
    return this.inOrder([name]).map(({ value }) => value);
  }

  /** Every value of several flags that may be repeated, as they stood on the command line. */
  inOrder(names: readonly string[]): readonly Given[] {
    return this.#repeated.filter(({ name }) => names.includes(name));
  }

  /** A comma list; empty for none. */
  list(name: string): string[] {
    const text = this.string(name);
    return text === "" ? [] : text.split(",");
  }
}

function check({ name, kind }: FlagSpec, value: string): void {
  if (kind === "bool" && !TRUE.includes(value) && !FALSE.includes(value)) {
    throw new UsageError(`invalid boolean value "${value}" for -${name}: parse error: want true or false`);
  }
  if (kind === "int" && !/^[+-]?\d{1,15}$/.test(value)) {
    throw new UsageError(`invalid value "${value}" for flag -${name}: parse error: want a whole number`);
  }
  if (kind === "duration" && parseDuration(value) === undefined) {
    throw new UsageError(
      `invalid value "${value}" for flag -${name}: parse error: want a number with its unit, as in 500ms, 5s or 1h`,
    );
  }
}

function isSame({ kind, value: standard }: FlagSpec, value: string): boolean {
  if (kind === "bool") return TRUE.includes(value) === TRUE.includes(standard);
  if (kind === "int") return Number(value) === Number(standard);
  if (kind === "duration") return parseDuration(value) === parseDuration(standard);
  return value === standard;
}

/** Help text for flags, two lines each, as Go prints them. */
export function describeFlags(specs: readonly FlagSpec[]): string {
  return specs.map(({ name, kind, value, help, supported, reason }) => {
    const standard = value === "" || value === "false"
      ? ""
      : ` (default ${kind === "string" ? JSON.stringify(value) : value})`;
    return `  -${name}${kind === "bool" ? "" : ` ${kind === "strings" ? "string" : kind}`}\n    \t${help}${standard}${
      supported ? "" : reason ? ` [not supported: ${reason}]` : " [not supported yet]"
    }`;
  }).join("\n");
}

/** Whether a command line asks for help. */
export function asksForHelp(args: readonly string[]): boolean {
  return args.some((arg) => /^--?h(elp)?$/.test(arg));
}
