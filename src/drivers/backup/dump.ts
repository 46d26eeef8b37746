/**
 * A database as SQL text that makes it again: in a transaction, tables by name each with its rows, then indexes, triggers and
 * views, as SQLite's own shell has it. Tables that the cluster keeps for itself are no part of it.
 *
 * Tables of a full-text index are written through it, and those that hold it are left out. Values of generated columns are
 * left out as well. What text SQL cannot hold, as it has a NUL, becomes a CAST of its bytes.
 * @module
 */
import { identifierText } from "../../core/sql/tokenizer.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";
import { Unpacker } from "../libsqlite/packing.ts";
import { isOwnName } from "../sqlite/authorizer.ts";

/** A row of the schema. */
interface Item {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** Tables that SQLite makes by itself: the one is written as it is, the other made anew. */
const SEQUENCE = "sqlite_sequence";
const STATISTICS = "sqlite_stat1";
const BEHIND_VALUES = new TextEncoder().encode(");\n");

/**
 * The text in pieces of UTF-8, each valid until the next one is asked for; the database should be in a read transaction.
 * What rows hold does not become strings, which would fill the heap.
 * @param tables Names of the tables that are written; undefined: all. Indexes, triggers and views are always there.
 */
export function* dumpSql(database: Database, tables?: readonly string[]): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const text of textsOf(database, tables)) yield typeof text === "string" ? encoder.encode(text) : text;
}

function* textsOf(database: Database, tables?: readonly string[]): Generator<string | Uint8Array> {
  const schema = schemaOf(database);
  const shadows = new Set(
    namesOf(database, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"),
  );
  const wanted = tables && new Set(tables.map((name) => name.toLowerCase()));
  const isWanted = (name: string) => wanted?.has(name.toLowerCase()) ?? true;
  yield "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n";
  for (const item of schema) {
    if (item.type !== "table" || shadows.has(item.name) || !isWanted(item.name)) continue;
    if (item.name === SEQUENCE) yield `DELETE FROM "${SEQUENCE}";\n`;
    else if (item.name.startsWith("sqlite_")) continue;
    else yield `${item.sql};\n`;
    yield* rowsOf(database, item);
  }
  for (const type of ["index", "trigger", "view"]) {
    for (const { sql } of schema.filter((item) => item.type === type)) yield `${sql};\n`;
  }
  if (schema.some(({ name }) => name === STATISTICS)) yield "ANALYZE;\n";
  yield "COMMIT;\n";
}

/** By name; what SQLite makes by itself has no text and is left out, and the sequence comes behind the tables that it counts. */
function schemaOf(database: Database): Item[] {
  const rows = runOnce(
    database,
    "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY name = 'sqlite_sequence', name",
  );
  return rows.map(([type, name, sql]) => ({ type: String(type), name: String(name), sql: String(sql) }))
    .filter(({ name, sql }) => sql !== "" && !isOwnName(name)); // indexes on them are named like them
}

function* rowsOf(database: Database, { name, sql }: Item): Generator<string | Uint8Array> {
  const table = identifierText(name);
  const isIndexOfText = /^\s*CREATE\s+VIRTUAL\s+TABLE\b[\s\S]*\bUSING\s+fts[345]\b/i.test(sql);
  const all = runOnce(database, `SELECT name, hidden FROM pragma_table_xinfo(${textOf(name)})`);
  // 0: a column; 1: one of a virtual table that is not stored; 2 and 3: a generated one.
  const columns = all.filter(([, hidden]) => hidden === 0n).map(([column]) => identifierText(String(column)));
  const named = isIndexOfText ? ["rowid", ...columns] : columns;
  const into = named.length === all.length ? table : `${table}(${named.join(",")})`;
  const values = named.map(literalOf).join(`||','||`);
  const before = new TextEncoder().encode(`INSERT INTO ${into} VALUES(`);
  const statement = database.prepare(`SELECT CAST(${values} AS BLOB) FROM ${table}`);
  try {
    for (const piece of statement.pieces()) {
      for (const rows = new Unpacker(piece); !rows.isAtEnd;) {
        yield before;
        yield rows.blob();
        yield BEHIND_VALUES;
      }
    }
  } finally {
    statement.finalize();
  }
}

/** SQL that gives a column's value as SQL. */
function literalOf(column: string): string {
  const bytes = `'CAST(x'''||hex(${column})||''' AS TEXT)'`;
  return `CASE WHEN typeof(${column})='text' AND instr(${column},char(0))>0 THEN ${bytes} ELSE quote(${column}) END`;
}

function textOf(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function namesOf(database: Database, sql: string): string[] {
  return runOnce(database, sql).map(([name]) => String(name));
}
