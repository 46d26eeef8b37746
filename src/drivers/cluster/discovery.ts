/**
 * The replica's end of the line to the discovery Worker: questions with their answers, the word that this node leads, and
 * the last status heard.
 * @module
 */
import type { DiscoveryMethods, FromDiscovery, LeaderRecord, ToDiscovery } from "../discovery/api.ts";

/** A question that the Worker has not answered by then is given up; its own limits are shorter. */
const CALL_TIMEOUT_MS = 60_000;

/** Asks the discovery Worker. */
export class Discovery {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #nextRef = 1;
  #status: Readonly<Record<string, unknown>> = {};

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<FromDiscovery>) => {
      if (data.k === "status") {
        this.#status = data.status;
        return;
      }
      const call = this.#calls.get(data.ref);
      if (data.error === undefined) call?.resolve(data.result);
      else call?.reject(new Error(data.error));
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
    const ref = this.#nextRef++;
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(ref, call);
    const timer = setTimeout(() => call.reject(new Error("discovery does not answer")), CALL_TIMEOUT_MS);
    try {
      this.#tell({ k: "call", ref, method, params });
      return await call.promise as DiscoveryMethods[M]["result"]; // the Worker's own answer to this method
    } finally {
      clearTimeout(timer);
      this.#calls.delete(ref);
    }
  }

  /** This node leads and is to be reported as `record`; or it leads no more. */
  lead(record: LeaderRecord | null): void {
    this.#tell({ k: "leading", record });
  }

  #tell(message: ToDiscovery): void {
    this.#port.postMessage(message);
  }
}
