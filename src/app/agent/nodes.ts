/**
 * The nodes of the catalog as the name server and anti-entropy ask for them: stale, so that they resolve without a leader.
 *
 * A server answers from memory: it reads its own catalog once after each change. A client agent, which keeps no data, asks a
 * server each time.
 * @module
 */
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { Runner } from "../database/operations.ts";
import type { Catalog, CatalogRow } from "./catalog.ts";
import type { CatalogOperations } from "./catalog_operations.ts";
import type { CatalogQuery } from "./catalog_query.ts";

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
    const { rows: [nodeRows, serverRows] } = await this.#catalog.read([
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

/** Longest wait for a server. */
const TIMEOUT_MS = 5000;
/** Its own agent asks, for itself. */
const ASKED = { by: { k: "node" }, timeoutMs: TIMEOUT_MS, retries: 0 } as const;

/** The nodes as a server tells them. */
export class RemoteNodes implements NodeSource {
  readonly #runner: Runner<CatalogOperations>;

  constructor(runner: Runner<CatalogOperations>) {
    this.#runner = runner;
  }

  async node(name: string): Promise<CatalogNode | undefined> {
    const [[row]] = await this.#rows({ k: "node", name });
    return row && nodeOfRow(row);
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    const [rows] = await this.#rows({ k: "nodes" });
    return rows.map(nodeOfRow);
  }

  async servers(): Promise<readonly CatalogNode[]> {
    const [rows] = await this.#rows({ k: "service", name: "consul" });
    return rows.map(({ node_name: name, node_address: address, node_meta: meta }) =>
      nodeOfRow({ name, address, meta })
    );
  }

  async #rows(query: CatalogQuery): Promise<readonly (readonly CatalogRow[])[]> {
    const params = { query, consistency: "stale", index: 0, waitMs: 0 } as const;
    return (await this.#runner.run("catalogRead", params, ASKED)).result.rows;
  }
}
