/**
 * The HTTP listener: limits on what a client may send and how slowly, and the headers that every answer has
 * (spec/rqlite.md 2.3). What is over a limit gets a status and a text that names the limit; nothing of it is parsed.
 * @module
 */
import type { ForwardedRequest, ForwardedResponse } from "../replica/api.ts";
import { splitAddress } from "../codec/address.ts";
import { Deadlines } from "../rpc/deadlines.ts";
import { HttpError, type HttpResponse, problem } from "./problem.ts";
import type { Services } from "./request.ts";
import { route } from "./router.ts";

/** An open listener. */
export interface HttpServer {
  readonly port: number;
  /** Takes no more connections and resolves when the requests under way are answered. */
  shutdown(): Promise<void>;
}

const deadlines = new Deadlines();
const JSON_TYPE = "application/json; charset=utf-8";
const EMPTY = new Uint8Array(0);

/** Listens at the address in the options. */
export function serveHttp(services: Services): HttpServer {
  const { hostname, port } = splitAddress(services.options.bindAddr);
  const base = baseHeaders(services);
  let running = 0;
  const server = Deno.serve({ hostname, port, onListen: () => {} }, async (request) => {
    running++;
    try {
      if (running > services.options.requestsMax) {
        throw new HttpError(503, `too many requests at once (${services.options.requestsMax}): try again later`, {
          retryAfter: 1,
        });
      }
      const startedMs = performance.now();
      const body = await readBody(request, services);
      const pathStart = request.url.indexOf("/", 8);
      const target = request.url.slice(pathStart);
      const mark = target.indexOf("?");
      return toResponse(
        await route({
          method: request.method,
          path: mark < 0 ? target : target.slice(0, mark),
          target,
          contentType: request.headers.get("content-type") ?? "",
          authorization: request.headers.get("authorization") ?? "",
          body,
          forwarded: false,
          startedMs,
        }, services),
        base,
      );
    } catch (error) {
      return toResponse(problem(error, services.log), base);
    } finally {
      running--;
    }
  });
  return { port: server.addr.port, shutdown: () => server.shutdown() };
}

/** Answers what another node sent on, as if a client had sent it here. */
export async function serveForwarded(request: ForwardedRequest, services: Services): Promise<ForwardedResponse> {
  services.counters.served++;
  const { method, target, contentType, authorization, body } = request;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const startedMs = performance.now();
  const response = await route(
    { method, path, target, contentType, authorization, body, forwarded: true, startedMs },
    services,
  );
  return {
    status: response.status,
    contentType: response.contentType ?? (response.body.length > 0 ? JSON_TYPE : ""),
    servedBy: services.options.advertisedAddr,
    body: typeof response.body === "string" ? new TextEncoder().encode(response.body) : response.body,
  };
}

function baseHeaders({ options }: Services): readonly [string, string][] {
  const headers: [string, string][] = [
    ["X-Rqlite-Version", options.version],
    ["Access-Control-Allow-Methods", "OPTIONS, GET, POST"],
    ["Access-Control-Allow-Headers", "Content-Type"],
  ];
  if (options.allowOrigin !== "") headers.push(["Access-Control-Allow-Origin", options.allowOrigin]);
  return headers;
}

function toResponse(response: HttpResponse, base: readonly [string, string][]): Response {
  const headers: [string, string][] = [...base];
  const type = response.contentType ?? (response.body.length > 0 ? JSON_TYPE : "");
  if (type !== "") headers.push(["Content-Type", type]);
  if (response.status >= 400 && response.body.length > 0) headers.push(["X-Content-Type-Options", "nosniff"]);
  if (response.servedBy !== undefined) headers.push(["X-Rqlite-Served-By", response.servedBy]);
  if (response.location !== undefined) headers.push(["Location", response.location]);
  if (response.retryAfter !== undefined) headers.push(["Retry-After", String(response.retryAfter)]);
  const body = typeof response.body === "string" ? response.body : new Uint8Array(response.body);
  return new Response(response.body.length === 0 ? null : body, { status: response.status, headers });
}

/** Reads the body within its limits of size and time. */
async function readBody(request: Request, { options }: Services): Promise<Uint8Array> {
  if (request.body === null) return EMPTY;
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) > options.bodyBytesMax) throw tooLarge(options.bodyBytesMax);
  const body = announced === null ? collect(request.body, options.bodyBytesMax) : request.bytes();
  return await new Promise((resolve, reject) => {
    const limit = deadlines.set(options.bodyTimeoutMs, () => {
      reject(new HttpError(408, `the request's body did not arrive within ${options.bodyTimeoutMs / 1000} seconds`));
    });
    const broken = (cause: unknown) =>
      reject(
        cause instanceof HttpError ? cause : new HttpError(400, "the request's body could not be read", { cause }),
      );
    body.then(resolve, broken).finally(() => deadlines.clear(limit));
  });
}

function tooLarge(bytesMax: number): HttpError {
  return new HttpError(413, `the request's body is larger than ${bytesMax} bytes, the limit set by -http-max-body`);
}

/** A body of unannounced length. */
async function collect(body: ReadableStream<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
