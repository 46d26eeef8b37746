/**
 * Reads the auth file (`-auth`) at the start and on a reload. The Worker that answers clients gets its content and may
 * read no files.
 * @module
 */
import { basic, bearer } from "../../app/users/credentials.ts";
import { isPasswordHash } from "../../app/users/password.ts";
import type { User } from "../../app/users/user.ts";
import { load } from "../../root.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** The auth file cannot be used; the message says why, and repeats none of its secrets. */
export class UsersError extends Error {
  /** Always `UsersError`. */
  override readonly name = "UsersError";
}

/**
 * The users of an auth file; undefined where `path` is empty.
 * @throws {UsersError} When it cannot be read, or is not as it should be.
 */
export async function readUsers(path: string): Promise<readonly User[] | undefined> {
  if (path === "") return undefined;
  // Only where it is asked for: what tells the place of a fault takes memory.
  const { AuthFileError, parseAuthFile } = await load<typeof import("../../app/users/auth_file.ts")>(
    "src/app/users/auth_file",
  );
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UsersError(`failed to get credential store: ${messageOf(error)}`);
  }
  try {
    return parseAuthFile(text);
  } catch (error) {
    if (!(error instanceof AuthFileError)) throw error;
    throw new UsersError(`failed to get credential store: ${path}: ${error.message}`);
  }
}

/**
 * The credentials to join a cluster with, as an Authorization header has them; empty where there is no such user.
 * @throws {UsersError} When the file has no more than a hash to show.
 */
export function joinAuthorizationOf(joinAs: string, users: readonly User[] = []): string {
  const user = users.find(({ username }) => username === joinAs);
  if (user?.token !== undefined) return bearer(user.token);
  if (user?.password === undefined) return "";
  if (!isPasswordHash(user.password)) return basic(user.username, user.password);
  throw new UsersError(
    `-join-as ${joinAs}: a node cannot show a password of which it has only a hash: give the user a token in the auth file`,
  );
}
