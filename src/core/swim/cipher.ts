/**
 * Encrypted blobs of packets and streams (G2.7): AES-GCM with any key of the ring. Pure: the cipher itself
 * and the nonce are given from outside.
 *
 *   version u8 | nonce 12 | ciphertext | tag 16
 *
 * Version 1 is written. Version 0, which pads as PKCS#7 does, is read as well.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import type { Keyring } from "./keyring.ts";

/** Bytes of a nonce. */
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES;
/** Bytes that encryption adds. */
export const CIPHER_OVERHEAD = HEAD_BYTES + TAG_BYTES;
const PADDING_MAX = 16;

/** AES-GCM, synchronous; the tag stands behind the ciphertext. */
export interface Aead {
  /** Returns ciphertext and tag. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** Returns the plaintext, undefined where the key does not fit. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array | undefined;
}

/** Keyring and cipher for encryption. */
export interface Cipher {
  readonly keyring: Keyring;
  readonly aead: Aead;
  /** Fresh random bytes. */
  randomBytes(count: number): Uint8Array;
}

/** Encrypts with the primary key and a fresh nonce. */
export function sealBlob({ keyring, aead, randomBytes }: Cipher, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const sealed = aead.seal(keyring.primary, nonce, plaintext, aad);
  const blob = new Uint8Array(HEAD_BYTES + sealed.length);
  blob[0] = 1;
  blob.set(nonce, 1);
  blob.set(sealed, HEAD_BYTES);
  return blob;
}

/**
 * Decrypts with whichever key fits.
 * @throws {DecodeError} When none does, or it is no blob.
 */
export function openBlob({ keyring, aead }: Cipher, blob: Uint8Array, aad: Uint8Array): Uint8Array {
  if (blob.length === 0) throw new DecodeError("Payload is empty");
  const version = blob[0];
  if (version > 1) throw new DecodeError(`Unsupported encryption version ${version}`);
  if (blob.length < CIPHER_OVERHEAD + (version === 0 ? PADDING_MAX : 0)) throw new DecodeError("Payload is too small");
  const nonce = blob.subarray(1, HEAD_BYTES);
  const sealed = blob.subarray(HEAD_BYTES);
  for (const key of keyring.keys) {
    const plaintext = aead.open(key, nonce, sealed, aad);
    if (plaintext !== undefined) return version === 0 ? unpad(plaintext) : plaintext;
  }
  throw new DecodeError("No installed keys could decrypt the message");
}

function unpad(padded: Uint8Array): Uint8Array {
  const count = padded[padded.length - 1];
  if (count === undefined || count < 1 || count > PADDING_MAX || count > padded.length) {
    throw new DecodeError("Bad padding");
  }
  const end = padded.length - count;
  for (let at = end; at < padded.length; at++) if (padded[at] !== count) throw new DecodeError("Bad padding");
  return padded.subarray(0, end);
}
