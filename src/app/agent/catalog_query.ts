/**
 * The reads of the catalog that agents and their clients make, and what they come to in SQL. Pure.
 * @module
 */
import {
  entriesUnder,
  entryOf,
  indexOfKey,
  indexOfPrefix,
  namesUnder,
  watchNameOfKey,
  watchNameOfPrefix,
} from "../../core/catalog/kv.ts";
import { ACL_TABLES, readsOf, readsOfTokens } from "../../core/catalog/acl_schema.ts";
import { entriesAt, HISTORY_BOUNDS, versionsOf } from "../../core/catalog/kv_history.ts";
import { HEALTH_OF_SERVICE, indexQuery, watchName } from "../../core/catalog/watch.ts";
import { flag, oneOf, record, type Shape, text, variants, whole } from "../../base/codec/shape.ts";
import type { CatalogStatement } from "./catalog.ts";

/** A read. */
export type CatalogQuery =
  /** All nodes. */
  | { readonly k: "nodes" }
  /** A node, by its name or its id, and its services. */
  | { readonly k: "node"; readonly name: string }
  /** All instances of services, each with its node; whether changes of nodes are of interest, too. */
  | { readonly k: "services"; readonly watchesNodes: boolean }
  /** Instances of one service, each with its node. */
  | { readonly k: "service"; readonly name: string }
  /** Checks of a node. */
  | { readonly k: "nodeChecks"; readonly name: string }
  /** Checks in a state, or `any`. */
  | { readonly k: "checksInState"; readonly state: string }
  /** Checks of the instances of a service. */
  | { readonly k: "serviceChecks"; readonly name: string }
  /** Instances of a service, each with its node, and the checks of both. */
  | { readonly k: "health"; readonly name: string }
  /** A node with its services and checks: what an agent compares itself with. */
  | { readonly k: "agent"; readonly name: string };

/** A read of keys. */
export type KvQuery =
  | { readonly k: "key"; readonly key: string }
  /** All keys with a prefix, with their values. */
  | { readonly k: "tree"; readonly prefix: string }
  /** Their names alone. */
  | { readonly k: "keys"; readonly prefix: string }
  /** A key, or all with a prefix, as they were behind an entry of the log; then the bounds of the history. */
  | { readonly k: "keyAt"; readonly key: string; readonly at: number }
  | { readonly k: "treeAt"; readonly prefix: string; readonly at: number }
  /** All that is known of a key; then the bounds of the history. */
  | { readonly k: "keyHistory"; readonly key: string };

/** A read of sessions. */
export type SessionQuery =
  | { readonly k: "session"; readonly id: string }
  | { readonly k: "sessions" }
  /** Those of a node. */
  | { readonly k: "nodeSessions"; readonly name: string };

/** A read of prepared queries. */
export type PreparedQuery =
  | { readonly k: "queries" }
  /** One, by its id or its name; else the template with the longest name that the name begins with. */
  | { readonly k: "query"; readonly name: string };

/** A read of entries of configuration for all. */
export type ConfigQuery =
  /** Those of a kind; an empty one: all. */
  | { readonly k: "configEntries"; readonly kind: string }
  | { readonly k: "configEntry"; readonly kind: string; readonly name: string };

/** A read of access control; an empty key: all. */
export type AclQuery =
  /** Tokens, by the accessor, and the names of all policies and roles. */
  | { readonly k: "aclTokens"; readonly key: string }
  /** Policies, or roles, by the id or the name, and the names of all policies. */
  | { readonly k: "aclPolicies"; readonly key: string }
  | { readonly k: "aclRoles"; readonly key: string };

/** Any read. */
export type AnyQuery = CatalogQuery | KvQuery | SessionQuery | PreparedQuery | ConfigQuery | AclQuery;

/** Characters of a name in a path. */
const NAME_LENGTH_MAX = 64 * 1024;
const name = text(NAME_LENGTH_MAX);

/** Checks a query that another node makes. */
export const catalogQuery: Shape<CatalogQuery> = variants<CatalogQuery>({
  nodes: record({ k: oneOf("nodes") }),
  node: record({ k: oneOf("node"), name }),
  services: record({ k: oneOf("services"), watchesNodes: flag }),
  service: record({ k: oneOf("service"), name }),
  nodeChecks: record({ k: oneOf("nodeChecks"), name }),
  checksInState: record({ k: oneOf("checksInState"), state: name }),
  serviceChecks: record({ k: oneOf("serviceChecks"), name }),
  health: record({ k: oneOf("health"), name }),
  agent: record({ k: oneOf("agent"), name }),
});

/** Checks a read of keys that another node makes. */
export const kvQuery: Shape<KvQuery> = variants<KvQuery>({
  key: record({ k: oneOf("key"), key: name }),
  tree: record({ k: oneOf("tree"), prefix: name }),
  keys: record({ k: oneOf("keys"), prefix: name }),
  keyAt: record({ k: oneOf("keyAt"), key: name, at: whole() }),
  treeAt: record({ k: oneOf("treeAt"), prefix: name, at: whole() }),
  keyHistory: record({ k: oneOf("keyHistory"), key: name }),
});

/** Checks a read of sessions that another node makes. */
export const sessionQuery: Shape<SessionQuery> = variants<SessionQuery>({
  session: record({ k: oneOf("session"), id: name }),
  sessions: record({ k: oneOf("sessions") }),
  nodeSessions: record({ k: oneOf("nodeSessions"), name }),
});

/** Checks a read of prepared queries that another node makes. */
export const preparedQuery: Shape<PreparedQuery> = variants<PreparedQuery>({
  queries: record({ k: oneOf("queries") }),
  query: record({ k: oneOf("query"), name }),
});

/** Checks a read of entries of configuration that another node makes. */
export const configQuery: Shape<ConfigQuery> = variants<ConfigQuery>({
  configEntries: record({ k: oneOf("configEntries"), kind: name }),
  configEntry: record({ k: oneOf("configEntry"), kind: name, name }),
});

/** Checks a read of access control that another node makes. */
export const aclQuery: Shape<AclQuery> = variants<AclQuery>({
  aclTokens: record({ k: oneOf("aclTokens"), key: name }),
  aclPolicies: record({ k: oneOf("aclPolicies"), key: name }),
  aclRoles: record({ k: oneOf("aclRoles"), key: name }),
});

/** How a query is read. */
export interface CatalogPlan {
  /** The names whose changes are of interest (core/catalog/watch.ts). */
  readonly watched: readonly string[];
  /** Reads the index of the result, as `value`. */
  readonly index: CatalogStatement;
  readonly statements: readonly CatalogStatement[];
  /** Whether one reading may serve all that ask for the same: not where the result is large. */
  readonly isShared: boolean;
}

const NODES = "SELECT * FROM _muster_nodes";
const OF_NODE = "n.name AS node_name, n.id AS node_id, n.address AS node_address, n.datacenter, " +
  "n.tagged_addresses AS node_tagged_addresses, n.meta AS node_meta, n.create_index AS node_create_index, " +
  "n.modify_index AS node_modify_index";
/** Instances of services, each with its node. */
const INSTANCES = `SELECT s.*, ${OF_NODE} FROM _muster_services s JOIN _muster_nodes n ON n.name = s.node`;
/** Checks, each with the tags of its service and the metadata of its node. */
const CHECKS = "SELECT c.*, coalesce(s.tags, '[]') AS service_tags, coalesce(n.meta, '{}') AS node_meta " +
  "FROM _muster_checks c LEFT JOIN _muster_services s ON s.node = c.node AND s.id = c.service_id " +
  "LEFT JOIN _muster_nodes n ON n.name = c.node";
const SESSIONS = "SELECT * FROM _muster_sessions";

/** The statements of a query. */
export function planOf(query: AnyQuery): CatalogPlan {
  switch (query.k) {
    case "key":
      return ofKeys([watchNameOfKey(query.key)], indexOfKey(query.key), entryOf(query.key));
    case "tree":
    case "keys": {
      const { k, prefix } = query;
      const statement = k === "tree" ? entriesUnder(prefix) : namesUnder(prefix);
      return ofKeys([watchNameOfPrefix(prefix)], indexOfPrefix(prefix), statement);
    }
    case "keyAt":
      return ofKeys([watchNameOfKey(query.key)], indexOfKey(query.key), ...[
        entriesAt(query.key, query.at, { isPrefix: false }),
        { sql: HISTORY_BOUNDS },
      ]);
    case "treeAt":
      return ofKeys([watchNameOfPrefix(query.prefix)], indexOfPrefix(query.prefix), ...[
        entriesAt(query.prefix, query.at, { isPrefix: true }),
        { sql: HISTORY_BOUNDS },
      ]);
    case "keyHistory":
      return ofKeys([watchNameOfKey(query.key)], indexOfKey(query.key), ...[
        versionsOf(query.key),
        { sql: HISTORY_BOUNDS },
      ]);
    case "session":
      return shared(["sessions"], { sql: `${SESSIONS} WHERE id = ?`, positional: [query.id] });
    case "sessions":
      return shared(["sessions"], { sql: `${SESSIONS} ORDER BY create_index, id` });
    case "nodeSessions": {
      const sql = `${SESSIONS} WHERE node = ? ORDER BY create_index, id`;
      return shared(["sessions"], { sql, positional: [query.name] });
    }
    case "queries":
      return shared(["queries"], { sql: "SELECT * FROM _muster_queries ORDER BY create_index, id" });
    case "query":
      return shared(["queries"], {
        sql: "SELECT *, id = ?1 OR name = ?1 AS is_exact FROM _muster_queries WHERE id = ?1 OR name = ?1 OR " +
          "json_extract(body, '$.Template.Type') = 'name_prefix_match' AND " +
          "lower(substr(?1, 1, length(name))) = lower(name) ORDER BY is_exact DESC, length(name) DESC LIMIT 1",
        positional: [query.name],
      });
    case "configEntries": {
      const sql = "SELECT * FROM _muster_config_entries WHERE ? IN ('', kind) ORDER BY kind, name";
      return shared(["config_entries"], { sql, positional: [query.kind] });
    }
    case "configEntry": {
      const sql = "SELECT * FROM _muster_config_entries WHERE kind = ? AND name = ?";
      return shared(["config_entries"], { sql, positional: [query.kind, query.name] });
    }
    case "aclTokens":
      return shared(ACL_TABLES, ...readsOfTokens(query.key));
    case "aclPolicies":
      return shared(ACL_TABLES, ...readsOf("acl_policies", query.key));
    case "aclRoles":
      return shared(ACL_TABLES, ...readsOf("acl_roles", query.key));
    default:
      return catalogPlan(query);
  }
}

function catalogPlan(query: CatalogQuery): CatalogPlan {
  switch (query.k) {
    case "nodes":
      return shared(["nodes"], { sql: `${NODES} ORDER BY name` });
    case "node":
      return nodePlan(query.name);
    case "services":
      return shared(query.watchesNodes ? ["nodes", "services"] : ["services"], { sql: `${INSTANCES} ORDER BY s.name` });
    case "service": {
      const { name } = query;
      const sql = `${INSTANCES} WHERE s.name = ? COLLATE NOCASE ORDER BY s.node, s.id`;
      return shared([watchName("services", "name", name)], { sql, positional: [name] });
    }
    case "nodeChecks": {
      const { name } = query;
      const sql = `${CHECKS} WHERE c.node = ? ORDER BY c.node, c.id`;
      return shared([watchName("checks", "node", name)], { sql, positional: [name] });
    }
    case "checksInState":
      return shared(["checks"], {
        sql: `${CHECKS} WHERE ? IN ('any', c.status) ORDER BY c.node, c.id`,
        positional: [query.state],
      });
    case "serviceChecks": {
      const { name } = query;
      const sql = `${CHECKS} WHERE c.service_name = ? COLLATE NOCASE ORDER BY c.node, c.id`;
      return shared([watchName("checks", "service_name", name)], { sql, positional: [name] });
    }
    case "health":
      return healthPlan(query.name);
    case "agent": {
      const positional = [query.name];
      return shared(
        [watchName("nodes", "name", query.name)],
        { sql: `${NODES} WHERE name = ?`, positional },
        { sql: "SELECT * FROM _muster_services WHERE node = ?", positional },
        { sql: "SELECT * FROM _muster_checks WHERE node = ?", positional },
      );
    }
  }
}

function shared(watched: readonly string[], ...statements: readonly CatalogStatement[]): CatalogPlan {
  return { watched, index: indexQuery(watched), statements, isShared: true };
}

function ofKeys(
  watched: readonly string[],
  index: CatalogStatement,
  ...statements: readonly CatalogStatement[]
): CatalogPlan {
  return { watched, index, statements, isShared: false };
}

/** Of the checks of a node those count that belong to none of its services. */
function healthPlan(name: string): CatalogPlan {
  const instances = "SELECT node, id FROM _muster_services WHERE name = ?1 COLLATE NOCASE";
  return shared(
    [watchName(HEALTH_OF_SERVICE.table, HEALTH_OF_SERVICE.column, name)],
    { sql: `${INSTANCES} WHERE s.name = ? COLLATE NOCASE ORDER BY s.node, s.id`, positional: [name] },
    {
      sql: `${CHECKS} WHERE c.node IN (SELECT node FROM (${instances})) ` +
        `AND (c.service_id = '' OR (c.node, c.service_id) IN (${instances})) ORDER BY c.node, c.id`,
      positional: [name],
    },
  );
}

/** A node and its services. Those of a node that is asked for by its id are watched by their table. */
function nodePlan(name: string): CatalogPlan {
  const isId = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(name);
  return shared(
    isId
      ? [watchName("nodes", "id", name), "services"]
      : [watchName("nodes", "name", name), watchName("services", "node", name)],
    { sql: `${NODES} WHERE name = ? OR id = ? LIMIT 1`, positional: [name, name] },
    {
      sql: "SELECT * FROM _muster_services " +
        "WHERE node = (SELECT name FROM _muster_nodes WHERE name = ? OR id = ? LIMIT 1) ORDER BY id",
      positional: [name, name],
    },
  );
}
