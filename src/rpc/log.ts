/**
 * The log of a process: one line per event on standard error, with the part it comes from and the local time, as rqlite
 * writes it: `[store] 2026/11/22 09:30:00 this node is now Leader …`. Secrets have no place in it.
 * @module
 */

/** Writes lines under the name of a part. */
export function logger(part: string): (line: string) => void {
  return (line) => console.error(`[${part}] ${timestamp(new Date())} ${line}`);
}

/** Local time as Go's `log` writes it, in seconds. */
function timestamp(at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}/${two(at.getMonth() + 1)}/${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
