/**
 * What a token needs for writes of the cluster's own tables, as Consul has it. Some of it depends on what is there: a
 * deregistration names the id of a service, and the rules its name. Pure, but for the reads that it is given.
 * @module
 */
import type { KvOp } from "../../core/catalog/kv.ts";
import { sqlNeeds } from "../../core/acl/sql_needs.ts";
import { mayRead, type SqlPart } from "../../core/sql/statement.ts";
import { type Need, needs, needsOf } from "../../core/acl/resource.ts";
import type { Needs, ReadRows } from "../../core/acl/guard.ts";

/** A node as it is registered. */
interface NodeLike {
  readonly name: string;
  readonly address: string;
  readonly id: string;
  readonly taggedAddresses: Readonly<Record<string, string>> | undefined;
  readonly meta: Readonly<Record<string, string>>;
}

/** A node with services and checks, as it is registered. */
interface RegistrationLike {
  readonly node: NodeLike;
  readonly skipsNode: boolean;
  readonly services: readonly { readonly id: string; readonly name: string }[];
  readonly checks: readonly { readonly id: string; readonly serviceId: string }[];
}

/** What is taken out. */
interface DeregistrationLike {
  readonly node: string;
  readonly service: string;
  readonly check: string;
}

/** An operation of a transaction. */
export type OpLike =
  | { readonly k: "kv"; readonly op: KvOp }
  | { readonly k: "node"; readonly verb: string; readonly node: { readonly name: string } }
  | {
    readonly k: "service";
    readonly verb: string;
    readonly node: string;
    readonly service: { id: string; name: string };
  }
  | {
    readonly k: "check";
    readonly verb: string;
    readonly node: string;
    readonly check: { id: string; serviceId: string };
  }
  | { readonly k: "session"; readonly id: string }
  | { readonly k: "sql"; readonly statement: { readonly parts: readonly SqlPart[] } };

const READING_VERBS = ["get", "get-or-empty", "get-tree", "check-index", "check-session", "check-not-exists"];
const TREE_VERBS = ["get-tree", "delete-tree"];

/** What an operation on a key needs. */
export function needOfKv({ verb, key }: Pick<KvOp, "verb" | "key">): Need {
  const access = READING_VERBS.includes(verb) ? "read" : "write";
  return { resource: "key", access, name: key, ...(TREE_VERBS.includes(verb) ? { isTree: true } : {}) };
}

const serviceWrite = (name: string) => needsOf("service", "write", name);
const nodeWrite = (name: string) => needsOf("node", "write", name);

/** The name of a service of a node; empty where there is none. */
async function serviceName(read: ReadRows, node: string, id: string): Promise<string> {
  const [row] = await read("SELECT name FROM _muster_services WHERE node = ? AND id = ?", [node, id]);
  return row ? String(row.name) : "";
}

/** What a node needs that is registered by itself. */
export async function needsOfNode({ name, id }: Pick<NodeLike, "name" | "id">, read: ReadRows): Promise<Needs> {
  return [name, ...await renamed({ name, id }, read)].map(nodeWrite);
}

/** Nodes of another name with this id, whose place the node takes: they go with all that ran on them. */
async function renamed({ name, id }: Pick<NodeLike, "name" | "id">, read: ReadRows): Promise<string[]> {
  if (id === "") return [];
  const rows = await read("SELECT name FROM _muster_nodes WHERE id = ? AND name <> ? COLLATE NOCASE", [id, name]);
  return rows.map((row) => String(row.name));
}

/** What a registration needs: for a node that it changes, for each service, and for checks what they belong to. */
export async function needsOfRegistration(
  { node, skipsNode, services, checks }: RegistrationLike,
  read: ReadRows,
): Promise<Needs> {
  const found: Need[] = [];
  const isThere = await read("SELECT 1 FROM _muster_nodes WHERE name = ?", [node.name]);
  // A node that is not there is made in any case.
  if (isThere.length === 0 || !skipsNode && await isChanged(node, read)) {
    found.push(nodeWrite(node.name), ...(await renamed(node, read)).map(nodeWrite));
  }
  for (const { id, name } of services) {
    found.push(serviceWrite(name));
    const before = await serviceName(read, node.name, id);
    if (before !== "" && before !== name) found.push(serviceWrite(before));
  }
  for (const { id, serviceId } of checks) {
    const before = await needOfCheck(node.name, id, read);
    if (before && before.serviceId !== serviceId) found.push(before.need); // it takes another's place
    const own = services.find((service) => service.id === serviceId)?.name;
    if (own !== undefined) continue; // needed already
    const name = serviceId === "" ? "" : await serviceName(read, node.name, serviceId);
    found.push(name === "" ? nodeWrite(node.name) : serviceWrite(name));
  }
  // A registration of nothing new is still one of the node.
  if (!skipsNode && found.length === 0) found.push(nodeWrite(node.name));
  return found;
}

/** What a check that is there needs to be written; undefined where there is none. */
async function needOfCheck(
  node: string,
  id: string,
  read: ReadRows,
): Promise<{ readonly need: Need; readonly serviceId: string } | undefined> {
  const sql = "SELECT service_id, service_name FROM _muster_checks WHERE node = ? AND id = ?";
  const [row] = await read(sql, [node, id]);
  if (!row) return undefined;
  const name = String(row.service_name);
  return { need: name === "" ? nodeWrite(node) : serviceWrite(name), serviceId: String(row.service_id) };
}

async function isChanged(node: NodeLike, read: ReadRows): Promise<boolean> {
  const [row] = await read("SELECT id, address, meta, tagged_addresses FROM _muster_nodes WHERE name = ?", [node.name]);
  if (!row || String(row.address) !== node.address || node.id !== "" && node.id !== String(row.id)) return true;
  const meta: Record<string, unknown> = JSON.parse(String(row.meta));
  const own = Object.entries(meta).filter(([key]) => !key.startsWith("consul-"));
  const isSameMeta = own.length === Object.keys(node.meta).length &&
    own.every(([key, value]) => node.meta[key] === value);
  const tagged: Record<string, unknown> = JSON.parse(String(row.tagged_addresses));
  const isSameTagged = Object.entries(node.taggedAddresses ?? {}).every(([key, value]) => tagged[key] === value);
  return !isSameMeta || !isSameTagged;
}

/** What a deregistration needs: the right to write the node, or the service that it is about. */
export async function needsOfDeregistration(
  { node, service, check }: DeregistrationLike,
  read: ReadRows,
): Promise<Needs> {
  if (service !== "") {
    const name = await serviceName(read, node, service);
    return [name === "" ? nodeWrite(node) : [nodeWrite(node), serviceWrite(name)]];
  }
  if (check === "") return [nodeWrite(node)];
  const [row] = await read("SELECT service_name FROM _muster_checks WHERE node = ? AND id = ?", [node, check]);
  const name = row ? String(row.service_name) : "";
  return [name === "" ? nodeWrite(node) : [nodeWrite(node), serviceWrite(name)]];
}

/** What the end, or the renewal, of a session needs. */
export async function needsOfSession(id: string, read: ReadRows): Promise<Needs> {
  const [row] = await read("SELECT node FROM _muster_sessions WHERE id = ?", [id]);
  return row ? [needsOf("session", "write", String(row.node))] : []; // of one that is not there nothing happens
}

/** What a transaction needs. */
export async function needsOfTxn(ops: readonly OpLike[], read: ReadRows): Promise<Needs> {
  const found: Needs[number][] = [];
  for (const op of ops) found.push(...await needsOfOp(op, read));
  return found;
}

async function needsOfOp(op: OpLike, read: ReadRows): Promise<Needs> {
  switch (op.k) {
    case "kv":
      return [needOfKv(op.op)];
    case "session":
      return await needsOfSession(op.id, read);
    case "sql": {
      const { parts } = op.statement;
      return sqlNeeds(parts.every(mayRead) ? "read" : "write", parts);
    }
    case "node":
      return [needsOf("node", op.verb === "get" ? "read" : "write", op.node.name)];
    case "service": {
      const access = op.verb === "get" ? "read" : "write";
      const before = await serviceName(read, op.node, op.service.id);
      const names = [before, ...(access === "read" || op.verb.startsWith("delete") ? [] : [op.service.name])];
      const known = [...new Set(names.filter((name) => name !== ""))];
      const node = needsOf("node", access, op.node);
      return known.length === 0 ? [node] : [
        ...(access === "read" ? [node] : []),
        ...known.map((name) => needsOf("service", access, name)),
      ];
    }
    case "check": {
      const access = op.verb === "get" ? "read" : "write";
      const [row] = await read("SELECT service_name FROM _muster_checks WHERE node = ? AND id = ?", [
        op.node,
        op.check.id,
      ]);
      const next = op.check.serviceId === "" ? "" : await serviceName(read, op.node, op.check.serviceId);
      const names = [...new Set([row ? String(row.service_name) : next, next])];
      return names.map((name) => name === "" ? needsOf("node", access, op.node) : needsOf("service", access, name));
    }
  }
}

/** What a prepared query needs: its name, and the one that it had. */
export async function needsOfQuery(id: string, name: string | undefined, read: ReadRows): Promise<Needs> {
  const [row] = id === "" ? [] : await read("SELECT name FROM _muster_queries WHERE id = ?", [id]);
  const names = [...(name === undefined ? [] : [name]), ...(row ? [String(row.name)] : name === undefined ? [""] : [])];
  return [...new Set(names)].map((one) => needsOf("query", "write", one));
}

/** What an entry of configuration needs. */
export function needsOfEntry({ kind, name }: { readonly kind: string; readonly name: string }): Needs {
  return [kind === "service-defaults" ? needsOf("service", "write", name) : needs("operator", "write")];
}
