/**
 * Filter expressions of `/v1` (`?filter=`, C6.5): `Meta.env == "qa" and "v1" in Tags`. An expression is
 * checked against the fields of what it is to choose from and becomes a predicate; regular expressions take linear time.
 * Pure.
 * @module
 */
import { Pattern } from "../../base/codec/pattern.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Type of a field: string, number, boolean, list of strings, or map of strings. */
export type FieldKind = "text" | "number" | "flag" | "texts" | "map";
/** Fields of an object, by name; a field may be an object itself, or a list of objects, of which one is to match. */
export interface Fields {
  readonly [name: string]: FieldKind | Fields;
}
/** Whether an object is chosen. */
export type Predicate = (value: Readonly<Record<string, unknown>>) => boolean;

/** The expression cannot be used; the message says where and what was expected. */
export class FilterError extends Error {
  /** Always `FilterError`. */
  override readonly name = "FilterError";
}

const LENGTH_MAX = 16_384;
const DEPTH_MAX = 100;
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(==|!=|[().[\]])|([A-Za-z_][\w/:-]*)|(-?\d+(?:\.\d+)?)|(\S))/y;

interface Token {
  readonly kind: "value" | "sign" | "word" | "number";
  /** Without quotes. */
  readonly text: string;
  /** Offset of its beginning. */
  readonly at: number;
}

/** A field, or one entry of a map. */
interface Selector {
  readonly path: string;
  readonly kind: FieldKind;
  /** All values of it: several where it lies in a list. */
  get(value: Readonly<Record<string, unknown>>): readonly unknown[];
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (TOKEN.lastIndex = 0; text.slice(TOKEN.lastIndex).trim() !== "";) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    const [, quoted, sign, word, number] = match ?? [];
    if (quoted !== undefined) tokens.push({ kind: "value", text: unquoted(quoted, at), at });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign, at });
    else if (word !== undefined) tokens.push({ kind: "word", text: word, at });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, at });
    else throw new FilterError(`unexpected ${match?.[5] ?? "text"} at ${at}`);
  }
  return tokens;
}

function unquoted(text: string, at: number): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  try {
    return JSON.parse(text);
  } catch {
    throw new FilterError(`expected a text in quotes at ${at}, found ${text}`);
  }
}

/**
 * Makes a predicate of an expression.
 * @param fields What it may name.
 * @throws {FilterError} When it is none, or names a field that is not there.
 */
export function compileFilter(text: string, fields: Fields): Predicate {
  if (text.length > LENGTH_MAX) throw new FilterError(`it is longer than ${LENGTH_MAX} characters`);
  return new Parser(tokensOf(text), fields).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #fields: Fields;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], fields: Fields) {
    this.#tokens = tokens;
    this.#fields = fields;
  }

  whole(): Predicate {
    const predicate = this.#either();
    if (this.#at < this.#tokens.length) throw this.#expected("and, or, or the end");
    return predicate;
  }

  #expected(what: string): FilterError {
    const token = this.#tokens[this.#at];
    return new FilterError(`expected ${what}, found ${token ? `${token.text} at ${token.at}` : "the end"}`);
  }

  /** Takes the next words or signs if they are these. */
  #take(...texts: readonly string[]): boolean {
    const isNext = texts.every((text, ahead) => {
      const token = this.#tokens[this.#at + ahead];
      return token?.text === text && (token.kind === "word" || token.kind === "sign");
    });
    if (isNext) this.#at += texts.length;
    return isNext;
  }

  #either(): Predicate {
    if (++this.#depth > DEPTH_MAX) throw new FilterError(`parentheses are nested deeper than ${DEPTH_MAX}`);
    const parts = [this.#both()];
    while (this.#take("or")) parts.push(this.#both());
    this.#depth--;
    return parts.length === 1 ? parts[0] : (value) => parts.some((part) => part(value));
  }

  #both(): Predicate {
    const parts = [this.#one()];
    while (this.#take("and")) parts.push(this.#one());
    return parts.length === 1 ? parts[0] : (value) => parts.every((part) => part(value));
  }

  #one(): Predicate {
    let isNegated = false;
    while (this.#take("not")) isNegated = !isNegated;
    const part = this.#take("(") ? this.#group() : this.#match();
    return isNegated ? (value) => !part(value) : part;
  }

  #group(): Predicate {
    const part = this.#either();
    if (!this.#take(")")) throw this.#expected(")");
    return part;
  }

  /** `VALUE in SELECTOR`, or a selector, what is asked of it, and with what. */
  #match(): Predicate {
    const first = this.#tokens[this.#at];
    const [second, third] = [this.#tokens[this.#at + 1], this.#tokens[this.#at + 2]];
    const isIn = second?.text === "in" || second?.text === "not" && third?.text === "in";
    if (isIn || first?.kind === "value" || first?.kind === "number") {
      const item = this.#value();
      const isNegated = this.#take("not");
      if (!this.#take("in")) throw this.#expected("in, or not in");
      const holds = containing(this.#selector(), item);
      return isNegated ? (value) => !holds(value) : holds;
    }
    const selector = this.#selector();
    if (this.#take("is", "not", "empty")) return (value) => !selector.get(value).every(isEmpty);
    if (this.#take("is", "empty")) return (value) => selector.get(value).every(isEmpty);
    if (this.#take("==")) return equal(selector, this.#value());
    if (this.#take("!=")) return not(equal(selector, this.#value()));
    if (this.#take("contains")) return containing(selector, this.#value());
    if (this.#take("not", "contains")) return not(containing(selector, this.#value()));
    if (this.#take("matches")) return matching(selector, this.#value());
    if (this.#take("not", "matches")) return not(matching(selector, this.#value()));
    throw this.#expected("==, !=, in, contains, matches, or is empty");
  }

  #value(): string {
    const token = this.#tokens[this.#at];
    if (!token || token.kind === "sign") throw this.#expected("a value");
    this.#at++;
    return token.text;
  }

  /** `Name`, `Object.Name`, and for an entry of a map `.key` or `["key"]`. */
  #selector(): Selector {
    const names: string[] = [];
    let kind: FieldKind | Fields = this.#fields;
    do {
      const name = this.#name(kind);
      names.push(name);
      kind = kind[name];
    } while (typeof kind !== "string" && this.#take("."));
    const path = names.join(".");
    if (typeof kind !== "string") throw new FilterError(`${path} has parts: ${Object.keys(kind).join(", ")}`);
    const key = this.#key();
    if (key === undefined) return { path, kind, get: (value) => valuesAt(value, names) };
    if (kind !== "map") throw new FilterError(`${path} has no part ${key}`);
    return { path: `${path}.${key}`, kind: "text", get: (value) => valuesAt(value, [...names, key]) };
  }

  /** The name of one of these fields. */
  #name(fields: Fields): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "word") throw this.#expected("a field");
    if (!Object.hasOwn(fields, token.text)) {
      throw new FilterError(`there is no field ${token.text}: expected one of ${Object.keys(fields).join(", ")}`);
    }
    this.#at++;
    return token.text;
  }

  #key(): string | undefined {
    if (this.#take(".")) return this.#value();
    if (!this.#take("[")) return undefined;
    const key = this.#value();
    if (!this.#take("]")) throw this.#expected("]");
    return key;
  }
}

function not(predicate: Predicate): Predicate {
  return (value) => !predicate(value);
}

/** What stands at a path; in a list of objects, in each of them. */
function valuesAt(value: unknown, [name, ...rest]: readonly string[]): readonly unknown[] {
  if (name === undefined) return [value];
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, [name, ...rest]));
  const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, name);
  return isThere ? valuesAt(new Map(Object.entries(value)).get(name), rest) : [undefined];
}

/** Whether a value is empty; a missing value is. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "";
}

function equal({ path, kind, get }: Selector, wanted: string): Predicate {
  if (kind === "texts" || kind === "map") {
    throw new FilterError(`${path} holds several values: expected in or contains`);
  }
  if (kind === "text") return (value) => get(value).includes(wanted);
  if (kind === "number" && !/^-?\d+(\.\d+)?$/.test(wanted)) {
    throw new FilterError(`${path} is a number, which ${wanted} is not`);
  }
  if (kind === "flag" && wanted !== "true" && wanted !== "false") {
    throw new FilterError(`${path} is true or false, which ${wanted} is not`);
  }
  const typed = kind === "number" ? Number(wanted) : wanted === "true";
  return (value) => get(value).includes(typed);
}

/** A list has an item, a map a key, a text a part. */
function containing({ path, kind, get }: Selector, item: string): Predicate {
  if (kind === "number" || kind === "flag") throw new FilterError(`${path} holds one value: expected == or !=`);
  return (value) =>
    get(value).some((all) => {
      if (typeof all === "string" || Array.isArray(all)) return all.includes(item);
      return typeof all === "object" && all !== null && Object.hasOwn(all, item);
    });
}

function matching({ path, kind, get }: Selector, text: string): Predicate {
  if (kind !== "text") throw new FilterError(`${path} is no text: matches does not apply`);
  let pattern: Pattern;
  try {
    pattern = new Pattern(text);
  } catch (error) {
    throw new FilterError(`${text} is no pattern: ${messageOf(error)}`);
  }
  return (value) => get(value).some((found) => typeof found === "string" && pattern.matches(found));
}
