/**
 * Connections of checks, with errors as Consul words them.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { splitAddress } from "../../base/codec/address.ts";
import type { Conn } from "../../base/net/conn.ts";
import { NodeConn } from "../../base/net/mutual_tls.ts";
import { connectTo } from "../../base/net/tls.ts";
import type { CheckTls } from "../../core/health/check_kind.ts";

/** How to connect. */
export interface DialOptions {
  readonly signal: AbortSignal;
  /** Undefined: without TLS. */
  readonly tls: CheckTls | undefined;
  /** Whether HTTP/2 is agreed on in the handshake of TLS. @default {false} */
  readonly isHttp2?: boolean;
}

/**
 * Connects to `host:port`.
 * @throws {Error} With the text of the check's output.
 */
export async function dial(address: string, { signal, tls, isHttp2 = false }: DialOptions): Promise<Conn> {
  try {
    const at = splitAddress(address);
    if (tls && isHttp2) return await dialHttp2(at, { signal, tls });
    const trust = tls && { caCerts: [], serverName: tls.tlsServerName, isVerified: !tls.tlsSkipVerify };
    return await connectTo(at, { signal, trust });
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`dial tcp ${address}: ${dialFault(error)}`, { cause: error });
  }
}

/** What Go says of an error of connecting, where there is an equivalent. */
export function dialFault(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connect: connection refused";
  return messageOf(error).replace(/ \(os error \d+\)$/, "");
}

/** The runtime's own functions agree on a protocol only where they also verify the certificate by the host's name. */
async function dialHttp2(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  { signal, tls }: { readonly signal: AbortSignal; readonly tls: CheckTls },
): Promise<Conn> {
  const { connect } = await import("node:tls"); // which takes 9 MB
  const socket = connect({
    host: hostname,
    port,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: !tls.tlsSkipVerify,
    ...(tls.tlsServerName !== "" && { servername: tls.tlsServerName }),
  });
  const stop = () => socket.destroy(new Error(messageOf(signal.reason)));
  signal.addEventListener("abort", stop);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.on("error", reject); // stays, as an error that nobody listens to would end the Worker
      socket.once("close", () => reject(new Error("the other end closed the connection in the handshake")));
    });
  } catch (error) {
    socket.destroy();
    const isRefused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
    throw isRefused ? new Deno.errors.ConnectionRefused(error.message) : error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  return new NodeConn(socket);
}

/** Writes all of `bytes`. */
export async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Runs `work` with a connection that is closed when the work is done, or when the signal is aborted. */
export async function withConn<T>(conn: Conn, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let isOpen = true;
  const close = () => {
    if (isOpen) conn.close();
    isOpen = false;
  };
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    return await work();
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
