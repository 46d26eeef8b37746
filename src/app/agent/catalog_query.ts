/**
 * The reads of the catalog that agents and their clients make, and what they come to in SQL. Pure.
 * @module
 */
import { watchName } from "../../core/catalog/watch.ts";
import { flag, oneOf, record, type Shape, text, variants } from "../../base/codec/shape.ts";
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
  | { readonly k: "checksInState"; readonly state: string };

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
});

/** How a query is read. */
export interface CatalogPlan {
  /** What its index is of (core/catalog/watch.ts). */
  readonly watched: readonly string[];
  readonly statements: readonly CatalogStatement[];
}

const NODES = "SELECT * FROM _muster_nodes";
/** Instances of services, each with its node. */
const INSTANCES = "SELECT s.*, n.name AS node_name, n.id AS node_id, n.address AS node_address, n.datacenter, " +
  "n.tagged_addresses, n.meta AS node_meta FROM _muster_services s JOIN _muster_nodes n ON n.name = s.node";
const CHECKS = "SELECT * FROM _muster_checks";

/** The statements of a query; one more than one result has is that of a node, whose services are the second. */
export function planOf(query: CatalogQuery): CatalogPlan {
  switch (query.k) {
    case "nodes":
      return { watched: ["nodes"], statements: [{ sql: `${NODES} ORDER BY name` }] };
    case "node":
      return nodePlan(query.name);
    case "services": {
      const watched = query.watchesNodes ? ["nodes", "services"] : ["services"];
      return { watched, statements: [{ sql: `${INSTANCES} ORDER BY s.name` }] };
    }
    case "service": {
      const sql = `${INSTANCES} WHERE s.name = ? COLLATE NOCASE ORDER BY s.node, s.id`;
      const { name } = query;
      return { watched: [watchName("services", "name", name)], statements: [{ sql, positional: [name] }] };
    }
    case "nodeChecks": {
      const sql = `${CHECKS} WHERE node = ? ORDER BY node, id`;
      const { name } = query;
      return { watched: [watchName("checks", "node", name)], statements: [{ sql, positional: [name] }] };
    }
    case "checksInState": {
      const sql = `${CHECKS} WHERE ? IN ('any', status) ORDER BY node, id`;
      return { watched: ["checks"], statements: [{ sql, positional: [query.state] }] };
    }
  }
}

/** Those of a node that is asked for by its id are watched by their table. */
function nodePlan(name: string): CatalogPlan {
  const isId = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(name);
  return {
    watched: isId
      ? [watchName("nodes", "id", name), "services"]
      : [watchName("nodes", "name", name), watchName("services", "node", name)],
    statements: [
      { sql: `${NODES} WHERE name = ? OR id = ? LIMIT 1`, positional: [name, name] },
      {
        sql: "SELECT * FROM _muster_services " +
          "WHERE node = (SELECT name FROM _muster_nodes WHERE name = ? OR id = ? LIMIT 1) ORDER BY id",
        positional: [name, name],
      },
    ],
  };
}
