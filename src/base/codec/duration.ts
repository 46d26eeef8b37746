/**
 * Durations in Go's notation, as rqlite's flags and query parameters have them: `1.5s`, `2h45m`, `300ms`. Pure.
 * @module
 */

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Reads a duration into milliseconds; undefined where it is none. Only a bare `0` needs no unit. */
export function parseDuration(text: string): number | undefined {
  const signed = /^([+-]?)(.+)$/.exec(text);
  if (!signed) return undefined;
  const [, sign, rest] = signed;
  if (rest === "0") return 0;
  const terms = [...rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)];
  if (terms.length === 0 || terms.reduce((length, [term]) => length + term.length, 0) !== rest.length) return undefined;
  const ms = terms.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS_MS[unit], 0);
  return sign === "-" ? -ms : ms;
}

/** Writes milliseconds as Go prints a duration: `1m30s`, `1.5s`, `250ms`, `3.1µs`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1e-3) return `${Math.round(ms * 1e6)}ns`;
  if (ms < 1) return `${trim(ms * 1e3, 3)}µs`;
  if (ms < 1000) return `${trim(ms, 6)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms % 3_600_000 / 60_000);
  const seconds = `${trim(ms % 60_000 / 1000, 9)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
