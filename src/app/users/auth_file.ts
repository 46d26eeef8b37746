/**
 * The auth file (Q17.1): a JSON list of users. Everything in it is checked, and what is wrong is told by its place, never by
 * its content: a message goes to the log. Unlike in rqlite, an entry inherits nothing from the one before it. Pure.
 * @module
 */
import { readJson } from "../../base/codec/json_text.ts";
import { passwordFault, SECRET_LENGTH_MAX } from "./password.ts";
import { type Permission, PERMISSIONS, permissionsOf } from "./permission.ts";
import { EVERYBODY, isUsername, type User, USERNAME_RULE } from "./user.ts";

/** Shorter tokens can be guessed. */
const TOKEN_LENGTH_MIN = 16;
const FIELDS = ["username", "password", "perms", "token"];

/** An auth file that cannot be used; the message says where and why. */
export class AuthFileError extends Error {
  /** Always `AuthFileError`. */
  override readonly name = "AuthFileError";
}

/**
 * Reads the text of an auth file.
 * @throws {AuthFileError} When it is no list of users; it repeats nothing of the text but the names of users.
 */
export function parseAuthFile(text: string): readonly User[] {
  const { value, fault } = readJson(text);
  if (fault) throw new AuthFileError(`${fault.code} at ${fault.place}`);
  if (!Array.isArray(value)) throw new AuthFileError("expected a list of users");
  const users = value.map((entry, at) => userOf(entry, `entry ${at + 1}`));
  checkUnique(users.map(({ username }) => username), (at) => `the username of entry ${at + 1} is taken`);
  checkUnique(users.map(({ token }) => token), (at) => `the token of entry ${at + 1} is taken`);
  return users;
}

function checkUnique(values: readonly (string | undefined)[], fault: (at: number) => string): void {
  values.forEach((value, at) => {
    if (value !== undefined && values.indexOf(value) < at) throw new AuthFileError(fault(at));
  });
}

function userOf(entry: unknown, place: string): User {
  const fail = (why: string): never => {
    throw new AuthFileError(`${place}: ${why}`);
  };
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return fail("expected an object");
  const fields: Readonly<Record<string, unknown>> = { ...entry };
  if (Object.keys(fields).some((name) => !FIELDS.includes(name))) fail(`expected no fields but ${FIELDS.join(", ")}`);
  const { username } = fields;
  if (typeof username !== "string" || username === "") return fail("expected a username");
  if (!isUsername(username)) return fail(USERNAME_RULE);
  const named = `${place} (${username})`;
  const password = passwordOf(fields.password, named);
  const token = tokenOf(fields.token, named);
  const isNobody = password === undefined && token === undefined;
  if (username === EVERYBODY && !isNobody) throw new AuthFileError(`${named}: takes no password and no token`);
  if (username !== EVERYBODY && isNobody) throw new AuthFileError(`${named}: expected a password or a token`);
  return { username, password, token, permissions: permissionsIn(fields.perms, named) };
}

function passwordOf(value: unknown, place: string): string | undefined {
  if (value === undefined) return undefined;
  const fault = passwordFault(value);
  if (fault !== undefined) throw new AuthFileError(`${place}: ${fault}`);
  return String(value);
}

function tokenOf(value: unknown, place: string): string | undefined {
  if (value === undefined) return undefined;
  if (
    typeof value !== "string" || value.length < TOKEN_LENGTH_MIN || value.length > SECRET_LENGTH_MAX ||
    !/^[\x21-\x7e]+$/.test(value)
  ) {
    const length = `${TOKEN_LENGTH_MIN} to ${SECRET_LENGTH_MAX}`;
    throw new AuthFileError(`${place}: expected a token of ${length} visible ASCII characters`);
  }
  return value;
}

function permissionsIn(value: unknown, place: string): readonly Permission[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new AuthFileError(`${place}: expected perms to be a list`);
  const all = value.flatMap((word, at) => {
    const found = typeof word === "string" ? permissionsOf(word) : undefined;
    if (found) return found;
    const known = ["all", ...Object.keys(PERMISSIONS)].join(", ");
    throw new AuthFileError(`${place}: element ${at + 1} of perms is no permission: known are ${known}`);
  });
  return [...new Set(all)];
}
