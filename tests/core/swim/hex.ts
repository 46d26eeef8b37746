/** Bytes as hexadecimal text, for vectors. */
export function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Hexadecimal text, spaces allowed, as bytes; half a byte at the end of a cut vector is left out. */
export function bytesOf(text: string): Uint8Array {
  const digits = text.replace(/\s/g, "");
  return Uint8Array.fromHex(digits.slice(0, digits.length - digits.length % 2));
}
