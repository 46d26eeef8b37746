/**
 * Keys as base64 text, and the keyring file: a JSON array of them, the primary first (G5.10). Pure.
 * @module
 */
import { Keyring, KeyringError } from "./keyring.ts";

/** A key as text. */
export function encodeKeyText(key: Uint8Array): string {
  return key.toBase64();
}

/**
 * A key from its text.
 * @throws {KeyringError} When it is not base64 of 16, 24 or 32 bytes.
 */
export function decodeKeyText(text: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(text);
  } catch {
    throw new KeyringError("Cannot use the encryption key: it is not base64");
  }
  new Keyring([bytes]);
  return bytes;
}

/** The keyring file. */
export function encodeKeyringFile({ keys }: Keyring): string {
  return `${JSON.stringify(keys.map(encodeKeyText), undefined, 2)}\n`;
}

/**
 * Reads the keyring file.
 * @throws {KeyringError} When it is not an array of keys.
 */
export function decodeKeyringFile(text: string): Keyring {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new KeyringError("Cannot read the keyring: it is not JSON");
  }
  if (!Array.isArray(parsed) || !parsed.every((one) => typeof one === "string")) {
    throw new KeyringError("Cannot read the keyring: expected an array of base64 keys");
  }
  return new Keyring(parsed.map(decodeKeyText));
}
