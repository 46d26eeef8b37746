/**
 * Load without `wrk`: a Worker with plain TCP connections that are kept open.
 * @module
 */
import type { Load, LoadResult } from "./load.ts";

/** Sends the load from a Worker of its own. */
export async function generate(load: Load): Promise<LoadResult> {
  const worker = new Worker(new URL("./generator_worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise<LoadResult>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<LoadResult>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`Cannot generate load: ${event.message}`));
      };
      worker.postMessage(load);
    });
  } finally {
    worker.terminate();
  }
}
