/**
 * The catalog as the name server asks for it: through a port, of this agent, stale, so that names resolve without a leader.
 * @module
 */
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { Lookup, LookupAnswer } from "./api.ts";
import type { CatalogSource } from "./server.ts";

const TIMEOUT_MS = 5000;
/** All nodes and the servers are asked for at most this often. */
const KEPT_MS = 1000;

/** Asks through a port. */
export class CatalogByPort implements CatalogSource {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, (answer: LookupAnswer) => void>();
  readonly #kept = new Map<string, { readonly untilMs: number; readonly value: Promise<readonly CatalogNode[]> }>();
  #nextRef = 1;

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<LookupAnswer>) => {
      this.#calls.get(data.ref)?.(data);
      this.#calls.delete(data.ref);
    };
  }

  async #ask(what: Lookup["what"], name = ""): Promise<readonly CatalogNode[]> {
    const ref = this.#nextRef++;
    const { promise, resolve, reject } = Promise.withResolvers<LookupAnswer>();
    this.#calls.set(ref, resolve);
    const timer = setTimeout(() => reject(new Error("no answer in time")), TIMEOUT_MS);
    try {
      const lookup: Lookup = { ref, what, name };
      this.#port.postMessage(lookup);
      const { nodes, error } = await promise;
      if (nodes === undefined) throw new Error(error);
      return nodes;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(ref);
    }
  }

  #askKept(what: "nodes" | "servers"): Promise<readonly CatalogNode[]> {
    const known = this.#kept.get(what);
    if (known && known.untilMs > performance.now()) return known.value;
    const value = this.#ask(what);
    value.catch(() => this.#kept.delete(what));
    this.#kept.set(what, { untilMs: performance.now() + KEPT_MS, value });
    return value;
  }

  async node(name: string): Promise<CatalogNode | undefined> {
    return (await this.#ask("node", name))[0];
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    return await this.#askKept("nodes");
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return await this.#askKept("servers");
  }
}
