/**
 * The calls that HTTP makes of a node's other parts, while they are under way: each is answered once, with its result or with
 * an error in words and a code, and its caller may say that nobody waits for it any more.
 * @module
 */
import { CanceledError, NotSentError, RemoteError, UnansweredError } from "../transport/rpc.ts";
import type { ToHttp } from "./api.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** An error as HTTP gets it. */
export interface DescribedError {
  readonly error: string;
  /** For example `not_sent`, or `unknown` when nobody can say whether it was done. */
  readonly code: string;
}

/** Calls under way. */
export class Calls {
  /** By caller and number, how to say that nobody waits for the answer any more. */
  readonly #cancels = new Map<string, () => void>();
  readonly #describe: (error: unknown) => DescribedError;

  /** @param describe Names the errors that calls end with. */
  constructor(describe: (error: unknown) => DescribedError) {
    this.#describe = describe;
  }

  /** What the caller is told of what `run` does; `over` is resolved when nobody waits for that any more. */
  async answer(
    caller: number,
    ref: number,
    run: (over: Promise<void>) => Promise<unknown>,
  ): Promise<Extract<ToHttp, { k: "answer" }>> {
    const over = Promise.withResolvers<void>();
    const key = `${caller} ${ref}`;
    this.#cancels.set(key, over.resolve);
    try {
      return { k: "answer", ref, result: await run(over.promise) };
    } catch (error) {
      return { k: "answer", ref, ...this.#describe(error) };
    } finally {
      this.#cancels.delete(key);
    }
  }

  /** Nobody waits for the answer any more. */
  cancel(caller: number, ref: number): void {
    this.#cancels.get(`${caller} ${ref}`)?.();
  }
}

/** The errors of calls to other nodes, named; any other one is `failed`. */
export function describeFailure(error: unknown): DescribedError {
  const message = messageOf(error);
  if (error instanceof UnansweredError) return { error: message, code: "unknown" };
  if (error instanceof CanceledError) return { error: message, code: "canceled" };
  if (error instanceof NotSentError) return { error: message, code: "not_sent" };
  return { error: message, code: error instanceof RemoteError ? "remote" : "failed" };
}
