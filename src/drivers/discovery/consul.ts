/**
 * A key of Consul's KV store over its HTTP API (C7.4, Q16.2).
 *
 * Consul leaves a key's index as it is when a write changes neither value nor flags, so the leader's reports carry the
 * time as flags: other nodes see by the index that the leader lives, although its record stays the same.
 * @module
 */
import { decodeBase64, encodeBase64 } from "../../base/codec/base64.ts";
import type { ConsulOptions } from "./api.ts";
import { type Answer, nameOf, type Request, send } from "./http_client.ts";
import { excerpt, type KvStore, type Stored, StoreError } from "./kv_store.ts";

/** A key in Consul. */
export class ConsulKey implements KvStore {
  readonly name: string;
  readonly #options: ConsulOptions;
  readonly #path: string;

  constructor(options: ConsulOptions) {
    this.#options = options;
    this.#path = `/v1/kv/${options.key.split("/").map(encodeURIComponent).join("/")}`;
    this.name = `key ${options.key} of Consul at ${nameOf(options.server)}`;
  }

  async get(): Promise<Stored | undefined> {
    const answer = await this.#send("GET", {});
    if (answer.status === 404) return undefined;
    this.#check(answer);
    return decodeEntry(answer.text, this.name);
  }

  async create(text: string): Promise<boolean> {
    return await this.#put(text, { cas: "0", flags: now() });
  }

  async replace(text: string, revision: string): Promise<boolean> {
    return await this.#put(text, { cas: revision, flags: now() });
  }

  async put(text: string): Promise<void> {
    if (!(await this.#put(text, { flags: now() }))) throw new StoreError(`${this.name}: the write was refused`);
  }

  async #put(text: string, query: Readonly<Record<string, string>>): Promise<boolean> {
    const answer = await this.#send("PUT", query, text);
    this.#check(answer);
    const said = answer.text.trim();
    if (said !== "true" && said !== "false") {
      throw new StoreError(`${this.name}: expected true or false, got "${excerpt(answer.text)}"`);
    }
    return said === "true";
  }

  async #send(
    method: Request["method"],
    query: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Answer> {
    const { server, datacenter, namespace, partition, token, basicAuth } = this.#options;
    const params = new URLSearchParams(query);
    for (const [name, value] of [["dc", datacenter], ["ns", namespace], ["partition", partition]]) {
      if (value !== "") params.set(name, value);
    }
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token !== "") headers["X-Consul-Token"] = token;
    if (basicAuth) headers.Authorization = `Basic ${encodeBase64(`${basicAuth.username}:${basicAuth.password}`)}`;
    const search = params.size === 0 ? "" : `?${params}`;
    return await send(server, { method, path: `${this.#path}${search}`, headers, body });
  }

  #check({ status, text }: Answer): void {
    if (status === 200) return;
    const hint = status === 403 ? " (is the token right, with key:write on this key?)" : "";
    throw new StoreError(`${this.name}: ${status} ${excerpt(text)}${hint}`);
  }
}

/** Seconds since 1970, the flags of a report. */
function now(): string {
  return String(Math.floor(Date.now() / 1000));
}

function decodeEntry(text: string, name: string): Stored {
  try {
    const value: unknown = JSON.parse(text);
    const entry: unknown = Array.isArray(value) ? value[0] : undefined;
    if (typeof entry === "object" && entry !== null && "Value" in entry && "ModifyIndex" in entry) {
      const { Value: encoded, ModifyIndex: index } = entry;
      const content = encoded === null ? "" : typeof encoded === "string" ? decodeBase64(encoded) : undefined;
      if (content !== undefined && Number.isSafeInteger(index)) return { text: content, revision: String(index) };
    }
  } catch {
    // reported below
  }
  throw new StoreError(`${name}: expected a list with one entry, got "${excerpt(text)}"`);
}
