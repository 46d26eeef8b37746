/**
 * The catalog for the name server, through a port: stale reads of this agent, so that names resolve without a leader.
 *
 * A server agent, which holds the catalog, hands out all of it once, and says when that is not current any more: a name
 * then costs no message. A client agent knows the names that it was asked for.
 * @module
 */
import { Caller, type ToCaller } from "../../base/worker/channel.ts";
import type { CatalogView } from "../../app/agent/nodes.ts";
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { ServiceInstance } from "../../core/dns/service_answer.ts";
import type { CatalogChanged, CatalogMethods, QueryInstances } from "./api.ts";
import type { CatalogSource } from "./server.ts";

const TIMEOUT_MS = 5000;
/** A client agent asks for all nodes and for the servers at most this often. */
const KEPT_MS = 1000;

/** Asks through a port. */
export class CatalogByPort implements CatalogSource {
  readonly #caller: Caller<CatalogMethods>;
  readonly #kept = new Map<string, { readonly untilMs: number; readonly value: Promise<readonly CatalogNode[]> }>();
  #current: CatalogView | undefined;
  /** The agent does not hold the catalog. */
  #holdsNone = false;
  /** Another one after each change of what a client agent knows. */
  #token = {};
  /** What the agent says when it is asked for all of it; asked anew after a change. */
  #view: Promise<CatalogView | undefined> | undefined;

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#caller = new Caller(port, { callee: "the catalog", timeoutMs: TIMEOUT_MS });
    port.onmessage = ({ data }: MessageEvent<ToCaller | CatalogChanged>) => {
      if (data.k === "changed") this.#forget();
      else this.#caller.settle(data);
    };
  }

  get state(): unknown {
    return this.#holdsNone ? this.#token : this.#current;
  }

  #forget(): void {
    this.#token = {};
    this.#kept.clear();
    this.#view = this.#current = undefined;
  }

  async node(name: string, datacenter?: string): Promise<CatalogNode | undefined> {
    if (datacenter !== undefined) return await this.#caller.call("node", { name, datacenter });
    const view = this.#current ?? await this.#asked();
    return view ? view.byName.get(name.toLowerCase()) : await this.#caller.call("node", { name });
  }

  async nodes(datacenter?: string): Promise<readonly CatalogNode[]> {
    if (datacenter !== undefined) return await this.#caller.call("nodes", { datacenter });
    const view = this.#current ?? await this.#asked();
    return view ? view.nodes : await this.#askKept("nodes");
  }

  async servers(): Promise<readonly CatalogNode[]> {
    const view = this.#current ?? await this.#asked();
    return view ? view.servers : await this.#askKept("servers");
  }

  async service(name: string, datacenter?: string): Promise<readonly ServiceInstance[]> {
    if (datacenter !== undefined) return await this.#caller.call("service", { name, datacenter });
    const view = this.#current ?? await this.#asked();
    return view ? view.services.get(name.toLowerCase()) ?? [] : await this.#caller.call("service", { name });
  }

  query(name: string, datacenter?: string): Promise<QueryInstances | undefined> {
    return this.#caller.call("query", { name, ...(datacenter === undefined ? {} : { datacenter }) });
  }

  knows(datacenter: string): Promise<boolean> {
    return this.#caller.call("knows", { datacenter });
  }

  async services(): Promise<readonly ServiceInstance[]> {
    const view = this.#current ?? await this.#asked();
    return view ? [...view.services.values()].flat() : await this.#caller.call("services", {});
  }

  #asked(): Promise<CatalogView | undefined> {
    if (this.#holdsNone) return Promise.resolve(undefined);
    if (this.#view) return this.#view;
    const asked = this.#caller.call("view", {});
    this.#view = asked;
    // A change while the answer was under way may be missing in it: then it is not kept.
    asked.then(
      (view) => {
        if (this.#view === asked) this.#current = view;
        this.#holdsNone = view === undefined;
      },
      () => this.#view === asked && (this.#view = undefined),
    );
    return asked;
  }

  #askKept(what: "nodes" | "servers"): Promise<readonly CatalogNode[]> {
    const known = this.#kept.get(what);
    if (known && known.untilMs > performance.now()) return known.value;
    const value = this.#caller.call(what, {});
    value.catch(() => this.#kept.delete(what));
    this.#kept.set(what, { untilMs: performance.now() + KEPT_MS, value });
    return value;
  }
}
