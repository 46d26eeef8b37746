/**
 * A key of etcd v3, over the JSON gateway of its client port (Q16.3). The endpoints are asked in turn: one
 * that does not answer is left for the next. A write that may have been received is never sent again: it fails, and the
 * next call goes to the next endpoint.
 * @module
 */
import { decodeBase64, encodeBase64 } from "../../base/codec/base64.ts";
import type { EtcdOptions, HttpServer } from "./api.ts";
import { nameOf, send, UnreachableError } from "./http_client.ts";
import { excerpt, type KvStore, type Stored, StoreError } from "./kv_store.ts";

/** gRPC's code for a token that is missing, wrong or has run out. */
const UNAUTHENTICATED = 16;

type Fields = Readonly<Record<string, unknown>>;

interface CallOptions {
  /** Whether sending it twice does no harm. */
  readonly repeatable: boolean;
}

/** A key in etcd. */
export class EtcdKey implements KvStore {
  readonly name: string;
  readonly #options: EtcdOptions;
  readonly #key: string;
  /** Endpoint that answered last. */
  #at = 0;
  #token: string;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#key = encodeBase64(options.key);
    this.#token = options.token;
    this.name = `key ${options.key} of etcd at ${options.endpoints.map(nameOf).join(", ")}`;
  }

  async get(): Promise<Stored | undefined> {
    const { kvs } = await this.#call("/v3/kv/range", { key: this.#key }, { repeatable: true });
    if (kvs === undefined) return undefined;
    const entry: unknown = Array.isArray(kvs) ? kvs[0] : undefined;
    if (typeof entry === "object" && entry !== null && "mod_revision" in entry) {
      const value = "value" in entry ? entry.value : ""; // the gateway leaves out what is empty
      const text = typeof value === "string" ? decodeBase64(value) : undefined;
      const revision = entry.mod_revision;
      if (text !== undefined && typeof revision === "string") return { text, revision };
    }
    throw new StoreError(`${this.name}: expected an entry with value and mod_revision`);
  }

  async create(text: string): Promise<boolean> {
    return await this.#putIf(text, { target: "VERSION", result: "EQUAL", version: "0" });
  }

  async replace(text: string, revision: string): Promise<boolean> {
    return await this.#putIf(text, { target: "MOD", result: "EQUAL", mod_revision: revision });
  }

  async put(text: string): Promise<void> {
    await this.#call("/v3/kv/put", { key: this.#key, value: encodeBase64(text) }, { repeatable: true });
  }

  async #putIf(text: string, condition: Fields): Promise<boolean> {
    const { succeeded } = await this.#call("/v3/kv/txn", {
      compare: [{ key: this.#key, ...condition }],
      success: [{ request_put: { key: this.#key, value: encodeBase64(text) } }],
    }, { repeatable: false });
    return succeeded === true;
  }

  /** Calls one endpoint after the other until one answers. */
  async #call(path: string, body: Fields, { repeatable }: CallOptions): Promise<Fields> {
    const { endpoints } = this.#options;
    const failures: string[] = [];
    for (let tried = 0; tried < endpoints.length; tried++) {
      try {
        return await this.#authenticated(endpoints[this.#at], path, body);
      } catch (error) {
        const mayFail = error instanceof UnreachableError || error instanceof UnavailableError;
        if (!mayFail) throw error;
        this.#at = (this.#at + 1) % endpoints.length;
        failures.push(error.message);
        if (error.sent && !repeatable) break;
      }
    }
    throw new UnreachableError(`key ${this.#options.key} of etcd: ${failures.join("; ")}`, true);
  }

  /** A token that is missing or has run out is asked for once. */
  async #authenticated(server: HttpServer, path: string, body: Fields): Promise<Fields> {
    const { auth } = this.#options;
    if (auth && this.#token === "") await this.#authenticate(server);
    try {
      return await this.#ask(server, path, body);
    } catch (error) {
      if (!(auth && error instanceof RefusedError && error.code === UNAUTHENTICATED)) throw error;
      await this.#authenticate(server);
      return await this.#ask(server, path, body);
    }
  }

  async #authenticate(server: HttpServer): Promise<void> {
    const { username: name, password } = this.#options.auth ?? { username: "", password: "" };
    this.#token = "";
    const { token } = await this.#ask(server, "/v3/auth/authenticate", { name, password });
    if (typeof token !== "string") throw new StoreError(`${nameOf(server)}: expected a token`);
    this.#token = token;
  }

  async #ask(server: HttpServer, path: string, body: Fields): Promise<Fields> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (this.#token !== "") headers.Authorization = this.#token;
    const { status, text } = await send(server, { method: "POST", path, headers, body: JSON.stringify(body) });
    const answer = decodeObject(text);
    if (status === 200 && answer?.header) return answer;
    if (status === 200) throw new StoreError(`${nameOf(server)}: expected an answer of etcd, got "${excerpt(text)}"`);
    const why = `${status} ${typeof answer?.error === "string" ? excerpt(answer.error) : excerpt(text)}`;
    if (status >= 500) throw new UnavailableError(`${nameOf(server)}: ${why}`);
    throw new RefusedError(`${this.name}: ${why}`, answer?.code);
  }
}

/** This endpoint cannot answer now: it has no leader, for example. */
class UnavailableError extends Error {
  override readonly name = "UnavailableError";
  readonly sent = true;
}

/** The request was understood and refused. */
class RefusedError extends StoreError {
  readonly code: unknown;

  constructor(message: string, code: unknown) {
    super(message);
    this.code = code;
  }
}

function decodeObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined; // the caller shows an excerpt
  }
}
