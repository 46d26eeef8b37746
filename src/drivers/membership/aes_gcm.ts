/**
 * AES-GCM for gossip, synchronous, so that a ping is answered in the turn in which it came. Deno's `node:crypto` has it
 * for keys of 16 and 32 bytes; for 24 bytes it has AES-CTR and AES-ECB alone (tried on 2.9.6 and 2.7.11), and the
 * authentication (NIST SP 800-38D §6.4) is done here.
 * @module
 */
import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import type { Aead } from "../../core/swim/cipher.ts";

const TAG_BYTES = 16;
const BLOCK_BYTES = 16;

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
  const ciphertext = sealed.subarray(0, sealed.length - TAG_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  if (key.length === 24) return open192(key, nonce, { ciphertext, tag }, aad);
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

/** Encrypts or decrypts by counter; counter 1 is the tag's. */
function counterMode(key: Uint8Array, nonce: Uint8Array, { input, counter }: { input: Uint8Array; counter: number }) {
  const cipher = createCipheriv("aes-192-ctr", key, join(nonce, Uint8Array.of(0, 0, 0, counter)));
  const output = cipher.update(input);
  cipher.final(); // gives the cipher's memory back
  return output;
}

function seal192(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const ciphertext = counterMode(key, nonce, { input: plaintext, counter: 2 });
  return join(ciphertext, tag192(key, nonce, ciphertext, aad));
}

function open192(
  key: Uint8Array,
  nonce: Uint8Array,
  { ciphertext, tag }: { ciphertext: Uint8Array; tag: Uint8Array },
  aad: Uint8Array,
): Uint8Array | undefined {
  if (!timingSafeEqual(tag192(key, nonce, ciphertext, aad), tag)) return undefined;
  return Uint8Array.from(counterMode(key, nonce, { input: ciphertext, counter: 2 }));
}

function tag192(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array {
  const ecb = createCipheriv("aes-192-ecb", key, null);
  const hashKey = ecb.update(new Uint8Array(BLOCK_BYTES));
  ecb.final();
  return Uint8Array.from(counterMode(key, nonce, { input: ghash(hashKey, aad, ciphertext), counter: 1 }));
}

/** A field element as four words, most significant first. */
type Words = Uint32Array;

function wordsOf(bytes: Uint8Array, at: number): Words {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(bytes.subarray(at, at + BLOCK_BYTES));
  const view = new DataView(block.buffer);
  return Uint32Array.of(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12));
}

/** GHASH of the associated data and the ciphertext. */
function ghash(hashKey: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const h = wordsOf(hashKey, 0);
  let sum: Words = new Uint32Array(4);
  const absorb = (words: Words) => {
    for (let i = 0; i < 4; i++) sum[i] ^= words[i];
    sum = multiply(sum, h);
  };
  for (const part of [aad, ciphertext]) {
    for (let at = 0; at < part.length; at += BLOCK_BYTES) absorb(wordsOf(part, at));
  }
  absorb(Uint32Array.of(0, aad.length * 8, Math.floor(ciphertext.length / 0x2000_0000), ciphertext.length * 8));
  const view = new DataView(new ArrayBuffer(BLOCK_BYTES));
  sum.forEach((word, i) => view.setUint32(4 * i, word));
  return new Uint8Array(view.buffer);
}

/** Product in GF(2^128), bit by bit: the first bit is the highest of the first word. */
function multiply(x: Words, y: Words): Words {
  let [p0, p1, p2, p3] = [0, 0, 0, 0];
  let [v0, v1, v2, v3] = y;
  for (let bit = 0; bit < 128; bit++) {
    const mask = -(x[bit >>> 5] >>> (31 - (bit & 31)) & 1); // all ones where the bit is set
    p0 ^= v0 & mask;
    p1 ^= v1 & mask;
    p2 ^= v2 & mask;
    p3 ^= v3 & mask;
    const carry = -(v3 & 1) & 0xe100_0000;
    v3 = v3 >>> 1 | v2 << 31;
    v2 = v2 >>> 1 | v1 << 31;
    v1 = v1 >>> 1 | v0 << 31;
    v0 = v0 >>> 1 ^ carry;
  }
  return Uint32Array.of(p0, p1, p2, p3);
}
