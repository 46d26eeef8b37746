/**
 * Parses the credentials of a request: HTTP Basic (RFC 7617) or a token (RFC 6750). Pure.
 * @module
 */
import { decodeBase64, encodeBase64 } from "../../base/codec/base64.ts";

/** What credentials are, not verified yet. */
export type PasswordOrToken =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string };

/** Reads the value of an Authorization header; undefined where it says nothing that can be used. */
export function parseCredentials(authorization: string): PasswordOrToken | undefined {
  const match = /^(\w+) +(\S+)$/.exec(authorization);
  if (!match) return undefined;
  const scheme = match[1].toLowerCase();
  if (scheme === "bearer") return { kind: "token", token: match[2] };
  const text = scheme === "basic" ? decodeBase64(match[2]) : undefined;
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon < 0) return undefined;
  return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The header for a token. */
export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** The header for a password. */
export function basic(username: string, password: string): string {
  return `Basic ${encodeBase64(`${username}:${password}`)}`;
}
