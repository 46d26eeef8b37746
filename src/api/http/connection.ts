/**
 * One client's connection: reads a request, answers it, reads the next.
 *
 * Time limits: the head must be whole within {@linkcode HEAD_TIMEOUT_MS} of its first byte, the body within
 * `bodyTimeoutMs`, the answer must be taken within {@linkcode WRITE_TIMEOUT_MS}; an idle connection is closed after
 * {@linkcode IDLE_TIMEOUT_MS}. A client that is too slow with a request is told 408. Empty lines before a request line are
 * no part of it: a connection with nothing else is idle, and they do not prolong that.
 * @module
 */
import { freeBuffer } from "../../base/codec/free.ts";
import type { Conn } from "../../base/net/conn.ts";
import type { Deadline, Deadlines } from "../../base/worker/deadlines.ts";
import {
  cachedHead,
  ChunkedDecoder,
  EMPTY_LINE_BYTES_MAX,
  emptyLineBytes,
  HEAD_BYTES_MAX,
  type RequestHead,
} from "./http1.ts";
import { bearer } from "../../app/users/credentials.ts";
import { Proof } from "../../app/users/users.ts";
import { compressed } from "./gzip.ts";
import type { HeldAnswer } from "../../app/database/held_answer.ts";
import { type BodyStream, HttpError, type HttpResponse, problem } from "./problem.ts";
import { type ConnectionOption, LENGTH_BYTES_MAX, putHead, type ResponseHeads } from "./response_head.ts";
import { IncomingBody } from "./incoming_body.ts";
import type { HttpRequest } from "./request.ts";
import type { RequestCount } from "./request_counts.ts";

/** Time for a request line and its headers. */
export const HEAD_TIMEOUT_MS = 10_000;
/** Time for a client to take an answer, or so much of a longer one. */
export const WRITE_TIMEOUT_MS = 60_000;
const WRITE_BYTES = 256 * 1024;
/** So many bodies of the greatest length may be in memory at a time: each becomes several times as many bytes. */
const BODIES_MAX = 1;
/** Shorter bodies are not counted; one in chunks, whose length nobody knows, is counted so many bytes at a time. */
const COUNTED_BODY_BYTES = 1024 * 1024;
/** A body that is taken as it comes is read so many bytes at a time: each piece costs some objects. */
const STREAM_BUFFER_BYTES = 64 * 1024;
/** Time without a request. */
export const IDLE_TIMEOUT_MS = 120_000;

/** A text shorter than this leaves in one write with its head: it takes six times as much room meanwhile. */
const SMALL_LENGTH = 16 * 1024;

const EMPTY: Uint8Array = new Uint8Array(0);
const CRLF = new TextEncoder().encode("\r\n");
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
const encoder = new TextEncoder();

/** A head up to this length is remembered by its connection: the next one is likely to be the same, byte for byte. */
const KNOWN_HEAD_BYTES_MAX = 2048;

/** A head, and the bytes it was read from, the empty line included. */
interface KnownHead {
  readonly bytes: Uint8Array;
  readonly head: RequestHead;
}

/** The answer to a client that left, or sends no more, before the end of its request; often nobody reads it. */
function cutShort(): HttpError {
  return new HttpError(400, "the request's body ends before its length");
}

/** Where a request goes, as its head says. */
export interface Endpoint {
  /** Whether the body is taken as it comes. */
  readonly isStream: boolean;
  /** Counts the request. */
  readonly count: RequestCount;
}

/** Dependencies of a connection. */
export interface ConnectionParts {
  readonly options: {
    /** Requests at a time, of all connections. */
    readonly requestsMax: number;
    /** Bytes of a request's body. */
    readonly bodyBytesMax: number;
    /** Time for a client to send its body. */
    readonly bodyTimeoutMs: number;
  };
  readonly heads: ResponseHeads;
  /** Requests under way, of all connections, and bytes of their large bodies. */
  readonly counters: { running: number; body_bytes: number; request_timeouts: number };
  /** Where a request goes that begins so. */
  endpointOf(head: Pick<RequestHead, "method" | "target">): Endpoint;
  /** Counts a request that was answered before it was read in full. */
  noteRefused(status: number): void;
  /** Answers a request; never throws. */
  route(request: Omit<HttpRequest, "params">): Promise<HttpResponse>;
  log(line: string): void;
}

/** A connection. */
export class ClientConnection {
  readonly #conn: Conn;
  /** IP address of the client. */
  readonly #address: string;
  readonly #proof = new Proof();
  readonly #parts: ConnectionParts;
  readonly #deadlines: Deadlines;
  /** Of the read or the write under way. */
  readonly #deadline: Deadline;
  /** The answer to the client when {@linkcode ClientConnection.#deadline} expires, if any. */
  #late: (() => HttpError) | undefined;
  #isExpired = false;
  #knownHead: KnownHead | undefined;
  /** Of the last head: clients of one kind send the same one again. */
  #knownEndpoint: { readonly head: RequestHead; readonly endpoint: Endpoint } | undefined;
  /** Of the request under way, counted among those of all. */
  #bodyBytes = 0;
  #buffer = new Uint8Array(16 * 1024);
  #start = 0;
  #end = 0;
  #out = new Uint8Array(4096);
  #busy = false;
  #idleSinceMs = performance.now();
  #finishing = false;
  #closed = false;
  #whenIdle: (() => void) | undefined;
  /** A read into the buffer that began while a request was answered. */
  #ahead: Promise<number | null> | undefined;
  /** Ends what waits for the sake of the request under way. */
  #endWait: (() => void) | undefined;
  /** The client was seen to have left, or to have ended its half of the connection, while its request was waiting. */
  #hasLeft = false;
  /** The request under way is given up then: there is no true answer to it. */
  #mayGiveUp = false;
  readonly #whenOver = (isOwed = false) => this.#untilOver(isOwed);

  /** @param conn Owned from now on. */
  constructor(conn: Conn, parts: ConnectionParts, deadlines: Deadlines) {
    this.#conn = conn;
    this.#address = "hostname" in conn.remoteAddr ? conn.remoteAddr.hostname : "";
    this.#parts = parts;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.add(() => this.#expire());
    if ("setNoDelay" in conn && typeof conn.setNoDelay === "function") conn.setNoDelay(true);
  }

  /** The time since which the connection waits for a request, by `performance.now()`; undefined while one is arriving or under way. */
  get idleSinceMs(): number | undefined {
    return this.#busy || this.#end > this.#start ? undefined : this.#idleSinceMs;
  }

  /** Serves until the client leaves or breaks a rule; never rejects. */
  async serve(): Promise<void> {
    try {
      while (!this.#finishing && await this.#serveOne());
    } catch (error) {
      if (error instanceof HttpError) await this.#lastWord(error);
    } finally {
      this.#close();
      this.#whenIdle?.();
    }
  }

  /** Answers an error without reading anything, and closes. */
  async refuse(error: HttpError): Promise<void> {
    await this.#lastWord(error);
    this.#close();
  }

  /** Closes an idle connection. */
  dismiss(): void {
    this.#close();
  }

  /** Lets the request under way finish, takes no further one; resolves when the connection is closed. */
  async finish(): Promise<void> {
    this.#finishing = true;
    this.#endWait?.();
    if (this.#busy) await new Promise<void>((resolve) => this.#whenIdle = resolve);
    this.#close();
  }

  /** One request; false when the connection is to be closed. */
  async #serveOne(): Promise<boolean> {
    const head = await this.#readHead();
    if (head === undefined) return false;
    this.#busy = true;
    let held: HeldAnswer | undefined;
    try {
      const startedMs = performance.now();
      const { isStream, count } = this.#endpointOf(head);
      const incoming = isStream ? this.#incoming(head) : undefined;
      const body = incoming ?? this.#bodyAtHand(head) ?? await this.#readBody(head);
      const response = await this.#answer(head, body, startedMs);
      held = response.held;
      if (this.#hasLeft && this.#mayGiveUp && !response.stream) return false;
      count.answered(response.status, performance.now() - startedMs);
      if (response.stream && head.method !== "HEAD") {
        return await this.#respondStream(response, response.stream, head);
      }
      const isRead = incoming?.isRead ?? true;
      const keepAlive = head.keepAlive && !this.#finishing && isRead;
      const connection = !keepAlive ? "close" : head.isHttp10 ? "keep-alive" : "";
      await this.#respond(response, { method: head.method, connection });
      if (!isRead) await this.#discard(); // what nobody wants any more
      return head.keepAlive && isRead;
    } finally {
      held?.release();
      this.#parts.counters.body_bytes -= this.#bodyBytes;
      this.#bodyBytes = 0;
      this.#busy = false;
      this.#endWait = undefined;
      this.#mayGiveUp = false;
    }
  }

  #endpointOf(head: RequestHead): Endpoint {
    if (this.#knownEndpoint?.head === head) return this.#knownEndpoint.endpoint;
    const endpoint = this.#parts.endpointOf(head);
    this.#knownEndpoint = { head, endpoint };
    return endpoint;
  }

  /** Resolves when there is nobody to wait for any more: the client has left, or the server is to stop. */
  #untilOver(isOwed: boolean): Promise<void> {
    this.#mayGiveUp ||= !isOwed;
    return new Promise((resolve) => {
      this.#endWait = resolve;
      if (this.#finishing) resolve();
      this.#leftWhileWaiting().then(resolve);
    });
  }

  /** Resolves when the client leaves while it waits. Bytes that it sends meanwhile are kept for its next request. */
  async #leftWhileWaiting(): Promise<void> {
    if (await (this.#ahead ??= this.#read()).catch(() => null) !== null) await new Promise(() => {});
    this.#hasLeft = true;
  }

  async #answer(head: RequestHead, body: Uint8Array | IncomingBody, startedMs: number): Promise<HttpResponse> {
    const { options, counters, log } = this.#parts;
    if (counters.running >= options.requestsMax) {
      const text =
        `too many requests at once (${options.requestsMax}, the limit set by -http-max-requests): try again later`;
      return problem(new HttpError(503, text, { retryAfter: 1 }), log);
    }
    counters.running++;
    try {
      const { method, target, headers } = head;
      const response = await this.#parts.route({
        method,
        target,
        contentType: headers.get("content-type") ?? "",
        accept: headers.get("accept") ?? "",
        acceptEncoding: headers.get("accept-encoding") ?? "",
        ifNoneMatch: headers.get("if-none-match") ?? "",
        lastEventId: headers.get("last-event-id") ?? "",
        traceparent: headers.get("traceparent") ?? "",
        authorization: authorizationOf(headers),
        address: this.#address,
        proof: this.#proof,
        ...(body instanceof IncomingBody ? { body: EMPTY, incoming: body.pieces() } : { body }),
        startedMs,
        whenOver: this.#whenOver,
      });
      return target.startsWith("/v1/") ? await compressed(response, headers.get("accept-encoding")) : response;
    } finally {
      counters.running--;
    }
  }

  /** The next head; undefined when the client left instead. */
  async #readHead(): Promise<RequestHead | undefined> {
    this.#idleSinceMs = performance.now();
    const idleUntilMs = this.#idleSinceMs + IDLE_TIMEOUT_MS;
    let emptyBytes = 0;
    let searched = 0;
    let startedMs: number | undefined;
    for (;;) {
      if (searched === 0) emptyBytes = this.#skipEmptyLines(emptyBytes);
      const now = performance.now();
      if (this.#end > this.#start) startedMs ??= now;
      else startedMs = undefined; // what looked like a beginning was the first half of an empty line
      if (
        searched === 0 && this.#knownHead && startsWith(this.#buffer, this.#start, this.#end, this.#knownHead.bytes)
      ) {
        this.#start += this.#knownHead.bytes.length;
        return this.#knownHead.head;
      }
      const window = this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + HEAD_BYTES_MAX));
      const end = endOfHead(window, searched);
      if (end !== undefined) {
        const head = cachedHead(byteText(window.subarray(0, end)));
        this.#start += end + 4;
        if (end <= KNOWN_HEAD_BYTES_MAX) this.#knownHead = { bytes: window.slice(0, end + 4), head };
        return head;
      }
      if (window.length >= HEAD_BYTES_MAX) {
        throw new HttpError(431, `the request's headers are longer than ${HEAD_BYTES_MAX} bytes`);
      }
      searched = Math.max(0, window.length - 3);
      const limit = startedMs === undefined ? idleUntilMs - now : HEAD_TIMEOUT_MS - (now - startedMs);
      const late = startedMs === undefined ? undefined : lateHead;
      if (!this.#arrived(await this.#beginRead(Math.max(0, limit), late))) return undefined;
    }
  }

  /** @returns Bytes of empty lines before this request line so far. */
  #skipEmptyLines(before: number): number {
    const bytes = emptyLineBytes(this.#buffer.subarray(this.#start, this.#end));
    this.#start += bytes;
    if (before + bytes <= EMPTY_LINE_BYTES_MAX) return before + bytes;
    throw new HttpError(400, `more than ${EMPTY_LINE_BYTES_MAX} bytes of empty lines come before the request line`);
  }

  /** Reads into the buffer; false at the end of the stream. */
  async #readMore(limitMs: number, late: (() => HttpError) | undefined): Promise<boolean> {
    return this.#arrived(await this.#beginRead(limitMs, late));
  }

  /** Bytes read into the buffer, for {@linkcode ClientConnection.#arrived}. */
  #beginRead(limitMs: number, late: (() => HttpError) | undefined): Promise<number | null> {
    const reading = this.#ahead;
    this.#ahead = undefined;
    this.#limit(limitMs, late);
    return reading ?? this.#read();
  }

  /** Takes note of a read; false at the end of the stream. */
  #arrived(count: number | null): boolean {
    this.#deadline.clear();
    if (count !== null) this.#end += count;
    return count !== null;
  }

  #read(): Promise<number | null> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    return this.#conn.read(this.#buffer.subarray(this.#end));
  }

  #makeRoom(): void {
    const held = this.#end - this.#start;
    const buffer = held * 2 > this.#buffer.length ? new Uint8Array(this.#buffer.length * 2) : this.#buffer;
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = held;
  }

  /**
   * Closes the connection under what takes longer than `limitMs`, which then rejects; before that, `late` makes the last
   * word to the client. To be cleared behind it.
   */
  #limit(limitMs: number, late?: () => HttpError): void {
    this.#late = late;
    this.#deadline.set(limitMs);
  }

  /** A slow client hears why before the connection is closed under it, unless it does not even take that. */
  #expire(): void {
    const late = this.#isExpired ? undefined : this.#late;
    this.#isExpired = true;
    if (late) this.#parts.counters.request_timeouts++;
    if (late) this.#lastWord(late()).then(() => this.#close());
    else this.#close();
  }

  /** The body where all of it has come with the head, as that of a small request does. */
  #bodyAtHand({ body, expectsContinue }: RequestHead): Uint8Array | undefined {
    if (body === 0) return EMPTY;
    if (expectsContinue) return undefined;
    const isHere = body !== "chunked" && body <= this.#end - this.#start && body <= this.#parts.options.bodyBytesMax;
    return isHere ? this.#buffer.slice(this.#start, this.#start += body) : undefined;
  }

  /** The body, to be taken as it comes; the client has so long for each piece. */
  #incoming(head: RequestHead): IncomingBody {
    const { bodyTimeoutMs } = this.#parts.options;
    const late = () => new HttpError(408, `nothing of the request's body arrived for ${bodyTimeoutMs / 1000} seconds`);
    let isAwaited = head.expectsContinue;
    return new IncomingBody(head, {
      arrived: () => this.#buffer.subarray(this.#start, this.#end),
      take: (count) => this.#start += count,
      more: async () => {
        if (isAwaited) await this.#conn.write(CONTINUE);
        isAwaited = false;
        const isUnused = this.#start === this.#end && this.#ahead === undefined;
        if (isUnused && this.#buffer.length < STREAM_BUFFER_BYTES) this.#buffer = new Uint8Array(STREAM_BUFFER_BYTES);
        if (!await this.#readMore(bodyTimeoutMs, late).catch(() => false)) throw cutShort();
      },
    });
  }

  /** Counts a large body among those that are in memory, until its request is answered. */
  #takeRoom(bytes: number): void {
    const { counters, options } = this.#parts;
    const bytesMax = BODIES_MAX * options.bodyBytesMax + COUNTED_BODY_BYTES; // one in chunks counts ahead
    if (counters.body_bytes + bytes > bytesMax) {
      const text =
        `large requests take ${counters.body_bytes} bytes already, of ${bytesMax} that they may: try again later`;
      throw new HttpError(503, text, { retryAfter: 1 });
    }
    counters.body_bytes += bytes;
    this.#bodyBytes += bytes;
  }

  async #readBody(head: RequestHead): Promise<Uint8Array> {
    const { bodyBytesMax, bodyTimeoutMs } = this.#parts.options;
    const tooLarge = () =>
      new HttpError(413, `the request's body is larger than ${bodyBytesMax} bytes, the limit set by -http-max-body`);
    if (head.body !== "chunked" && head.body > bodyBytesMax) throw tooLarge();
    if (head.body !== "chunked" && head.body > COUNTED_BODY_BYTES) this.#takeRoom(head.body);
    if (head.expectsContinue) await this.#conn.write(CONTINUE);
    const deadlineMs = performance.now() + bodyTimeoutMs;
    const late = () => new HttpError(408, `the request's body did not arrive within ${bodyTimeoutMs / 1000} seconds`);
    const more = async () => {
      if (!await this.#readMore(Math.max(0, deadlineMs - performance.now()), late)) throw cutShort();
    };
    return head.body === "chunked"
      ? await this.#readChunks(new ChunkedDecoder(bodyBytesMax, tooLarge), more)
      : await this.#readLength(head.body, more);
  }

  async #readLength(length: number, more: () => Promise<void>): Promise<Uint8Array> {
    while (this.#end - this.#start < length && this.#buffer.length < 1024 * 1024) await more();
    const body = new Uint8Array(length);
    let have = this.#take(body);
    while (have < length) {
      await more();
      have += this.#take(body.subarray(have));
    }
    const isUnused = this.#start === this.#end && this.#ahead === undefined;
    if (this.#buffer.length > 64 * 1024 && isUnused) this.#buffer = new Uint8Array(16 * 1024);
    return body;
  }

  /** Moves what has arrived to `target`, as far as it has room; returns how much. */
  #take(target: Uint8Array): number {
    const count = Math.min(target.length, this.#end - this.#start);
    target.set(this.#buffer.subarray(this.#start, this.#start + count));
    this.#start += count;
    return count;
  }

  async #readChunks(decoder: ChunkedDecoder, more: () => Promise<void>): Promise<Uint8Array> {
    const countedBytes = Math.min(COUNTED_BODY_BYTES, this.#parts.options.bodyBytesMax);
    for (;;) {
      this.#start += decoder.push(this.#buffer.subarray(this.#start, this.#end));
      if (decoder.done) return decoder.body();
      if (decoder.length > this.#bodyBytes) this.#takeRoom(decoder.length - this.#bodyBytes + countedBytes);
      await more();
    }
  }

  async #lastWord(error: HttpError): Promise<void> {
    this.#parts.noteRefused(error.status);
    try {
      await this.#respond(problem(error, this.#parts.log), { method: "", connection: "close" });
      await this.#conn.closeWrite();
      await this.#discard();
    } catch {
      // the client is gone already
    }
  }

  /** Takes what the client still sends, for a moment: closing with unread bytes would destroy the answer on its way. */
  async #discard(): Promise<void> {
    const untilMs = performance.now() + 500;
    const scrap = new Uint8Array(64 * 1024);
    const limit = this.#deadlines.start(500, () => this.#close());
    try {
      while (performance.now() < untilMs && await this.#conn.read(scrap) !== null);
    } finally {
      this.#deadlines.remove(limit);
    }
  }

  #respond(
    response: HttpResponse,
    { method, connection }: { method: string; connection: ConnectionOption },
  ): Promise<void> {
    const head = this.#parts.heads.upToLength(response, connection);
    const { body, held } = response;
    const isSmall = typeof body === "string" && body.length < SMALL_LENGTH;
    // A small text is encoded behind the room that the head may take, so that both leave in one write.
    const bodyStart = head.length + LENGTH_BYTES_MAX;
    const room = isSmall ? bodyStart + body.length * 3 : bodyStart;
    if (room > this.#out.length) this.#out = new Uint8Array(room * 2);
    const out = this.#out;
    const small = isSmall ? encoder.encodeInto(body, out.subarray(bodyStart)).written : 0;
    const large = isSmall ? EMPTY : typeof body === "string" ? encoder.encode(body) : body;
    const headStart = putHead(out, bodyStart, head, held?.length ?? small + large.length);
    if (out.length > 64 * 1024) this.#out = new Uint8Array(4096);
    if (method === "HEAD") return this.#write(out.subarray(headStart, bodyStart));
    const first = out.subarray(headStart, bodyStart + small);
    return large.length === 0 && !held ? this.#write(first) : this.#writeLong(first, large, held);
  }

  async #writeLong(first: Uint8Array, large: Uint8Array, held: HeldAnswer | undefined): Promise<void> {
    await this.#write(first);
    if (large.length > 0) await this.#write(large);
    if (held) { for (let part = held.next(); part; part = held.next()) await this.#write(part); }
  }

  /** @returns Whether the connection can go on: the client knows where the body ended. */
  async #respondStream(response: HttpResponse, stream: BodyStream, head: RequestHead): Promise<boolean> {
    const isChunked = stream.length === undefined && !head.isHttp10;
    const goesOn = head.keepAlive && !this.#finishing && (isChunked || stream.length !== undefined);
    const framing = isChunked
      ? "Transfer-Encoding: chunked\r\n"
      : stream.length === undefined
      ? ""
      : `Content-Length: ${stream.length}\r\n`;
    const connection = goesOn ? head.isHttp10 ? "keep-alive" : "" : "close";
    const pieces = stream.pieces(this.#whenOver())[Symbol.asyncIterator]();
    // A generator that was never begun does not hear that it is to end, and keeps what it holds.
    const first = pieces.next();
    first.catch(() => {}); // it is waited for below
    try {
      await this.#write(encoder.encode(`${this.#parts.heads.text(response, connection)}${framing}\r\n`));
      for (let next = await first; !next.done; next = await pieces.next()) {
        const piece = typeof next.value === "string" ? encoder.encode(next.value) : next.value;
        await this.#writePiece(piece, isChunked);
        freeBuffer(piece);
      }
    } finally {
      await pieces.return?.();
    }
    if (isChunked) await this.#write(encoder.encode("0\r\n\r\n"));
    return goesOn;
  }

  async #writePiece(bytes: Uint8Array, isChunked: boolean): Promise<void> {
    if (bytes.length === 0) return;
    if (isChunked) await this.#write(encoder.encode(`${bytes.length.toString(16)}\r\n`));
    await this.#write(bytes);
    if (isChunked) await this.#write(CRLF);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; from += WRITE_BYTES) {
      const piece = bytes.length <= WRITE_BYTES ? bytes : bytes.subarray(from, from + WRITE_BYTES);
      this.#limit(WRITE_TIMEOUT_MS);
      for (let written = 0; written < piece.length;) {
        written += await this.#conn.write(written === 0 ? piece : piece.subarray(written));
      }
      this.#deadline.clear();
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadlines.remove(this.#deadline);
    try {
      this.#conn.close();
    } catch {
      // the system closed it first
    }
  }
}

/** A token in Consul's header counts before a password, which may be for a proxy on the way. */
function authorizationOf(headers: RequestHead["headers"]): string {
  const token = headers.get("x-consul-token");
  return token ? bearer(token) : headers.get("authorization") ?? "";
}

function lateHead(): HttpError {
  return new HttpError(408, `the request's headers did not arrive within ${HEAD_TIMEOUT_MS / 1000} seconds`);
}

/** One character per byte, which the encoding that is called latin1 does not give: it is windows-1252. */
function byteText(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, bytes);
}

/** Offset of the empty line that ends a head. */
function endOfHead(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(13, from); at >= 0 && at + 3 < bytes.length; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  }
  return undefined;
}

/** Whether `bytes` has `beginning` at `from`, before `to`. */
function startsWith(bytes: Uint8Array, from: number, to: number, beginning: Uint8Array): boolean {
  if (to - from < beginning.length) return false;
  for (let at = 0; at < beginning.length; at++) if (bytes[from + at] !== beginning[at]) return false;
  return true;
}
