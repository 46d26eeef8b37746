/**
 * The errors of calls to other nodes, as the parts of this node that asked for the calls get them.
 * @module
 */
import type { DescribedError } from "../../base/worker/channel.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { CanceledError, NotSentError, RemoteError, UnansweredError } from "../transport/rpc.ts";

/** Names them: `unknown` when nobody can say whether it was done, `not_sent` and so on; any other error is `failed`. */
export function describeFailure(error: unknown): DescribedError {
  const message = messageOf(error);
  if (error instanceof UnansweredError) return { error: message, code: "unknown" };
  if (error instanceof CanceledError) return { error: message, code: "canceled" };
  if (error instanceof NotSentError) return { error: message, code: "not_sent" };
  return { error: message, code: error instanceof RemoteError ? "remote" : "failed" };
}
