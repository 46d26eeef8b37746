/**
 * Files as whoever needs them durable handles them, synchronously.
 * @module
 */

/** Whether there is such a file. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Makes created, renamed and removed names of a directory durable (D6). */
export function syncDirectory(path: string): void {
  const directory = Deno.openSync(path, { read: true });
  try {
    directory.syncSync();
  } finally {
    directory.close();
  }
}

/** Code of a failure between Workers: the disk is full. */
export const DISK_FULL = "disk_full";

/** Writes a file whole or not at all, and durably. */
export function writeDurably(directory: string, name: string, text: string, { mode = 0o666 } = {}): void {
  const temporary = `${directory}/${name}.tmp`;
  const file = Deno.openSync(temporary, { create: true, truncate: true, write: true, mode });
  try {
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(temporary, `${directory}/${name}`);
  syncDirectory(directory);
}
