/**
 * One end of a line to the membership Worker: the gossip pool as this agent sees it, and what it can be asked.
 * @module
 */
import { Caller } from "../../base/worker/channel.ts";
import type { FromMembership, MemberRecord, MembershipEvent, MembershipMethods } from "./api.ts";

/** Calls under way at a time. */
const CALLS_MAX = 1024;

/** The pool refused or failed a call; the message is for people. */
export class PoolError extends Error {
  /** Always `PoolError`. */
  override readonly name = "PoolError";
}

/** The gossip pool, seen from elsewhere in the process. */
export class PoolClient {
  readonly #caller: Caller<MembershipMethods>;
  readonly #listeners: ((event: MembershipEvent) => void)[] = [];

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#caller = new Caller(port, {
      callee: "the pool",
      callsMax: CALLS_MAX,
      failure: (message) => new PoolError(message),
    });
    port.onmessage = ({ data }: MessageEvent<FromMembership>) => {
      if (data.k === "answer") this.#caller.settle(data);
      else if (data.k === "event") { for (const listener of this.#listeners) listener(data.event); }
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
    return await this.#caller.call(method, params);
  }

  /** Members as this agent has heard of them, itself included. */
  async members(): Promise<readonly MemberRecord[]> {
    return await this.call("members", {});
  }
}
