/**
 * The nodes of the catalog as the name server and anti-entropy ask for them: stale, so that they resolve without a leader.
 *
 * A server answers from memory: it reads its own catalog once after each change. A client agent, which keeps no data, asks a
 * server each time.
 * @module
 */
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { ForwardedResponse } from "../../drivers/replica/api.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { CatalogAccess, KnownNode } from "./anti_entropy.ts";
import type { Catalog, CatalogRow } from "./catalog.ts";
import { type NodeRegistration, registerNode } from "./registration.ts";

/** A source for looking up nodes. Its methods reject if the answer is not known. */
export interface NodeSource {
  /** By name or id; undefined where there is none. */
  node(name: string): Promise<CatalogNode | undefined>;
  nodes(): Promise<readonly CatalogNode[]>;
  /** Those that are servers of the cluster. */
  servers(): Promise<readonly CatalogNode[]>;
}

/** A node's own metadata, without those that the cluster adds. */
function ownMeta(meta: Readonly<Record<string, unknown>>): Record<string, string> {
  const own = Object.entries(meta).filter(([key]) => !key.startsWith("consul-"));
  return Object.fromEntries(own.map(([key, value]) => [key, String(value)]));
}

/** All nodes at one time. */
export interface CatalogView {
  readonly nodes: readonly CatalogNode[];
  /** Those that are servers of the cluster. */
  readonly servers: readonly CatalogNode[];
  /** By name and by id, in lower case. */
  readonly byName: ReadonlyMap<string, CatalogNode>;
}

/** The nodes in this node's own catalog. */
export class LocalNodes implements NodeSource {
  readonly #catalog: Catalog;
  #view: Promise<CatalogView> | undefined;
  #changes = -1;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  async node(name: string): Promise<CatalogNode | undefined> {
    return (await this.view()).byName.get(name.toLowerCase());
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    return (await this.view()).nodes;
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return (await this.view()).servers;
  }

  /** All of them; the same object until the catalog changes. */
  view(): Promise<CatalogView> {
    if (this.#view && this.#changes === this.#catalog.changes) return this.#view;
    this.#changes = this.#catalog.changes; // before the read: a change meanwhile is seen by the next question
    const view = this.#read();
    this.#view = view;
    view.catch(() => this.#view === view && (this.#view = undefined));
    return view;
  }

  async #read(): Promise<CatalogView> {
    const { rows: [nodeRows, serverRows] } = await this.#catalog.read([], [
      { sql: "SELECT name, id, address, meta FROM _muster_nodes ORDER BY name" },
      { sql: "SELECT node FROM _muster_services WHERE name = 'consul' COLLATE NOCASE ORDER BY node, id" },
    ]);
    const byName = new Map<string, CatalogNode>();
    const nodes = nodeRows.map(nodeOfRow);
    nodeRows.forEach(({ id }, at) => byName.set(String(id).toLowerCase(), nodes[at]));
    for (const node of nodes) byName.set(node.name.toLowerCase(), node);
    const servers = serverRows.map(({ node }) => byName.get(String(node).toLowerCase()))
      .filter((node) => node !== undefined);
    return { nodes, servers, byName };
  }
}

function nodeOfRow({ name, address, meta }: CatalogRow): CatalogNode {
  return { name: String(name), address: String(address), meta: ownMeta(JSON.parse(String(meta))) };
}

const TIMEOUT_MS = 5000;

/** The nodes as a server tells them. */
export class RemoteNodes implements NodeSource, CatalogAccess {
  readonly #replica: ReplicaClient;

  constructor(replica: ReplicaClient) {
    this.#replica = replica;
  }

  async node(name: string): Promise<CatalogNode & KnownNode | undefined> {
    const found = await this.#get(`/v1/catalog/node/${encodeURIComponent(name)}?stale`);
    return isObject(found) ? nodeOfJson(found.Node) : undefined;
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    return listOf(await this.#get("/v1/catalog/nodes?stale"));
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return listOf(await this.#get("/v1/catalog/service/consul?stale"));
  }

  async register({ name, id, address, meta }: NodeRegistration): Promise<void> {
    const body = JSON.stringify({ Node: name, ID: id, Address: address, NodeMeta: meta });
    const { status, body: answer } = await this.#ask("PUT", "/v1/catalog/register", body);
    if (status !== 200) throw new Error(new TextDecoder().decode(answer));
  }

  async #get(target: string): Promise<unknown> {
    const { status, body } = await this.#ask("GET", target, "");
    const text = new TextDecoder().decode(body);
    if (status !== 200) throw new Error(text);
    return JSON.parse(text);
  }

  async #ask(method: string, target: string, text: string): Promise<ForwardedResponse> {
    const body = new TextEncoder().encode(text);
    const request = {
      method,
      target,
      contentType: "application/json",
      authorization: "",
      address: "",
      isOfNode: true,
      body,
    };
    return await this.#replica.call("forward", { request, timeoutMs: TIMEOUT_MS, retries: 0 });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function listOf(value: unknown): CatalogNode[] {
  return Array.isArray(value) ? value.map(nodeOfJson).filter((node) => node !== undefined) : [];
}

function nodeOfJson(value: unknown): CatalogNode | undefined {
  if (!isObject(value) || typeof value.Node !== "string" || typeof value.Address !== "string") return undefined;
  return { name: value.Node, address: value.Address, meta: ownMeta(isObject(value.Meta) ? value.Meta : {}) };
}

/** Dependencies of a server that registers itself. */
export interface ServerAccessParts {
  readonly catalog: Catalog;
  readonly datacenter: string;
  readonly nodes: LocalNodes;
  readonly leader: RemoteNodes;
  isLeader(): boolean;
}

/** A server's way to the catalog for what it says of itself: it reads its own, and writes where the leader is. */
export function serverAccess({ catalog, datacenter, nodes, leader, isLeader }: ServerAccessParts): CatalogAccess {
  return {
    node: (name) => nodes.node(name),
    register: (node) => isLeader() ? registerNode(catalog, datacenter, node) : leader.register(node),
  };
}
