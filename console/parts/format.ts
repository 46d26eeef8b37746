/**
 * Figures for people. Pure.
 * @module
 */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes, such as `12.3 MiB`. */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined || !Number.isFinite(bytes)) return "–";
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A time that has passed, such as `3 min`. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** A count with its noun: `1 row`, `2 rows`. */
export function countText(count: number | bigint, noun: string, nouns = `${noun}s`): string {
  return `${count.toLocaleString("en")} ${Number(count) === 1 ? noun : nouns}`;
}
