/**
 * Hashed passwords: PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2), which Web Crypto computes outside of the thread. As text
 * `$pbkdf2-sha256$ROUNDS$SALT$KEY`, the format of Python's passlib: salt and key in base64 without padding and with `.` for
 * `+`. Turned down: scrypt, Argon2 and bcrypt, which are harder to attack with graphics cards, and would need native code in
 * the Worker that talks to the network, or seconds of JavaScript.
 * @module
 */

/** Prefix of a hash. */
export const PASSWORD_PREFIX = "$pbkdf2-sha256$";
/** Rounds of a new hash (OWASP Password Storage Cheat Sheet, 2023). */
export const ROUNDS = 600_000;
/** Characters of a password or a token. */
export const SECRET_LENGTH_MAX = 1024;
/** Fewer are refused as too weak, more as they would hold up a login for seconds. */
const ROUNDS_MIN = 1000;
const ROUNDS_MAX = 10_000_000;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

const HASH = /^\$pbkdf2-sha256\$(\d{1,8})\$([A-Za-z0-9./]{11,86})\$([A-Za-z0-9./]{43})$/;
/** Modular crypt formats of other algorithms: as a plain password nobody would want one. */
const OTHER_HASH = /^\$(?:2[abxy]?|5|6|y|scrypt|argon2\w*|pbkdf2[\w-]*)\$(?=.{20})/;

interface PasswordHash {
  readonly rounds: number;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly key: Uint8Array<ArrayBuffer>;
}

/** Whether a text is a hash in the format above. */
export function isPasswordHash(text: string): boolean {
  return decode(text) !== undefined;
}

/** Why a value cannot be the password of a user, as it is or hashed; undefined where it can. */
export function passwordFault(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || value.length > SECRET_LENGTH_MAX || /\p{Cc}/u.test(value)) {
    return `expected a password of 1 to ${SECRET_LENGTH_MAX} characters`;
  }
  if (value.startsWith(PASSWORD_PREFIX) && !isPasswordHash(value)) {
    return "expected a password hash as muster user hash prints it";
  }
  const isOther = !value.startsWith(PASSWORD_PREFIX) && OTHER_HASH.test(value);
  return isOther ? "hashes of this kind are not supported: make one with muster user hash" : undefined;
}

/** Rounds of a hash; 0 for a plain password. */
export function roundsOf(stored: string): number {
  return decode(stored)?.rounds ?? 0;
}

/** Hashes a password with a new salt. */
export async function hashPassword(password: string, rounds: number = ROUNDS): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const key = await derive(password, salt, rounds);
  return `${PASSWORD_PREFIX}${rounds}$${encode(salt)}$${encode(key)}`;
}

/**
 * Whether `password` is what `stored` says: a hash or the password itself. One that is wrong takes as long as `work` rounds,
 * whoever it was for.
 * @param stored undefined for a user that there is not.
 */
export async function isPassword(password: string, stored: string | undefined, work: number): Promise<boolean> {
  const hash = stored === undefined ? undefined : decode(stored);
  const isRight = hash
    ? await isSame(await derive(password, hash.salt, hash.rounds), hash.key)
    : await isSame(encoder.encode(password), encoder.encode(stored ?? "")) && stored !== undefined;
  const missing = work - (hash?.rounds ?? 0);
  if (!isRight && missing > 0) await derive(password, new Uint8Array(SALT_BYTES), missing);
  return isRight;
}

const encoder = new TextEncoder();

async function derive(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", encoder.encode(password), "PBKDF2", false, ["deriveBits"]);
  const params = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(params, key, KEY_BYTES * 8));
}

/** Compares by digests under a key that nobody knows: where they differ says nothing about the texts. */
async function isSame(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const [one, other] = await Promise.all([a, b].map(async (text) => await crypto.subtle.sign("HMAC", key, text)));
  const left = new Uint8Array(one);
  return new Uint8Array(other).every((byte, at) => byte === left[at]);
}

function encode(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true }).replaceAll("+", ".");
}

function decode(text: string): PasswordHash | undefined {
  const match = HASH.exec(text);
  if (!match) return undefined;
  const rounds = Number(match[1]);
  const [salt, key] = [match[2], match[3]].map(decodeBytes);
  if (!salt || !key || rounds < ROUNDS_MIN || rounds > ROUNDS_MAX) return undefined;
  return { rounds, salt, key };
}

function decodeBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text.replaceAll(".", "+"));
  } catch {
    return undefined;
  }
}
