/**
 * Checks that send a ping of HTTP/2.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { H2PingKind } from "../../core/health/check_kind.ts";
import { dial, withConn } from "./dial.ts";
import { ping } from "./http2.ts";
import type { RunContext, RunResult } from "./runner.ts";

/** Sends a ping: passing when it is answered. */
export async function checkH2Ping(kind: H2PingKind, { signal }: RunContext): Promise<RunResult> {
  let step = `Failed to dial to ${kind.address}`;
  try {
    const conn = await dial(kind.address, { signal, tls: kind.useTls ? kind : undefined, isHttp2: true });
    step = "HTTP2 ping failed";
    await withConn(conn, signal, () => ping(conn));
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`${step}: ${messageOf(error)}`, { cause: error });
  }
  return { status: "passing", output: "HTTP2 ping was successful" };
}
