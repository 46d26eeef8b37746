/**
 * One end of a line to the membership Worker: the gossip pool as this agent sees it, and what it can be asked.
 * @module
 */
import type { FromMembership, MemberRecord, MembershipEvent, MembershipMethods, ToMembership } from "./api.ts";

/** Calls under way at a time. */
const CALLS_MAX = 1024;

/** The pool refused or failed a call; the message is for people. */
export class PoolError extends Error {
  /** Always `PoolError`. */
  override readonly name = "PoolError";
}

/** The gossip pool, seen from elsewhere in the process. */
export class PoolClient {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #listeners: ((event: MembershipEvent) => void)[] = [];
  #nextRef = 1;

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<FromMembership>) => {
      if (data.k === "event") { for (const listener of this.#listeners) listener(data.event); }
      if (data.k !== "answer") return;
      const call = this.#calls.get(data.ref);
      this.#calls.delete(data.ref);
      if (data.error === undefined) call?.resolve(data.result);
      else call?.reject(new PoolError(data.error));
    };
  }

  /** Has `listener` told of what happens in the pool. */
  onEvent(listener: (event: MembershipEvent) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Asks the membership Worker.
   * @throws {PoolError} Why it could not be done.
   */
  async call<M extends keyof MembershipMethods>(
    method: M,
    params: MembershipMethods[M]["params"],
  ): Promise<MembershipMethods[M]["result"]> {
    if (this.#calls.size >= CALLS_MAX) throw new PoolError("too many calls to the pool are under way: try again later");
    const ref = this.#nextRef++;
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(ref, call);
    const message: ToMembership = { k: "call", ref, method, params };
    this.#port.postMessage(message);
    // What it answers is of this process: its type is that of MembershipMethods.
    return await call.promise as MembershipMethods[M]["result"];
  }

  /** Members as this agent has heard of them, itself included. */
  async members(): Promise<readonly MemberRecord[]> {
    return await this.call("members", {});
  }
}
