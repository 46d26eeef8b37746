/**
 * Authorization: checks the credentials of a request against the users of the auth file (Q17.1).
 *
 * - What everybody may do needs no credentials, and those that come are not looked at.
 * - Passwords are remembered and limited as passwords.ts says. A reload forgets everything that is remembered. A connection
 *   that shows the same again needs no digest either.
 * - Texts are compared by such digests. A wrong password takes as long for a user that there is not as for any other.
 * - Tokens are too long to be guessed: an unknown one is counted like a wrong password, a right one always passes.
 * @module
 */
import { Attempts } from "./attempts.ts";
import type { Credentials } from "../../core/acl/guard.ts";
import { parseCredentials, type PasswordOrToken } from "./credentials.ts";
import { roundsOf } from "./password.ts";
import { keep, keyedDigests, Passwords } from "./passwords.ts";
import type { Permission } from "./permission.ts";
import { EVERYBODY, type User } from "./user.ts";
import type { Verdict } from "./verdict.ts";

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

/** The credentials of a request, and what its connection has shown before. */
export interface Shown extends Credentials {
  /** Of the connection that it came on; absent where it was forwarded. */
  readonly proof?: Proof;
}

/** Tokens that are remembered as wrong. */
const REJECTED_MAX = 4096;

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
  readonly passwords: Passwords;
  /** Digests of tokens that were wrong. */
  readonly rejected: Set<string>;
}

/** The users of this node. */
export class Users {
  readonly #digest = keyedDigests();
  readonly #attempts = new Attempts();
  readonly #nowMs: () => number;
  #book: Book;

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
      passwords: new Passwords({
        digest: this.#digest,
        attempts: this.#attempts,
        nowMs: this.#nowMs,
      }),
      rejected: new Set(),
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
    { token }: Extract<PasswordOrToken, { kind: "token" }>,
    address: string,
  ): Promise<User | Verdict> {
    const digest = await this.#digest(["token", token]);
    const user = (await book.byToken).get(digest);
    if (user) return user;
    if (book.rejected.has(digest)) return UNKNOWN;
    const seconds = this.#attempts.begin(address, "token", this.#nowMs());
    if (seconds > 0) return { k: "later", seconds };
    keep(book.rejected, digest, REJECTED_MAX);
    return UNKNOWN;
  }

  async #byPasswordIn(
    book: Book,
    { username, password }: Extract<PasswordOrToken, { kind: "password" }>,
    address: string,
  ): Promise<User | Verdict> {
    const user = book.byName.get(username);
    const verdict = await book.passwords.verify({ username, password, address }, {
      stored: user?.password,
      work: book.work,
    });
    if (verdict === "right" && user) return user;
    return typeof verdict === "string" ? UNKNOWN : { k: "later", ...verdict };
  }
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
