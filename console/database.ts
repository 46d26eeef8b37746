/**
 * Statements on their way to the node, and their results.
 * @module
 */
import { ApiError, askJson } from "./api.ts";
import { fieldOf, listOf, numberOf, textOf, toJson } from "./json.ts";
import { type Value, valueOf } from "./parts/value.ts";

/** A statement, with its parameters. */
export interface Statement {
  readonly sql: string;
  /** By position or by name. */
  readonly parameters?: readonly unknown[] | Readonly<Record<string, unknown>>;
}

/** The result of a statement. */
export interface Result {
  readonly columns: readonly string[];
  readonly types: readonly string[];
  readonly rows: readonly (readonly Value[])[];
  /** Empty for none. */
  readonly error: string;
  /** Of a statement that writes. */
  readonly rowsAffected: number | undefined;
  /** Seconds that it took on the node. */
  readonly seconds: number | undefined;
}

/** How statements are sent. */
export interface SendOptions {
  /** Whether they may write. @default {false} */
  readonly writes?: boolean;
  /** All or none. @default {false} */
  readonly isTransaction?: boolean;
  readonly level?: string;
  /** Limit of the database's work. */
  readonly limit?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A result as it came. */
export function resultOf(found: unknown): Result {
  return {
    columns: listOf(fieldOf(found, "columns")).map(textOf),
    types: listOf(fieldOf(found, "types")).map(textOf),
    rows: listOf(fieldOf(found, "values")).map((row) => listOf(row).map(valueOf)),
    error: textOf(fieldOf(found, "error")),
    rowsAffected: numberOf(fieldOf(found, "rows_affected")),
    seconds: numberOf(fieldOf(found, "time")),
  };
}

/** The body of a request. */
export function bodyOf(statements: readonly Statement[]): string {
  return toJson(statements.map(({ sql, parameters }) => {
    if (parameters === undefined) return sql;
    return Array.isArray(parameters) ? [sql, ...parameters] : [sql, parameters];
  }));
}

/**
 * Runs statements; one that fails has an error in its result.
 * @throws {ApiError} When none was run.
 */
export async function send(
  statements: readonly Statement[],
  { writes = false, isTransaction = false, level = "weak", limit, signal }: SendOptions = {},
): Promise<readonly Result[]> {
  const query = [
    `level=${level}`,
    "blob_array",
    "timings",
    ...(isTransaction ? ["transaction"] : []),
    ...(limit === undefined ? [] : [`db_timeout=${limit}`]),
  ];
  const path = `${writes ? "db/request" : "db/query"}?${query.join("&")}`;
  const answer = await askJson(path, { method: "POST", body: bodyOf(statements), signal });
  const error = textOf(fieldOf(answer, "error"));
  if (error !== "") throw new ApiError(200, error);
  return listOf(fieldOf(answer, "results")).map(resultOf);
}

/** The rows of one query. @throws {ApiError} When it fails. */
export async function rowsOf(sql: string, parameters: readonly unknown[] = []): Promise<Result["rows"]> {
  const [result] = await send([parameters.length === 0 ? { sql } : { sql, parameters }]);
  if (result.error !== "") throw new ApiError(200, result.error);
  return result.rows;
}

/** Tables and views, with their columns. */
export interface Table {
  readonly name: string;
  readonly isView: boolean;
  /** Whether its rows have no rowid. */
  readonly hasNoRowid: boolean;
  readonly columns: readonly Column[];
}

/** A column. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  /** Expression; empty for none. */
  readonly standard: string;
  /** Place in the primary key, from 1 on; 0: it is not in it. */
  readonly keyPlace: number;
  /** Whether it is computed, and cannot be written. */
  readonly isGenerated: boolean;
}

const TABLES = `SELECT l.name, l.type, l.wr, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden
FROM pragma_table_list l JOIN pragma_table_xinfo(l.name) x
WHERE l.schema = 'main' AND l.type IN ('table', 'view', 'virtual')
AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND l.name NOT LIKE '\\_muster%' ESCAPE '\\'
ORDER BY l.type = 'view', l.name, x.cid`;

/** All tables of the database. @throws {ApiError} */
export async function readTables(): Promise<readonly Table[]> {
  const tables = new Map<string, Table & { columns: Column[] }>();
  for (const row of await rowsOf(TABLES)) {
    const [name, type, wr, column, columnType, notNull, standard, pk, hidden] = row;
    const key = String(name);
    const table = tables.get(key) ?? { name: key, isView: type === "view", hasNoRowid: wr === 1, columns: [] };
    tables.set(key, table);
    if (hidden === 1) continue; // of a virtual table, for its own use
    table.columns.push({
      name: String(column),
      type: String(columnType ?? ""),
      isRequired: notNull === 1,
      standard: standard === null ? "" : String(standard),
      keyPlace: Number(pk),
      isGenerated: hidden === 2 || hidden === 3,
    });
  }
  return [...tables.values()];
}
