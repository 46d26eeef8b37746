/**
 * What a button does, as commands for a terminal. Pure, but for where the page is and who has signed in.
 * @module
 */
import { addressOf, credentials } from "../api.ts";
import { datacenter } from "./datacenter.ts";

/** A word for a shell. */
export function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A request by curl. Secrets are not shown: a token is read from the environment, a password is asked for. */
export function curlOf(method: string, path: string, { body, file }: { body?: string; file?: string } = {}): string {
  const { value } = credentials;
  return [
    "curl",
    ...(method === "GET" ? [] : ["-X", method]),
    ...("X-Consul-Token" in value ? ['-H "X-Consul-Token: $CONSUL_HTTP_TOKEN"'] : []),
    ...("Authorization" in value ? ["-u USER"] : []),
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json' -d", quotedWord(body)]),
    ...(file === undefined
      ? []
      : ["-H 'Content-Type: application/octet-stream'", "--data-binary", `@${quotedWord(file)}`]),
    quotedWord(addressOf(path)),
  ].join(" ");
}

/** A command of muster at this node. */
export function musterOf(...words: readonly string[]): string {
  const isElsewhere = datacenter.value !== "" && words[0] === "kv";
  const place = isElsewhere ? [`-datacenter=${quotedWord(datacenter.value)}`] : [];
  return ["muster", ...words.map(quotedWord), ...place, `-http-addr=${quotedWord(addressOf("").replace(/\/$/, ""))}`]
    .join(" ");
}
