/**
 * Checks that connect, by TCP or by TLS.
 * @module
 */
import type { TcpKind } from "../../core/health/check_kind.ts";
import { dial } from "./dial.ts";
import type { RunContext, RunResult } from "./runner.ts";

/** Connects: passing when that works. */
export async function checkTcp(kind: TcpKind, { signal }: RunContext): Promise<RunResult> {
  if (kind.useTls && kind.tlsSkipVerify && !await tellsHandshakes()) {
    throw new Error(`Deno ${Deno.version.deno} cannot check TLS without verifying the certificate: 2.9 can`);
  }
  const conn = await dial(kind.address, { signal, tls: kind.useTls ? kind : undefined });
  conn.close();
  return { status: "passing", output: `TCP${kind.useTls ? "+TLS" : ""} connect ${kind.address}: Success` };
}

/** `node:tls` of Deno 2.7 says that the handshake is done as soon as TCP is connected: the check would pass without TLS. */
async function tellsHandshakes(): Promise<boolean> {
  const { TLSSocket } = await import("node:tls");
  return typeof TLSSocket.prototype.getProtocol === "function";
}
