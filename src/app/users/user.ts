/**
 * A user, as the auth file has it; and the names of users. Pure.
 * @module
 */
import type { Permission } from "./permission.ts";

/** Stands for everybody, also for clients that show no credentials. */
export const EVERYBODY = "*";

const NAME_LENGTH_MAX = 255;
/** What {@linkcode isUsername} holds of, for messages. */
export const USERNAME_RULE = `expected a username of at most ${NAME_LENGTH_MAX} characters, without colons`;

/** Whether a text can be the name of a user: HTTP Basic has a colon behind it (RFC 7617). */
export function isUsername(name: string): boolean {
  return name !== "" && name.length <= NAME_LENGTH_MAX && !/[\p{Cc}:]/u.test(name);
}

/** A user. */
export interface User {
  /** {@linkcode EVERYBODY}, or a name without colons. */
  readonly username: string;
  /** As it is, or hashed (see password.ts); undefined for a user that only has a token, and for {@linkcode EVERYBODY}. */
  readonly password: string | undefined;
  /** Identifies the user by itself. */
  readonly token: string | undefined;
  /** Permissions of the user, without duplicates. */
  readonly permissions: readonly Permission[];
}
