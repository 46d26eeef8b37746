/**
 * The log of changed rows, where the cluster keeps one: for each entry that changes rows of a user's table, what it has
 * changed, with the values before and after, in the order in which SQLite did. It lies in a table of the database and is
 * written in the transaction of the entry, so every replica holds the same, and what is in it has taken place.
 *
 * - Whether there is one is part of the replicated state: the table is there or not.
 * - What a statement or a transaction did that was undone is not in it.
 * - Columns have the names of the moment: before a statement that changes the schema, what came before it gets its names.
 * - No events are there for rows that other rows stand for: those of virtual tables, and of the tables behind them; for the
 *   cluster's own tables; for statements that change the schema alone.
 * - It has a limit in bytes, `_muster_change_log.max_bytes`; the oldest entries go first, in steps that depend on the
 *   content alone, and the index up to which they went is known.
 * - An entry of which there is too much, or a database that was loaded, has an event with `error`: whoever follows reads the
 *   tables anew.
 * @module
 */
import { quote } from "../../core/sql/failure.ts";
import { CHANGES_TABLE, FORGET_CHANGES, FORGOTTEN_CHANGES, ROW_BYTES } from "../../core/sql/change_log.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { type Database, runOnce, type Statement } from "./driver.ts";
import { Unpacker } from "./packing.ts";

/** Characters of the events of one entry. */
const EVENTS_LENGTH_MAX = 16 * 1024 * 1024;
/** Bytes for the records of an entry; more room is given back behind it. */
const ROOM = 4096;
const KEPT_ROOM = 1024 * 1024;
/** The log is looked at for what is to go whenever it has grown by so many bytes. */
const FORGET_STEP = 64 * 1024;
const CUT = `{"error":"the transaction changed more than is recorded of one: read the tables anew"}`;
const OPERATIONS = ["", "INSERT", "UPDATE", "DELETE"] as const;
/** Of a record, before the name of its table. */
const HEAD_BYTES = 25;

/** What is known of a table. */
interface TableShape {
  /** Names of its columns as JSON text. */
  readonly names: readonly string[];
  /** Columns whose values are REAL, though SQLite stores a whole one as an integer. */
  readonly areReal: readonly boolean[];
  readonly hasRowid: boolean;
}

/** The log of the writer's database. */
export class ChangeLog {
  readonly #database: Database;
  #isOn = false;
  /** Events of the entry that runs, as JSON. */
  #events: string[] = [];
  #length = 0;
  readonly #shapes = new Map<string, TableShape | undefined>();
  /** Of the last row; undefined: not known. */
  #position: number | undefined;
  #insert: Statement | undefined;
  #room = new Uint8Array(ROOM);

  constructor(database: Database) {
    this.#database = database;
  }

  /** Begins an entry. @returns Whether statements must be compiled anew, as there is a log now, or none any more. */
  begin(hasLog: boolean): boolean {
    if (hasLog === this.#isOn) return false;
    this.#isOn = hasLog;
    this.#database.capture(hasLog);
    this.schemaChanged();
    return true;
  }

  /** The schema may be another: what is known of tables is asked again. */
  schemaChanged(): void {
    this.#shapes.clear();
    this.#insert?.finalize();
    this.#insert = this.#position = undefined;
  }

  /** The bytes that are recorded, for {@linkcode ChangeLog.backTo}. */
  get mark(): number {
    return this.#isOn ? this.#database.changes() : 0;
  }

  /** What was recorded since a mark was undone. */
  backTo(mark: number): void {
    if (this.#isOn) this.#database.forgetChanges(mark);
  }

  /** What the entry that runs has done was undone. */
  discard(): void {
    this.#events = [];
    this.#length = 0;
    this.#position = undefined;
    this.backTo(0);
  }

  /** Gives what is recorded the names that columns have now. */
  settle(): void {
    if (!this.#isOn) return;
    const length = this.#database.changes(this.#room);
    if (length === 0) return;
    if (length > this.#room.length) {
      this.#room = new Uint8Array(length * 2);
      this.#database.changes(this.#room);
    }
    const bytes = this.#room.subarray(0, length);
    this.#database.forgetChanges(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length;) {
      const end = at + view.getUint32(at, true);
      this.#add(bytes[at + 4] === 0 ? CUT : this.#eventOf(bytes.subarray(at, end)));
      at = end;
    }
    if (this.#room.length > KEPT_ROOM) this.#room = new Uint8Array(ROOM);
  }

  /** Writes what an entry has changed, inside its transaction. @returns Whether there was something. */
  keep(index: number, timeMs: number): boolean {
    this.settle();
    if (this.#events.length === 0) return false;
    const text = `[${this.#events.join(",")}]`;
    this.#events = [];
    this.#length = 0;
    const before = this.#position ?? this.#lastPosition();
    const position = before + text.length + ROW_BYTES;
    this.#insert ??= this.#database.prepare(`INSERT INTO ${CHANGES_TABLE} VALUES(?, ?, ?, ?)`);
    this.#insert.run([BigInt(position), BigInt(index), BigInt(Math.round(timeMs)), text]);
    this.#position = position;
    if (Math.floor(before / FORGET_STEP) < Math.floor(position / FORGET_STEP)) {
      for (const sql of [FORGOTTEN_CHANGES, FORGET_CHANGES]) runOnce(this.#database, sql);
    }
    return true;
  }

  #lastPosition(): number {
    return Number(runOnce(this.#database, `SELECT max(position) FROM ${CHANGES_TABLE}`)[0]?.[0] ?? 0);
  }

  #add(event: string | undefined): void {
    if (event === undefined || this.#length > EVENTS_LENGTH_MAX) return;
    this.#length += event.length;
    this.#events.push(this.#length > EVENTS_LENGTH_MAX ? CUT : event);
  }

  /** The event of a record (library/muster.h); undefined: nobody's row but the cluster's or SQLite's. */
  #eventOf(record: Uint8Array): string | undefined {
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    const operation = OPERATIONS[record[4]] ?? "";
    const [before, after] = [view.getBigInt64(5, true), view.getBigInt64(13, true)];
    const named = HEAD_BYTES + view.getUint32(21, true);
    const table = new TextDecoder().decode(record.subarray(HEAD_BYTES, named));
    const shape = this.#shapeOf(table);
    if (shape === undefined) return undefined;
    const columns = view.getUint32(named, true);
    const values = new RecordReader(record.subarray(named + 4));
    let event = `{"op":"${operation}","table":${quote(table)}`;
    if (shape.hasRowid && operation !== "DELETE") event += `,"new_row_id":${after}`;
    if (shape.hasRowid && operation !== "INSERT") event += `,"old_row_id":${before}`;
    if (operation !== "INSERT") event += `,"before":${rowOf(values, columns, shape)}`;
    if (operation !== "DELETE") event += `,"after":${rowOf(values, columns, shape)}`;
    return `${event}}`;
  }

  #shapeOf(table: string): TableShape | undefined {
    if (!this.#shapes.has(table)) this.#shapes.set(table, readShape(this.#database, table));
    return this.#shapes.get(table);
  }
}

/** Undefined: nobody's, or gone by now: with foreign keys on, SQLite deletes the rows of a table that it drops. */
function readShape(database: Database, table: string): TableShape | undefined {
  const [kind] = all(database, "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", table);
  if (kind === undefined || kind[0] === "shadow") return undefined;
  const columns = all(database, "SELECT name, type FROM pragma_table_xinfo(?)", table);
  return {
    names: columns.map(([name]) => quote(String(name))),
    areReal: columns.map(([, type]) => isReal(String(type))),
    hasRowid: kind[1] === 0n,
  };
}

/** Whether a declared type has the affinity REAL (sqlite.org/datatype3.html §3.1). */
function isReal(type: string): boolean {
  return !/INT|CHAR|CLOB|TEXT|BLOB/i.test(type) && /REAL|FLOA|DOUB/i.test(type);
}

function all(database: Database, sql: string, value: string): readonly (readonly SqlValue[])[] {
  const statement = database.prepare(sql);
  try {
    return statement.all([value]);
  } finally {
    statement.finalize();
  }
}

/** Reads the values of a record, of which some may be missing. */
class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #unpacker: Unpacker;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#unpacker = new Unpacker(bytes);
  }

  /** The next value; undefined: its column is not stored. */
  next(): SqlValue | undefined {
    const isMissing = this.#bytes[this.#unpacker.at] === 0;
    const value = this.#unpacker.next();
    return isMissing ? undefined : value;
  }
}

function rowOf(values: RecordReader, columns: number, { names, areReal }: TableShape): string {
  let text = "";
  for (let at = 0; at < columns; at++) {
    const value = values.next();
    if (value === undefined) continue;
    text += `${text === "" ? "" : ","}${names[at] ?? `"column ${at + 1}"`}:${jsonOf(value, areReal[at] ?? false)}`;
  }
  return `{${text}}`;
}

/** A value as JSON: integers are exact, a BLOB is base64, an infinite number a text. */
function jsonOf(value: SqlValue, isReal: boolean): string {
  if (value === null) return "null";
  if (typeof value === "string") return quote(value);
  if (value instanceof Uint8Array) return `"${value.toBase64()}"`;
  if (typeof value === "bigint") return isReal ? String(Number(value)) : String(value);
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}
