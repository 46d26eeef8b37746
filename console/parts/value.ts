/**
 * Values of the database: of which kind they are, how they are shown in a cell, and how they are written in SQL. Pure.
 *
 * A blob comes as a list of bytes (`blob_array`), so that it is not taken for text.
 * @module
 */

/** A value of the database. */
export type Value = null | boolean | number | bigint | string | readonly number[];

/** Its kind. */
export type Kind = "null" | "integer" | "real" | "text" | "blob";

/** Characters that a cell shows. */
const SHOWN_MAX = 200;
const BYTES_SHOWN_MAX = 24;

/** What came from outside, as a value; what is none is shown as JSON. */
export function valueOf(found: unknown): Value {
  if (found === null || found === undefined) return null;
  if (typeof found === "string" || typeof found === "number") return found;
  if (typeof found === "bigint" || typeof found === "boolean") return found;
  if (Array.isArray(found) && found.every((byte): byte is number => typeof byte === "number")) return found;
  return JSON.stringify(found);
}

/** The kind of a value. */
export function kindOf(value: Value): Kind {
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "real";
  return typeof value === "object" ? "blob" : "integer";
}

/** As a cell shows it: in one line, and not all of what is long. */
export function cellText(value: Value): string {
  if (value === null) return "NULL";
  if (typeof value === "object") {
    return `x'${hex(value.slice(0, BYTES_SHOWN_MAX))}${value.length > BYTES_SHOWN_MAX ? "…" : ""}' (${value.length} B)`;
  }
  const text = typeof value === "string" && value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX)}…` : String(value);
  return text.replaceAll("\r\n", "⏎").replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll("\0", "␀");
}

/** In full, for people. */
export function fullText(value: Value): string {
  if (value === null) return "NULL";
  return typeof value === "object" ? `x'${hex(value)}'` : String(value);
}

/** As SQL. */
export function sqlLiteral(value: Value): string {
  if (value === null) return "NULL";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : value > 0 ? "9e999" : "-9e999";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "object") return `x'${hex(value)}'`;
  // SQLite ends a text at a NUL.
  if (value.includes("\0")) return `CAST(x'${hex([...new TextEncoder().encode(value)])}' AS TEXT)`;
  return `'${value.replaceAll("'", "''")}'`;
}

/** A name, quoted as SQL wants it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => (byte & 255).toString(16).padStart(2, "0")).join("");
}

/** Reads what somebody has entered as a value of a kind. @returns undefined where it is none. */
export function parseValue(kind: Kind, text: string): Value | undefined {
  const plain = text.trim();
  switch (kind) {
    case "null":
      return null;
    case "text":
      return text;
    case "integer": {
      if (!/^[+-]?\d{1,19}$/.test(plain)) return undefined;
      const value = BigInt(plain.replace("+", ""));
      if (BigInt.asIntN(64, value) !== value) return undefined;
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
    case "real":
      return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : undefined;
    case "blob": {
      const digits = plain.replace(/^x'(.*)'$/i, "$1").replaceAll(/\s/g, "");
      if (!/^([0-9a-f]{2})*$/i.test(digits)) return undefined;
      return (digits.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
    }
  }
}
