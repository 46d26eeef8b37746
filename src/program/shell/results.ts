/**
 * The results of statements, as `/db/request` answers them, checked. Pure.
 * @module
 */
import { parseBig } from "../../base/codec/raw_json.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { answerIn, entries, fieldOf, list, resultsIn } from "../client/agent_api.ts";

/** A value of SQL. A node writes an integer and a whole real alike: which of the two a number is goes by the type of its column. */
export type Value = SqlValue | boolean;

/** What a statement came to. */
export type Result =
  | { readonly k: "rows"; readonly columns: readonly string[]; readonly rows: readonly (readonly Value[])[] }
  | { readonly k: "change"; readonly rowsAffected: number; readonly lastInsertId: number }
  | { readonly k: "error"; readonly message: string };

/** Results, and how long the node says that they took, in seconds. */
export interface Results {
  readonly results: readonly Result[];
  readonly seconds: number | undefined;
}

/** Parameters of a request whose results are read here: bytes as arrays, and the time. */
export const RESULT_PARAMETERS = "timings&blob_array";

/**
 * Reads an answer.
 * @throws {Error} When the request as a whole has failed.
 */
export function parseResults(text: string): Results {
  const answer = answerIn(text, parseBig);
  const error = fieldOf(answer, "error");
  if (typeof error === "string") throw new Error(error);
  const seconds = fieldOf(answer, "time");
  return {
    results: resultsIn(answer).map(resultOf),
    seconds: typeof seconds === "number" ? seconds : undefined,
  };
}

function resultOf(result: unknown): Result {
  const fields = new Map(entries(result));
  const error = fields.get("error");
  if (typeof error === "string") return { k: "error", message: error };
  if (fields.has("columns")) {
    const areReal = list(fields.get("types")).map((type) => isReal(String(type)));
    return {
      k: "rows",
      columns: list(fields.get("columns")).map(String),
      rows: list(fields.get("values")).map((row) => list(row).map((value, at) => valueOf(value, areReal[at] ?? false))),
    };
  }
  return {
    k: "change",
    rowsAffected: numberOf(fields.get("rows_affected")),
    lastInsertId: numberOf(fields.get("last_insert_id")),
  };
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** Whether numbers of a column are reals: by SQLite's rules for declared types (sqlite.org/datatype3.html §3.1). */
function isReal(type: string): boolean {
  return /real|floa|doub/i.test(type) && !/int|char|clob|text|blob/i.test(type);
}

function valueOf(value: unknown, isReal: boolean): Value {
  if (Array.isArray(value)) return Uint8Array.from(value, Number);
  if (typeof value === "bigint") return isReal ? Number(value) : value;
  if (typeof value === "number") return isReal || !Number.isSafeInteger(value) ? value : BigInt(value);
  return typeof value === "string" || typeof value === "boolean" ? value : null;
}
