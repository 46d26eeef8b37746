/**
 * Values of SQL in JSON, both ways: integers are exact, BLOBs are bytes.
 * @module
 */

/** A value of a parameter. A number without a fraction is an INTEGER; `real()` makes it a REAL. */
export type SqlParameter = null | boolean | number | bigint | string | Uint8Array | Date | Real;

/** A value of a result. An INTEGER that a number cannot hold is a bigint. */
export type SqlResult = null | boolean | number | bigint | string | Uint8Array;

/** A number that is to be stored as REAL, whole or not. */
export class Real {
  /** The number. */
  readonly value: number;

  /** See {@linkcode real}. */
  constructor(value: number) {
    this.value = value;
  }
}

/** A number that is to be stored as REAL, though it may be whole. */
export function real(value: number): Real {
  return new Real(value);
}

/** Positional parameters, or named ones by their names without `:`, `@` or `$`. */
export type SqlParameters = readonly SqlParameter[] | Readonly<Record<string, SqlParameter>>;

const BLOB_LITERAL = /^\s*[xX]'((?:[0-9a-fA-F]{2})*)'\s*$/;

/** The JSON text of a parameter. @throws {TypeError} When it has none. */
export function parameterText(value: SqlParameter): string {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      if (Number.isFinite(value)) return Number.isInteger(value) ? BigInt(value).toString() : String(value);
      throw new TypeError(`a parameter cannot be ${value}`);
    case "boolean":
      return value ? "true" : "false";
    case "string":
      if (!BLOB_LITERAL.test(value)) return JSON.stringify(value);
      throw new TypeError("a text in the form of a BLOB literal would become a BLOB: give the bytes, or another text");
    default:
      if (value === null) return "null";
      if (value instanceof Date) return JSON.stringify(value.toISOString());
      if (value instanceof Uint8Array) return `[${value.join(",")}]`;
      return realText(value.value);
  }
}

function realText(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`a parameter cannot be ${value}`);
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Stands for a number until it is made one: no result has an object with this name. */
const BIGINT = "\0bigint";
/** A text, or a whole number of 16 digits or more, which a number may not hold. */
const TEXT_OR_LARGE = /"(?:[^"\\]|\\.)*"|(?<![\d.])-?\d{16,}(?![\d.eE])/g;

/** As `JSON.parse`, but whole numbers that a number cannot hold are bigints. */
export function parseExact(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const marked = text.replace(TEXT_OR_LARGE, (found) => {
    return found.startsWith('"') || Number.isSafeInteger(Number(found))
      ? found
      : `{${JSON.stringify(BIGINT)}:"${found}"}`;
  });
  return JSON.parse(marked, (_, value: unknown): unknown => {
    if (typeof value !== "object" || value === null || !(BIGINT in value)) return value;
    return BigInt(String(value[BIGINT]));
  });
}

/** A value of a column of a declared type. */
export function resultOf(value: unknown, type: string | undefined): SqlResult {
  if (typeof value === "string" && type === "blob") return bytesOf(value);
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
    case "boolean":
      return value;
    default:
      return null;
  }
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
