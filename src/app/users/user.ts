/**
 * A user, as the auth file has it. Types, and the name of everybody.
 * @module
 */
import type { Permission } from "./permission.ts";

/** Stands for everybody, also for clients that show no credentials. */
export const EVERYBODY = "*";

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
