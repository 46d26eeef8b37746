/**
 * Values of `date`, `datetime` and `timestamp` columns as RFC 3339 text, the way rqlite shows them. Pure.
 * @module
 */

// YYYY-MM-DD, optionally HH:MM[:SS[.fff]] after a space or T, optionally an offset, optionally Z. As Go reads it, an
// hour may have one digit, and a comma may stand before the fraction.
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?([+-]\d\d:\d\d)?)?Z?$/;

/** Above this magnitude an integer counts milliseconds, below it seconds. */
const SECONDS_MAX = 1_000_000_000_000n;
const YEAR_0_MS = -62_167_219_200_000;
const YEAR_10000_MS = 253_402_300_800_000;

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(2000 + year % 400, month, 0)).getUTCDate();
}

/** Drops the zeros that end a fraction, and the point when nothing is left. */
function fraction(digits: string): string {
  const kept = digits.slice(0, 9).replace(/0+$/, "");
  return kept === "" ? "" : `.${kept}`;
}

/** RFC 3339 text of a date, or `null` when the text is none (it is then shown as stored). */
export function dateFromText(text: string): string | null {
  const match = DATE.exec(text);
  if (match === null) return null;
  const [, year = "", month = "", day = "", hour = "00", minute = "00", second = "00", digits = "", offset = ""] =
    match;
  const isDate = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 &&
    Number(day) <= daysInMonth(Number(year), Number(month));
  if (!isDate || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const zone = offset === "" || offset === "+00:00" || offset === "-00:00" ? "Z" : offset;
  return `${year}-${month}-${day}T${hour.padStart(2, "0")}:${minute}:${second}${fraction(digits)}${zone}`;
}

/** RFC 3339 text of a unix time in seconds or milliseconds, or `null` beyond the years 0 to 9999. */
export function dateFromInteger(value: bigint): string | null {
  const isMilliseconds = value > SECONDS_MAX || value < -SECONDS_MAX;
  const timeMs = isMilliseconds ? Number(value) : Number(value) * 1000;
  if (!(timeMs >= YEAR_0_MS && timeMs < YEAR_10000_MS)) return null;
  const text = new Date(timeMs).toISOString();
  return `${text.slice(0, 19)}${fraction(text.slice(20, 23))}Z`;
}
