/**
 * The heads of answers, as bytes. Most answers of a moment have the same one, so the last plain one is kept.
 * @module
 */
import { STATUS_TEXT } from "@std/http/status";
import { type HttpResponse, JSON_TYPE } from "./problem.ts";

/** Value of the header Connection; empty for what the client expects anyway. */
export type ConnectionOption = "" | "close" | "keep-alive";

/** What all answers of a node have in their head. */
export interface HeadOptions {
  readonly version: string;
  /** Empty for none. */
  readonly allowOrigin: string;
  /** Whether browsers are told to ask for a password. */
  readonly hasUsers: boolean;
}

const STATUS_TEXTS: Readonly<Record<number, string>> = STATUS_TEXT;
const encoder = new TextEncoder();
let dateSecond = 0;
let dateText = "";

/** The Date header's value, made once a second. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** Makes heads. */
export class ResponseHeads {
  readonly #baseHeaders: string;
  #plain: { readonly date: string; readonly servedBy: string | undefined; readonly bytes: Uint8Array } | undefined;

  constructor({ version, allowOrigin, hasUsers }: HeadOptions) {
    this.#baseHeaders = `X-Rqlite-Version: ${version}\r\nAccess-Control-Allow-Methods: OPTIONS, GET, POST\r\n` +
      "Access-Control-Allow-Headers: Content-Type, Authorization\r\nAccess-Control-Allow-Credentials: true\r\n" +
      (allowOrigin === "" ? "" : `Access-Control-Allow-Origin: ${allowOrigin}\r\n`) +
      (hasUsers ? `WWW-Authenticate: Basic realm="rqlite"\r\n` : "");
  }

  /** The head of an answer whose length is known, up to that length. */
  upToLength(response: HttpResponse, connection: ConnectionOption): Uint8Array {
    const { servedBy } = response;
    const isPlain = connection === "" && response.status === 200 && response.body.length > 0 &&
      response.contentType === undefined && response.location === undefined && response.retryAfter === undefined &&
      response.headers === undefined;
    const now = date();
    const known = this.#plain;
    if (isPlain && known?.date === now && known.servedBy === servedBy) return known.bytes;
    const bytes = encoder.encode(`${this.text(response, connection)}Content-Length: `);
    if (isPlain) this.#plain = { date: now, servedBy, bytes };
    return bytes;
  }

  /** The head of an answer, without the headers that tell where its body ends. */
  text(response: HttpResponse, connection: ConnectionOption): string {
    const { status, body, servedBy, location, retryAfter, headers } = response;
    const type = response.contentType ?? (body.length > 0 || response.held ? JSON_TYPE : "");
    let head = `HTTP/1.1 ${status} ${STATUS_TEXTS[status] ?? ""}\r\n${this.#baseHeaders}Date: ${date()}\r\n`;
    if (type !== "") head += `Content-Type: ${type}\r\n`;
    if (status >= 400 && body.length > 0) head += "X-Content-Type-Options: nosniff\r\n";
    if (servedBy !== undefined) head += `X-Rqlite-Served-By: ${servedBy}\r\n`;
    if (location !== undefined) head += `Location: ${location.replace(/[^\x21-\x7e]/g, encodeURIComponent)}\r\n`;
    if (retryAfter !== undefined) head += `Retry-After: ${retryAfter}\r\n`;
    if (headers) { for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`; }
    if (connection !== "") head += `Connection: ${connection}\r\n`;
    return head;
  }
}

/** Bytes that the length of a body and the empty line take at most. */
export const LENGTH_BYTES_MAX = 20;

/**
 * Writes a head and the length of its body so that they end at `end`.
 * @param head From {@linkcode ResponseHeads.upToLength}.
 * @returns Where they begin.
 */
export function putHead(target: Uint8Array, end: number, head: Uint8Array, length: number): number {
  let at = end;
  target[--at] = 10;
  target[--at] = 13;
  target[--at] = 10;
  target[--at] = 13;
  let rest = length;
  do {
    target[--at] = 48 + rest % 10;
    rest = Math.floor(rest / 10);
  } while (rest > 0);
  at -= head.length;
  target.set(head, at);
  return at;
}
