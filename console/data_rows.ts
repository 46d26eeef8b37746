/**
 * Rows of a table on their way from the node. Long values are cut: a page of rows with a picture in each would take minutes.
 * Such a value is read in full when it is opened, and all of them when rows are exported.
 * @module
 */
import { ApiError } from "./api.ts";
import { keyOf, type Row } from "./data_changes.ts";
import { type Filter, filterSql } from "./data_filter.ts";
import { rowsOf } from "./database.ts";
import { quoted, type Value } from "./parts/value.ts";
import type { Table } from "./table.ts";

/** Rows that are read at a time. */
export const PAGE_ROWS = 300;
/** Characters or bytes from which on a value is cut, and what is left of it. */
const LONG = 10_000;
const LEFT = 256;

/** A table with more columns than this has its values whole. */
const WIDE = 300;

/** How rows are ordered. */
export interface Order {
  /** -1: as they were inserted. */
  readonly column: number;
  readonly isDescending: boolean;
}

/** Which rows are read. */
export interface Selection {
  readonly filters: readonly Filter[];
  readonly order: Order;
  /** Rows before them. */
  readonly offset: number;
  /** @default {PAGE_ROWS} */
  readonly limit?: number;
  /** Whether long values are not cut. @default {false} */
  readonly isWhole?: boolean;
}

/** Reads rows. @throws {ApiError} */
export async function readRows(table: Table, selection: Selection): Promise<readonly Row[]> {
  const { sql, parameters } = queryOf(table, selection);
  const keys = keyOf(table).length;
  const found = await rowsOf(sql, parameters);
  return found.map((row): Row => {
    const flags = String(row[keys]);
    const cut = table.columns.map((_, at) => flags[at] === "1");
    return { key: row.slice(0, keys), values: row.slice(keys + 1), ...(flags.includes("1") ? { cut } : {}) };
  });
}

/** Reads a value of a row in full. @throws {ApiError} */
export async function readValue(table: Table, row: Row, column: number): Promise<Value> {
  const key = keyOf(table);
  if (key.length === 0) throw new ApiError(0, "Rows of a view have no key: ask for the value on the page SQL");
  const name = quoted(table.columns[column].name);
  const where = key.map((one) => `${one} IS ?`).join(" AND ");
  const [found] = await rowsOf(`SELECT ${name} FROM ${quoted(table.name)} WHERE ${where}`, row.key);
  if (!found) throw new ApiError(0, "The row is not there any more");
  return found[0];
}

/** The query: the key, which of the columns are cut, and the columns. */
function queryOf(
  table: Table,
  { filters, order, offset, limit = PAGE_ROWS, isWhole = false }: Selection,
): { readonly sql: string; readonly parameters: readonly Value[] } {
  const key = keyOf(table);
  const { sql: where, parameters } = filterSql(table, filters);
  const direction = order.isDescending ? "DESC" : "ASC";
  const ordered = [...(order.column >= 0 ? [quoted(table.columns[order.column].name)] : []), ...key];
  const by = ordered.length === 0 ? "" : ` ORDER BY ${ordered.map((one) => `${one} ${direction}`).join(", ")}`;
  const names = table.columns.map(({ name }) => quoted(name));
  const isLong = (name: string) => `(typeof(${name}) IN ('text', 'blob') AND length(${name}) > ${LONG})`;
  // SQLite has a limit for the depth of an expression.
  const cuts = !isWhole && names.length <= WIDE;
  const flags = !cuts ? "''" : names.map(isLong).join(" || ");
  const columns = !cuts ? names : names.map((name) => `iif(${isLong(name)}, substr(${name}, 1, ${LEFT}), ${name})`);
  return {
    sql: `SELECT ${[...key, flags, ...columns].join(", ")} FROM ${quoted(table.name)}${where}${by} ` +
      `LIMIT ${limit} OFFSET ${offset}`,
    parameters,
  };
}
