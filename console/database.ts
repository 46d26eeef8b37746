/**
 * Statements on their way to the node, and their results.
 * @module
 */
import { ApiError, askJson } from "./api.ts";
import { fieldOf, listOf, numberOf, textOf, toJson } from "./json.ts";
import { type Value, valueOf } from "./parts/value.ts";
import type { Column, Table } from "./table.ts";

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

const TABLES =
  `SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')
AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_muster%' ESCAPE '\\' ORDER BY type = 'view', name`;
const COLUMNS = `SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid`;
/** Statements in one request. */
const AT_ONCE_MAX = 500;

/** All tables of the database. @throws {ApiError} */
export async function readTables(): Promise<readonly Table[]> {
  const found = await rowsOf(TABLES);
  const tables: Table[] = [];
  for (let at = 0; at < found.length; at += AT_ONCE_MAX) {
    const some = found.slice(at, at + AT_ONCE_MAX);
    // One by one: a view of a table that is gone has an error in the place of columns.
    const results = await send(some.map(([name]) => ({ sql: COLUMNS, parameters: [name] })));
    some.forEach(([name, type, wr], index) =>
      tables.push({
        name: String(name),
        isView: type === "view",
        hasNoRowid: wr === 1,
        fault: results[index]?.error ?? "",
        columns: (results[index]?.rows ?? []).flatMap(columnOf),
      })
    );
  }
  return tables;
}

/** A column; none for those that a virtual table has for its own use. */
function columnOf([name, type, notNull, standard, pk, hidden]: readonly Value[]): readonly Column[] {
  if (hidden === 1) return [];
  return [{
    name: String(name),
    type: String(type ?? ""),
    isRequired: notNull === 1,
    standard: standard === null ? "" : String(standard),
    keyPlace: Number(pk),
    isGenerated: hidden === 2 || hidden === 3,
  }];
}
