/**
 * The rows of a table as INSERTs: which columns are written and where their values come from.
 * @module
 */
import { identifierText, textLiteral } from "../../core/sql/tokenizer.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";
import { Unpacker } from "../libsqlite/packing.ts";
import type { Table } from "./dump_schema.ts";
import { literalOf, validLiterals } from "./literals.ts";

/** Rows as they are read and written. */
export interface Rows {
  /** Columns that are written, as SQL has them; none: all that there are. */
  readonly into: readonly string[];
  /** For each column the expression that gives its value as SQL. */
  readonly literals: readonly string[];
  /** Where they come from, and which of them. */
  readonly from: string;
}

/** Columns joined by one expression: SQLite bounds how deep one is. */
const JOINED_COLUMNS = 50;
const encoder = new TextEncoder();
const COMMA = encoder.encode(",");
const BEHIND_VALUES = encoder.encode(");\n");

/** Those of an ordinary table; `keepsRowids`: also where they are no column. */
export function ordinaryRows(database: Database, { name, isKeyed }: Table, keepsRowids: boolean): Rows {
  const table = identifierText(name);
  const all = runOnce(database, `SELECT name, hidden, type, pk FROM pragma_table_xinfo(${textLiteral(name)})`);
  // 0: a column; 2 and 3: a generated one.
  const columns = all.filter(([, hidden]) => hidden === 0n).map(([column]) => identifierText(String(column)));
  const hasIntegerKey = all.some(([, , type, pk]) => pk === 1n && /^integer$/i.test(String(type)));
  const rowid = keepsRowids && !isKeyed && !hasIntegerKey
    ? rowidName(all.map(([column]) => String(column)))
    : undefined;
  const named = rowid ? [rowid, ...columns] : columns;
  return { into: !rowid && columns.length === all.length ? [] : named, literals: named.map(literalOf), from: table };
}

/** A name of the rowid that no column has. */
export function rowidName(columns: readonly string[]): string | undefined {
  const taken = new Set(columns.map((column) => column.toLowerCase()));
  return ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
}

/** Looks whether they can be read, by the first of them. @throws {Error} When they cannot. */
export function checkRows(database: Database, rows: Rows): void {
  runOnce(database, `SELECT 1 FROM (${selectOf(rows)} LIMIT 1)`);
}

/** The INSERTs in pieces of UTF-8. */
export function* rowPieces(database: Database, table: string, rows: Rows): Generator<Uint8Array> {
  const columns = rows.into.length === 0 ? "" : `(${rows.into.join(",")})`;
  const before = encoder.encode(`INSERT INTO ${identifierText(table)}${columns} VALUES(`);
  const count = Math.ceil(rows.literals.length / JOINED_COLUMNS);
  const statement = database.prepare(selectOf(rows));
  try {
    for (const piece of statement.pieces()) {
      for (const values = new Unpacker(piece); !values.isAtEnd;) {
        yield before;
        for (let at = 0; at < count; at++) {
          if (at > 0) yield COMMA;
          yield validLiterals(values.blob());
        }
        yield BEHIND_VALUES;
      }
    }
  } finally {
    statement.finalize();
  }
}

/** The query for literals with commas between them, in as few columns as may be. */
function selectOf({ literals, from }: Rows): string {
  const joined: string[] = [];
  for (let at = 0; at < literals.length; at += JOINED_COLUMNS) {
    joined.push(`CAST(${literals.slice(at, at + JOINED_COLUMNS).join(`||','||`)} AS BLOB)`);
  }
  return `SELECT ${joined.join(",")} FROM ${from}`;
}
