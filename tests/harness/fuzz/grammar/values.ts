/**
 * Values for statements: ordinary ones mostly, and those at the edges of what SQLite stores. Pure.
 * @module
 */

import type { SqlValue } from "../../../../src/core/sql/value.ts";
import type { Draw } from "./draw.ts";

/** The type that a column or an expression holds by intention. */
export type ValueType = "int" | "real" | "text" | "blob" | "date" | "json" | "any";

/** Types that a value can have by itself. */
export const PLAIN_TYPES: readonly Exclude<ValueType, "any">[] = ["int", "real", "text", "blob", "date", "json"];

const WORDS = [
  "ann",
  "Bob",
  "x",
  "",
  " ",
  "hello world",
  "running dogs",
  "it's",
  "A;B",
  "-- no",
  "100%",
  "_",
  "null",
  "abc",
];
const FOREIGN = [
  "Straße",
  "ÄÖÜäöü",
  "İstanbul ı",
  "ǆ",
  "ﬀ",
  "e\u0301",
  "日本語",
  "😀 x",
  "\ufeffbom",
  "Ω\u2126",
  "\u00a0",
  "ÿ",
];
const DATES = [
  "2024-02-29",
  "2023-11-14 22:13:20",
  "2000-01-01T00:00:00.123Z",
  "12:34",
  "2460000.5",
  "0000-01-01",
  "9999-12-31 23:59:59",
  "1970-01-01 00:00:00+05:30",
  "-4713-11-24 12:00:00",
  "1700000000",
];
const DATE_WORDS = ["now", "NOW", "subsec", "localtime", "utc", "subsecond", "auto", "unixepoch"];
const JSON_TEXTS = [
  '{"a":1,"b":[1,2,{"c":null}]}',
  "[]",
  '[1,2.5,"x",null,true]',
  '{"a":"Ä","title":"t"}',
  "{}",
  '"text"',
  "12",
  '{"a":{"b":{"c":[1e400,-0.0,9223372036854775808]}}}',
];
const BAD_JSON_TEXTS = ["{", "not json", "{a:1,}", "[1,,2]", "", "{'a':NaN}"];
const EDGE_INTEGERS = [
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 63n - 2n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 31n,
  2n ** 32n,
  -1n,
  0n,
  255n,
  256n,
  65536n,
];
const EDGE_REALS = [
  0,
  -0,
  1e308,
  -1e308,
  5e-324,
  9223372036854775807,
  9223372036854775000,
  0.1,
  1e15,
  123456789012345680,
];

/** An integer; small mostly. */
export function integerValue(draw: Draw): bigint {
  if (draw.chance(0.06)) {
    const edge = draw.pick(EDGE_INTEGERS);
    if (edge < 2n ** 63n - 3n && edge > -(2n ** 63n) || draw.kind("overflow", 1)) return edge;
  }
  return BigInt(draw.weighted([[6, draw.between(0, 9)], [3, draw.between(-100, 1000)], [1, draw.u32()]]));
}

/** A real number. */
export function realValue(draw: Draw): number {
  if (draw.kind("infinity", 0.02)) return draw.pick([Infinity, -Infinity, NaN]);
  return draw.chance(0.15) ? draw.pick(EDGE_REALS) : draw.between(-1000, 100000) / draw.pick([1, 2, 3, 7, 1000]);
}

/** A text. */
export function textValue(draw: Draw): string {
  if (draw.kind("nul-text", 0.03)) return draw.pick(["a\0b", "\0", "tenant\0one", "tenant\0two", "\0\0x"]);
  if (draw.kind("large", 0.004)) return "xyz ".repeat(draw.between(1000, 25_000));
  return draw.weighted([
    [8, draw.pick(WORDS)],
    [3, draw.pick(FOREIGN)],
    [3, String(draw.between(-5, 500))],
    [1, draw.pick(DATES)],
    [1, draw.pick(JSON_TEXTS)],
    [4, `w${draw.below(30)} w${draw.below(30)}`],
  ]);
}

/** A BLOB. */
export function blobValue(draw: Draw): Uint8Array {
  if (draw.kind("large", 0.01)) return new Uint8Array(draw.between(1000, 100_000)).fill(draw.below(256));
  return Uint8Array.from({ length: draw.weighted([[1, 0], [6, draw.below(8)], [1, 100]]) }, () => draw.below(256));
}

/** A time as text or number. */
export function dateValue(draw: Draw): SqlValue {
  if (draw.kind("date-word", 0.04)) return draw.pick(DATE_WORDS);
  return draw.weighted<SqlValue>([
    [8, draw.pick(DATES)],
    [2, BigInt(draw.between(0, 2_000_000_000))],
    [1, draw.between(0, 5_000_000) + 0.5],
  ]);
}

/** A JSON text. */
export function jsonValue(draw: Draw): string {
  return draw.kind("bad-json", 0.06) ? draw.pick(BAD_JSON_TEXTS) : draw.pick(JSON_TEXTS);
}

/** A value of a type; NULL now and then. */
export function valueOf(draw: Draw, type: ValueType): SqlValue {
  if (draw.chance(0.04)) return null;
  switch (type === "any" ? draw.pick(PLAIN_TYPES) : type) {
    case "int":
      return integerValue(draw);
    case "real":
      return realValue(draw);
    case "text":
      return textValue(draw);
    case "blob":
      return blobValue(draw);
    case "date":
      return dateValue(draw);
    default:
      return jsonValue(draw);
  }
}

/** A value as SQL. */
export function literal(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "bigint") return value === -(2n ** 63n) ? "(-9223372036854775807 - 1)" : String(value);
  if (typeof value === "number") return realLiteral(value);
  if (value instanceof Uint8Array) {
    const isUniform = value.length > 200;
    return isUniform ? `CAST(printf('%.*c', ${value.length}, 'b') AS BLOB)` : `x'${value.toHex()}'`;
  }
  if (value.length > 500) return `printf('%.*c', ${value.length}, 'x')`;
  if (value.includes("\0")) return `CAST(x'${new TextEncoder().encode(value).toHex()}' AS TEXT)`;
  return `'${value.replaceAll("'", "''")}'`;
}

function realLiteral(value: number): string {
  if (Number.isNaN(value)) return "(9e999 - 9e999)";
  if (!Number.isFinite(value)) return value > 0 ? "9e999" : "-9e999";
  const text = Object.is(value, -0) ? "-0.0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
