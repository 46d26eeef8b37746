/**
 * The nodes and services of the catalog as the name server asks for them: stale, so that they resolve without a leader.
 *
 * A server answers from memory: it reads its own catalog once after each change. A client agent, which keeps no data, has a
 * server tell it of the changes of what it was asked for (followed_reads.ts).
 * @module
 */
import type { CatalogNode } from "../../core/dns/answer.ts";
import type { ServiceInstance } from "../../core/dns/service_answer.ts";
import { CHECK_STATUSES, type CheckStatus, isCheckStatus } from "../../core/health/aggregate.ts";
import type { Catalog, CatalogRow } from "./catalog.ts";
import type { FollowedReads } from "./followed_reads.ts";

/** A source for looking up nodes and services. Its methods reject if the answer is not known. */
export interface NodeSource {
  /** Called when something has changed. */
  onChange: () => void;
  /** By name or id; undefined where there is none. */
  node(name: string): Promise<CatalogNode | undefined>;
  nodes(): Promise<readonly CatalogNode[]>;
  /** Those that are servers of the cluster. */
  servers(): Promise<readonly CatalogNode[]>;
  /** Instances of a service, whatever their health. */
  service(name: string): Promise<readonly ServiceInstance[]>;
  /** Instances of all services. */
  services(): Promise<readonly ServiceInstance[]>;
  /** All of it, where this node holds it: the same object until something changes. */
  view?(): Promise<CatalogView>;
}

/** The service that stands for the servers of the cluster. */
const SERVERS = "consul";

/** A node's own metadata, without those that the cluster adds. */
function ownMeta(meta: Readonly<Record<string, unknown>>): Record<string, string> {
  const own = Object.entries(meta).filter(([key]) => !key.startsWith("consul-"));
  return Object.fromEntries(own.map(([key, value]) => [key, String(value)]));
}

/** All nodes and services at one time. */
export interface CatalogView {
  readonly nodes: readonly CatalogNode[];
  /** Those that are servers of the cluster. */
  readonly servers: readonly CatalogNode[];
  /** By name and by id, in lower case. */
  readonly byName: ReadonlyMap<string, CatalogNode>;
  /** Instances by the name of their service, in lower case. */
  readonly services: ReadonlyMap<string, readonly ServiceInstance[]>;
}

/** The tables that a view is made of. */
const TABLES = ["nodes", "services", "checks"];
/** A watch is asked again now and then. */
const WATCH_MS = 3_600_000;

/** A source that answers from a view of all of it. */
export abstract class HeldNodes implements NodeSource {
  /** Called when the view has changed. */
  onChange: () => void = () => {};

  /** All of it; the same object until something changes. */
  abstract view(): Promise<CatalogView>;

  async node(name: string): Promise<CatalogNode | undefined> {
    return (await this.view()).byName.get(name.toLowerCase());
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    return (await this.view()).nodes;
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return (await this.view()).servers;
  }

  async service(name: string): Promise<readonly ServiceInstance[]> {
    return (await this.view()).services.get(name.toLowerCase()) ?? [];
  }

  async services(): Promise<readonly ServiceInstance[]> {
    return [...(await this.view()).services.values()].flat();
  }
}

/** The nodes and services in this node's own catalog. */
export class LocalNodes extends HeldNodes {
  readonly #catalog: Catalog;
  #view: Promise<CatalogView> | undefined;

  constructor(catalog: Catalog) {
    super();
    this.#catalog = catalog;
    this.#follow();
  }

  async #follow(): Promise<void> {
    const watch = this.#catalog.watch(TABLES, true);
    for (;;) {
      await watch.next(WATCH_MS);
      this.#view = undefined;
      this.onChange();
    }
  }

  override view(): Promise<CatalogView> {
    if (this.#view) return this.#view;
    const view = this.#read();
    this.#view = view;
    view.catch(() => this.#view === view && (this.#view = undefined));
    return view;
  }

  async #read(): Promise<CatalogView> {
    const { rows: [nodeRows, serviceRows, checkRows] } = await this.#catalog.read([
      { sql: "SELECT name, id, address, meta FROM _muster_nodes ORDER BY name" },
      { sql: "SELECT * FROM _muster_services ORDER BY node, id" },
      { sql: "SELECT DISTINCT node, service_id, status FROM _muster_checks WHERE status <> 'passing'" },
    ]);
    const byName = new Map<string, CatalogNode>();
    const nodes = nodeRows.map(nodeOfRow);
    nodeRows.forEach(({ id }, at) => byName.set(String(id).toLowerCase(), nodes[at]));
    for (const node of nodes) byName.set(node.name.toLowerCase(), node);
    const statuses = new Statuses(checkRows);
    const services = new Map<string, ServiceInstance[]>();
    for (const row of serviceRows) {
      const node = byName.get(String(row.node).toLowerCase());
      const name = String(row.name).toLowerCase();
      const instance = node && instanceOf(row, node, statuses);
      const known = services.get(name);
      if (instance && known) known.push(instance);
      else if (instance) services.set(name, [instance]);
    }
    const servers = (services.get(SERVERS) ?? []).map(({ node }) => node);
    return { nodes, servers, byName, services };
  }
}

function nodeOfRow({ name, address, meta }: CatalogRow): CatalogNode {
  return { name: String(name), address: String(address), meta: ownMeta(JSON.parse(String(meta))) };
}

/** The worst status of the checks of each service, and of each node. */
class Statuses {
  readonly #worst = new Map<string, CheckStatus>();

  /** Takes rows of checks. */
  constructor(checks: readonly CatalogRow[]) {
    for (const { node, service_id: service, status } of checks) {
      const key = keyOf(node, service);
      this.#worst.set(key, worse(String(status), this.#worst.get(key)));
    }
  }

  of({ node, id }: CatalogRow): CheckStatus {
    return worse(this.#worst.get(keyOf(node, id)) ?? "passing", this.#worst.get(keyOf(node, "")));
  }
}

function keyOf(node: unknown, service: unknown): string {
  return `${String(node).toLowerCase()}\n${service}`;
}

/** A status that is not known is critical: nobody is sent there. */
function worse(status: string, other: CheckStatus = "passing"): CheckStatus {
  const one = isCheckStatus(status) ? status : "critical";
  return CHECK_STATUSES.indexOf(one) > CHECK_STATUSES.indexOf(other) ? one : other;
}

function instanceOf(row: CatalogRow, node: CatalogNode, statuses: Statuses): ServiceInstance {
  return {
    service: String(row.name),
    node,
    address: String(row.address),
    port: Number(row.port),
    tags: JSON.parse(String(row.tags)),
    status: statuses.of(row),
    weights: { passing: Number(row.passing_weight ?? 1), warning: Number(row.warning_weight ?? 1) },
  };
}

/** The nodes and services as a server tells them. */
export class RemoteNodes implements NodeSource {
  onChange: () => void = () => {};
  readonly #reads: Pick<FollowedReads, "rows" | "onChange">;

  constructor(reads: Pick<FollowedReads, "rows" | "onChange">) {
    this.#reads = reads;
    reads.onChange = () => this.onChange();
  }

  async node(name: string): Promise<CatalogNode | undefined> {
    const [[row]] = await this.#reads.rows({ k: "node", name });
    return row && nodeOfRow(row);
  }

  async nodes(): Promise<readonly CatalogNode[]> {
    const [rows] = await this.#reads.rows({ k: "nodes" });
    return rows.map(nodeOfRow);
  }

  async servers(): Promise<readonly CatalogNode[]> {
    return (await this.service(SERVERS)).map(({ node }) => node);
  }

  async service(name: string): Promise<readonly ServiceInstance[]> {
    const [rows, checks] = await this.#reads.rows({ k: "health", name });
    return instancesOf(rows, checks);
  }

  async services(): Promise<readonly ServiceInstance[]> {
    const [rows] = await this.#reads.rows({ k: "services", watchesNodes: true });
    return instancesOf(rows, []);
  }
}

/** Instances of services, with their nodes, and the checks that say how they are. */
export function instancesOf(rows: readonly CatalogRow[], checks: readonly CatalogRow[]): ServiceInstance[] {
  const statuses = new Statuses(checks);
  return rows.map((row) => {
    const node = nodeOfRow({ name: row.node_name, address: row.node_address, meta: row.node_meta });
    return instanceOf(row, node, statuses);
  });
}
