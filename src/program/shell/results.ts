/**
 * The results of statements, as `/db/request` answers them, checked. Pure.
 * @module
 */
import { parseExact } from "../../base/codec/raw_json.ts";
import { entries, fieldOf, list } from "../client/agent_api.ts";

/** A value of SQL; whole numbers beyond those of JavaScript come as the text of their digits, bytes as bytes. */
export type Value = null | number | string | boolean | Uint8Array;

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
  const answer = parseExact(text);
  const error = fieldOf(answer, "error");
  if (typeof error === "string") throw new Error(error);
  const seconds = fieldOf(answer, "time");
  return {
    results: list(fieldOf(answer, "results")).map(resultOf),
    seconds: typeof seconds === "number" ? seconds : undefined,
  };
}

function resultOf(result: unknown): Result {
  const fields = new Map(entries(result));
  const error = fields.get("error");
  if (typeof error === "string") return { k: "error", message: error };
  if (fields.has("columns")) {
    return {
      k: "rows",
      columns: list(fields.get("columns")).map(String),
      rows: list(fields.get("values")).map((row) => list(row).map(valueOf)),
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

function valueOf(value: unknown): Value {
  if (Array.isArray(value)) return Uint8Array.from(value, Number);
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") return value;
  return null;
}
