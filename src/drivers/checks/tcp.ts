/**
 * Checks that connect, by TCP or by TLS.
 * @module
 */
import type { TcpKind } from "../../core/health/check_kind.ts";
import { dial } from "./dial.ts";
import type { RunContext, RunResult } from "./runner.ts";

/** Connects: passing when that works. */
export async function checkTcp(kind: TcpKind, { signal }: RunContext): Promise<RunResult> {
  const conn = await dial(kind.address, { signal, tls: kind.useTls ? kind : undefined });
  conn.close();
  return { status: "passing", output: `TCP${kind.useTls ? "+TLS" : ""} connect ${kind.address}: Success` };
}
