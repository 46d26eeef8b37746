/**
 * Base64 of UTF-8 text. Pure.
 * @module
 */

/** Text to base64. */
export function encodeBase64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** Base64 to text; undefined where it is none. */
export function decodeBase64(base64: string): string | undefined {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(base64));
  } catch {
    return undefined;
  }
}
