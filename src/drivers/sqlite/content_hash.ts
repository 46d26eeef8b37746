/**
 * A hash of everything in a database: the schema, and table by table all rows with their types (A17). Two
 * databases with equal content have equal hashes, however their pages lie. Replicas must agree on it at the same index.
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { ByteWriter } from "../../base/codec/cursor.ts";
import { identifierText, textLiteral } from "../../core/sql/tokenizer.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { SYSTEM_TABLE } from "./authorizer.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";

/** Bytes gathered before the hash takes them. */
const GATHERED_BYTES = 64 * 1024;

/**
 * Hashes what the connection sees, in one transaction of the caller's; takes seconds per gigabyte.
 * @returns SHA-256 in hex.
 * @throws {SqliteError} When a table cannot be read to its end: the file is damaged, or cannot be read.
 */
export function contentHash(database: Database): string {
  const hash = createHash("sha256");
  const gathered = new ByteWriter(GATHERED_BYTES * 2);
  const schema = runOnce(database, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name");
  for (const row of schema) hashRow(hash, gathered, row);
  for (const [name, isKeyed] of contentTables(database)) hashTable(database, { hash, gathered }, { name, isKeyed });
  flush(hash, gathered);
  return hash.digest("hex");
}

/** Tables that hold rows themselves, by name, and whether they have no rowid. */
function contentTables(database: Database): [name: string, isKeyed: boolean][] {
  const rows = runOnce(
    database,
    "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') " +
      `AND name NOT IN ('sqlite_schema', '${SYSTEM_TABLE}') AND name NOT LIKE 'sqlite_stat%' ORDER BY name`,
  );
  return rows.map(([name, wr]) => [String(name), wr === 1n]);
}

function hashTable(
  database: Database,
  { hash, gathered }: { hash: Hash; gathered: ByteWriter },
  table: { name: string; isKeyed: boolean },
): void {
  gathered.string(table.name);
  flush(hash, gathered);
  const statement = database.prepare(
    `SELECT ${storedColumns(database, table)} FROM ${identifierText(table.name)} ORDER BY ${orderOf(database, table)}`,
  );
  // The driver's packed form is exact: types, lengths and bytes, whatever a text holds.
  for (const piece of statement.pieces()) hash.update(piece);
  statement.finalize();
}

/** The stored columns. A value computed at reading adds no information, and computing it may fail. */
function storedColumns(database: Database, { name }: { name: string }): string {
  const columns = runOnce(database, `SELECT name FROM pragma_table_xinfo(${textLiteral(name)}) WHERE hidden <> 2`);
  return columns.map(([column]) => identifierText(String(column))).join(", ");
}

/** An order of the rows that is the same on every node: the rowid, by a name that no column has, or the primary key. */
function orderOf(database: Database, { name, isKeyed }: { name: string; isKeyed: boolean }): string {
  const columns = runOnce(database, `SELECT name, pk FROM pragma_table_xinfo(${textLiteral(name)})`);
  if (isKeyed) {
    const keys = columns.filter(([, pk]) => pk !== 0n).sort(([, a], [, b]) => Number(a) - Number(b));
    return keys.map(([key]) => identifierText(String(key))).join(", ");
  }
  const taken = new Set(columns.map(([column]) => String(column).toLowerCase()));
  return ["rowid", "_rowid_", "oid"].find((alias) => !taken.has(alias)) ?? "1";
}

function hashRow(hash: Hash, gathered: ByteWriter, row: readonly SqlValue[]): void {
  gathered.u32(row.length);
  for (const value of row) {
    if (value === null) gathered.u8(0);
    else if (typeof value === "bigint") gathered.u8(1).i64(value);
    else if (typeof value === "number") gathered.u8(2).f64(value);
    else if (typeof value === "string") gathered.u8(3).string(value);
    else gathered.u8(4).bytes(value);
  }
  if (gathered.view().length >= GATHERED_BYTES) flush(hash, gathered);
}

function flush(hash: Hash, gathered: ByteWriter): void {
  hash.update(gathered.view());
  gathered.clear();
}
