/**
 * Results as JSON text, straight from the rows: no intermediate objects, one walk (Q2.6, Q4.1 to Q4.4). Pure.
 *
 * The rules in short: a column is treated by its declared type in lower case, a column without one (an expression) is
 * named after the first row's value; integers are exact; text that is not UTF-8 has come out of SQLite with U+FFFD; a
 * date that is none is shown as stored; a BLOB is base64 unless asked otherwise or its column is declared as text.
 * @module
 */

import { quote } from "../../core/sql/failure.ts";
import { type AnswerBudget, ANSWERS_BYTES_MAX, READ_ANSWERS_BYTES_MAX } from "../../base/shared/answer_budget.ts";
import type { RenderOptions } from "../../core/sql/render_options.ts";
import { type ResultText, type TakeBytes, TextBuilder } from "../../core/sql/result_text.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { dateFromInteger, dateFromText } from "../../core/sql/date_text.ts";
import type { ResultColumn, Row } from "../libsqlite/driver.ts";

/** Most bytes of one request's results, in UTF-8. */
export const RESULTS_BYTES_MAX = 64 * 1024 * 1024;

/** Results that have no JSON form, or one too long. */
export class RenderError extends Error {
  /** Always `RenderError`. */
  override readonly name = "RenderError";
}

/** Conversion of values by the declared type of their column. */
export type Treatment = "plain" | "boolean" | "date" | "text";

const DATE_TYPES: ReadonlySet<string> = new Set(["date", "datetime", "timestamp"]);
const TEXT_TYPE = /^(?:text$|json$|varchar|varying character|nchar|native character|nvarchar|clob)/;

/** How to render the rows of one statement; worked out once per statement. */
export interface Shape {
  /** Names as JSON text, in the order of the columns. */
  readonly names: readonly string[];
  /** Declared types in lower case; `null` where the first row decides. */
  readonly types: readonly (string | null)[];
  /** Conversion for each column. */
  readonly treatments: readonly Treatment[];
  /** Columns of an associative row: sorted by name, the last of equal names. */
  readonly sorted: readonly number[];
}

/** Works out how to render a statement's rows. */
export function shapeOf(columns: readonly ResultColumn[], qualifyColumns: boolean): Shape {
  const names = columns.map(({ name, table }) => qualifyColumns && table !== null ? `${table}.${name}` : name);
  const types = columns.map(({ declaredType }) => declaredType === null ? null : declaredType.toLowerCase());
  const lastByName = new Map(names.map((name, at) => [name, at]));
  const sorted = [...lastByName].sort(([a], [b]) => compareBytes(a, b)).map(([, at]) => at);
  return { names: names.map(quote), types, treatments: types.map(treatmentOf), sorted };
}

function treatmentOf(type: string | null): Treatment {
  if (type === null) return "plain";
  if (type === "boolean") return "boolean";
  if (DATE_TYPES.has(type)) return "date";
  return TEXT_TYPE.test(type) ? "text" : "plain";
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Order of two texts by their bytes in UTF-8, as Go sorts keys. */
function compareBytes(a: string, b: string): number {
  const left = utf8Encoder.encode(a);
  const right = utf8Encoder.encode(b);
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function renderBlob(bytes: Uint8Array, treatment: Treatment, blobArray: boolean): string {
  if (treatment === "text") return quote(utf8Decoder.decode(bytes));
  return blobArray ? `[${bytes.join(",")}]` : `"${bytes.toBase64()}"`;
}

function renderValue(value: SqlValue, treatment: Treatment, blobArray: boolean): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "bigint": {
      if (treatment === "boolean") return value > 0n ? "true" : "false";
      const date = treatment === "date" ? dateFromInteger(value) : null;
      return date === null ? value.toString() : `"${date}"`;
    }
    case "number":
      if (!Number.isFinite(value)) throw new RenderError(`unsupported value: ${value > 0 ? "+Inf" : "-Inf"}`);
      return Object.is(value, -0) ? "-0" : String(value);
    case "string":
      return quote(treatment === "date" ? dateFromText(value) ?? value : value);
    default:
      return renderBlob(value, treatment, blobArray);
  }
}

function inferredType(value: SqlValue | undefined): string {
  switch (typeof value) {
    case "bigint":
      return "integer";
    case "number":
      return "real";
    case "string":
      return "text";
    default:
      return value instanceof Uint8Array ? "blob" : "";
  }
}

/** There is no room for an answer now: others are on their way. */
export class NoRoomError extends Error {
  /** Always `NoRoomError`. */
  override readonly name = "NoRoomError";
}

/** Memory for the results of one request: a limit per request, and a share of the room for all answers. */
export class Room {
  readonly #budget: AnswerBudget;
  readonly #mayWait: boolean;
  #left = RESULTS_BYTES_MAX;
  #taken = 0;

  /** @param mayWait Whether the request can begin again later: where there is no room, a {@linkcode NoRoomError} says so. */
  constructor(budget: AnswerBudget, { mayWait }: { mayWait: boolean }) {
    this.#budget = budget;
    this.#mayWait = mayWait;
  }

  /**
   * Counts the text of a row, one byte for each character until its bytes are known.
   * @throws {RenderError} When the results have become too long.
   */
  spend(length: number): void {
    this.#left -= length;
    if (this.#left < 0) {
      throw new RenderError(`the results exceed ${RESULTS_BYTES_MAX} bytes: use LIMIT to read them in parts`);
    }
  }

  /**
   * Takes room for rendered rows.
   * @throws {RenderError} When the results have become too long, or what cannot wait has no room.
   * @throws {NoRoomError} When what can wait has none.
   */
  readonly takeRows: TakeBytes = (bytes, characters) => {
    this.spend(bytes - characters);
    this.#take(bytes);
  };

  /** Takes room for the text of results that are complete. @throws {NoRoomError} When what can wait has none. */
  readonly takeText: TakeBytes = (bytes) => {
    if (this.#mayWait) this.#take(bytes);
    else this.#add(bytes);
  };

  /** Does what needs memory for a moment. */
  withBytes(bytes: number, work: () => void): void {
    this.#take(bytes);
    try {
      work();
    } finally {
      this.#budget.giveBack(bytes);
      this.#taken -= bytes;
    }
  }

  #take(bytes: number): void {
    if (this.#budget.take(bytes, this.#mayWait ? READ_ANSWERS_BYTES_MAX : ANSWERS_BYTES_MAX)) this.#taken += bytes;
    else if (this.#mayWait) throw new NoRoomError("no room for the answer");
    else {
      throw new RenderError(
        `the rows cannot be shown: answers of ${ANSWERS_BYTES_MAX} bytes wait for their clients to take them`,
      );
    }
  }

  #add(bytes: number): void {
    this.#budget.add(bytes);
    this.#taken += bytes;
  }

  /** Gives back what a text took that is not shown. */
  drop(bytes: number): void {
    this.#budget.giveBack(bytes);
    this.#taken -= bytes;
  }

  /** Gives back everything: the results are not needed. */
  dropAll(): void {
    this.drop(this.#taken);
  }
}

/** Text of `,"time":seconds`, or nothing. */
export type TimeText = "" | `,"time":${number}`;

/** A read's result while its rows come in. */
export class QueryRenderer {
  readonly #shape: Shape;
  readonly #options: RenderOptions;
  readonly #room: Room;
  readonly #text: TextBuilder;
  #types: readonly string[] | null = null;
  #taken = 0;

  /**
   * Starts without rows.
   * @param room What the request may take.
   */
  constructor(shape: Shape, options: RenderOptions, room: Room) {
    this.#shape = shape;
    this.#options = options;
    this.#room = room;
    this.#text = new TextBuilder((bytes, characters) => {
      room.takeRows(bytes, characters);
      this.#taken += bytes;
    });
  }

  /**
   * Adds a row.
   * @throws {RenderError} When a value has no JSON form or the results have become too long.
   */
  add(row: Row): void {
    const text = this.#options.associative ? this.#object(row) : this.#array(row);
    this.#room.spend(text.length + 1);
    if (this.#types === null) {
      this.#types = this.#shape.types.map((type, at) => type ?? inferredType(row[at]));
      this.#text.add(`${this.#head(this.#types)},${this.#options.associative ? '"rows"' : '"values"'}:[${text}`);
    } else this.#text.add(`,${text}`);
  }

  /** Forgets the rows: they cannot be shown. */
  drop(): void {
    this.#text.drop();
    this.#room.drop(this.#taken);
    this.#taken = 0;
  }

  #array(row: Row): string {
    const { treatments } = this.#shape;
    const { blobArray } = this.#options;
    let text = "[";
    for (let at = 0; at < row.length; at++) {
      if (at > 0) text += ",";
      text += renderValue(row[at] ?? null, treatments[at] ?? "plain", blobArray);
    }
    return text + "]";
  }

  #object(row: Row): string {
    const { treatments, names, sorted } = this.#shape;
    const { blobArray } = this.#options;
    let text = "{";
    for (const at of sorted) {
      if (text.length > 1) text += ",";
      text += `${names[at]}:${renderValue(row[at] ?? null, treatments[at] ?? "plain", blobArray)}`;
    }
    return text + "}";
  }

  #head(types: readonly string[]): string {
    const { names, sorted } = this.#shape;
    if (!this.#options.associative) return `{"columns":[${names.join(",")}],"types":[${types.map(quote).join(",")}]`;
    return `{"types":{${sorted.map((at) => `${names[at]}:${quote(types[at] ?? "")}`).join(",")}}`;
  }

  /** The result's text. */
  finish(time: TimeText): ResultText {
    const { names, types } = this.#shape;
    const { associative } = this.#options;
    if (this.#types !== null) {
      this.#text.add(`]${time}}`);
      return this.#text.finish();
    }
    if (names.length === 0) return associative ? `{"rows":[]${time}}` : time === "" ? "{}" : `{${time.slice(1)}}`;
    return `${this.#head(types.map((type) => type ?? ""))}${associative ? ',"rows":[]' : ""}${time}}`;
  }
}

/** rqlite's last insert id and rows affected, which keep their values until the next write sets them. */
export interface Sticky {
  /** Rowid of the last insert. */
  readonly lastInsertId: number | bigint;
  /** Rows changed by the last INSERT, UPDATE or DELETE. */
  readonly rowsAffected: number | bigint;
}

/** A write's result; zero values are left out. */
export function renderWrite(
  { lastInsertId, rowsAffected }: Sticky,
  associative: boolean,
  time: TimeText,
): string {
  const rest = associative ? `${time},"rows":null` : time;
  if (lastInsertId === 0) {
    return rowsAffected === 0 ? `{${rest.slice(1)}}` : `{"rows_affected":${rowsAffected}${rest}}`;
  }
  const id = `{"last_insert_id":${lastInsertId}`;
  return rowsAffected === 0 ? `${id}${rest}}` : `${id},"rows_affected":${rowsAffected}${rest}}`;
}

/** Result of a text that holds no statement, a comment or white space; nothing where nobody waits. */
export function renderNothing(options: RenderOptions | null, kind: string): string {
  if (options === null) return "";
  if (!options.associative) return "{}";
  return kind === "execute" ? `{"rows":null}` : `{"rows":[]}`;
}

/** The `time` field for what began at `startedMs`, or nothing when that is 0. */
export function timeSince(startedMs: number): TimeText {
  return startedMs === 0 ? "" : `,"time":${(performance.now() - startedMs) / 1000}`;
}
