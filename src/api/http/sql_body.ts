/**
 * Request bodies (Q3): JSON, or one SQL text, into statements with bound parameters. Pure.
 *
 * A number without fraction or exponent is an INTEGER, exact to 64 bits; any other is a REAL. JSON.parse alone would
 * round the first and forget the difference, so where a text holds a number it could blur, the source of each number is
 * looked at.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import { splitStatements, type SqlPart, STATEMENTS_MAX, TooManyStatementsError } from "../../core/sql/statement.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { HttpError } from "./problem.ts";

/** A JSON value with numbers as SQL has them: bigint for INTEGER, number for REAL. */
type Json = null | boolean | bigint | number | string | Json[] | { [key: string]: Json };

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Digits that a double may not hold exactly, or a number that is no plain integer. False alarms only cost time. */
const INEXACT = /\d{16}|\d[.eE]/;
const BEGINNING_LENGTH = 512;
const NO_STATEMENTS =
  'invalid request: want a list of statements, as in ["SELECT 1"] or [["INSERT INTO t VALUES(?)", 1]]';
const BLOB_LITERAL = /^\s*[xX]'((?:[0-9a-fA-F]{2})*)'\s*$/;

/**
 * Reads the statements of a body.
 * @throws {HttpError} 400 with rqlite's words.
 */
export function decodeStatements(text: string): BoundStatement[] {
  if (text.length > UNCOUNTED_LENGTH_MAX) refuseManyValues(text);
  const { value: body, areWhole } = parseJson(text);
  if (!Array.isArray(body)) throw new HttpError(400, NO_STATEMENTS);
  if (body.length === 0) throw new HttpError(400, "no statements");
  const statements: BoundStatement[] = [];
  const split = repeatedSplit();
  for (const element of body) {
    const statement = decodeElement(element, split, areWhole);
    if (statement) statements.push(statement);
  }
  return statements;
}

/** A shorter body is parsed without looking how many values it has. */
const UNCOUNTED_LENGTH_MAX = 1024 * 1024;
/** Values of a body: as objects, they take fifty times the memory of their text, and seconds of the thread that parses it. */
const VALUES_MAX = 2_000_000;

/** @throws {HttpError} 413 when a body has too many values; what stands in its texts does not count. */
function refuseManyValues(text: string): void {
  let count = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) isText = !isText;
    else if (code === 0x5c && isText) at++; // a backslash, and what it escapes
    else if (!isText && (code === 0x2c || code === 0x5b || code === 0x7b)) count++; // , [ {
  }
  if (count > VALUES_MAX) {
    throw new HttpError(413, `the request holds more than ${VALUES_MAX} values: split it, or load a SQLite file`);
  }
}

/** Reads JSON with numbers as SQL has them. @throws {HttpError} 400. */
export function parseSqlJson(text: string): unknown {
  const { value, areWhole } = parseJson(text);
  return areWhole ? integers(value) : value;
}

/** Reads one element of a body, from {@linkcode parseSqlJson}. @throws {HttpError} 400 with rqlite's words. */
export function boundStatement(element: unknown): BoundStatement | undefined {
  return decodeElement(element as Json, split, false);
}

/** @throws {HttpError} 413. */
function split(sql: string): readonly SqlPart[] {
  try {
    return splitStatements(sql);
  } catch (error) {
    throw error instanceof TooManyStatementsError ? new HttpError(413, error.message) : error;
  }
}

/** Splits texts, of which one often is the same as the one before it: comparing the two costs less than looking it up. */
function repeatedSplit(): typeof split {
  let before = "";
  let parts = split(before);
  let count = 0;
  return (sql) => {
    if (sql !== before) {
      parts = split(before = sql);
      count += parts.length;
      if (count > STATEMENTS_MAX) {
        throw new HttpError(413, `the request holds more than ${STATEMENTS_MAX} statements: split it`);
      }
    }
    return parts;
  };
}

/** One SQL text without parameters; an empty one has no statement, one that holds none has an empty result. */
export function sqlText(text: string): BoundStatement[] {
  return text === "" ? [] : [{ parts: split(text), positional: [], named: null }];
}

/** JSON that was read; whole numbers are bigints, unless `areWhole` says that all numbers are. */
interface ParsedBody {
  readonly value: Json;
  readonly areWhole: boolean;
}

function decodeElement(
  element: Json,
  splitText: typeof split,
  areWhole: boolean,
): BoundStatement | undefined {
  if (typeof element === "string") {
    return element === "" ? undefined : { parts: splitText(element), positional: [], named: null };
  }
  if (!Array.isArray(element) || typeof element[0] !== "string") throw new HttpError(400, NO_STATEMENTS);
  const sql = element[0];
  const positional: SqlValue[] = [];
  let named: Record<string, SqlValue> | null = null;
  for (let at = 1; at < element.length; at++) {
    const parameter = element[at];
    if (typeof parameter === "object" && parameter !== null && !Array.isArray(parameter)) {
      named ??= Object.create(null) as Record<string, SqlValue>;
      for (const [name, value] of Object.entries(parameter)) named[name] = bind(value, areWhole);
    } else positional.push(bind(parameter, areWhole));
  }
  return sql === "" ? undefined : { parts: splitText(sql), positional, named };
}

function bind(value: Json, areWhole: boolean): SqlValue {
  switch (typeof value) {
    case "number":
      return areWhole ? BigInt(value) : value;
    case "boolean":
      return value ? 1n : 0n;
    case "string": {
      const literal = value.includes("'") ? BLOB_LITERAL.exec(value) : null; // most texts have none
      return literal ? fromHex(literal[1]) : value;
    }
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return blobOf(value, areWhole);
      throw new HttpError(400, "unsupported type map[string]interface {}");
    default:
      return value;
  }
}

function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

function blobOf(values: readonly Json[], areWhole: boolean): Uint8Array {
  return Uint8Array.from(values, (value) => {
    if (typeof value !== "bigint" && !(areWhole && typeof value === "number") || value < 0 || value > 255) {
      throw new HttpError(400, `unsupported type ${describe(value)}`);
    }
    return Number(value);
  });
}

function describe(value: Json): string {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  return typeof value === "object" ? "map[string]interface {}" : String(value);
}

function parseJson(text: string): ParsedBody {
  try {
    return parseExact(text);
  } catch (error) {
    if (error instanceof HttpError) throw error;
    const failure = new HttpError(400, `invalid JSON body: ${messageOf(error)}`);
    const end = endOfArray(text);
    if (end === undefined || end === text.length) throw failure;
    try {
      return parseExact(text.slice(0, end)); // what follows the array is ignored, as rqlite does
    } catch (error) {
      throw error instanceof HttpError ? error : failure;
    }
  }
}

/** Looking for numbers in a long text takes as long as parsing it: where it begins without, it may have none at all. */
function parseExact(text: string): ParsedBody {
  if (!INEXACT.test(text.slice(0, BEGINNING_LENGTH))) {
    const value: Json = JSON.parse(text);
    if (isPlain(value) || !INEXACT.test(text)) return { value, areWhole: true };
  }
  const value: Json = JSON.parse(
    text,
    (_key, value, context?: { source?: string }) =>
      typeof value === "number" ? numberOf(context?.source ?? String(value)) : value,
  );
  return { value, areWhole: false };
}

/** Whether a value consists of texts alone, in arrays or not. */
function isPlain(value: Json): boolean {
  return typeof value === "string" || Array.isArray(value) && value.every(isPlain);
}

function numberOf(source: string): bigint | number {
  if (!/^-?\d+$/.test(source)) return finite(source);
  const integer = BigInt(source);
  return integer > INT64_MAX || integer < INT64_MIN ? finite(source) : integer;
}

function finite(source: string): number {
  const value = Number(source);
  if (!Number.isFinite(value)) throw new HttpError(400, `invalid number ${source}`);
  return value;
}

/** Numbers to bigints, where all of them are plain integers of up to 15 digits. */
function integers(value: unknown): Json {
  if (typeof value === "number") return BigInt(value);
  if (Array.isArray(value)) return value.map(integers);
  if (typeof value === "object" && value !== null) {
    const object: Record<string, Json> = Object.create(null);
    for (const [key, inner] of Object.entries(value)) object[key] = integers(inner);
    return object;
  }
  return value as Json;
}

/** Offset just behind the array that the text starts with; undefined where it does not end. */
function endOfArray(text: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at++;
    } else if (char === "[" || char === "{") depth++;
    else if ((char === "]" || char === "}") && --depth === 0) return at + 1;
  }
  return undefined;
}
