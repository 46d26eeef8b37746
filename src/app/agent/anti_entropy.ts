/**
 * The agent's own word in the catalog (spec/consul.md 9.8): gossip tells that a node is there, the node itself tells what
 * describes it. It looks whether the catalog says so at the start, when it or a server comes or goes, when what it has to
 * say changes, and about once a minute, and registers where it differs.
 * @module
 */
import type { HttpRequest, Services } from "../../api/http/request.ts";
import { Params } from "../../api/http/params.ts";
import { routeV1 } from "../../api/consul/router.ts";

const PERIOD_MS = 60_000;
const STAGGER_MS = 15_000;
const GATHER_MS = 500;
const RETRY_MS = 5000;

/** Keeps the metadata of this node in the catalog. */
export class AntiEntropy {
  readonly #services: Services;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBusy = false;

  /** @param services Those of an agent. */
  constructor(services: Services) {
    this.#services = services;
    const own = services.agent?.options.nodeName;
    services.agent?.pool.onEvent((event) => {
      if (!("members" in event)) return;
      // In a pool of hundreds not every agent may ask for every other one that comes.
      if (event.members.some(({ name, tags }) => name === own || tags.role === "consul")) this.soon();
    });
    this.soon();
  }

  /** Looks within half a second. */
  soon(): void {
    this.#in(GATHER_MS);
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), ms);
  }

  async #run(): Promise<void> {
    if (this.#isBusy) return this.soon();
    this.#isBusy = true;
    const isDone = await this.#sync().catch(() => false);
    this.#isBusy = false;
    this.#in(isDone ? PERIOD_MS + Math.random() * STAGGER_MS : RETRY_MS);
  }

  /** Whether the catalog now says what this agent says. */
  async #sync(): Promise<boolean> {
    const options = this.#services.agent?.options;
    if (!options) return true;
    const name = encodeURIComponent(options.nodeName);
    const read = await this.#ask("GET", `/v1/catalog/node/${name}`);
    if (read.status !== 200) return false;
    const node: { Address?: string; ID?: string; Meta?: Record<string, string> } | undefined = JSON.parse(read.body)
      ?.Node;
    if (!node) return false; // the leader registers it first
    const known = Object.entries(node.Meta ?? {}).filter(([key]) => !key.startsWith("consul-"));
    const isSame = known.length === Object.keys(options.meta).length &&
      known.every(([key, value]) => options.meta[key] === value);
    if (isSame) return true;
    const body = { Node: options.nodeName, ID: options.nodeId, Address: node.Address, NodeMeta: options.meta };
    const written = await this.#ask("PUT", "/v1/catalog/register", JSON.stringify(body));
    if (written.status !== 200) this.#services.log(`failed to sync remote state: ${written.body}`, "warn");
    return written.status === 200;
  }

  async #ask(method: string, target: string, body = ""): Promise<{ status: number; body: string }> {
    const request: HttpRequest = {
      method,
      target,
      params: Params.parse(""),
      contentType: "application/json",
      authorization: "",
      body: new TextEncoder().encode(body),
      forwarded: false,
      startedMs: performance.now(),
    };
    const response = await routeV1(request, this.#services);
    const text = typeof response.body === "string" ? response.body : new TextDecoder().decode(response.body);
    return { status: response.status, body: text };
  }

  /** Ends the work. */
  close(): void {
    clearTimeout(this.#timer);
  }
}
