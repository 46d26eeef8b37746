/**
 * The failure of a statement, and how its result shows it: rqlite's `error` and `error_v2`. Pure.
 * @module
 */
import type { ErrorForm } from "./render_options.ts";

// deno-lint-ignore no-control-regex
const NEEDS_ESCAPE = /["\\<>&\u2028\u2029\u0000-\u001f\ud800-\udfff]/;
const HTML_SENSITIVE = /[<>&\u2028\u2029]/g;

/** A statement's error, as its result shows it. */
export interface Failure {
  readonly message: string;
  /** SQLite's codes; undefined where it is not SQLite that failed. */
  readonly sqlite?: {
    /** Primary result code. */
    readonly code: number;
    readonly extendedCode: number;
    /** `errno`, where an operation on a file has failed. */
    readonly systemErrno?: number;
  };
}

/** A failed statement's result; an associative read shows `rows` as well. */
export function renderFailure(failure: Failure, { hasRows, errors }: { hasRows: boolean; errors: ErrorForm }): string {
  let text = hasRows ? ',"rows":[]' : "";
  if (errors !== "v2") text += `,"error":${quote(failure.message)}`;
  if (errors !== "v1") text += `,"error_v2":${renderCodes(failure)}`;
  return `{${text.slice(1)}}`;
}

function renderCodes({ message, sqlite }: Failure): string {
  if (!sqlite) return `{"message":${quote(message)}}`;
  const { code, extendedCode, systemErrno } = sqlite;
  const errno = systemErrno === undefined ? "" : `,"system_errno":${systemErrno}`;
  return `{"message":${quote(message)},"sqlite":{"code":${code},"extended_code":${extendedCode}${errno}}}`;
}

/** A text as a JSON string that is also safe inside HTML and JavaScript, as Go's encoder writes it. */
export function quote(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return `"${text}"`;
  return JSON.stringify(text.isWellFormed() ? text : text.toWellFormed()).replace(
    HTML_SENSITIVE,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
