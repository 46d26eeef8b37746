/**
 * A database as SQL text that makes it again: in a transaction, ordinary tables each with its rows, then views, virtual tables
 * with theirs, triggers and indexes; ordinary tables by name, the others in the order in which they were made, so that all are
 * there before what needs them and triggers run in the order they had. Tables that the cluster keeps for itself are no part of it.
 *
 * Values of generated columns are left out. The text is UTF-8 whatever the values are. What SQL text cannot hold is an error
 * before any of it is there.
 * @module
 */
import type { Database } from "../libsqlite/driver.ts";
import { contentOf, isCounted, readSchema, type Schema, statementOf, type Table } from "./dump_schema.ts";
import { checkRows, ordinaryRows, rowPieces, type Rows } from "./dump_rows.ts";
import { virtualRows } from "./dump_virtual.ts";
import { literalOf } from "./literals.ts";
import { textLiteral } from "../../core/sql/tokenizer.ts";

/** Text, or a table's rows: a dump is a list of them. */
type Part = string | { readonly table: string; readonly rows: Rows };

/** Counts of AUTOINCREMENT, which SQLite keeps itself. */
const SEQUENCE = "sqlite_sequence";
const encoder = new TextEncoder();

/**
 * The text in pieces of UTF-8, each valid until the next one is asked for; the database should be in a read transaction.
 * What rows hold does not become strings, which would fill the heap.
 * @param tables Names of the tables that are written; undefined: all. Indexes, triggers and views are always there.
 * @throws {Error} When SQL text cannot hold one of the tables; before the first piece.
 */
export function dumpSql(database: Database, tables?: readonly string[]): Generator<Uint8Array> {
  const wanted = tables && new Set(tables.map((name) => name.toLowerCase()));
  const schema = readSchema(database);
  const chosen = schema.tables.filter(({ name }) => wanted?.has(name.toLowerCase()) ?? true);
  return piecesOf(database, partsOf(database, schema, chosen));
}

function partsOf(database: Database, schema: Schema, tables: readonly Table[]): Part[] {
  const parts: Part[] = ["PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"];
  const keepsRowids = keepingRowids(tables);
  for (const table of tables.filter(({ module }) => !module)) {
    const rows = ordinaryRows(database, table, keepsRowids(table));
    checkRows(database, rows);
    parts.push(statementOf(table), { table: table.name, rows });
  }
  for (const view of schema.views) parts.push(statementOf(view));
  for (const table of tables.filter(({ module }) => module)) {
    const { settings, rows } = virtualRows(database, schema, table);
    parts.push(statementOf(table), ...settings, ...(rows ? [{ table: table.name, rows }] : []));
  }
  parts.push(...sequenceParts(tables));
  for (const item of [...schema.triggers, ...schema.indexes]) parts.push(statementOf(item));
  if (schema.hasStatistics) parts.push("ANALYZE;\n");
  return [...parts, "COMMIT;\n"];
}

/** An index whose text is in a table finds it by rowid; where it is in a view, that may be of any table. */
function keepingRowids(tables: readonly Table[]): (table: Table) => boolean {
  const contents = new Set(tables.map(({ module }) => module && contentOf(module)?.toLowerCase()).filter(Boolean));
  const ordinary = new Set(tables.filter(({ module }) => !module).map(({ name }) => name.toLowerCase()));
  const areTables = [...contents].every((name) => name && ordinary.has(name));
  return ({ name }) => !areTables || contents.has(name.toLowerCase());
}

/** Those of the tables that are written: others, where the text is loaded, keep their counts. */
function sequenceParts(tables: readonly Table[]): Part[] {
  const names = tables.filter(isCounted).map(({ name }) => textLiteral(name)).join(",");
  if (names === "") return [];
  const into = ["name", "seq"];
  const rows = { into, literals: into.map(literalOf), from: `${SEQUENCE} WHERE name IN (${names})` };
  return [`DELETE FROM "${SEQUENCE}" WHERE name IN (${names});\n`, { table: SEQUENCE, rows }];
}

function* piecesOf(database: Database, parts: readonly Part[]): Generator<Uint8Array> {
  for (const part of parts) {
    if (typeof part === "string") yield encoder.encode(part);
    else yield* rowPieces(database, part.table, part.rows);
  }
}
