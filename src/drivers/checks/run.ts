/**
 * What each kind of check does.
 * @module
 */
import type { IntervalKind } from "../../core/health/check_kind.ts";
import { checkGrpc } from "./grpc.ts";
import { checkH2Ping } from "./h2ping.ts";
import { checkHttp } from "./http.ts";
import type { RunContext, RunResult } from "./runner.ts";
import { checkScript } from "./script.ts";
import { checkTcp } from "./tcp.ts";
import { checkUdp } from "./udp.ts";

/**
 * Does what a check of this kind does.
 * @throws {Error} With the text of the output, when the check is critical.
 */
export async function runKind(kind: IntervalKind, context: RunContext): Promise<RunResult> {
  switch (kind.k) {
    case "script":
      return await checkScript(kind, context);
    case "http":
      return await checkHttp(kind, context);
    case "tcp":
      return await checkTcp(kind, context);
    case "udp":
      return await checkUdp(kind, context);
    case "grpc":
      return await checkGrpc(kind, context);
    case "h2ping":
      return await checkH2Ping(kind, context);
  }
}
