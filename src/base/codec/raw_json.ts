/**
 * Numbers of JSON that a JavaScript number cannot hold: an integer of 64 bits as it stands (ECMA-262, JSON.rawJSON).
 * @module
 */

declare global {
  interface JSON {
    /** Not in the compiler's library yet. */
    rawJSON(text: string): unknown;
  }
}

/** A value that `JSON.stringify` writes as the digits of `value`. */
export function rawInteger(value: bigint): unknown {
  return JSON.rawJSON(String(value));
}

/** As `JSON.parse`, but `JSON.stringify` writes whole numbers that a JavaScript number cannot hold as they were. */
export function parseRaw(text: string): unknown {
  const raw = (_: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? JSON.rawJSON(context?.source ?? String(value))
      : value;
  return JSON.parse(text, raw);
}

/** As `JSON.parse`, but whole numbers that a JavaScript number cannot hold are the texts of their digits. */
export function parseExact(text: string): unknown {
  const exact = (_: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? context?.source ?? value
      : value;
  return JSON.parse(text, exact);
}

/** As `JSON.parse`, but integers of 64 bits that a JavaScript number cannot hold are bigints. */
export function parseBig(text: string): unknown {
  const big = (_: string, value: unknown, context?: { readonly source?: string }) => {
    const digits = context?.source ?? "";
    if (typeof value !== "number" || Number.isSafeInteger(value) || !/^-?\d{1,19}$/.test(digits)) return value;
    const whole = BigInt(digits);
    return BigInt.asIntN(64, whole) === whole ? whole : value;
  };
  return JSON.parse(text, big);
}
