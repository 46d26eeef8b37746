/**
 * Unpacks gzip data: also several members behind each other, which are one file (RFC 1952 §2.2) and which `DecompressionStream`
 * refuses.
 * @module
 */
import { messageOf } from "../codec/error_text.ts";

const PIECE_BYTES = 64 * 1024;

/** The first bytes of gzip data. */
export const GZIP_MAGIC: readonly number[] = [0x1f, 0x8b];

/** Loaded when they are first used: whoever never unpacks would keep 10 MB for them. */
async function parts() {
  const [{ Readable }, { pipeline }, { createGunzip }] = await Promise.all([
    import("node:stream"),
    import("node:stream/promises"),
    import("node:zlib"),
  ]);
  return { Readable, pipeline, createGunzip };
}

/**
 * The content in pieces; whoever stops before the end lets go of `packed`.
 * @throws {Error} When the data are damaged or cut short, or what `packed` throws.
 */
export async function* gunzip(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { Readable, pipeline, createGunzip } = await parts();
  const unpacking = createGunzip({ chunkSize: PIECE_BYTES });
  pipeline(Readable.from(packed), unpacking).catch(() => {}); // whoever reads is told
  try {
    for await (const piece of unpacking) yield new Uint8Array(piece); // which lies in a buffer that is written on
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Error(`the gzip data are damaged or cut short: ${messageOf(error)}`);
  }
}

/** Whether the data are at fault. */
function isFault(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}
