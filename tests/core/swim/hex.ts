/** Bytes as hexadecimal text, for vectors. */
export function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Hexadecimal text, spaces allowed, as bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replace(/\s/g, ""));
}
