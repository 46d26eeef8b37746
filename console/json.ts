/**
 * JSON whose whole numbers stay exact: those beyond 2^53 become bigints, and bigints are written as numbers. Pure.
 * @module
 */

/** What is not said of it: what a reviver is told besides, in browsers that know of it. */
type Source = { readonly source?: string } | undefined;

/** Reads JSON. @throws {SyntaxError} */
export function parseJson(text: string): unknown {
  // Only long numbers need a second look, which takes time with many rows.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const revive = (_: string, value: unknown, context?: Source) => {
    const source = context?.source ?? "";
    return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
  };
  return JSON.parse(text, revive);
}

/** Writes JSON. */
export function toJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${toJson(inner)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** A field of something that came from outside; undefined where there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;
}

/** A text from outside; empty where it is something else. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A list from outside; empty where it is something else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A number from outside; undefined where it is something else. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
