/**
 * Authorization: checks the credentials of a request against the users of the auth file (Q17.1).
 *
 * - What everybody may do needs no credentials, and those that come are not looked at.
 * - A password that was right is remembered by a digest under a key of this process, so that a hash is computed once and not
 *   for each request. A reload forgets everything that is remembered.
 *   A connection that shows the same again needs no digest either.
 * - Texts are compared by such digests. A wrong password takes as long for a user that there is not as for any other.
 * - Wrong passwords are limited by address (see attempts.ts), hashes under way altogether. The same wrong one counts once. A right one counts like a wrong one
 *   while the limit is exceeded, or it could be guessed all the same. Tokens are too long for that: an unknown one is
 *   counted, a right one always passes.
 * @module
 */
import { Attempts } from "./attempts.ts";
import { type Credentials, parseCredentials } from "./credentials.ts";
import { isPassword, roundsOf } from "./password.ts";
import type { Permission } from "./permission.ts";
import { EVERYBODY, type User } from "./user.ts";

/** What a connection has shown last that was right. The connection makes it, and {@linkcode Users} writes and reads it. */
export class Proof {
  readonly #encoder = new TextEncoder();
  #authorization: Uint8Array | undefined;
  #of: { readonly book: Book; readonly user: User } | undefined;

  /** Who has shown `authorization` here before, by the same state of the auth file. */
  userOf(authorization: string, book: Book): User | undefined {
    if (this.#of?.book !== book || !this.#authorization) return undefined;
    return isSame(this.#encoder.encode(authorization), this.#authorization) ? this.#of.user : undefined;
  }

  /** Notes that `authorization` is right for `user`. */
  note(authorization: string, user: User, book: Book): void {
    this.#authorization = this.#encoder.encode(authorization);
    this.#of = { book, user };
  }
}

/** Takes as long wherever they differ: a proxy may send the requests of several clients on one connection. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let at = 0; at < one.length; at++) difference |= one[at] ^ other[at];
  return difference === 0;
}

/** The credentials of a request. */
export interface Shown {
  /** Value of the header; empty for none. */
  readonly authorization: string;
  /** Address of the client; empty where it is not known. */
  readonly address: string;
  /** Of the connection that it came on; absent where it was forwarded. */
  readonly proof?: Proof;
}

/** Whether a request may go on. */
export type Verdict =
  | { readonly k: "allowed" }
  | { readonly k: "unknown" } // no credentials, or wrong ones
  | { readonly k: "lacking"; readonly username: string; readonly permission: Permission }
  | { readonly k: "later"; readonly seconds: number } // too many attempts
  // Of access control, in whose words:
  | { readonly k: "denied"; readonly text: string }
  | { readonly k: "gone" }; // the secret of no token

/** Passwords that are remembered; the oldest are verified again. */
const VERIFIED_MAX = 1024;
/** Credentials that are remembered as wrong. */
const REJECTED_MAX = 4096;
/** Passwords being verified at a time, and those that wait. */
const RUNNING_MAX = 2;
const WAITING_MAX = 64;

/** No user has a longer name. */
const NAME_LENGTH_MAX = 255;

const ALLOWED: Verdict = { k: "allowed" };
const UNKNOWN: Verdict = { k: "unknown" };

/** One state of the auth file, and what is remembered of it. */
interface Book {
  readonly everybody: ReadonlySet<Permission>;
  readonly byName: ReadonlyMap<string, User>;
  /** By the digests of their tokens. */
  readonly byToken: Promise<ReadonlyMap<string, User>>;
  /** Rounds of hashing that a wrong password takes. */
  readonly work: number;
  /** Users by the digests of their credentials. */
  readonly verified: Map<string, User>;
  /** Digests of credentials that were wrong. */
  readonly rejected: Set<string>;
  /** Verifications under way, by the same. */
  readonly running: Map<string, Promise<boolean>>;
}

/** The users of this node. */
export class Users {
  readonly #key = crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  readonly #attempts = new Attempts();
  readonly #nowMs: () => number;
  #book: Book;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param nowMs A monotonic clock. */
  constructor(users: readonly User[], nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#book = this.#bookOf(users);
  }

  /** Takes another state of the auth file into use, for all requests from now on. */
  replace(users: readonly User[]): void {
    this.#book = this.#bookOf(users);
  }

  #bookOf(users: readonly User[]): Book {
    const named = users.filter(({ username }) => username !== EVERYBODY);
    const everybody = users.find(({ username }) => username === EVERYBODY);
    return {
      everybody: new Set(everybody?.permissions),
      byName: new Map(named.map((user) => [user.username, user])),
      byToken: this.#byToken(named),
      work: Math.max(0, ...named.map(({ password = "" }) => roundsOf(password))),
      verified: new Map(),
      rejected: new Set(),
      running: new Map(),
    };
  }

  async #byToken(users: readonly User[]): Promise<ReadonlyMap<string, User>> {
    const found = new Map<string, User>();
    for (const user of users) if (user.token !== undefined) found.set(await this.#digest(["token", user.token]), user);
    return found;
  }

  /** Whether credentials name a user of the file, by name or by token, right or wrong: they are no token of anything else. */
  async isOwn(authorization: string): Promise<boolean> {
    const credentials = parseCredentials(authorization);
    if (!credentials) return false;
    const { byName, byToken } = this.#book;
    if (credentials.kind === "password") return byName.has(credentials.username);
    return (await byToken).has(await this.#digest(["token", credentials.token]));
  }

  /**
   * Whether who shows this has all of `permissions`.
   * @param mustBeKnown Whether credentials have to be right also for what everybody may do: where access control is on,
   * nobody may do anything by the file but its users.
   */
  async check(permissions: readonly Permission[], shown: Shown, { mustBeKnown = false } = {}): Promise<Verdict> {
    const book = this.#book;
    const needed = permissions.filter((permission) => !book.everybody.has(permission));
    if (needed.length === 0 && !mustBeKnown) return ALLOWED;
    const found = shown.proof?.userOf(shown.authorization, book) ?? await this.#find(book, shown);
    if ("k" in found) return found;
    shown.proof?.note(shown.authorization, found, book);
    const lacking = needed.find((permission) => !found.permissions.includes(permission));
    return lacking === undefined ? ALLOWED : { k: "lacking", username: found.username, permission: lacking };
  }

  async #find(book: Book, { authorization, address }: Shown): Promise<User | Verdict> {
    const credentials = parseCredentials(authorization);
    if (!credentials) return UNKNOWN;
    return credentials.kind === "token"
      ? await this.#byTokenIn(book, credentials, address)
      : await this.#byPasswordIn(book, credentials, address);
  }

  async #byTokenIn(
    book: Book,
    { token }: Extract<Credentials, { kind: "token" }>,
    address: string,
  ): Promise<User | Verdict> {
    const digest = await this.#digest(["token", token]);
    const user = (await book.byToken).get(digest);
    if (user) return user;
    if (book.rejected.has(digest)) return UNKNOWN;
    const seconds = this.#attempts.begin(address, "token", this.#nowMs());
    return seconds > 0 ? { k: "later", seconds } : rejected(book, digest);
  }

  async #byPasswordIn(
    book: Book,
    { username, password }: Extract<Credentials, { kind: "password" }>,
    address: string,
  ): Promise<User | Verdict> {
    const digest = await this.#digest(["password", username, password]);
    if (book.rejected.has(digest)) return UNKNOWN;
    const name = `user ${username.slice(0, NAME_LENGTH_MAX)}`; // bounded, whatever a client sends
    const user = book.byName.get(username);
    const known = book.verified.get(digest);
    const isRunning = book.running.has(digest);
    const seconds = isRunning ? 0 : this.#attempts.begin(address, name, this.#nowMs());
    if (seconds > 0) return { k: "later", seconds };
    let isRight = known !== undefined;
    if (!known) {
      if (!isRunning && this.#waiting.length >= WAITING_MAX) return { k: "later", seconds: 1 };
      isRight = await this.#verified(book, digest, () => isPassword(password, user?.password, book.work));
    }
    if (!isRight || !user) return rejected(book, digest);
    if (!isRunning) this.#attempts.succeeded(address, name, this.#nowMs());
    remember(book, digest, user);
    return user;
  }

  /** Verifies once what several requests show at the same time. */
  async #verified(book: Book, digest: string, verify: () => Promise<boolean>): Promise<boolean> {
    const running = book.running.get(digest);
    if (running) return await running;
    const started = this.#inTurn(verify).finally(() => book.running.delete(digest));
    book.running.set(digest, started);
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

  /** A digest that distinguishes strings and cannot be reversed. */
  async #digest(texts: readonly string[]): Promise<string> {
    const bytes = new TextEncoder().encode(JSON.stringify(texts));
    return String.fromCharCode(...new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key, bytes)));
  }
}

/** Notes what was wrong: who shows it again, such as a client with an old password, guesses nothing. */
function rejected({ rejected }: Book, digest: string): Verdict {
  rejected.add(digest);
  if (rejected.size > REJECTED_MAX) dropOldest(rejected);
  return UNKNOWN;
}

/** Notes what was right, as the last one that was shown. */
function remember({ verified }: Book, digest: string, user: User): void {
  verified.delete(digest);
  verified.set(digest, user);
  if (verified.size > VERIFIED_MAX) dropOldest(verified);
}

function dropOldest(known: Map<string, unknown> | Set<string>): void {
  for (const oldest of known.keys()) return void known.delete(oldest);
}

/** Whether a node may join that shows these credentials: as a voter, or as another one (Q17.1.4). */
export async function mayJoin(
  users: Users | undefined,
  { authorization, isVoter }: { readonly authorization: string; readonly isVoter: boolean },
): Promise<boolean> {
  if (!users) return true;
  const permission = isVoter ? "join" : "join-read-only";
  return (await users.check([permission], { authorization, address: "" })).k === "allowed";
}
