/**
 * The replica's client of the discovery Worker: calls, the report that this node leads, and the last status received.
 * @module
 */
import { Caller } from "../../base/worker/channel.ts";
import type { DiscoveryMethods, FromDiscovery, LeaderRecord, ToDiscovery } from "../discovery/api.ts";

/** A question that the Worker has not answered by then is given up; its own limits are shorter. */
const CALL_TIMEOUT_MS = 60_000;

/** Asks the discovery Worker. */
export class Discovery {
  readonly #port: MessagePort;
  readonly #caller: Caller<DiscoveryMethods>;
  #status: Readonly<Record<string, unknown>> = {};

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#port = port;
    this.#caller = new Caller(port, { callee: "discovery", timeoutMs: CALL_TIMEOUT_MS });
    port.onmessage = ({ data }: MessageEvent<FromDiscovery>) => {
      if (data.k === "answer") this.#caller.settle(data);
      else this.#status = data.status;
    };
  }

  /** For `/status`. */
  get status(): Readonly<Record<string, unknown>> {
    return this.#status;
  }

  /** Asks; a failure is an error for people, and may be tried again. */
  async call<M extends keyof DiscoveryMethods>(
    method: M,
    params: DiscoveryMethods[M]["params"],
  ): Promise<DiscoveryMethods[M]["result"]> {
    return await this.#caller.call(method, params);
  }

  /** This node leads and is to be reported as `record`; or it leads no more. */
  lead(record: LeaderRecord | null): void {
    const message: ToDiscovery = { k: "leading", record };
    this.#port.postMessage(message);
  }
}
