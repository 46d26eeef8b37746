/**
 * A server of Consul's KV HTTP API (`/v1/kv/…`), for tests: there is no package of Consul for Debian. It answers as a
 * Consul agent of datacenter dc1 that is in touch with its leader, for everything but sessions, of which it has none.
 * Keys are kept apart by namespace and partition, as the paid edition does. `stop` cuts all connections; the data
 * outlives it, for `restart`.
 *
 * If a token is set, it may do everything, and requests without it nothing. Basic authentication stands for a proxy in
 * front of Consul.
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { gzipSync } from "node:zlib";
import { freePort } from "../processes.ts";
import type { Certificates } from "./certificates.ts";
import { type Answer, answerKv } from "./consul_endpoint.ts";
import { ConsulError, decodeKey, parseTarget } from "./consul_request.ts";
import { KvStore } from "./consul_store.ts";

const HOST = "127.0.0.1";
const DATACENTER = "dc1";
const KV_PATH = "/v1/kv/";
const METHODS = "OPTIONS,GET,PUT,DELETE";
const REQUESTS_KEPT_MAX = 1_000;
const GZIP_BYTES_MIN = 1_400;

/** How a server guards itself. */
export interface ConsulKvOptions {
  /** The one token that is let through. */
  readonly token?: string;
  /** The one user that is let through. */
  readonly basicAuth?: { readonly username: string; readonly password: string };
  /** Serves https with these. */
  readonly certificates?: Certificates;
  /** Whether clients must show a certificate of the same CA; needs `certificates`. @default {false} */
  readonly clientAuth?: boolean;
}

/** A request that was seen. */
export interface SeenRequest {
  readonly method: string;
  /** Path with query, as it came. */
  readonly target: string;
  readonly headers: Headers;
}

interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** A running server. */
export class ConsulKvServer {
  /** Requests seen, the last thousand. */
  readonly requests: SeenRequest[] = [];
  readonly #port = freePort();
  readonly #options: ConsulKvOptions;
  readonly #tls: TlsFiles | undefined;
  readonly #stores = new Map<string, KvStore>();
  #server: Server | undefined;
  #index = 1;
  #failure = { left: 0, status: 0, text: "" };

  private constructor(options: ConsulKvOptions, tls: TlsFiles | undefined) {
    this.#options = options;
    this.#tls = tls;
  }

  /** Starts one without keys on a free loopback port. */
  static async start(options: ConsulKvOptions = {}): Promise<ConsulKvServer> {
    const { certificates } = options;
    const server = new ConsulKvServer(
      options,
      certificates && {
        key: await Deno.readTextFile(certificates.serverKey),
        cert: await Deno.readTextFile(certificates.serverCert),
        ca: await Deno.readTextFile(certificates.ca),
      },
    );
    await server.restart();
    return server;
  }

  /** `127.0.0.1:PORT`. */
  get address(): string {
    return `${HOST}:${this.#port}`;
  }

  /** The same with its scheme. */
  get url(): string {
    return `${this.#tls ? "https" : "http"}://${this.address}`;
  }

  /** Stops serving and cuts all connections; the keys are kept. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  /** Serves again on the same port with the same keys, after a stop if it serves. */
  async restart(): Promise<void> {
    await this.stop();
    const handle = (request: IncomingMessage, response: ServerResponse) => void this.#handle(request, response);
    const clientAuth = this.#options.clientAuth ?? false;
    const server = this.#tls
      ? createHttpsServer({ ...this.#tls, requestCert: clientAuth, rejectUnauthorized: clientAuth }, handle)
      : createHttpServer(handle);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, HOST, resolve);
    });
    this.#server = server;
  }

  /** Value of a key in the default namespace; undefined for none. */
  get(key: string): string | undefined {
    const [entry] = this.#store("default", "default").get(key).entries;
    return entry && new TextDecoder().decode(entry.value);
  }

  /** Sets a key in the default namespace. */
  put(key: string, value: string): void {
    this.#store("default", "default").put(key, new TextEncoder().encode(value));
  }

  /** Removes a key in the default namespace, if it is there. */
  delete(key: string): void {
    this.#store("default", "default").delete(key);
  }

  /** Answers the next `count` requests with this, whatever they ask. */
  failNext(count: number, status: number, text: string): void {
    this.#failure = { left: count, status, text };
  }

  #store(namespace: string, partition: string): KvStore {
    const name = `${partition}/${namespace}`;
    const store = this.#stores.get(name) ?? new KvStore(() => ++this.#index);
    this.#stores.set(name, store);
    return store;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await readBody(request);
      send(request, response, await this.#answer(request, response, body));
    } catch (error) {
      const { status, headers, message } = error instanceof ConsulError ? error : new ConsulError(500, String(error));
      send(request, response, {
        status,
        headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
        body: message,
      });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, body: Uint8Array): Promise<Answer> {
    const { method = "GET", url: target = "/" } = request;
    const headers = headersOf(request);
    this.requests.push({ method, target, headers });
    if (this.requests.length > REQUESTS_KEPT_MAX) this.requests.shift();
    if (this.#failure.left > 0) {
      this.#failure.left--;
      throw new ConsulError(this.#failure.status, this.#failure.text);
    }
    this.#checkBasicAuth(headers);
    const { path, query } = parseTarget(target);
    if (!path.startsWith(KV_PATH)) throw new ConsulError(404, "");
    if (method === "OPTIONS") return { status: 200, headers: { Allow: METHODS }, body: "" };
    if (!METHODS.split(",").includes(method)) {
      throw new ConsulError(405, `method ${method} not allowed`, { Allow: METHODS });
    }
    const key = decodeKey(path.slice(KV_PATH.length));
    this.#checkToken(headers, query, `'key:${method === "GET" ? "read" : "write"}' on "${key}"`);
    if (![null, "", DATACENTER].includes(query.get("dc"))) throw new ConsulError(500, "No path to datacenter");
    const namespace = query.get("ns") || headers.get("X-Consul-Namespace") || "default";
    const partition = query.get("partition") || headers.get("X-Consul-Partition") || "default";
    const gone = new Promise<void>((resolve) => response.once("close", resolve));
    return await answerKv({ method, key, query, store: this.#store(namespace, partition), body, gone });
  }

  #checkBasicAuth(headers: Headers): void {
    const { basicAuth } = this.#options;
    if (basicAuth === undefined) return;
    const wanted = new TextEncoder().encode(`${basicAuth.username}:${basicAuth.password}`).toBase64();
    if (headers.get("Authorization") === `Basic ${wanted}`) return;
    throw new ConsulError(401, "Unauthorized", { "WWW-Authenticate": 'Basic realm="consul"' });
  }

  #checkToken(headers: Headers, query: URLSearchParams, permission: string): void {
    const { token } = this.#options;
    const bearer = headers.get("Authorization")?.match(/^Bearer +(.+)$/)?.[1];
    const given = query.get("token") || headers.get("X-Consul-Token") || bearer;
    if (token === undefined || given === token) return;
    const anonymous = "00000000-0000-0000-0000-000000000002";
    throw new ConsulError(
      403,
      `Permission denied: token with AccessorID '${anonymous}' lacks permission ${permission}`,
    );
  }
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    headers.append(request.rawHeaders[at], request.rawHeaders[at + 1]);
  }
  return headers;
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.destroyed) return; // the client went away or the server was stopped
  let bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  response.statusCode = status;
  response.setHeader("Vary", "Accept-Encoding");
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  if (bytes.length >= GZIP_BYTES_MIN && String(request.headers["accept-encoding"]).includes("gzip")) {
    bytes = gzipSync(bytes);
    response.setHeader("Content-Encoding", "gzip");
  }
  response.setHeader("Content-Length", bytes.length);
  response.end(bytes);
}
