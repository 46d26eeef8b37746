import { assert, assertEquals, assertThrows } from "@std/assert";
import { zstdCompressSync } from "node:zlib";
import { packPiece, PIECE_BYTES_MAX, unpackPiece } from "../../../src/drivers/snapshot/transfer.ts";

Deno.test("a piece of a snapshot is compressed where it is to be and gets shorter, and comes back as it was", () => {
  const text = new TextEncoder().encode("all work and no play ".repeat(1000));
  const random = crypto.getRandomValues(new Uint8Array(1000));
  for (
    const [bytes, compress, isCompressed] of [[text, true, true], [text, false, false], [random, true, false]] as const
  ) {
    const piece = packPiece(bytes, compress);
    assertEquals([piece.bytes, piece.isCompressed], [bytes.length, isCompressed]);
    if (isCompressed) assert(piece.chunk.length < bytes.length / 10);
    // It is transferred with the memory it lies in, so that must be its own.
    assertEquals(piece.chunk.buffer.byteLength, piece.chunk.length);
    assertEquals(new Uint8Array(unpackPiece(piece)), bytes);
  }
});

Deno.test("a piece that is not compressed as it says, or would become too long, is refused", () => {
  assertThrows(() => unpackPiece({ chunk: new Uint8Array(100), isCompressed: true }));
  const bomb = new Uint8Array(zstdCompressSync(new Uint8Array(PIECE_BYTES_MAX + 1)));
  assertThrows(() => unpackPiece({ chunk: bomb, isCompressed: true }), RangeError);
});
