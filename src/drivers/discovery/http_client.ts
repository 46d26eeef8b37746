/**
 * One HTTP request to a server that is configured: bounded in time and length, a connection of its own each, no
 * redirects. Errors name the server and the cause, never a header or a body that was sent.
 *
 * By `node:http`, as `fetch` can neither check a certificate against another name nor leave it unchecked.
 * @module
 */
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { joinAddress } from "../../base/codec/address.ts";
import type { HttpServer } from "./api.ts";

/** Longest answer taken, where the request says nothing of it. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** A request. */
export interface Request {
  readonly method: "GET" | "PUT" | "POST";
  /** With the query string. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Longest answer taken. @default {1 MiB} */
  readonly answerBytesMax?: number;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The server could not be reached, or did not answer; whether it received the request is unknown unless `sent` is false. */
export class UnreachableError extends Error {
  /** Always `UnreachableError`. */
  override readonly name = "UnreachableError";
  /** Whether the server may have received the request. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}

/** The server as operators write it. */
export function nameOf({ hostname, port, tls }: HttpServer): string {
  return `${tls ? "https" : "http"}://${joinAddress(hostname, port)}`;
}

/**
 * Sends `request` to `server`.
 * @throws {UnreachableError} When no whole answer came in time.
 */
export async function send(server: HttpServer, request: Request): Promise<Answer> {
  const sending = begin(server, request);
  let connected = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${server.timeoutMs} ms`)), server.timeoutMs);
      sending.on("socket", (socket) => socket.on("connect", () => connected = true));
      sending.on("error", reject);
      sending.on(
        "response",
        (message: IncomingMessage) => receive(message, request.answerBytesMax).then(resolve, reject),
      );
      sending.end(request.body);
    });
  } catch (error) {
    throw new UnreachableError(`${nameOf(server)}: ${reasonOf(error)}`, connected);
  } finally {
    clearTimeout(timer);
    sending.destroy();
  }
}

function begin({ hostname, port, tls }: HttpServer, { method, path, headers, body }: Request): ClientRequest {
  const length = body === undefined ? {} : { "Content-Length": String(new TextEncoder().encode(body).length) };
  const options = { hostname, port, method, path, headers: { ...headers, ...length } };
  if (!tls) return httpRequest({ ...options, agent: false });
  return httpsRequest({
    ...options,
    agent: new Agent({ keepAlive: false }), // "false", the same in Node, fails on Deno 2.7
    ca: [...tls.ca],
    ...(tls.cert === "" ? {} : { cert: tls.cert, key: tls.key }),
    ...(tls.serverName === "" ? {} : { servername: tls.serverName }),
    rejectUnauthorized: !tls.insecure,
  });
}

function receive(message: IncomingMessage, bytesMax = ANSWER_BYTES_MAX): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    message.on("data", (chunk: Uint8Array) => {
      length += chunk.length;
      if (length > bytesMax) reject(new Error(`an answer longer than ${bytesMax} bytes`));
      else chunks.push(chunk);
    });
    message.on("end", () => {
      const bytes = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, at);
        at += chunk.length;
      }
      resolve({ status: message.statusCode ?? 0, text: new TextDecoder().decode(bytes) });
    });
    message.on("aborted", () => reject(new Error("the connection broke in the middle of the answer")));
    message.on("error", reject);
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset; does it speak TLS, or not?",
  ENOTFOUND: "no such host",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ETIMEDOUT: "connecting timed out",
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return code.startsWith("HPE_") ? "the answer is not HTTP; does it speak TLS?" : REASONS[code] ?? error.message;
}
