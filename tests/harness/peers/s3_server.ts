/**
 * A small S3 server for tests: objects and uploads in parts, in memory, by path (`/bucket/key`). It checks what a real one checks:
 * the signature of each request (docs.aws.amazon.com, "Signature Version 4"), worked out here from the request as it arrives, the
 * hash of its body, the sizes and ETags of parts. It can be told to break connections.
 * @module
 */
import { createHash, createHmac } from "node:crypto";

/** Smallest part that is not the last one. */
const PART_BYTES_MIN = 5 * 1024 * 1024;
/** Keys of one answer to a listing: few, so that tests see several pages. */
const LIST_MAX = 3;

/** An object stored under a key. */
export interface S3Object {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `x-amz-meta-…` headers. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** An upload in parts. */
interface S3Upload {
  readonly key: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly parts: Map<number, Uint8Array<ArrayBuffer>>;
}

/** The access keys that the server accepts. */
export const S3_KEYS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
/** Its only bucket and region. */
export const S3_BUCKET = "backups";
export const S3_REGION = "eu-test-1";

/** The head of a request. */
type S3Request = Pick<Request, "method" | "url" | "headers">;

/** A refusal. */
class S3Error extends Error {
  constructor(readonly status: number, readonly code: string) {
    super(code);
  }
}

/** The server. */
export class S3Server {
  readonly objects = new Map<string, S3Object>();
  readonly uploads = new Map<string, S3Upload>();
  /** `METHOD key?query` of each request that was carried out. */
  readonly requests: string[] = [];
  /** Asked when the head of a request comes: true breaks its connection. */
  breaks: (request: string) => boolean = () => false;
  /** Asked likewise: the bytes of the answer after which its connection breaks. */
  cuts: (request: string) => number | undefined = () => undefined;
  /** Asked before each request: resolves when it is to go on. */
  holds: (request: string) => Promise<void> | undefined = () => undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** The listener for clients. */
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  /** Lets go of what is held. */
  readonly #stopping = Promise.withResolvers<void>();
  #nextUpload = 1;

  private constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => this.#answer(request));
    this.#accept();
  }

  /** Starts one on a free port. */
  static start(): S3Server {
    return new S3Server();
  }

  /** URL without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Keys of all objects, in order. */
  get keys(): string[] {
    return [...this.objects.keys()].sort();
  }

  async stop(): Promise<void> {
    this.#stopping.resolve();
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    await this.#server.shutdown();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) this.#pass(connection);
  }

  /** Carries a connection through to the server behind, or breaks it. */
  async #pass(outer: Deno.TcpConn): Promise<void> {
    const inner = await Deno.connect({ hostname: "127.0.0.1", port: this.#server.addr.port });
    this.#open.add(outer).add(inner);
    const close = () => [outer, inner].filter((one) => this.#open.delete(one)).forEach((one) => one.close());
    let left = Infinity;
    const back = async () => {
      for await (const chunk of chunksOf(inner)) {
        await writeAll(outer, chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) return;
      }
    };
    const forth = async () => {
      for await (const chunk of chunksOf(outer)) {
        const [, method, target] = /^([A-Z]+) (\S+) HTTP/.exec(new TextDecoder().decode(chunk.subarray(0, 4096))) ?? [];
        const line = method === undefined ? "" : lineOf(method, `${this.url}${target}`);
        if (line !== "" && this.breaks(line)) return;
        if (line !== "") left = this.cuts(line) ?? Infinity;
        await writeAll(inner, chunk);
      }
    };
    await Promise.race([back(), forth()]).catch(() => {}); // one side has gone
    close();
  }

  async #answer(request: Request): Promise<Response> {
    try {
      const { pathname, searchParams } = new URL(request.url);
      const line = lineOf(request.method, request.url);
      await Promise.race([this.holds(line), this.#stopping.promise]);
      const body = new Uint8Array(await request.arrayBuffer());
      checkSignature(request, body);
      if (!pathname.startsWith(`/${S3_BUCKET}/`)) throw new S3Error(404, "NoSuchBucket");
      this.requests.push(line);
      return this.#do(request, { key: keyOf(pathname), query: searchParams, body });
    } catch (error) {
      if (!(error instanceof S3Error)) return new Response(null, { status: 400 }); // the client has gone
      const text = `<?xml version="1.0"?><Error><Code>${error.code}</Code><Message>x</Message></Error>`;
      return new Response(request.method === "HEAD" ? null : text, { status: error.status });
    }
  }

  #do(
    request: S3Request,
    { key, query, body }: { key: string; query: URLSearchParams; body: Uint8Array<ArrayBuffer> },
  ): Response {
    const upload = query.get("uploadId") ?? undefined;
    switch (
      `${request.method}${query.has("uploads") ? " uploads" : upload ? " upload" : key === "" ? " bucket" : ""}`
    ) {
      case "PUT":
        this.objects.set(key, { bytes: body, metadata: metadataOf(request) });
        return new Response(null, { headers: { etag: etagOf(body) } });
      case "GET":
        return new Response(this.#object(key).bytes);
      case "HEAD":
        return new Response(null, { headers: this.#object(key).metadata });
      case "DELETE":
        this.objects.delete(key);
        return new Response(null, { status: 204 });
      case "GET bucket":
        return this.#list(query);
      case "POST uploads":
        return this.#create(key, metadataOf(request));
      case "PUT upload":
        this.#upload(upload).parts.set(Number(query.get("partNumber")), body);
        return new Response(null, { headers: { etag: etagOf(body) } });
      case "POST upload":
        return this.#complete(upload ?? "", new TextDecoder().decode(body));
      case "DELETE upload":
        this.#upload(upload);
        this.uploads.delete(upload ?? "");
        return new Response(null, { status: 204 });
      default:
        throw new S3Error(501, "NotImplemented");
    }
  }

  #object(key: string): S3Object {
    const object = this.objects.get(key);
    if (!object) throw new S3Error(404, "NoSuchKey");
    return object;
  }

  #upload(id: string | undefined): S3Upload {
    const upload = this.uploads.get(id ?? "");
    if (!upload) throw new S3Error(404, "NoSuchUpload");
    return upload;
  }

  #create(key: string, metadata: Readonly<Record<string, string>>): Response {
    const id = `upload/${this.#nextUpload++}+=&`; // has to be encoded
    this.uploads.set(id, { key, metadata, parts: new Map() });
    return xml(`<InitiateMultipartUploadResult><UploadId>${escape(id)}</UploadId></InitiateMultipartUploadResult>`);
  }

  #complete(id: string, text: string): Response {
    const { key, metadata, parts } = this.#upload(id);
    const named = [...text.matchAll(/<Part><PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag><\/Part>/g)];
    if (named.length === 0) throw new S3Error(400, "MalformedXML");
    const pieces = named.map(([, number, etag], at) => {
      const bytes = parts.get(Number(number));
      if (!bytes || Number(number) !== at + 1 || etag !== etagOf(bytes)) throw new S3Error(400, "InvalidPart");
      if (at < named.length - 1 && bytes.length < PART_BYTES_MIN) throw new S3Error(400, "EntityTooSmall");
      return bytes;
    });
    const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.length), 0);
    this.objects.set(key, { bytes, metadata });
    this.uploads.delete(id);
    return xml(`<CompleteMultipartUploadResult><Key>${escape(key)}</Key></CompleteMultipartUploadResult>`);
  }

  #list(query: URLSearchParams): Response {
    if (query.get("list-type") !== "2") throw new S3Error(501, "NotImplemented");
    const after = query.get("continuation-token") ?? "";
    const keys = this.keys.filter((key) => key.startsWith(query.get("prefix") ?? "") && key > after);
    const page = keys.slice(0, LIST_MAX);
    const next = keys.length > page.length
      ? `<NextContinuationToken>${escape(page.at(-1) ?? "")}</NextContinuationToken>`
      : "";
    const contents = page.map((key) => `<Contents><Key>${escape(key)}</Key></Contents>`).join("");
    return xml(`<ListBucketResult><IsTruncated>${next !== ""}</IsTruncated>${next}${contents}</ListBucketResult>`);
  }
}

function keyOf(pathname: string): string {
  return decodeURIComponent(pathname.slice(S3_BUCKET.length + 2));
}

function lineOf(method: string, url: string): string {
  const { pathname, search } = new URL(url);
  return `${method} ${keyOf(pathname)}${search}`;
}

async function* chunksOf(connection: Deno.TcpConn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function metadataOf({ headers }: S3Request): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-amz-meta-")));
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function xml(text: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`, {
    headers: { "content-type": "application/xml" },
  });
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Works the signature out from the request. */
function checkSignature(request: S3Request, body: Uint8Array): void {
  const { headers, method } = request;
  const authorization = headers.get("authorization") ?? "";
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
      .exec(authorization);
  if (!found) throw new S3Error(403, "AccessDenied");
  const [, keyId, day, region, signedHeaders, signature] = found;
  if (keyId !== S3_KEYS.accessKeyId) throw new S3Error(403, "InvalidAccessKeyId");
  if (region !== S3_REGION) throw new S3Error(400, "AuthorizationHeaderMalformed");
  const names = signedHeaders.split(";");
  const toSign = [...headers.keys()].filter((name) => name === "host" || name.startsWith("x-amz-"));
  if (!toSign.every((name) => names.includes(name))) throw new S3Error(403, "AccessDenied");
  const date = headers.get("x-amz-date") ?? "";
  const atMs = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(Date.now() - atMs) < 15 * 60_000) || !date.startsWith(day)) {
    throw new S3Error(403, "RequestTimeTooSkewed");
  }
  const hash = headers.get("x-amz-content-sha256");
  if (hash !== sha256(body)) throw new S3Error(400, "XAmzContentSHA256Mismatch");
  const { pathname, search } = new URL(request.url);
  const query = search.slice(1).split("&").filter((pair) => pair !== "")
    .map((pair) => pair.includes("=") ? pair : `${pair}=`).sort().join("&");
  const canonical = [
    method,
    pathname,
    query,
    ...names.map((name) => `${name}:${(headers.get(name) ?? "").trim()}`),
    "",
    signedHeaders,
    hash,
  ].join("\n");
  const hmac = (key: Uint8Array | string, data: string) => createHmac("sha256", key).update(data).digest();
  const key = [region, "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${S3_KEYS.secretAccessKey}`, day));
  const text = ["AWS4-HMAC-SHA256", date, `${day}/${region}/s3/aws4_request`, sha256(canonical)].join("\n");
  if (hmac(key, text).toString("hex") !== signature) throw new S3Error(403, "SignatureDoesNotMatch");
}
