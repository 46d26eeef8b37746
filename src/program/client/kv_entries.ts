/**
 * The key-value store as the commands see it: the path of a key, the entries that an agent answers, what stands in a DATA
 * argument (C3.6, C7.4).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { parseExact } from "../../base/codec/raw_json.ts";
import { type AgentApi, answerIn, type Asking, text, wholeList } from "./agent_api.ts";
import type { FlagSpec } from "../config/flags.ts";
import { UsageError } from "../config/flags.ts";

const UINT64_MAX = 2n ** 64n - 1n;

/** A key with what belongs to it. */
export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
  /** Unsigned, of 64 bits. */
  readonly flags: bigint;
  readonly createIndex: number;
  readonly modifyIndex: number;
  readonly lockIndex: number;
  /** Session that holds the lock; empty: none. */
  readonly session: string;
  /** When it is deleted, in RFC 3339; empty: it has no time to live. */
  readonly expireTime: string;
}

/** Entries, and the index of the answer. */
export interface KvAnswer {
  readonly entries: readonly KvEntry[];
  readonly index: string;
}

/** Path of a key. Consul's server cleans paths: what it would change is written as one part. */
export function kvPath(key: string): string {
  const parts = key.split("/");
  const isClean = parts.slice(0, -1).every((part) => !["", ".", ".."].includes(part)) && !/(^|\/)\.\.?$/.test(key);
  return `/v1/kv/${parts.map(encodeURIComponent).join(isClean ? "/" : "%2F")}`;
}

/** The key without a `/` in front, which no key has, but which people write. */
export function withoutSlash(key: string): string {
  return key.startsWith("/") ? key.slice(1) : key;
}

/** Reads entries; a key that is not there is an empty list. */
export async function readEntries(api: AgentApi, target: string, asking: Asking = {}): Promise<KvAnswer> {
  const { index, text: answer } = await api.askState(target, asking);
  if (answer === undefined) return { entries: [], index };
  return { entries: answerIn(answer, (text) => wholeList(parseExact(text)).map(entryOf)), index };
}

function entryOf(shown: unknown): KvEntry {
  return {
    key: text(shown, "Key"),
    value: Uint8Array.fromBase64(text(shown, "Value")),
    flags: BigInt(text(shown, "Flags") || "0"),
    createIndex: Number(text(shown, "CreateIndex")),
    modifyIndex: Number(text(shown, "ModifyIndex")),
    lockIndex: Number(text(shown, "LockIndex")),
    session: text(shown, "Session"),
    expireTime: text(shown, "ExpireTime"),
  };
}

/** Writes or deletes; whether the conditions of the operation held. */
export async function change(
  api: AgentApi,
  method: "PUT" | "DELETE",
  target: string,
  asking: Asking = {},
): Promise<boolean> {
  const answer = await api.askText(method, target, asking);
  return answer.text.includes("true");
}

/** A flag with an unsigned number of 64 bits. */
export function wholeFlag(name: string, help: string): FlagSpec {
  return { name, kind: "string", value: "0", help, supported: true };
}

/** Its value. @throws {UsageError} When it is none. */
export function wholeOf(value: string, name: string): bigint {
  if (/^\d{1,20}$/.test(value) && BigInt(value) <= UINT64_MAX) return BigInt(value);
  throw new UsageError(`invalid value "${value}" for flag -${name}: parse error`);
}

/**
 * Bytes of a DATA argument: `@FILE` is what the file holds, `-` what comes on standard input.
 * @throws {Error} When that cannot be read.
 */
export async function dataOf(argument: string): Promise<Uint8Array<ArrayBuffer>> {
  if (argument.startsWith("@")) {
    try {
      return await Deno.readFile(argument.slice(1));
    } catch (error) {
      throw new Error(`Failed to read file: ${messageOf(error)}`);
    }
  }
  return argument === "-" ? await new Response(Deno.stdin.readable).bytes() : new TextEncoder().encode(argument);
}
