/**
 * Nodes, services and checks in the catalog, written by hand or by their agents. What a live agent or gossip says comes back by itself. To be
 * called on the leader.
 * @module
 */
import { type CatalogWrite, expectRow, NOW, remove, upsert } from "../../core/catalog/catalog.ts";
import { OperationError } from "../database/errors.ts";
import { type Catalog, type CatalogRow, ConflictError, SERF_HEALTH } from "./catalog.ts";

/** The description of a node. */
export interface NodeRegistration {
  readonly name: string;
  readonly address: string;
  /** Empty: the one that it has. */
  readonly id: string;
  /** Addresses by tag, besides those that follow from the address; undefined: those that it has, where it has not moved. */
  readonly taggedAddresses: Readonly<Record<string, string>> | undefined;
  readonly meta: Readonly<Record<string, string>>;
}

/** An instance of a service, as the catalog has it. */
export interface CatalogService {
  readonly id: string;
  readonly name: string;
  readonly tags: readonly string[];
  /** Empty: the node's. */
  readonly address: string;
  readonly port: number;
  readonly meta: Readonly<Record<string, string>>;
  readonly taggedAddresses: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
  readonly weights: { readonly passing: number; readonly warning: number };
  readonly enableTagOverride: boolean;
  readonly kind: string;
  readonly socketPath: string;
}

/** A check, as the catalog has it. */
export interface CatalogCheck {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly notes: string;
  readonly output: string;
  /** Empty: a check of the node. */
  readonly serviceId: string;
  /** Such as `http`; may be empty. */
  readonly type: string;
  /** Go's text of a duration; may be empty. */
  readonly interval: string;
  readonly timeout: string;
  /** JSON, for clients. */
  readonly definition: string;
}

/** A node with services and checks. */
export interface Registration {
  readonly node: NodeRegistration;
  /** Whether a node that is there stays as it is. */
  readonly skipsNode: boolean;
  readonly services: readonly CatalogService[];
  readonly checks: readonly CatalogCheck[];
}

/** The name belongs to a node that is alive, and has another id. */
export class NameTakenError extends OperationError {
  /** Always `NameTakenError`. */
  override readonly name = "NameTakenError";
}

/** Attempts at a write that others keep coming before. */
const ATTEMPTS_MAX = 10;

/**
 * Writes a node with services and checks, all or nothing.
 * @throws {NameTakenError} When another node that is alive has the name, or the id.
 * @throws {OperationError} When a check is of a service that is not there.
 * @throws {import("./catalog.ts").CatalogError} When the catalog cannot be read or written.
 */
export async function register(catalog: Catalog, datacenter: string, registration: Registration): Promise<void> {
  await whileInConflict(async () => {
    const writes = [
      ...await nodeWrites(catalog, datacenter, registration),
      ...await serviceWrites(catalog, registration),
    ];
    if (writes.length > 0) await catalog.write(writes);
  });
}

/** Tries again where others came before: what was looked at has changed. @throws What `work` throws in the end. */
export async function whileInConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConflictError) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** The writes for the node itself, which fail when it has changed since it was looked at. @throws {NameTakenError} */
async function nodeWrites(catalog: Catalog, datacenter: string, registration: Registration): Promise<CatalogWrite[]> {
  const { node: { name, id }, skipsNode } = registration;
  const { rows: [[known], [alive], others] } = await catalog.read([
    { sql: "SELECT * FROM _muster_nodes WHERE name = ?", positional: [name] },
    {
      sql: `SELECT 1 FROM _muster_checks WHERE node = ? AND id = '${SERF_HEALTH}' AND status = 'passing'`,
      positional: [name],
    },
    {
      sql: "SELECT n.name, n.address, c.status FROM _muster_nodes n LEFT JOIN _muster_checks c " +
        `ON c.node = n.name AND c.id = '${SERF_HEALTH}' WHERE n.id = ? AND n.id <> '' AND n.name <> ? COLLATE NOCASE`,
      positional: [id, name],
    },
  ]);
  if (alive && id !== "" && known?.id !== id) {
    throw new NameTakenError(nameTaken(name, known));
  }
  const asFound = expectRow("nodes", { name }, BigInt(Number(known?.modify_index ?? 0)));
  if (known && skipsNode) return [asFound];
  const holder = others.find(({ status }) => status === "passing");
  if (holder) throw new NameTakenError(idTaken(id, holder));
  return [
    asFound,
    ...others.flatMap((other) => removals({ node: String(other.name), service: "", check: "" })), // it was renamed
    upsert("nodes", ["name"], nodeRow(registration.node, datacenter, known)),
  ];
}

/** Why a node cannot have a name. */
export function nameTaken(name: string, holder: CatalogRow | undefined): string {
  return `Node name ${name} is reserved by node ${holder?.id} with name ${holder?.name} (${holder?.address})`;
}

/** Why a node cannot have an id. */
export function idTaken(id: string, holder: CatalogRow | undefined): string {
  return `Node ID ${id} is reserved by node ${holder?.name} (${holder?.address})`;
}

/** A node as a row; what it does not say stays as it is known. */
export function nodeRow(
  { name, address, id, taggedAddresses, meta }: NodeRegistration,
  datacenter: string,
  known: CatalogRow | undefined,
): Readonly<Record<string, string>> {
  const own: Record<string, string> = known ? JSON.parse(String(known.meta)) : {};
  const kept = Object.entries(own).filter(([key]) => key.startsWith("consul-"));
  const family = address.includes(":") ? "ipv6" : "ipv4";
  const tagged = { lan: address, [`lan_${family}`]: address, ...taggedAddresses };
  const isWhereItWas = known?.address === address && taggedAddresses === undefined;
  return {
    name,
    id: id || String(known?.id ?? ""),
    address,
    datacenter,
    tagged_addresses: isWhereItWas ? String(known.tagged_addresses) : sortedJson(tagged),
    meta: sortedJson({ ...meta, ...Object.fromEntries(kept) }),
  };
}

async function serviceWrites(catalog: Catalog, { node, services, checks }: Registration): Promise<CatalogWrite[]> {
  if (services.length + checks.length === 0) return [];
  const names = new Map(services.map(({ id, name }) => [id, name]));
  const missing = checks.map(({ serviceId }) => serviceId).filter((id) => id !== "" && !names.has(id));
  const wanted = [...new Set(missing)];
  if (wanted.length > 0) {
    const sql = `SELECT id, name FROM _muster_services WHERE node = ? AND id IN (${wanted.map(() => "?").join(", ")})`;
    const { rows: [found] } = await catalog.read([{ sql, positional: [node.name, ...wanted] }]);
    for (const { id, name } of found) names.set(String(id), String(name));
  }
  return [
    ...services.flatMap((service) => serviceRows(node.name, service)),
    ...checks.map((check) => {
      const serviceName = check.serviceId === "" ? "" : names.get(check.serviceId);
      if (serviceName === undefined) {
        throw new OperationError(`Unknown service ID '${check.serviceId}' for check ID '${check.id}'`);
      }
      return upsert("checks", ["node", "id"], checkRow(node.name, check, serviceName));
    }),
  ];
}

/** The service, and its name in its checks. */
export function serviceRows(node: string, service: CatalogService): CatalogWrite[] {
  const { id, name } = service;
  return [
    upsert("services", ["node", "id"], serviceRow(node, service)),
    {
      sql: `UPDATE _muster_checks SET service_name = ?, modify_index = ${NOW} ` +
        "WHERE node = ? AND service_id = ? AND service_name <> ?",
      positional: [name, node, id, name],
    },
  ];
}

/** A service as a row. */
export function serviceRow(node: string, service: CatalogService): Readonly<Record<string, string | bigint>> {
  const { id, name, tags, address, port, meta, taggedAddresses, weights, enableTagOverride, kind, socketPath } =
    service;
  return {
    node,
    id,
    name,
    tags: JSON.stringify(tags),
    address,
    port: BigInt(port),
    meta: sortedJson(meta),
    tagged_addresses: sortedJson(taggedAddresses),
    passing_weight: BigInt(weights.passing),
    warning_weight: BigInt(weights.warning),
    enable_tag_override: enableTagOverride ? 1n : 0n,
    kind,
    socket_path: socketPath,
  };
}

/** A check as a row. */
export function checkRow(node: string, check: CatalogCheck, serviceName: string): Readonly<Record<string, string>> {
  const { id, name, status, notes, output, serviceId, type, interval, timeout, definition } = check;
  return {
    node,
    id,
    name,
    status,
    notes,
    output,
    service_id: serviceId,
    service_name: serviceName,
    type,
    interval,
    timeout,
    definition,
  };
}

/** A removal from the catalog: a node with everything that belongs to it, one of its services, or one of its checks. */
export interface Deregistration {
  readonly node: string;
  /** Empty: none. */
  readonly service: string;
  /** Empty: none. */
  readonly check: string;
}

/**
 * Takes something out of the catalog.
 * @throws {import("./catalog.ts").CatalogError} When the catalog cannot be written.
 */
export async function deregister(catalog: Catalog, what: Deregistration): Promise<void> {
  await catalog.write(removals(what));
}

/** The writes that take something out of the catalog. */
export function removals({ node, service, check }: Deregistration): CatalogWrite[] {
  if (service !== "") {
    return [remove("services", { node, id: service }), remove("checks", { node, service_id: service })];
  }
  if (check !== "") return [remove("checks", { node, id: check })];
  return [remove("services", { node }), remove("checks", { node }), remove("nodes", { name: node })];
}

/** The same text for the same pairs, in whatever order they come. */
export function sortedJson(pairs: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1))));
}
