/**
 * Nodes in the catalog, written by hand or by their agents. What a live agent or gossip says comes back by itself. To be
 * called on the leader.
 * @module
 */
import { type CatalogWrite, expectRow, remove, upsert } from "../../core/catalog/catalog.ts";
import { OperationError } from "../database/errors.ts";
import { type Catalog, ConflictError, SERF_HEALTH } from "./catalog.ts";

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

/** The name belongs to a node that is alive, and has another id. */
export class NameTakenError extends OperationError {
  /** Always `NameTakenError`. */
  override readonly name = "NameTakenError";
}

/** Attempts at a write that others keep coming before. */
const ATTEMPTS_MAX = 10;

/**
 * Writes a node.
 * @throws {NameTakenError} When another node that is alive has the name.
 * @throws {import("./catalog.ts").CatalogError} When the catalog cannot be read or written.
 */
export async function registerNode(catalog: Catalog, datacenter: string, node: NodeRegistration): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await tryRegister(catalog, datacenter, node);
    } catch (error) {
      if (!(error instanceof ConflictError) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** @throws {ConflictError} When the node has changed since it was looked at. */
async function tryRegister(catalog: Catalog, datacenter: string, node: NodeRegistration): Promise<void> {
  const { name, address, id, taggedAddresses, meta } = node;
  const { rows: [[known], [alive]] } = await catalog.read([], [
    { sql: "SELECT * FROM _muster_nodes WHERE name = ?", positional: [name] },
    {
      sql: `SELECT 1 FROM _muster_checks WHERE node = ? AND id = '${SERF_HEALTH}' AND status = 'passing'`,
      positional: [name],
    },
  ]);
  if (alive && id !== "" && known?.id !== id) {
    const holder = `node ${known?.id} with name ${known?.name} (${known?.address})`;
    throw new NameTakenError(`Node name ${name} is reserved by ${holder}`);
  }
  const own: Record<string, string> = known ? JSON.parse(String(known.meta)) : {};
  const kept = Object.entries(own).filter(([key]) => key.startsWith("consul-"));
  const family = address.includes(":") ? "ipv6" : "ipv4";
  const tagged = { lan: address, [`lan_${family}`]: address, ...taggedAddresses };
  const isWhereItWas = known?.address === address && taggedAddresses === undefined;
  const unchanged = expectRow("nodes", { name }, BigInt(Number(known?.modify_index ?? 0)));
  await catalog.write([
    unchanged,
    upsert("nodes", ["name"], {
      name,
      id: id || String(known?.id ?? ""),
      address,
      datacenter,
      tagged_addresses: isWhereItWas ? String(known.tagged_addresses) : sortedJson(tagged),
      meta: sortedJson({ ...meta, ...Object.fromEntries(kept) }),
    }),
  ]);
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

function removals({ node, service, check }: Deregistration): CatalogWrite[] {
  if (service !== "") {
    return [remove("services", { node, id: service }), remove("checks", { node, service_id: service })];
  }
  if (check !== "") return [remove("checks", { node, id: check })];
  return [remove("services", { node }), remove("checks", { node }), remove("nodes", { name: node })];
}

/** The same text for the same pairs, in whatever order they come. */
export function sortedJson(pairs: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1))));
}
