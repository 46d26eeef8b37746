/**
 * Transactions (C7.6): operations on keys, nodes, services, checks and sessions, and SQL, that are done in one entry of the
 * log, all or none. Each is a condition or several, and what it does where they hold.
 * @module
 */
import { type CatalogWrite, expectRow, guard, upsert } from "../../core/catalog/catalog.ts";
import { entryOf, type KvOp, kvWrites } from "../../core/catalog/kv.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import { allowedStatements } from "../database/allowed.ts";
import { type Catalog, type CatalogRow, ConflictError, SERF_HEALTH, StatementError } from "../agent/catalog.ts";
import {
  type CatalogCheck,
  type CatalogService,
  checkRow,
  idTaken,
  nameTaken,
  type NodeRegistration,
  nodeRow,
  removals,
  serviceRows,
} from "../agent/registration.ts";

/** Operations on nodes, services and checks, by Consul's names. */
export const ROW_VERBS = ["set", "cas", "get", "delete", "delete-cas"] as const;

/** An operation on a row; `index` is the modify index that `cas` and `delete-cas` expect. */
interface RowOp {
  readonly verb: typeof ROW_VERBS[number];
  readonly index: bigint;
}

/** An operation of a transaction. */
export type TxnOp =
  | { readonly k: "kv"; readonly op: KvOp }
  | RowOp & { readonly k: "node"; readonly node: NodeRegistration }
  | RowOp & { readonly k: "service"; readonly node: string; readonly service: CatalogService }
  | RowOp & { readonly k: "check"; readonly node: string; readonly check: CatalogCheck }
  /** Ends a session. */
  | { readonly k: "session"; readonly id: string }
  /** Runs a client's statement, with a client's rights. */
  | { readonly k: "sql"; readonly statement: BoundStatement };

/** What operations came to. */
export type TxnOutcome =
  /** Rows of each operation that has a result, with its place; of a statement one, with the JSON text of its result. */
  | { readonly k: "done"; readonly results: readonly { readonly at: number; readonly rows: readonly CatalogRow[] }[] }
  /** Nothing was done: a condition of this operation does not hold. */
  | { readonly k: "conflict"; readonly at: number; readonly reason: string };

/**
 * Does operations, on the leader.
 * @throws {import("../agent/catalog.ts").CatalogError} When the catalog cannot be written.
 */
export async function applyTxn(catalog: Catalog, datacenter: string, ops: readonly TxnOp[]): Promise<TxnOutcome> {
  const wrong = ops.map(faultOf);
  const first = wrong.findIndex((fault) => fault !== undefined);
  if (first >= 0) return { k: "conflict", at: first, reason: wrong[first] ?? "" };
  const all = ops.map((op) => writesOf(op, datacenter));
  /** For each statement the place of its operation. */
  const places = all.flatMap(({ writes }, at) => writes.map(() => at));
  try {
    const found = await catalog.writeWith(all.flatMap(({ writes }) => writes));
    const results = all.flatMap(({ hasResults }, at) => {
      const result = found[places.lastIndexOf(at)];
      const rows = ops[at].k === "sql" ? [{ result: JSON.stringify(result) }] : result.rows ?? [];
      return hasResults ? [{ at, rows }] : [];
    });
    return { k: "done", results };
  } catch (error) {
    if (error instanceof StatementError) return { k: "conflict", at: places[error.at], reason: error.message };
    if (!(error instanceof ConflictError)) throw error;
    const at = places[error.at];
    return { k: "conflict", at, reason: await reasonOf(catalog, ops[at], error.at - places.indexOf(at)) };
  }
}

/** What is wrong with an operation by itself, in Consul's words: it is not proposed. */
function faultOf(op: TxnOp): string | undefined {
  if (op.k === "kv") {
    const { verb, key, session } = op.op;
    if (key === "" && !verb.endsWith("-tree")) return "Must provide key";
    if (session === "" && (verb === "lock" || verb === "unlock")) return "missing session";
  }
  if (op.k === "node" && op.verb !== "get") {
    if (op.node.name === "") return "Must provide node";
    if (op.node.address === "" && !op.verb.startsWith("delete")) return "Must provide address";
  }
  return undefined;
}

/** The statements of an operation; its results are those of the last one, if it has any. */
function writesOf(
  op: TxnOp,
  datacenter: string,
): { writes: readonly (CatalogWrite | BoundStatement)[]; hasResults: boolean } {
  switch (op.k) {
    case "sql":
      return { writes: allowedStatements([op.statement]), hasResults: true };
    case "kv":
      return kvWrites(op.op);
    case "session":
      return { writes: [{ sql: "DELETE FROM _muster_sessions WHERE id = ?", positional: [op.id] }], hasResults: false };
    case "node": {
      const { name } = op.node;
      const set = [
        ...nodeConditions(op.node),
        upsert("nodes", ["name"], nodeRow(op.node, datacenter, undefined), ["id"]),
      ];
      return rowWrites(op, "nodes", { name }, { set, remove: removals({ node: name, service: "", check: "" }) });
    }
    case "service": {
      const { node, service } = op;
      const set = [expectNode(node), ...serviceRows(node, service)];
      const remove = removals({ node, service: service.id, check: "" });
      return rowWrites(op, "services", { node, id: service.id }, { set, remove });
    }
    case "check": {
      const { node, check } = op;
      const service = check.serviceId;
      const name = "SELECT name FROM _muster_services WHERE node = ? AND id = ?";
      const set = [
        expectNode(node),
        ...(service === "" ? [] : [guard(`EXISTS(${name})`, [node, service])]),
        upsert("checks", ["node", "id"], checkRow(node, check, "")),
        {
          sql: `UPDATE _muster_checks SET service_name = coalesce((${name}), '') WHERE node = ? AND id = ?`,
          positional: [node, service, node, check.id],
        },
      ];
      const remove = removals({ node, service: "", check: check.id });
      return rowWrites(op, "checks", { node, id: check.id }, { set, remove });
    }
  }
}

function expectNode(name: string): CatalogWrite {
  return guard("EXISTS(SELECT 1 FROM _muster_nodes WHERE name = ?)", [name]);
}

const ALIVE = "SELECT n.* FROM _muster_nodes n JOIN _muster_checks c ON c.node = n.name " +
  `AND c.id = '${SERF_HEALTH}' AND c.status = 'passing'`;

/** Finds the node that has a name, or an id, as long as it is alive. */
function holdersOf({ name, id }: NodeRegistration): { sql: string; positional: string[] }[] {
  return [
    { sql: `${ALIVE} WHERE n.name = ? AND n.id <> ?`, positional: [name, id] },
    { sql: `${ALIVE} WHERE n.id = ? AND n.name <> ?`, positional: [id, name] },
  ];
}

function nodeConditions(node: NodeRegistration): CatalogWrite[] {
  if (node.id === "") return [];
  return holdersOf(node).map(({ sql, positional }) => guard(`NOT EXISTS(${sql})`, positional));
}

function rowWrites(
  { verb, index }: RowOp,
  table: string,
  key: Readonly<Record<string, string>>,
  { set, remove }: { readonly set: readonly CatalogWrite[]; readonly remove: readonly CatalogWrite[] },
): { writes: readonly CatalogWrite[]; hasResults: boolean } {
  const columns = Object.keys(key);
  const where = columns.map((name) => `${name} = ?`).join(" AND ");
  const positional = columns.map((name) => key[name]);
  const read = { sql: `SELECT * FROM _muster_${table} WHERE ${where}`, positional };
  switch (verb) {
    case "get":
      return { writes: [guard(`EXISTS(${read.sql})`, positional), read], hasResults: true };
    case "set":
      return { writes: [...set, read], hasResults: true };
    case "cas":
      return { writes: [expectRow(table, key, index), ...set, read], hasResults: true };
    case "delete":
      return { writes: remove, hasResults: false };
    case "delete-cas":
      return { writes: [expectRow(table, key, index), ...remove], hasResults: false };
  }
}

/** Why a condition of an operation did not hold, in Consul's words; `nth` counts its conditions. */
async function reasonOf(catalog: Catalog, op: TxnOp, nth: number): Promise<string> {
  if (op.k === "kv") return await kvReason(catalog, op.op, nth);
  if (op.k === "sql") return "the statement failed";
  if (op.k === "session") return `session "${op.id}" cannot be ended`;
  const name = op.k === "node" ? op.node.name : op.k === "service" ? op.service.id : op.check.id;
  if (op.verb === "cas" && nth === 0) return `failed to set ${op.k} "${name}", index is stale`;
  if (op.verb === "delete-cas") return `failed to delete ${op.k} "${name}", index is stale`;
  if (op.verb === "get") return `${op.k} "${name}" doesn't exist`;
  if (op.k === "node") return await nodeReason(catalog, op.node, op.verb === "cas" ? nth - 1 : nth);
  return nth <= 1 ? "Missing node registration" : "Missing service registration";
}

async function nodeReason(catalog: Catalog, node: NodeRegistration, nth: number): Promise<string> {
  const { rows: [[byName], [byId]] } = await catalog.read(holdersOf(node));
  return nth === 0 ? nameTaken(node.name, byName) : idTaken(node.id, byId);
}

async function kvReason(catalog: Catalog, { verb, key, index, session }: KvOp, nth: number): Promise<string> {
  const { rows: [[found]] } = await catalog.read([entryOf(key)]);
  switch (verb) {
    case "cas":
      return `failed to set key "${key}", index is stale`;
    case "delete-cas":
      return `failed to delete key "${key}", index is stale`;
    case "lock":
      if (nth === 0) return `invalid session "${session}"`;
      return `failed to lock key "${key}", ${nth === 1 ? "lock is already held" : "due to lock delay"}`;
    case "unlock":
      return `failed to unlock key "${key}", lock isn't held, or is held by another session`;
    case "check-not-exists":
      return `key "${key}" exists`;
    case "check-index":
      return found
        ? `failed index check for key "${key}", current modify index ${found.modify_index} != ${index}`
        : `failed to check index, key "${key}" doesn't exist`;
    case "check-session":
      return found
        ? `failed session check for key "${key}", current session "${found.session}" != "${session}"`
        : `failed to check session, key "${key}" doesn't exist`;
    default:
      return `key "${key}" doesn't exist`;
  }
}
