/**
 * AES-GCM for gossip, synchronous, so that a ping is answered in the turn in which it came. Deno's `node:crypto` has it
 * for keys of 16 and 32 bytes (tried on 2.9.6 and 2.7.11); those of 24 bytes are done by `@noble/ciphers`,
 * which is loaded for them alone: it takes 5 MB of an agent's memory.
 * @module
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Keyring } from "../../core/swim/keyring.ts";
import type { Aead } from "../../core/swim/cipher.ts";

const TAG_BYTES = 16;

let gcm: typeof import("@noble/ciphers/aes").gcm | undefined;

/** Loads what the keys of a keyring need: to be called before they are used, at a start and when one is added. */
export async function prepareAesGcm({ keys }: Keyring): Promise<void> {
  if (keys.some(({ length }) => length === 24)) ({ gcm } = await import("@noble/ciphers/aes"));
}

/** AES-GCM with a nonce of 12 bytes. */
export const aesGcm: Aead = { seal, open };

function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  if (key.length === 24) return seal192(key, nonce, plaintext, aad);
  const cipher = createCipheriv(key.length === 16 ? "aes-128-gcm" : "aes-256-gcm", key, nonce);
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return join(ciphertext, cipher.getAuthTag());
}

function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  if (key.length === 24) return open192(key, nonce, sealed, aad);
  const ciphertext = sealed.subarray(0, sealed.length - TAG_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  const decipher = createDecipheriv(key.length === 16 ? "aes-128-gcm" : "aes-256-gcm", key, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch {
    return undefined; // another key, or changed on the way
  }
  return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function seal192(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  if (!gcm) throw new Error("the cipher for keys of 24 bytes is not loaded");
  return gcm(key, nonce, aad).encrypt(plaintext);
}

function open192(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array | undefined {
  try {
    return gcm?.(key, nonce, aad).decrypt(sealed);
  } catch {
    return undefined;
  }
}
