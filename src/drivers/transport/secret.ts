/**
 * The secret that the nodes of a cluster share: the cluster port refuses connections that do not know it, and both ends
 * notice what somebody changes on the way.
 *
 * At the beginning of every connection, each end proves that it knows the secret without sending it: by a keyed hash
 * (HMAC-SHA-256, RFC 2104) of two random numbers, one of each end, and of the caller's hello. So a proof is useless on
 * another connection, in the other direction or for another node. From the secret and both numbers each end then derives
 * a key for each direction (HKDF-SHA-256, RFC 5869), under which everything that follows goes in records (record.ts).
 *
 *     hello      of the caller, with its number and the names of its keys
 *     challenge  the number of the answerer (32 bytes), its proof (32 bytes), the name of the key that both have (8 bytes)
 *     proof      of the caller (32 bytes)
 *     from here on, in both directions: records
 *
 * A node may have several keys, as while the keys of the gossip are changed: the first that both have is used.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";

/** Bytes of a number, and of a proof. */
const NUMBER_BYTES = 32;
const NAME_BYTES = 8;
const HMAC = { name: "HMAC", hash: "SHA-256" };

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

/** Secrets of a node. */
export interface SecretOptions {
  /** Long random texts, the preferred one first; none: the cluster port is open. */
  readonly texts: readonly string[];
  /** Speak to nodes without a secret, too: while the nodes of a cluster get one, one after the other. */
  readonly isOptional: boolean;
}

/** Keys of one connection, for the records that an end makes. */
export type SessionKeys = Readonly<Record<End, Uint8Array>>;

/** The other end does not have the secret, or another one. */
export class SecretError extends Error {
  /** Always `SecretError`. */
  override readonly name = "SecretError";
}

/** Why a node with another secret is refused. */
export const OTHER_SECRET =
  "the cluster secret is another one: give all nodes the same -cluster-secret-file, or the same -encrypt key";

/** One secret. */
export class SecretKey {
  /** Tells whether two nodes mean the same key, and no more of it than that. */
  readonly name: string;
  readonly #hmac: CryptoKey;
  readonly #hkdf: CryptoKey;

  private constructor(name: string, hmac: CryptoKey, hkdf: CryptoKey) {
    this.name = name;
    this.#hmac = hmac;
    this.#hkdf = hkdf;
  }

  /** @param text Any text; long and random ones cannot be guessed. */
  static async of(text: string): Promise<SecretKey> {
    const bytes = new TextEncoder().encode(text);
    const hmac = await crypto.subtle.importKey("raw", bytes, HMAC, false, ["sign", "verify"]);
    const hkdf = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
    const name = new Uint8Array(await crypto.subtle.sign("HMAC", hmac, new TextEncoder().encode("muster key name")));
    return new SecretKey(name.subarray(0, NAME_BYTES).toHex(), hmac, hkdf);
  }

  /** The proof of `end`. */
  async prove(end: End, exchange: Exchange): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.#hmac, covered(end, exchange)));
  }

  /**
   * Checks what `end` has shown, in a time that does not tell how much of it is right.
   * @throws {SecretError} When it is not the proof.
   */
  async check(end: End, exchange: Exchange, proof: Uint8Array<ArrayBuffer>): Promise<void> {
    if (await crypto.subtle.verify("HMAC", this.#hmac, proof, covered(end, exchange))) return;
    throw new SecretError(`the ${end} has not proved that it knows the cluster secret`);
  }

  /** The keys of a connection after both ends have shown their proof. */
  async session({ callers, answerers }: Exchange): Promise<SessionKeys> {
    const salt = covered("caller", { callers, answerers, hello: new Uint8Array(0) });
    const derive = async (end: End) => {
      const info = new TextEncoder().encode(`muster records of the ${end}`);
      const bits = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, this.#hkdf, 256);
      return new Uint8Array(bits);
    };
    return { caller: await derive("caller"), answerer: await derive("answerer") };
  }
}

/** The secrets of a node. */
export class ClusterSecret {
  /** See {@linkcode SecretOptions.isOptional}. */
  readonly isOptional: boolean;
  #keys: Promise<readonly SecretKey[]>;

  constructor({ texts, isOptional }: SecretOptions) {
    this.isOptional = isOptional;
    this.#keys = Promise.all(texts.map(SecretKey.of));
  }

  /** Undefined where there is no secret. */
  static of(options: SecretOptions): ClusterSecret | undefined {
    return options.texts.length === 0 ? undefined : new ClusterSecret(options);
  }

  /** Takes other secrets for new connections. */
  renew(texts: readonly string[]): void {
    this.#keys = Promise.all(texts.map(SecretKey.of));
  }

  /** The names of the keys. */
  async names(): Promise<readonly string[]> {
    return (await this.#keys).map(({ name }) => name);
  }

  /** The first key whose name is one of `names`. */
  async find(names: readonly string[]): Promise<SecretKey | undefined> {
    return (await this.#keys).find(({ name }) => names.includes(name));
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

/** Parts of a challenge. */
export interface Challenge {
  readonly answerers: Uint8Array<ArrayBuffer>;
  readonly proof: Uint8Array<ArrayBuffer>;
  /** Of the key that both ends have. */
  readonly name: string;
}

/** A challenge as bytes. */
export function encodeChallenge({ answerers, proof, name }: Challenge): Uint8Array {
  const bytes = new Uint8Array(2 * NUMBER_BYTES + NAME_BYTES);
  bytes.set(answerers);
  bytes.set(proof, NUMBER_BYTES);
  bytes.set(Uint8Array.fromHex(name), 2 * NUMBER_BYTES);
  return bytes;
}

/** @throws {DecodeError} When it is none. */
export function decodeChallenge(payload: Uint8Array): Challenge {
  if (payload.length === 2 * NUMBER_BYTES) {
    throw new DecodeError(
      "the node there is of an older version, which does not bind frames to the session: upgrade it",
    );
  }
  if (payload.length !== 2 * NUMBER_BYTES + NAME_BYTES) throw new DecodeError("Expected a challenge of 72 bytes");
  return {
    answerers: payload.slice(0, NUMBER_BYTES),
    proof: payload.slice(NUMBER_BYTES, 2 * NUMBER_BYTES),
    name: payload.subarray(2 * NUMBER_BYTES).toHex(),
  };
}
