/**
 * HTTPS for the commands with certificates of the operator's own. The runtime's `fetch` only adds them to those that the
 * system trusts: a server with a certificate of any public CA would be taken for the agent. Node's client trusts them alone.
 * @module
 */
import { Agent, request } from "node:https";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { httpClient } from "./proxy.ts";

/** How an agent is known, and what it is shown. */
export interface TlsSettings {
  /** The only CA certificates to trust, PEM; empty: those of the system. */
  readonly ca: readonly string[];
  /** Certificate and key to show, PEM. */
  readonly identity: { readonly cert: string; readonly key: string } | undefined;
  /** Name to expect in the agent's certificate; empty: that of the address. */
  readonly serverName: string;
  /** Proxy to reach it by; undefined: none. */
  readonly proxy: string | undefined;
}

const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** What `fetch` does, for `https:` and under the settings. */
export function tlsFetch(
  { ca, identity, serverName, proxy }: TlsSettings,
): (url: string, init: RequestInit) => Promise<Response> {
  if (ca.length === 0 && serverName === "") {
    const client = httpClient(proxy, identity); // which trusts as the runtime was told to
    return (url, init) => fetch(url, { ...init, client });
  }
  return (url, { method = "GET", headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const sending = request(url, {
        method,
        headers: Object.fromEntries(new Headers(headers)),
        agent: new Agent({ keepAlive: false }),
        ...(ca.length > 0 && { ca: [...ca] }),
        ...identity,
        ...(serverName !== "" && { servername: serverName }),
      });
      const abort = () => sending.destroy(signal?.reason);
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", abort);
      sending.on("error", reject);
      sending.on("close", () => signal?.removeEventListener("abort", abort));
      sending.on("response", (message: IncomingMessage) => resolve(responseOf(message)));
      if (body instanceof ReadableStream) sendStream(body, sending).catch((error) => sending.destroy(error));
      else sending.end(body);
    });
}

async function sendStream(body: ReadableStream<Uint8Array>, sending: ReturnType<typeof request>): Promise<void> {
  for await (const chunk of body) {
    if (!sending.write(chunk)) await new Promise((resolve) => sending.once("drain", resolve));
  }
  sending.end();
}

function responseOf(message: IncomingMessage): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) headers.set(name, String(value));
  const body = NO_BODY.has(status) ? null : Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return new Response(body, { status, headers });
}
