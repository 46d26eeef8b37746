/**
 * Freeing memory without waiting for the garbage collector. A collection begins about 64 MiB of dropped buffers later, in
 * each Worker by itself: what streams through several Workers leaves hundreds of megabytes behind. Pure.
 * @module
 */

/** Smaller buffers are left to the garbage collector. */
const FREED_BYTES_MIN = 4 * 1024;

/**
 * Frees the buffer that `bytes` are in, and all other views of it: only its owner may, when nobody uses it any more.
 * Harmless when repeated.
 */
export function freeBuffer({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= FREED_BYTES_MIN) buffer.transfer(0);
}
