/**
 * The catalog as the name server asks for it: by the paths of the API, answered by the HTTP Worker of this agent, stale, so
 * that names resolve without a leader.
 * @module
 */
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { Lookup, LookupAnswer } from "../server/api.ts";
import type { CatalogSource } from "./server.ts";

const TIMEOUT_MS = 5000;
/** All nodes and the servers are asked for at most this often. */
const KEPT_MS = 1000;

/** Asks through a port. */
export class CatalogByPort implements CatalogSource {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, (answer: LookupAnswer) => void>();
  readonly #kept = new Map<string, { readonly untilMs: number; readonly value: Promise<unknown> }>();
  #nextRef = 1;

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<LookupAnswer>) => {
      this.#calls.get(data.ref)?.(data);
      this.#calls.delete(data.ref);
    };
  }

  async #get(target: string): Promise<unknown> {
    const ref = this.#nextRef++;
    const { promise, resolve, reject } = Promise.withResolvers<LookupAnswer>();
    this.#calls.set(ref, resolve);
    const timer = setTimeout(() => reject(new Error("no answer in time")), TIMEOUT_MS);
    try {
      const lookup: Lookup = { ref, target };
      this.#port.postMessage(lookup);
      const { status, body } = await promise;
      if (status !== 200) throw new Error(body);
      return JSON.parse(body);
    } finally {
      clearTimeout(timer);
      this.#calls.delete(ref);
    }
  }

  #getKept(target: string): Promise<unknown> {
    const known = this.#kept.get(target);
    if (known && known.untilMs > performance.now()) return known.value;
    const value = this.#get(target);
    value.catch(() => this.#kept.delete(target));
    this.#kept.set(target, { untilMs: performance.now() + KEPT_MS, value });
    return value;
  }

  async node(name: string): Promise<CatalogNode | undefined> {
    const found = await this.#get(`/v1/catalog/node/${encodeURIComponent(name)}?stale`);
    return isObject(found) ? nodeOf(found.Node) : undefined;
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    return listOf(await this.#getKept("/v1/catalog/nodes?stale"));
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return listOf(await this.#getKept("/v1/catalog/service/consul?stale"));
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function listOf(value: unknown): CatalogNode[] {
  return Array.isArray(value) ? value.map(nodeOf).filter((node) => node !== undefined) : [];
}

function nodeOf(value: unknown): CatalogNode | undefined {
  if (!isObject(value) || typeof value.Node !== "string" || typeof value.Address !== "string") return undefined;
  const meta = isObject(value.Meta) ? value.Meta : {};
  return {
    name: value.Node,
    address: value.Address,
    // What the cluster itself notes about its nodes is not theirs to tell.
    meta: Object.fromEntries(
      Object.entries(meta).filter(([key]) => !key.startsWith("consul-")).map(([key, text]) => [key, String(text)]),
    ),
  };
}
