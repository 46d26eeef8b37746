/**
 * Consul's answers to requests on `/v1/kv/KEY`: reads, of which those with an index wait for a change, and
 * writes, which change a store. Without sessions, so nobody ever holds a lock.
 * @module
 */
import { ConsulError, parseIndex, parseUnsigned, parseWait } from "./consul_request.ts";
import type { KvEntry, KvReading, KvStore } from "./consul_store.ts";

const VALUE_BYTES_MAX = 512 * 1024;
const VALUE_SIZE_HELP = "https://www.consul.io/docs/agent/options.html#kv_max_value_size";

/** The answer to a request. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A request of somebody who may make it, with its parts taken apart. */
export interface KvCall {
  /** GET, PUT or DELETE. */
  readonly method: string;
  /** Percent-decoded. */
  readonly key: string;
  readonly query: URLSearchParams;
  /** Of the namespace that it names. */
  readonly store: KvStore;
  readonly body: Uint8Array;
  /** Resolves when nobody waits for the answer any more. */
  readonly gone: Promise<void>;
}

/**
 * Answers a request.
 * @throws {ConsulError} When Consul refuses it.
 */
export async function answerKv(call: KvCall): Promise<Answer> {
  if (call.method === "GET") return await answerGet(call);
  return json(call.query, String(call.method === "PUT" ? put(call) : remove(call)));
}

async function answerGet(call: KvCall): Promise<Answer> {
  const { key, query, store } = call;
  if (query.has("stale") && query.has("consistent")) {
    throw new ConsulError(400, "Cannot specify ?stale with ?consistent, conflicting semantics.");
  }
  const wantsKeys = query.has("keys");
  const wantsPrefix = wantsKeys || query.has("recurse");
  if (key === "" && !wantsPrefix) throw new ConsulError(400, "Missing key name");
  const { entries, index } = await readBlocking(call, () => wantsPrefix ? store.list(key) : store.get(key));
  const headers = {
    "X-Consul-Index": String(index),
    "X-Consul-KnownLeader": "true",
    "X-Consul-LastContact": "0",
    "X-Consul-Effective-Consistency": ["stale", "consistent"].find((mode) => query.has(mode)) ?? "leader",
  };
  if (entries.length === 0 && !(wantsKeys && key === "")) return { status: 404, headers, body: "" };
  if (wantsKeys) {
    const names = foldKeys(entries, key, query.get("separator") || query.get("seperator") || "");
    return json(query, listOf(names.map((name) => JSON.stringify(name)), query), headers);
  }
  if (!query.has("raw") || entries.length !== 1) {
    return json(query, listOf(entries.map((entry) => encodeEntry(entry, query)), query), headers);
  }
  const rawHeaders = {
    "Content-Type": "text/plain",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
  };
  return { status: 200, headers: { ...headers, ...rawHeaders }, body: entries[0].value };
}

/** Reads, and reads again after changes until the index is above the one asked for or the wait is over. */
async function readBlocking({ query, store, gone }: KvCall, read: () => KvReading): Promise<KvReading> {
  const after = parseIndex(query.get("index"));
  const waitMs = parseWait(query.get("wait"));
  if (after === 0n || BigInt(read().index) > after) return read();
  const ended = Promise.withResolvers<void>();
  const wake = () => {
    if (BigInt(read().index) > after) ended.resolve();
  };
  const timer = setTimeout(ended.resolve, waitMs + Math.random() * waitMs / 16);
  store.watch(wake);
  gone.then(ended.resolve);
  await ended.promise;
  clearTimeout(timer);
  store.unwatch(wake);
  return read();
}

function put({ key, query, store, body }: KvCall): boolean {
  if (key === "") throw new ConsulError(400, "Missing key name");
  refuseConflict(query, ["cas", "acquire", "release"]);
  if (body.length > VALUE_BYTES_MAX) {
    const sizes = `Request body(${body.length} bytes) too large, max size: ${VALUE_BYTES_MAX} bytes`;
    throw new ConsulError(413, `${sizes}. See ${VALUE_SIZE_HELP}.`);
  }
  const flags = parseUnsigned(query.get("flags") ?? "0");
  if (query.has("acquire")) throw new ConsulError(500, `invalid session ${JSON.stringify(query.get("acquire"))}`);
  if (query.has("release")) return false; // nobody holds a lock
  return store.put(key, body, { flags, cas: parseCas(query) });
}

function remove({ key, query, store }: KvCall): boolean {
  refuseConflict(query, ["recurse", "cas"]);
  if (query.has("recurse")) {
    store.deleteTree(key);
    return true;
  }
  if (key === "") throw new ConsulError(400, "Missing key name");
  return store.delete(key, parseCas(query));
}

function parseCas(query: URLSearchParams): bigint | undefined {
  const text = query.get("cas");
  return text === null ? undefined : parseUnsigned(text);
}

function refuseConflict(query: URLSearchParams, flags: readonly string[]): void {
  if (flags.filter((flag) => query.has(flag)).length < 2) return;
  const sorted = new URLSearchParams(query);
  sorted.sort();
  throw new ConsulError(400, `Conflicting flags: ${sorted}`);
}

/** Names cut after the next separator behind the prefix, each once. */
function foldKeys(entries: readonly KvEntry[], prefix: string, separator: string): string[] {
  if (separator === "") return entries.map(({ key }) => key);
  const folded = entries.map(({ key }) => {
    const at = key.indexOf(separator, prefix.length);
    return at === -1 ? key : key.slice(0, at + separator.length);
  });
  return [...new Set(folded)];
}

/** By hand, as flags may be above what a number of JavaScript holds. */
function encodeEntry({ key, value, flags, createIndex, modifyIndex }: KvEntry, query: URLSearchParams): string {
  const fields = [
    ["LockIndex", "0"],
    ["Key", JSON.stringify(key)],
    ["Flags", String(flags)],
    ["Value", value.length === 0 ? "null" : `"${value.toBase64()}"`],
    ["CreateIndex", String(createIndex)],
    ["ModifyIndex", String(modifyIndex)],
  ];
  if (!query.has("pretty")) return `{${fields.map(([name, text]) => `"${name}":${text}`).join()}}`;
  return `{\n${fields.map(([name, text]) => `        "${name}": ${text}`).join(",\n")}\n    }`;
}

function listOf(items: readonly string[], query: URLSearchParams): string {
  return query.has("pretty") && items.length > 0 ? `[\n    ${items.join(",\n    ")}\n]` : `[${items.join()}]`;
}

function json(query: URLSearchParams, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = query.has("pretty") ? `${text}\n` : text;
  return { status: 200, headers: { ...headers, "Content-Type": "application/json" }, body };
}
