/**
 * HTTP/1.1 messages as bytes (RFC 9112), strict where a lenient reader lets requests be smuggled: line ends are CRLF,
 * a request has one length, an unknown transfer coding is refused, control characters are nowhere. Pure.
 *
 * Why not the runtime's server: `Deno.serve` takes a connection that never sends its headers for ever (tried for 40 s),
 * counts no connections and builds five objects a request; `node:http` has the limits at half the throughput. This
 * reads what muster needs, with every limit answered by a status and a text, at the cost of one string per head.
 * @module
 */
import { HttpError } from "./problem.ts";

/** Bytes of a request line and its headers together. */
export const HEAD_BYTES_MAX = 64 * 1024;
/** Header fields of a request. */
export const HEADERS_MAX = 100;
/** Bytes of empty lines before a request line. */
export const EMPTY_LINE_BYTES_MAX = 16;

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query string, as sent; the path of an absolute form. */
  readonly target: string;
  /** Names in lower case; fields that may repeat are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body, or that it comes in chunks. */
  readonly body: number | "chunked";
  /** Whether the connection stays open after the answer. */
  readonly keepAlive: boolean;
  /** The client speaks HTTP/1.0: it knows no chunks, and takes a connection for closed unless it is told otherwise. */
  readonly isHttp10: boolean;
  /** The client waits for a word before it sends the body. */
  readonly expectsContinue: boolean;
}

// deno-lint-ignore no-control-regex -- a target may hold any byte but spaces and control characters
const REQUEST_LINE = /^([A-Z]{1,20}) ([^\x00-\x20\x7f]+) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
/**
 * Fields that have one value: two that differ could be read two ways. Any other that repeats is a list (RFC 9110 §5.3), as
 * proxies make one of their own fields.
 */
const SINGLE_FIELDS = [
  "host",
  "content-length",
  "transfer-encoding",
  "content-type",
  "authorization",
  "expect",
];
const CR = 13;
const LF = 10;

/**
 * Bytes of the empty lines that `bytes` begins with. Old clients send one behind the body of a POST; a server skips it
 * before a request line (RFC 9112 §2.2). A lone LF ends such a line, too: there is nothing in it to be read two ways.
 */
export function emptyLineBytes(bytes: Uint8Array): number {
  for (let at = 0;;) {
    if (bytes[at] === LF) at++;
    else if (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
    else return at;
  }
}

/**
 * Parses a head, without the empty line that ended it; one character per byte.
 * @throws {HttpError} With the status that fits.
 */
export function parseHead(text: string): RequestHead {
  const [line, ...fields] = text.split("\r\n");
  const match = REQUEST_LINE.exec(line);
  if (!match || CONTROL.test(line)) {
    if (/ HTTP\/[02-9]/.test(line)) throw new HttpError(505, "HTTP/1.1 is spoken here");
    throw new HttpError(400, "the request line is malformed: expected METHOD TARGET HTTP/1.1");
  }
  const [, method, target, minor] = match;
  if (fields.length > HEADERS_MAX) throw new HttpError(431, `the request has more than ${HEADERS_MAX} headers`);
  const headers = parseFields(fields);
  if (minor === "1" && !headers.has("host")) throw new HttpError(400, "the request has no Host header");
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return {
    method,
    target: escapeBytes(originForm(target)),
    headers,
    body: bodyLength(headers),
    keepAlive: minor === "1" ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection),
    isHttp10: minor === "0",
    expectsContinue: minor === "1" && (headers.get("expect") ?? "").toLowerCase() === "100-continue",
  };
}

/** Heads by their text: clients of one kind send the same ones. */
const headCache = new Map<string, RequestHead>();
const HEAD_CACHE_MAX = 512;
/** Longer ones are not kept. */
const CACHED_HEAD_LENGTH_MAX = 2048;

/** The same as {@linkcode parseHead}; a text that came before is not parsed again. */
export function cachedHead(text: string): RequestHead {
  const known = headCache.get(text);
  if (known) return known;
  const head = parseHead(text);
  if (text.length < CACHED_HEAD_LENGTH_MAX) {
    if (headCache.size >= HEAD_CACHE_MAX) headCache.clear();
    headCache.set(text, head);
  }
  return head;
}

function parseFields(fields: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const field of fields) {
    const match = FIELD.exec(field);
    if (!match || CONTROL.test(match[2])) throw new HttpError(400, "a header is malformed: expected name: value");
    const name = match[1].toLowerCase();
    const before = headers.get(name);
    if (before === undefined) headers.set(name, match[2]);
    else if (!SINGLE_FIELDS.includes(name)) headers.set(name, `${before}, ${match[2]}`);
    else if (before !== match[2]) throw new HttpError(400, `the header ${name} is there twice, and differs`);
    else if (name === "transfer-encoding") throw new HttpError(400, "the body is coded twice: use chunked once");
  }
  return headers;
}

function originForm(target: string): string {
  if (target.startsWith("/") || target === "*") return target;
  const absolute = /^https?:\/\/[^/?#]*([/?].*)?$/i.exec(target);
  if (!absolute) throw new HttpError(400, "the request's target is malformed: expected a path");
  const path = absolute[1] ?? "/";
  return path.startsWith("/") ? path : `/${path}`;
}

/** Clients such as curl send the bytes of a text as they are: escaped, they are read as UTF-8 like all others. */
function escapeBytes(target: string): string {
  return target.replace(/[^\x21-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
}

function bodyLength(headers: ReadonlyMap<string, string>): number | "chunked" {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) {
    if (length !== undefined) throw new HttpError(400, "the request has both Content-Length and Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked") {
      throw new HttpError(501, `the transfer coding ${coding} is not supported: use chunked`);
    }
    return "chunked";
  }
  if (length === undefined) return 0;
  if (!/^\d{1,15}$/.test(length)) throw new HttpError(400, "the Content-Length is malformed: expected digits");
  return Number(length);
}

/** Takes a chunked body apart as it arrives (RFC 9112 §7.1). */
export class ChunkedDecoder {
  readonly #bytesMax: number;
  readonly #tooLarge: () => HttpError;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #left = 0;
  #line = "";
  #state: "size" | "data" | "data-end" | "trailer" | "done" = "size";

  /** @param tooLarge The error of a body above `bytesMax`. */
  constructor(bytesMax: number, tooLarge: () => HttpError) {
    this.#bytesMax = bytesMax;
    this.#tooLarge = tooLarge;
  }

  /** Whether the whole body is there. */
  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Takes bytes; returns how many belonged to this body.
   * @throws {HttpError} When they are no chunks, or too many.
   */
  push(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const part = bytes.slice(at, at + this.#left);
        this.#chunks.push(part);
        this.#left -= part.length;
        at += part.length;
        if (this.#left === 0) this.#state = "data-end";
      } else {
        const char = String.fromCharCode(bytes[at++]);
        if (char !== "\n") this.#line += char;
        else this.#takeLine();
        if (this.#line.length > 4096) {
          throw new HttpError(400, "a chunk of the body is malformed: its size line is too long");
        }
      }
    }
    return at;
  }

  #takeLine(): void {
    if (!this.#line.endsWith("\r")) throw new HttpError(400, "a chunk of the body is malformed: expected CRLF");
    const line = this.#line.slice(0, -1);
    this.#line = "";
    if (this.#state === "trailer") {
      if (line === "") this.#state = "done";
    } else if (this.#state === "data-end") {
      if (line !== "") throw new HttpError(400, "a chunk of the body is malformed: it is longer than it says");
      this.#state = "size";
    } else {
      const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line);
      if (!size) throw new HttpError(400, "a chunk of the body is malformed: expected its size in hexadecimal digits");
      this.#left = parseInt(size[1], 16);
      this.#length += this.#left;
      if (this.#length > this.#bytesMax) throw this.#tooLarge();
      this.#state = this.#left === 0 ? "trailer" : "data";
    }
  }

  /** Bytes that were announced so far. */
  get length(): number {
    return this.#length;
  }

  /** Chunks that have arrived since the last call. */
  take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  /** The whole body, where nothing of it was taken. */
  body(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}
