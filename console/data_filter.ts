/**
 * Filters of rows: a column, a comparison and a value, all of which must hold. Pure.
 * @module
 */
import { quoted, type Value } from "./parts/value.ts";
import type { Table } from "./table.ts";

/** How a column may be compared. */
export const COMPARISONS = {
  "contains": { sql: "instr(lower($), lower(?)) > 0", hasValue: true },
  "=": { sql: "$ = ?", hasValue: true },
  "≠": { sql: "$ IS NOT ?", hasValue: true },
  "<": { sql: "$ < ?", hasValue: true },
  "≤": { sql: "$ <= ?", hasValue: true },
  ">": { sql: "$ > ?", hasValue: true },
  "≥": { sql: "$ >= ?", hasValue: true },
  "is NULL": { sql: "$ IS NULL", hasValue: false },
  "is not NULL": { sql: "$ IS NOT NULL", hasValue: false },
} as const;

/** How a column is compared. */
export type Comparison = keyof typeof COMPARISONS;
/** The names of the comparisons. */
export const NAMES = Object.keys(COMPARISONS).filter((name): name is Comparison => Object.hasOwn(COMPARISONS, name));

/** A filter. */
export interface Filter {
  /** Name of the column. */
  readonly column: string;
  readonly comparison: Comparison;
  readonly value: string;
}

/** The condition of filters in SQL, empty for none, and its parameters. */
export function filterSql(
  { columns }: Table,
  filters: readonly Filter[],
): { readonly sql: string; readonly parameters: readonly Value[] } {
  const conditions: string[] = [];
  const parameters: Value[] = [];
  for (const { column, comparison, value } of filters) {
    const { sql, hasValue } = COMPARISONS[comparison];
    conditions.push(sql.replace("$", () => quoted(column)));
    if (hasValue) parameters.push(comparison === "contains" ? value : compared(value, columns, column));
  }
  return { sql: conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`, parameters };
}

/** A number where a number is entered, unless the column is of text. */
function compared(value: string, columns: Table["columns"], name: string): Value {
  const type = columns.find((one) => one.name === name)?.type ?? "";
  const isOfText = /char|clob|text/i.test(type);
  return !isOfText && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value;
}
