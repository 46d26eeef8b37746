/**
 * Changes of rows that are not made yet, and the statements that make them. What is shown to be run is what is run. Pure.
 * @module
 */
import type { Table } from "./table.ts";
import { kindOf, quoted, sqlLiteral, type Value } from "./parts/value.ts";

/** A row as it was read: its key, and its values by column. */
export interface Row {
  readonly key: readonly Value[];
  readonly values: readonly Value[];
  /** Columns whose values are cut; missing: none. */
  readonly cut?: readonly boolean[];
}

/** Changes of a table. */
export interface Changes {
  /** New values by column, by the key of the row. */
  readonly edited: ReadonlyMap<string, { readonly row: Row; readonly values: ReadonlyMap<number, Value> }>;
  readonly removed: ReadonlyMap<string, Row>;
  /** New rows: their values by column; what is missing gets its default. */
  readonly added: readonly ReadonlyMap<number, Value>[];
}

/** No changes. */
export const NO_CHANGES: Changes = { edited: new Map(), removed: new Map(), added: [] };

/** A statement and what it is expected to do. */
export interface ChangeStatement {
  readonly sql: string;
  /** Whether it must change just one row: otherwise somebody else was quicker. */
  readonly isOfOneRow: boolean;
}

/** Longer values are not compared when a row is changed: a statement has a limit. */
const COMPARED_LENGTH_MAX = 1000;
const ROWID_NAMES = ["rowid", "_rowid_", "oid"];

/** Expressions that name a row, as they stand in SQL; none where rows cannot be named, as in a view. */
export function keyOf(table: Table): readonly string[] {
  if (table.isView) return [];
  if (!table.hasNoRowid) {
    const taken = new Set(table.columns.map(({ name }) => name.toLowerCase()));
    const free = ROWID_NAMES.find((name) => !taken.has(name));
    if (free !== undefined) return [free];
  }
  return table.columns.filter(({ keyPlace }) => keyPlace > 0).sort((a, b) => a.keyPlace - b.keyPlace)
    .map(({ name }) => quoted(name));
}

/** A key as a text that differs for different keys. */
export function keyText({ key }: Row): string {
  return key.map(sqlLiteral).join(",");
}

/** How many there are. */
export function countOf({ edited, removed, added }: Changes): number {
  return edited.size + removed.size + added.length;
}

/** Sets a value of a row; setting it back to what it is takes the change away. */
export function withEdit(
  changes: Changes,
  { row, column, value }: { row: Row; column: number; value: Value },
): Changes {
  const key = keyText(row);
  const values = new Map(changes.edited.get(key)?.values);
  if (sqlLiteral(value) === sqlLiteral(row.values[column]) && kindOf(value) === kindOf(row.values[column])) {
    values.delete(column);
  } else values.set(column, value);
  const edited = new Map(changes.edited);
  if (values.size === 0) edited.delete(key);
  else edited.set(key, { row, values });
  return { ...changes, edited };
}

/** Removes a row, or takes that back. */
export function withRemoval(changes: Changes, row: Row): Changes {
  const removed = new Map(changes.removed);
  if (!removed.delete(keyText(row))) removed.set(keyText(row), row);
  return { ...changes, removed };
}

/** The statements, in the order in which they are run. */
export function statementsOf(table: Table, { edited, removed, added }: Changes): readonly ChangeStatement[] {
  const name = quoted(table.name);
  const column = (at: number) => quoted(table.columns[at].name);
  const statements: ChangeStatement[] = [];
  for (const row of removed.values()) {
    statements.push({ sql: `DELETE FROM ${name} WHERE ${whereOf(table, row)}`, isOfOneRow: true });
  }
  for (const [key, { row, values }] of edited) {
    if (removed.has(key)) continue;
    const sets = [...values].map(([at, value]) => `${column(at)} = ${sqlLiteral(value)}`).join(", ");
    const before = [...values.keys()].filter((at) => !row.cut?.[at] && isComparable(row.values[at]))
      .map((at) => ` AND ${column(at)} IS ${sqlLiteral(row.values[at])}`).join("");
    statements.push({ sql: `UPDATE ${name} SET ${sets} WHERE ${whereOf(table, row)}${before}`, isOfOneRow: true });
  }
  for (const values of added) {
    const sql = values.size === 0
      ? `INSERT INTO ${name} DEFAULT VALUES`
      : `INSERT INTO ${name}(${[...values.keys()].map(column).join(", ")}) ` +
        `VALUES (${[...values.values()].map(sqlLiteral).join(", ")})`;
    statements.push({ sql, isOfOneRow: true });
  }
  return statements;
}

function whereOf(table: Table, { key }: Row): string {
  return keyOf(table).map((name, at) => `${name} IS ${sqlLiteral(key[at])}`).join(" AND ");
}

/** Whether a value can be compared with itself: a fraction may be written in another way than it is stored. */
function isComparable(value: Value): boolean {
  return kindOf(value) !== "real" && sqlLiteral(value).length <= COMPARED_LENGTH_MAX;
}
