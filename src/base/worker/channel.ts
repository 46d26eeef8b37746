/**
 * Calls between two parts of the process. One table says what each method takes and what it answers:
 *
 *     interface PoolMethods { members: { params: Record<string, never>; result: readonly Member[] } }
 *
 * A {@linkcode Caller} asks and a {@linkcode Callee} answers each call once: with its result, or with an error that has a
 * text and a code. They know nothing of what the methods do.
 *
 *     → call    ref, method, params        ← answer  ref, result or error and code
 *     → cancel  ref: the caller does not need that answer any more
 *
 * Neither owns the port. Its owner hands them the messages that belong to them, by the field `k`; so a port can carry calls
 * in both directions, and messages of other kinds besides. Each end numbers its own calls, and an answer goes to the end
 * that asked: equal numbers of the two directions do not meet.
 *
 * Nothing is decoded, as both ends belong to this process and use the same table. The compiler checks parameters and
 * results at both ends; the one type assertion is where an answer meets its call.
 *
 * A call is one message and its answer another, about 35 µs for both. Callers that make thousands of calls a second gather
 * them: a turn's reads are confirmed by one call, and writes and reads have a packed format of their own instead
 * (app/database/replica_client.ts, app/database/readers.ts).
 *
 * A port does not tell when its other end is closed, and takes messages as before (tried on Deno 2.9.6). Such a call ends
 * only by its time limit. Most callers need none: a Worker that fails ends the process.
 * @module
 */
import { InvariantError } from "../../invariant.ts";
import { messageOf } from "../codec/error_text.ts";

/** A table of methods. */
export type MethodTable<M> = { readonly [K in keyof M]: { readonly params: unknown; readonly result: unknown } };

/** One call of a method of the table `M`. */
export interface CallMessage<M extends MethodTable<M>, K extends keyof M = keyof M> {
  readonly k: "call";
  /** The caller's own number of the call. */
  readonly ref: number;
  readonly method: K;
  readonly params: M[K]["params"];
}

/** From a caller. */
export type ToCallee<M extends MethodTable<M>> = CallMessage<M> | { readonly k: "cancel"; readonly ref: number };

/** From a callee: how a call ended. */
export interface ToCaller {
  readonly k: "answer";
  readonly ref: number;
  readonly result?: unknown;
  /** Present when the call failed. */
  readonly error?: string;
  /** @default {"failed"} */
  readonly code?: string;
}

/** An object that sends messages: a port, a Worker, or a Worker's scope. */
export interface Line<Message> {
  /** Sends to the other end. */
  postMessage(message: Message, transfer?: Transferable[]): void;
}

/** A call failed. */
export class CallError extends Error {
  /** Always `CallError`. */
  override readonly name = "CallError";
  /** The callee's code, or `busy` at the limit of calls, or `timeout`. */
  readonly code: string;

  /** A failure with the callee's text and code. */
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Limits of a caller. */
export interface CallerOptions {
  /** Name of the callee in errors, for example `the pool`. */
  readonly callee: string;
  /** Calls under way at a time; further ones are refused with code `busy`. @default {Infinity} */
  readonly callsMax?: number;
  /** A call not answered by then fails with code `timeout`, and the callee is told. @default {none} */
  readonly timeoutMs?: number;
  /** The error that a call fails with. @default {a CallError} */
  failure?(message: string, code: string): Error;
}

/** Options of a call. */
export interface CallOptions {
  /**
   * Resolves when the caller does not need the answer any more. The callee is told so; the call still ends by the answer,
   * which is then usually an error.
   */
  readonly over?: Promise<void> | undefined;
  /** Buffers of the parameters that move to the callee instead of being copied. */
  readonly transfer?: Transferable[];
}

interface Waiting {
  readonly timer: ReturnType<typeof setTimeout> | undefined;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The end that asks. */
export class Caller<M extends MethodTable<M>> {
  readonly #line: Line<ToCallee<M>>;
  readonly #options: CallerOptions;
  readonly #calls = new Map<number, Waiting>();
  #nextRef = 1;

  /** Asks through `line`, whose owner hands every answer to {@linkcode Caller.settle}. */
  constructor(line: Line<ToCallee<M>>, options: CallerOptions) {
    this.#line = line;
    this.#options = options;
  }

  /** Calls under way. */
  get pending(): number {
    return this.#calls.size;
  }

  /**
   * Calls a method.
   * @throws {CallError} When it fails, is not answered in time, or too many calls are under way; or the error that
   * {@linkcode CallerOptions.failure} makes of that.
   */
  call<K extends keyof M>(
    method: K,
    params: M[K]["params"],
    { over, transfer = [] }: CallOptions = {},
  ): Promise<M[K]["result"]> {
    const { callee, callsMax = Infinity, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      if (this.#calls.size >= callsMax) {
        return reject(this.#failure(`too many calls to ${callee} are under way: try again later`, "busy"));
      }
      const ref = this.#nextRef++;
      this.#line.postMessage({ k: "call", ref, method, params }, transfer); // throws where params cannot be cloned
      this.#calls.set(ref, {
        timer: timeoutMs === undefined ? undefined : setTimeout(() => this.#expire(ref), timeoutMs),
        resolve: (result) => resolve(result as M[K]["result"]), // the callee answers by the same table
        reject,
      });
      over?.then(() => this.#cancel(ref));
    });
  }

  /** Takes an answer. One to no call under way is ignored: it came after the time limit. */
  settle({ ref, result, error, code = "failed" }: ToCaller): void {
    const call = this.#remove(ref);
    if (error === undefined) call?.resolve(result);
    else call?.reject(this.#failure(error, code));
  }

  #expire(ref: number): void {
    this.#cancel(ref);
    this.#remove(ref)?.reject(this.#failure(`${this.#options.callee} does not answer`, "timeout"));
  }

  #cancel(ref: number): void {
    if (this.#calls.has(ref)) this.#line.postMessage({ k: "cancel", ref });
  }

  #remove(ref: number): Waiting | undefined {
    const call = this.#calls.get(ref);
    this.#calls.delete(ref);
    if (call?.timer !== undefined) clearTimeout(call.timer);
    return call;
  }

  #failure(message: string, code: string): Error {
    return this.#options.failure?.(message, code) ?? new CallError(message, code);
  }
}

/** One call as the method that answers it sees it, besides its parameters. */
export interface Call {
  /** The caller's number of the call. */
  readonly ref: number;
  /** Resolves when the caller does not need the answer any more. */
  readonly over: Promise<void>;
  /** Buffers of the result that move to the caller instead of being copied; the method adds them. */
  readonly transfer: Transferable[];
}

/** Implementations of the methods of the table. */
export type Methods<M extends MethodTable<M>> = {
  readonly [K in keyof M]: (params: M[K]["params"], call: Call) => M[K]["result"] | Promise<M[K]["result"]>;
};

/** An error as the caller gets it. */
export interface DescribedError {
  /** For people. */
  readonly error: string;
  /** For programs. @default {"failed"} */
  readonly code?: string;
}

/** The end that answers. */
export class Callee<M extends MethodTable<M>> {
  readonly #line: Line<ToCaller>;
  readonly #methods: Methods<M>;
  readonly #describe: (error: unknown) => DescribedError;
  /** By call under way, resolves its `over`. */
  readonly #cancels = new Map<number, () => void>();

  /**
   * Answers through `line`, whose owner hands every call and cancellation to {@linkcode Callee.take}.
   * @param describe Names the errors that methods throw. @default {their message, without a code}
   */
  constructor(
    line: Line<ToCaller>,
    methods: Methods<M>,
    describe: (error: unknown) => DescribedError = (error) => ({ error: messageOf(error) }),
  ) {
    this.#line = line;
    this.#methods = methods;
    this.#describe = describe;
  }

  /** Takes a call, whose method starts before this returns, or the cancellation of one. */
  take(message: ToCallee<M>): void {
    if (message.k === "cancel") this.#cancels.get(message.ref)?.();
    else this.#answer(message);
  }

  async #answer<K extends keyof M>({ ref, method, params }: CallMessage<M, K>): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#cancels.set(ref, resolve);
    const transfer: Transferable[] = [];
    try {
      const result = await this.#methods[method](params, { ref, over, transfer });
      this.#line.postMessage({ k: "answer", ref, result }, transfer);
    } catch (error) {
      if (error instanceof InvariantError) throw error; // nobody may go on
      this.#line.postMessage({ k: "answer", ref, ...this.#describe(error) });
    } finally {
      this.#cancels.delete(ref);
    }
  }
}
