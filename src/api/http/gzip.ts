/**
 * Compresses answers for clients that accept gzip (C6.1): lists of a large catalog are mostly repetition.
 * @module
 */
import { acceptsEncodings } from "@std/http/negotiation";
import type { HttpResponse } from "./problem.ts";

/** Shorter answers fit into a packet as they are. */
const BYTES_MIN = 1400;

/** The answer, compressed where that is worth it and `acceptEncoding`, the request's header, allows it. */
export async function compressed(response: HttpResponse, acceptEncoding: string | undefined): Promise<HttpResponse> {
  const { body, stream, headers } = response;
  // An empty header allows nothing (RFC 9110 §12.5.3); to the library it would be none.
  if (stream || body.length < BYTES_MIN || !acceptEncoding || !acceptsGzip(acceptEncoding)) return response;
  const plain = typeof body === "string" ? body : new Uint8Array(body);
  const packed = new Response(new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip")));
  const bytes = new Uint8Array(await packed.arrayBuffer());
  return { ...response, body: bytes, headers: { ...headers, "Content-Encoding": "gzip" } };
}

function acceptsGzip(header: string): boolean {
  return acceptsEncodings({ headers: { get: () => header } }, "gzip") === "gzip";
}
