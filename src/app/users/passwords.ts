/**
 * Verifies passwords, and remembers which were right and which were wrong by digests under a key of this process.
 *
 * - A hash is computed once and not for each request. What is remembered is bound to what the password was compared with: once
 *   that is another, it counts no more.
 * - Wrong passwords are limited by address (see attempts.ts), hashes under way altogether. The same wrong one counts once. A
 *   right one counts like a wrong one while the limit is exceeded, or it could be guessed all the same.
 * @module
 */
import type { Attempts } from "./attempts.ts";
import { isPassword } from "./password.ts";

/** A password that somebody shows. */
export interface ShownPassword {
  readonly username: string;
  readonly password: string;
  /** Address of the client; empty where it is not known. */
  readonly address: string;
}

/** What it is compared with. */
export interface ExpectedPassword {
  /** A hash, or the password itself; undefined for a user that there is not. */
  readonly stored: string | undefined;
  /** Rounds of hashing that a wrong password takes, whoever it was for. */
  readonly work: number;
}

/** Whether a password is right; or the seconds until it may be tried. */
export type PasswordVerdict = "right" | "wrong" | { readonly seconds: number };

/** Right ones that are remembered; the oldest are verified again. */
const VERIFIED_MAX = 1024;
/** Wrong ones that are remembered. */
const REJECTED_MAX = 4096;
/** Passwords being verified at a time, and those that wait. */
const RUNNING_MAX = 2;
const WAITING_MAX = 64;
/** No user has a longer name. */
const NAME_LENGTH_MAX = 255;

/** Passwords that were shown. */
export class Passwords {
  readonly #digest: (texts: readonly string[]) => Promise<string>;
  readonly #attempts: Attempts;
  readonly #nowMs: () => number;
  readonly #verified = new Set<string>();
  readonly #rejected = new Set<string>();
  /** Verifications under way, by the same digests. */
  readonly #underWay = new Map<string, Promise<boolean>>();
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param nowMs A monotonic clock. */
  constructor(
    { digest, attempts, nowMs }: {
      readonly digest: (texts: readonly string[]) => Promise<string>;
      readonly attempts: Attempts;
      readonly nowMs: () => number;
    },
  ) {
    this.#digest = digest;
    this.#attempts = attempts;
    this.#nowMs = nowMs;
  }

  /** Whether a password is the one that is expected. */
  async verify(
    { username, password, address }: ShownPassword,
    { stored, work }: ExpectedPassword,
  ): Promise<PasswordVerdict> {
    const digest = await this.#digest(["password", username, password, ...(stored === undefined ? [] : [stored])]);
    if (this.#rejected.has(digest)) return "wrong";
    const name = `user ${username.slice(0, NAME_LENGTH_MAX)}`; // bounded, whatever a client sends
    const isUnderWay = this.#underWay.has(digest);
    const seconds = isUnderWay ? 0 : this.#attempts.begin(address, name, this.#nowMs());
    if (seconds > 0) return { seconds };
    let isRight = this.#verified.has(digest);
    if (!isRight) {
      if (!isUnderWay && this.#waiting.length >= WAITING_MAX) return { seconds: 1 };
      isRight = await this.#once(digest, () => isPassword(password, stored, work));
    }
    if (!isRight) {
      keep(this.#rejected, digest, REJECTED_MAX); // an old password guesses nothing
      return "wrong";
    }
    if (!isUnderWay) this.#attempts.succeeded(address, name, this.#nowMs());
    keep(this.#verified, digest, VERIFIED_MAX);
    return "right";
  }

  /** Verifies once what several requests show at the same time. */
  async #once(digest: string, verify: () => Promise<boolean>): Promise<boolean> {
    const running = this.#underWay.get(digest);
    if (running) return await running;
    const started = this.#inTurn(verify).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, started);
    return await started;
  }

  async #inTurn(work: () => Promise<boolean>): Promise<boolean> {
    if (this.#running >= RUNNING_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/** Makes digests that distinguish lists of texts and cannot be reversed, under a key that nobody knows. */
export function keyedDigests(): (texts: readonly string[]) => Promise<string> {
  const key = crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return async (texts) => {
    const bytes = new TextEncoder().encode(JSON.stringify(texts));
    return String.fromCharCode(...new Uint8Array(await crypto.subtle.sign("HMAC", await key, bytes)));
  };
}

/** Keeps a digest as the last one that was shown. */
export function keep(known: Set<string>, digest: string, most: number): void {
  known.delete(digest);
  known.add(digest);
  if (known.size <= most) return;
  for (const oldest of known) return void known.delete(oldest);
}
