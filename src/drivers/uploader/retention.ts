/**
 * Names of timestamped backups, and which of them are kept. Pure.
 * @module
 */

/** `name` with the time before its last element: `a/20261128220000_b.sqlite`. */
export function timestampedName(name: string, atMs: number): string {
  const [before, last] = splitName(name);
  return `${before}${new Date(atMs).toISOString().replace(/\D/g, "").slice(0, 14)}_${last}`;
}

/** What all timestamped names of `name` in this millennium begin with; others may begin so, too. */
export function timestampedPrefix(name: string): string {
  return `${splitName(name)[0]}2`;
}

/** Those of `names` that are `name` with a time, the newest first. */
export function timestampedOf(name: string, names: readonly string[]): string[] {
  const [before, last] = splitName(name);
  return names.filter((one) => {
    const rest = one.startsWith(before) ? one.slice(before.length) : "";
    return /^\d{14}_/.test(rest) && rest.slice(15) === last;
  }).sort().reverse();
}

/**
 * Those of `names` that are to be removed, the oldest last.
 * @param keep Backups that stay; 0: all.
 */
export function outdated(name: string, names: readonly string[], keep: number): string[] {
  return keep === 0 ? [] : timestampedOf(name, names).slice(keep);
}

function splitName(name: string): [before: string, last: string] {
  const slash = name.lastIndexOf("/") + 1;
  return [name.slice(0, slash), name.slice(slash)];
}
