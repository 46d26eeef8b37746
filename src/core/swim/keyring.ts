/**
 * The keys of a pool: with the primary is encrypted, any may decrypt (G2.7, G5.10). Pure.
 * @module
 */

/** Keys that a ring may hold. */
export const KEYS_MAX = 64;

/** Why a ring was not changed. */
export class KeyringError extends Error {
  /** Always `KeyringError`. */
  override readonly name = "KeyringError";
}

/** Equal bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Keys of 16, 24 or 32 bytes, the primary first. */
export class Keyring {
  #keys: Uint8Array[] = [];

  /**
   * @param keys Primary first, at least one.
   * @throws {KeyringError} When one is of another length, or there is none.
   */
  constructor(keys: readonly Uint8Array[]) {
    if (keys.length === 0) throw new KeyringError("A keyring needs a key");
    for (const key of keys) this.install(key);
  }

  /** All keys, the primary first. */
  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** The key that encrypts. */
  get primary(): Uint8Array {
    return this.#keys[0];
  }

  #find(key: Uint8Array): number {
    return this.#keys.findIndex((one) => sameBytes(one, key));
  }

  /** Adds a key; nothing happens where it is there. */
  install(key: Uint8Array): void {
    if (key.length !== 16 && key.length !== 24 && key.length !== 32) {
      throw new KeyringError("key size must be 16, 24 or 32 bytes");
    }
    if (this.#find(key) >= 0) return;
    if (this.#keys.length >= KEYS_MAX) throw new KeyringError(`the keyring holds ${KEYS_MAX} keys already`);
    this.#keys.push(key.slice());
  }

  /** Makes a key of the ring the primary one. */
  use(key: Uint8Array): void {
    const at = this.#find(key);
    if (at < 0) throw new KeyringError("Requested key is not in the keyring");
    this.#keys.unshift(...this.#keys.splice(at, 1));
  }

  /** Takes a key out; nothing happens where it is not there. */
  remove(key: Uint8Array): void {
    const at = this.#find(key);
    if (at === 0) throw new KeyringError("Removing the primary key is not allowed");
    if (at > 0) this.#keys.splice(at, 1);
  }
}
