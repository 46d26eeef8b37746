/**
 * Sizes for people. Pure.
 * @module
 */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** A size in the form `1.5 MB`. */
export function friendlySize(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[power]}`;
}
