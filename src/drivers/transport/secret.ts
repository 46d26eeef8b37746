/**
 * The secret that the nodes of a cluster share: the cluster port refuses connections that do not know it.
 *
 * At the beginning of every connection, each end proves that it knows the secret without sending it: by a keyed hash
 * (HMAC-SHA-256, RFC 2104) of two random numbers, one of each end, and of the caller's hello. So a proof is useless on
 * another connection, in the other direction or for another node. The rest of the connection is neither encrypted nor
 * bound to the proof: this does not stop an attacker who can change packets between two nodes.
 *
 *     hello      of the caller, with its number
 *     challenge  the number of the answerer (32 bytes), and its proof (32 bytes)
 *     proof      of the caller (32 bytes)
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";

/** Bytes of a number, and of a proof. */
const NUMBER_BYTES = 32;

/** Which end proves something. */
export type End = "caller" | "answerer";

/** The data that a proof covers. */
export interface Exchange {
  /** The caller's number, as its hello has it. */
  readonly callers: string;
  readonly answerers: Uint8Array<ArrayBuffer>;
  /** Bytes of the hello. */
  readonly hello: Uint8Array;
}

/** The other end does not have the secret, or another one. */
export class SecretError extends Error {
  /** Always `SecretError`. */
  override readonly name = "SecretError";
}

/** A shared secret. */
export class ClusterSecret {
  readonly #key: Promise<CryptoKey>;

  /** @param text Any text; long and random ones cannot be guessed. */
  constructor(text: string) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    this.#key = crypto.subtle.importKey("raw", new TextEncoder().encode(text), algorithm, false, ["sign", "verify"]);
  }

  /** The proof of `end`. */
  async prove(end: End, exchange: Exchange): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key, covered(end, exchange)));
  }

  /**
   * Checks what `end` has shown, in a time that does not tell how much of it is right.
   * @throws {SecretError} When it is not the proof.
   */
  async check(end: End, exchange: Exchange, proof: Uint8Array<ArrayBuffer>): Promise<void> {
    if (await crypto.subtle.verify("HMAC", await this.#key, proof, covered(end, exchange))) return;
    throw new SecretError("the cluster secret is another one: give all nodes the same -cluster-secret-file");
  }
}

function covered(end: End, { callers, answerers, hello }: Exchange): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`muster ${end} ${callers.length} ${callers} `);
  const bytes = new Uint8Array(head.length + answerers.length + hello.length);
  bytes.set(head);
  bytes.set(answerers, head.length);
  bytes.set(hello, head.length + answerers.length);
  return bytes;
}

/** A number that nobody has used before. */
export function freshNumber(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(NUMBER_BYTES));
}

/** The two parts of a challenge. */
export function splitChallenge(payload: Uint8Array): {
  readonly answerers: Uint8Array<ArrayBuffer>;
  readonly proof: Uint8Array<ArrayBuffer>;
} {
  if (payload.length !== 2 * NUMBER_BYTES) throw new DecodeError("Expected a challenge of 64 bytes");
  return { answerers: payload.slice(0, NUMBER_BYTES), proof: payload.slice(NUMBER_BYTES) };
}
