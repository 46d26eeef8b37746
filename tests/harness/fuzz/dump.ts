/**
 * Reads a database file by a library that the program under test does not use, value by value, and says where two differ.
 * The file must be closed: two libraries in one process do not see each other's locks.
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { identifierText, textLiteral } from "../../../src/core/sql/tokenizer.ts";

/** Differences shown at most. */
const SHOWN_MAX = 6;
/** Characters shown of a line. */
const SHOWN_LENGTH = 300;

declare module "node:sqlite" { // what the runtime has and its type declarations lack
  interface StatementSync {
    setReturnArrays(enabled: boolean): void;
  }
}

/** Everything stored, a line per row, each led by the name of its table. */
export function dumpFile(path: string): string[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const all = (sql: string): unknown[][] => {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      return statement.all() as unknown as unknown[][];
    };
    const lines = [`user_version ${all("PRAGMA user_version")} application_id ${all("PRAGMA application_id")}`];
    for (const row of all("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")) {
      lines.push(`schema ${row.join(" | ")}`);
    }
    const tables = all(
      "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema' ORDER BY name",
    );
    for (const [name, isKeyed] of tables) lines.push(...dumpTable(all, String(name), isKeyed === 1n));
    return lines;
  } finally {
    database.close();
  }
}

function dumpTable(all: (sql: string) => unknown[][], name: string, isKeyed: boolean): string[] {
  const columns = all(`SELECT name FROM pragma_table_xinfo(${textLiteral(name)}) WHERE hidden <> 2`);
  const names = columns.map(([column]) => String(column));
  const rowid = isKeyed
    ? undefined
    : ["rowid", "_rowid_", "oid"].find((alias) => !names.some((one) => one.toLowerCase() === alias));
  const quoted = names.map(identifierText);
  const terms = quoted.map((column) =>
    `CASE typeof(${column}) WHEN 'text' THEN CAST(${column} AS BLOB) ELSE ${column} END, typeof(${column})`
  );
  const rows = all(`SELECT ${[...(rowid ? [rowid] : []), ...terms].join(", ")} FROM ${identifierText(name)}`);
  const lines = rows.map((row) => `${name} ${row.map(show).join(" | ")}`);
  return isKeyed || rowid === undefined ? lines.sort() : lines;
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return value.toHex();
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Lines that are in one dump and not in the other; undefined where there are none. */
export function differenceOf(one: readonly string[], other: readonly string[]): string | undefined {
  const left = new Set(one);
  const right = new Set(other);
  const only = [
    ...one.filter((line) => !right.has(line)).slice(0, SHOWN_MAX).map((line) => `- ${line.slice(0, SHOWN_LENGTH)}`),
    ...other.filter((line) => !left.has(line)).slice(0, SHOWN_MAX).map((line) => `+ ${line.slice(0, SHOWN_LENGTH)}`),
  ];
  if (only.length > 0) return only.join("\n");
  return one.length === other.length ? undefined : `${one.length} lines and ${other.length} lines`;
}
