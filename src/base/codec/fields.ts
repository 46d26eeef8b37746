/**
 * Reads a JSON object against a list of fields as Go's decoder does: keys in any case, null as absent, unknown keys left
 * alone. Unlike it, unknown keys are reported, and every error says where and what was expected; none repeats a value,
 * as it may be a password. Pure.
 * @module
 */
import { parseDuration } from "./duration.ts";

const NS_PER_MS = 1_000_000;

/** A configuration that cannot be used; the message names the place. */
export class ConfigError extends Error {
  /** Always `ConfigError`. */
  override readonly name = "ConfigError";
}

/** The type of a field. `texts` is a list of strings, or one string; `duration` is in Go's notation, or in nanoseconds. */
export type FieldKind = "text" | "integer" | "number" | "boolean" | "texts" | "duration" | "object";

/** The fields of an object, by name. */
export type Schema = Readonly<Record<string, FieldKind>>;

const EXPECTED: Readonly<Record<FieldKind, string>> = {
  text: "a text",
  integer: "an integer",
  number: "a number",
  boolean: "true or false",
  texts: "a text or a list of texts",
  duration: 'a duration such as "30s", or a number of nanoseconds',
  object: "an object",
};

/** An object read against a schema. */
export class Fields {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #warn: (line: string) => void;

  /**
   * @param where Place for messages, for example `-disco-config: TLS`.
   * @param warn Told of what is ignored, a line at a time and nothing else: a log's second parameter is a level.
   */
  constructor(value: unknown, schema: Schema, { where, warn }: { where: string; warn: (line: string) => void }) {
    if (!isObject(value)) throw new ConfigError(`${where}: expected an object`);
    const names = new Map(Object.keys(schema).map((name) => [name.toLowerCase(), name]));
    const values = new Map<string, unknown>();
    for (const [key, content] of Object.entries(value)) {
      const name = names.get(key.toLowerCase());
      if (name === undefined) {
        warn(`${where}: unknown key "${key.slice(0, 64)}" is ignored; known are ${[...names.values()].join(", ")}`);
      } else if (content !== null) {
        if (!isOf(content, schema[name])) {
          throw new ConfigError(`${where}: "${name}" must be ${EXPECTED[schema[name]]}`);
        }
        values.set(name, content);
      }
    }
    this.#values = values;
    this.#where = where;
    this.#warn = warn;
  }

  /** Whether the field is there. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** A text; `otherwise` when absent. */
  text(name: string, otherwise = ""): string {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : otherwise;
  }

  /** A number; `otherwise` when absent. */
  number(name: string, otherwise: number): number {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : otherwise;
  }

  /** A duration in ms; `otherwise` when absent. */
  durationMs(name: string, otherwise: number): number {
    const value = this.#values.get(name);
    return value === undefined ? otherwise : durationMsOf(value) ?? otherwise;
  }

  /** A truth value; `otherwise` when absent. */
  boolean(name: string, otherwise = false): boolean {
    const value = this.#values.get(name);
    return typeof value === "boolean" ? value : otherwise;
  }

  /** A list of texts; empty when absent. */
  texts(name: string): readonly string[] {
    const value = this.#values.get(name);
    if (typeof value === "string") return [value];
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }

  /** An object within; undefined when absent. */
  object(name: string, schema: Schema): Fields | undefined {
    if (!this.#values.has(name)) return undefined;
    return new Fields(this.#values.get(name), schema, { where: `${this.#where}: ${name}`, warn: this.#warn });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOf(value: unknown, kind: FieldKind): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "integer":
      return Number.isSafeInteger(value);
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "texts":
      return typeof value === "string" || Array.isArray(value) && value.every((item) => typeof item === "string");
    case "duration":
      return durationMsOf(value) !== undefined;
    case "object":
      return isObject(value);
  }
}

function durationMsOf(value: unknown): number | undefined {
  return typeof value === "string" ? parseDuration(value) : typeof value === "number" ? value / NS_PER_MS : undefined;
}

/** Replaces `$VAR` and `${VAR}` as Go's os.Expand does: unset variables vanish, a `$` before anything else stays. */
export function expandVariables(text: string, variable: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[0-9*#$@!?-]))/g, (_, braced, bare) => {
    return variable(braced ?? bare) ?? "";
  });
}
