/**
 * The durable form of a node's promise to leaders (R10; core/raft/lease.ts). The promise outlives the process: the next
 * one is bound by it, whatever its flags are. So the file `raft/promise`, which holds a number of milliseconds, is
 * synced before the first promise is made. A shorter promise, or none, replaces it when the longer one has expired.
 * @module
 */
import { writeDurably } from "../../base/worker/files.ts";
import type { LeaseOptions } from "../../core/raft/effects.ts";

const NAME = "promise";

/**
 * Records this process's promise and returns the options of the core.
 * @param promiseMs The promise of this process; 0 for none.
 * @returns undefined if neither this process nor an earlier one promises anything.
 * @throws {Error} When the file cannot be read or written, or is damaged.
 */
export function keepPromise(directory: string, promiseMs: number): LeaseOptions | undefined {
  const quietMs = read(directory);
  if (promiseMs > quietMs) writeDurably(directory, NAME, `${promiseMs}\n`);
  else if (promiseMs < quietMs) Deno.unrefTimer(Number(setTimeout(() => lower(directory, promiseMs), 2 * quietMs)));
  return promiseMs === 0 && quietMs === 0 ? undefined : { promiseMs, quietMs };
}

function read(directory: string): number {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${directory}/${NAME}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
  if (!/^\d{1,12}\n$/.test(text)) {
    throw new Error(
      `${directory}/${NAME} is damaged: expected a number of milliseconds. Remove it while the node is stopped, ` +
        "and leave the node stopped for longer than its heartbeat timeout",
    );
  }
  return Number(text);
}

function lower(directory: string, promiseMs: number): void {
  try {
    writeDurably(directory, NAME, `${promiseMs}\n`);
  } catch {
    // The longer promise stays on record: the next start is patient for longer than it need be.
  }
}
