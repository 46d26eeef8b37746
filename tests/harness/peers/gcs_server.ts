/**
 * A small server of Google Cloud Storage's JSON API for tests: objects and resumable uploads in memory, and the token service,
 * which checks the signature of the claim that a service account sends (RFC 7523).
 * @module
 */
import { generateKeyPairSync, type KeyObject, verify } from "node:crypto";

/** Names of one answer to a listing: few, so that tests see several pages. */
const LIST_MAX = 2;
/** Parts but the last one have a multiple of this size. */
const PART_UNIT = 256 * 1024;

/** A stored object. */
interface GcsObject {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** An upload under way. */
interface GcsUpload {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The server. */
export class GcsServer {
  readonly objects = new Map<string, GcsObject>();
  readonly uploads = new Map<string, GcsUpload>();
  /** Tokens that were given out. */
  readonly tokens: string[] = [];
  /** Asked before each part: true answers 503. */
  fails: (range: string) => boolean = () => false;
  readonly privateKey: string;
  readonly #publicKey: KeyObject;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.#publicKey = publicKey;
    this.privateKey = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => this.#answer(request));
  }

  /** URL without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** A service account's file. */
  get account(): string {
    const { privateKey: private_key, url } = this;
    return JSON.stringify({ client_email: "m@test", private_key_id: "k1", private_key, token_uri: `${url}/token` });
  }

  async stop(): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    if (pathname === "/token") return this.#sign(new TextDecoder().decode(body));
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "");
    if (!this.tokens.includes(token ?? "")) return refusal(401, "authError");
    if (pathname === "/session") return this.#part(request, { id: searchParams.get("id") ?? "", body });
    if (pathname === "/upload/storage/v1/b/bucket/o") return this.#begin(searchParams, body);
    if (pathname === "/storage/v1/b/bucket/o") return this.#list(searchParams);
    const name = /^\/storage\/v1\/b\/bucket\/o\/([^/]+)$/.exec(pathname)?.[1];
    const object = this.objects.get(decodeURIComponent(name ?? ""));
    if (name === undefined || !object) return refusal(404, "notFound");
    if (request.method === "DELETE") this.objects.delete(decodeURIComponent(name));
    if (request.method === "DELETE") return new Response(null, { status: 204 });
    return searchParams.get("alt") === "media"
      ? new Response(object.bytes)
      : Response.json({ metadata: object.metadata });
  }

  #sign(form: string): Response {
    const query = new URLSearchParams(form);
    const [header, claim, signature] = (query.get("assertion") ?? "").split(".");
    const isSigned = verify(
      "sha256",
      new TextEncoder().encode(`${header}.${claim}`),
      this.#publicKey,
      fromUrl(signature),
    );
    const { alg, kid } = JSON.parse(new TextDecoder().decode(fromUrl(header)));
    const { iss, scope, aud, iat, exp } = JSON.parse(new TextDecoder().decode(fromUrl(claim)));
    const isRight = isSigned && alg === "RS256" && kid === "k1" && iss === "m@test" && aud === `${this.url}/token` &&
      scope === "https://www.googleapis.com/auth/devstorage.read_write" && exp - iat === 3600 &&
      Math.abs(iat - Date.now() / 1000) < 60 &&
      query.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer";
    if (!isRight) return Response.json({ error: "invalid_grant" }, { status: 400 });
    this.tokens.push(crypto.randomUUID());
    return Response.json({ access_token: this.tokens.at(-1), expires_in: 3600, token_type: "Bearer" });
  }

  #begin(query: URLSearchParams, body: Uint8Array): Response {
    const { name, metadata } = JSON.parse(new TextDecoder().decode(body));
    if (query.get("uploadType") !== "resumable" || query.get("name") !== name) return refusal(400, "invalid");
    const id = crypto.randomUUID();
    this.uploads.set(id, { name, metadata, bytes: new Uint8Array(0) });
    return new Response(null, { headers: { location: `${this.url}/session?id=${id}` } });
  }

  #part(request: Request, { id, body }: { id: string; body: Uint8Array<ArrayBuffer> }): Response {
    const upload = this.uploads.get(id);
    if (!upload) return refusal(404, "notFound");
    if (request.method === "DELETE") this.uploads.delete(id);
    if (request.method === "DELETE") return new Response(null, { status: 499 });
    const range = request.headers.get("content-range") ?? "";
    if (this.fails(range)) return refusal(503, "backendError");
    const [, from, to, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(range) ?? [];
    const at = from === undefined ? Number(total) : Number(from);
    const isInOrder = at === upload.bytes.length && (from === undefined || Number(to) === at + body.length - 1);
    if (!isInOrder || total === "*" && body.length % PART_UNIT !== 0) return refusal(400, "invalid");
    upload.bytes = joined(upload.bytes, body);
    const end = upload.bytes.length;
    if (total === "*") return new Response(null, { status: 308, headers: { range: `bytes=0-${end - 1}` } });
    if (Number(total) !== end) return refusal(400, "invalid");
    this.uploads.delete(id);
    this.objects.set(upload.name, upload);
    return Response.json({ name: upload.name });
  }

  #list(query: URLSearchParams): Response {
    const after = query.get("pageToken") ?? "";
    const names = [...this.objects.keys()].sort().filter((name) => name.startsWith(query.get("prefix") ?? ""));
    const rest = names.filter((name) => name > after);
    const page = rest.slice(0, LIST_MAX);
    const next = rest.length > page.length ? { nextPageToken: page.at(-1) } : {};
    return Response.json({ ...(page.length > 0 ? { items: page.map((name) => ({ name })) } : {}), ...next });
  }
}

function refusal(status: number, reason: string): Response {
  return Response.json({ error: { code: status, errors: [{ reason }], message: "x" } }, { status });
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function fromUrl(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}
