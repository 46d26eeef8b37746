/**
 * Reads an object of a definition, from JSON or HCL. The names of its fields are taken in any case, with underscores or
 * without: `DeregisterCriticalServiceAfter` is `deregister_critical_service_after`. null stands for a field that is
 * missing, as in Go. A block of HCL is a list of one object, which stands for the object. Pure.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";

const NS_PER_MS = 1_000_000;
/** A hundred years. */
const DURATION_MS_MAX = 100 * 365 * 86_400_000;
const CONTROL = /\p{Cc}/u;

/** A definition of a service or a check that cannot be used. */
export class DefinitionError extends Error {
  /** Always `DefinitionError`. */
  override readonly name = "DefinitionError";
  /** Whether a field is of a wrong type or unknown, rather than having a value that is refused. */
  readonly isMalformed: boolean;

  /** A refusal, which names the field. */
  constructor(message: string, { isMalformed = false }: { isMalformed?: boolean } = {}) {
    super(message);
    this.isMalformed = isMalformed;
  }
}

/** Names of the fields of an object, as `snake_case`, separated by blanks. */
export interface FieldNames {
  /** Fields that are read. */
  readonly known: string;
  /** Fields that are accepted and have no effect. */
  readonly ignored: string;
}

/** How an object is read. */
export interface FieldOptions {
  /** The place of the object for messages, for example `the service`. */
  readonly where: string;
  /** Whether a field that is not known is an error. */
  readonly strict: boolean;
}

/** The fields of one object. Each method takes the field's name as `snake_case`. */
export class DefinitionFields {
  readonly #values = new Map<string, unknown>();
  readonly #where: string;

  /** @throws {DefinitionError} When it is not an object; in strict reading when a field is not known. */
  constructor(value: unknown, { known, ignored }: FieldNames, { where, strict }: FieldOptions) {
    this.#where = where;
    const names = new Set(known.split(" ").map(plain));
    const others = new Set(ignored.split(" ").map(plain));
    for (const [key, content] of Object.entries(objectOf(value, where))) {
      if (content === null || content === undefined) continue;
      if (names.has(plain(key))) this.#values.set(plain(key), content);
      else if (strict && !others.has(plain(key))) {
        throw malformed(`Unknown field "${key.slice(0, 64)}" in ${where}`);
      }
    }
  }

  /** Whether the field is there. */
  has(name: string): boolean {
    return this.#values.has(plain(name));
  }

  /** The value as it came. */
  value(name: string): unknown {
    return this.#values.get(plain(name));
  }

  /** A string; empty when absent. */
  text(name: string, charactersMax: number): string {
    const value = this.value(name) ?? "";
    if (typeof value === "string" && value.length <= charactersMax) return value;
    throw this.#expected(name, `a string of at most ${charactersMax} characters`);
  }

  /** A string without control characters; empty when absent. */
  word(name: string, charactersMax: number): string {
    const word = this.text(name, charactersMax);
    if (CONTROL.test(word)) throw this.#expected(name, "a string without control characters");
    return word;
  }

  /** A whole number; `otherwise` when absent. */
  whole(name: string, { min = 0, max, otherwise = 0 }: { min?: number; max: number; otherwise?: number }): number {
    const value = this.value(name) ?? otherwise;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw this.#expected(name, `a whole number from ${min} to ${max}`);
  }

  /** A boolean; `otherwise` when absent. */
  flag(name: string, otherwise = false): boolean {
    const value = this.value(name) ?? otherwise;
    if (typeof value === "boolean") return value;
    throw this.#expected(name, "true or false");
  }

  /** A duration in whole ms, at least 1 when it is above 0; 0 when absent. */
  durationMs(name: string): number {
    const value = this.value(name) ?? 0;
    const ms = value === "" ? 0 : typeof value === "string" ? parseDuration(value) : numberOf(value);
    if (ms === undefined || Math.abs(ms) > DURATION_MS_MAX) {
      throw this.#expected(name, 'a duration such as "30s", or a number of nanoseconds');
    }
    return ms > 0 ? Math.max(1, Math.round(ms)) : Math.min(0, Math.round(ms));
  }

  /** A list of strings; empty when absent. */
  texts(name: string, { countMax, charactersMax }: { countMax: number; charactersMax: number }): string[] {
    const found = textsOf(this.value(name) ?? [], charactersMax);
    if (found && found.length <= countMax) return found;
    throw this.#expected(name, `a list of at most ${countMax} strings of at most ${charactersMax} characters`);
  }

  /** The entries of an object of any names; none when absent. */
  entries(name: string): [string, unknown][] {
    return this.has(name) ? Object.entries(objectOf(this.value(name), `"${name}" of ${this.#where}`)) : [];
  }

  /** A list of objects, or a single one as a list of it; empty when absent. */
  objects(name: string): unknown[] {
    const value = this.value(name) ?? [];
    return Array.isArray(value) ? value : [value];
  }

  #expected(name: string, what: string): DefinitionError {
    return malformed(`Expected "${name}" of ${this.#where} to be ${what}`);
  }
}

/** Strings of a list; undefined where it is not one, or one of them is too long. */
export function textsOf(value: unknown, charactersMax: number): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter((item): item is string => typeof item === "string" && item.length <= charactersMax);
  return texts.length === value.length ? texts : undefined;
}

/** An error about the form of a value. */
export function malformed(message: string): DefinitionError {
  return new DefinitionError(message, { isMalformed: true });
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value / NS_PER_MS : undefined;
}

function objectOf(value: unknown, where: string): Record<string, unknown> {
  const [only] = Array.isArray(value) && value.length === 1 ? value : [value];
  if (isObject(only)) return only;
  throw malformed(`Expected ${where} to be an object`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
