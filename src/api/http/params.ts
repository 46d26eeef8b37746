/**
 * Query parameters (Q2.5): validated on every request before it is routed. Pure.
 * @module
 */
import { type Level, LEVELS } from "../../app/database/database.ts";
import type { ErrorForm } from "../../core/sql/render_options.ts";
import { HttpError } from "./problem.ts";
import { parseDuration } from "../../base/codec/duration.ts";

const DURATIONS = ["timeout", "freshness", "db_timeout", "linearizable_timeout"];
const INTEGERS = ["retries", "trailing_logs"];
const DURATION_MAX_MS = 2 ** 63 / 1e6;
const FORWARD_TIMEOUT_MS = 30_000;
const LINEARIZABLE_TIMEOUT_MS = 10_000;
/** Query strings remembered, and the longest of them. */
const PARSED_MAX = 512;
const PARSED_LENGTH_MAX = 1024;

/** The parameters of one request. */
export class Params {
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  static readonly #NONE = new Params(new Map());
  /** By their text: a client sends the same ones again and again. */
  static readonly #parsed = new Map<string, Params>();

  /**
   * Reads a query string, without its `?`.
   * @throws {HttpError} 400 when it is malformed or a value is not what its name wants.
   */
  static parse(query: string): Params {
    if (query === "") return Params.#NONE;
    const known = Params.#parsed.get(query);
    if (known) return known;
    const params = new Params(parseQuery(query));
    if (Params.#parsed.size >= PARSED_MAX) Params.#parsed.clear();
    if (query.length <= PARSED_LENGTH_MAX) Params.#parsed.set(query, params);
    return params;
  }

  /** Whether a flag is present, whatever its value. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** A text; undefined where absent. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  #duration(name: string, otherwise: number): number {
    const text = this.#values.get(name);
    return text === undefined ? otherwise : parseDuration(text) ?? otherwise;
  }

  /** Read consistency; an unknown name is weak. */
  get level(): Level {
    const name = (this.#values.get("level") ?? "").toLowerCase();
    return LEVELS.find((level) => level === name) ?? "weak";
  }

  /** How the error of a statement is to be written. */
  get errors(): ErrorForm {
    const form = this.#values.get("errors");
    return form === "v1" || form === "v2" ? form : "both";
  }

  /** Deadline of whatever involves another node. */
  get timeoutMs(): number {
    return this.#duration("timeout", FORWARD_TIMEOUT_MS);
  }

  /** Limit of the database's work; 0 for none. */
  get dbTimeoutMs(): number {
    return this.#duration("db_timeout", 0);
  }

  /** How old what this node shows at level none may be; 0 for any age. */
  get freshnessMs(): number {
    return this.#duration("freshness", 0);
  }

  get linearizableTimeoutMs(): number {
    return this.#duration("linearizable_timeout", LINEARIZABLE_TIMEOUT_MS);
  }

  /** Further attempts on connection failure. */
  get retries(): number {
    return Number(this.#values.get("retries") || 0);
  }
}

function parseQuery(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    if (pair.includes(";")) throw new HttpError(400, "invalid semicolon separator in query");
    const equals = pair.indexOf("=");
    const name = unescape(equals < 0 ? pair : pair.slice(0, equals));
    if (!values.has(name)) values.set(name, equals < 0 ? "" : unescape(pair.slice(equals + 1)));
  }
  check(values);
  return values;
}

function check(values: ReadonlyMap<string, string>): void {
  if (values.has("freshness_strict") && !values.has("freshness")) {
    throw new HttpError(400, "freshness_strict requires freshness");
  }
  for (const name of DURATIONS) {
    const text = values.get(name);
    if (text !== undefined && !isDuration(text)) {
      throw new HttpError(400, `${name} is not a valid duration`);
    }
  }
  for (const name of INTEGERS) {
    const text = values.get(name);
    if (text !== undefined && !isInt64(text)) {
      throw new HttpError(400, `${name} is not a valid integer`);
    }
  }
  if (values.get("q") === "") throw new HttpError(400, "query parameter not set");
}

/** Whether it is a duration that 64 bits of nanoseconds hold. */
function isDuration(text: string): boolean {
  const ms = parseDuration(text);
  return ms !== undefined && Math.abs(ms) <= DURATION_MAX_MS;
}

function isInt64(text: string): boolean {
  if (!/^[+-]?\d+$/.test(text)) return false;
  const value = BigInt(text.replace("+", ""));
  return BigInt.asIntN(64, value) === value;
}

const utf8 = new TextDecoder();

/** Undoes URL escaping; `+` is a space, bytes that are not UTF-8 become U+FFFD. */
function unescape(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  const spaced = text.replaceAll("+", " ");
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(spaced);
  if (bad) throw new HttpError(400, `invalid URL escape ${JSON.stringify(bad[0])}`);
  return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (escaped) => {
    const bytes = Uint8Array.from(escaped.slice(1).split("%"), (hex) => parseInt(hex, 16));
    return utf8.decode(bytes);
  });
}
