/**
 * The catalog for the name server: stale reads of this agent through a port, so that names resolve without a leader.
 * @module
 */
import { Caller, type ToCaller } from "../../base/worker/channel.ts";
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { CatalogMethods } from "./api.ts";
import type { CatalogSource } from "./server.ts";

const TIMEOUT_MS = 5000;
/** All nodes and the servers are asked for at most this often. */
const KEPT_MS = 1000;

/** Asks through a port. */
export class CatalogByPort implements CatalogSource {
  readonly #caller: Caller<CatalogMethods>;
  readonly #kept = new Map<string, { readonly untilMs: number; readonly value: Promise<readonly CatalogNode[]> }>();

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#caller = new Caller(port, { callee: "the catalog", timeoutMs: TIMEOUT_MS });
    port.onmessage = ({ data }: MessageEvent<ToCaller>) => this.#caller.settle(data);
  }

  #askKept(what: "nodes" | "servers"): Promise<readonly CatalogNode[]> {
    const known = this.#kept.get(what);
    if (known && known.untilMs > performance.now()) return known.value;
    const value = this.#caller.call(what, {});
    value.catch(() => this.#kept.delete(what));
    this.#kept.set(what, { untilMs: performance.now() + KEPT_MS, value });
    return value;
  }

  async node(name: string): Promise<CatalogNode | undefined> {
    return await this.#caller.call("node", { name });
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    return await this.#askKept("nodes");
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return await this.#askKept("servers");
  }
}
