/**
 * What `/v1` shows of nodes, services and checks (C7.2, C7.3): rows of the catalog as Consul's objects, and the fields of
 * those that filters may name.
 * @module
 */
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { Coordinate } from "../../drivers/membership/api.ts";
import type { Fields } from "./filter.ts";

/** Fields of a node that a filter may name. */
export const NODE_FIELDS: Fields = {
  ID: "text",
  Node: "text",
  Address: "text",
  Datacenter: "text",
  TaggedAddresses: "map",
  Meta: "map",
  CreateIndex: "number",
  ModifyIndex: "number",
};
/** Of a service on a node. */
export const SERVICE_FIELDS: Fields = {
  ID: "text",
  Service: "text",
  Tags: "texts",
  Address: "text",
  TaggedAddresses: "map",
  Meta: "map",
  Port: "number",
  EnableTagOverride: "flag",
  Kind: "text",
  Weights: { Passing: "number", Warning: "number" },
  CreateIndex: "number",
  ModifyIndex: "number",
};
/** Of an instance of a service, with its node. */
export const INSTANCE_FIELDS: Fields = {
  ID: "text",
  Node: "text",
  Address: "text",
  Datacenter: "text",
  TaggedAddresses: "map",
  NodeMeta: "map",
  ServiceID: "text",
  ServiceName: "text",
  ServiceTags: "texts",
  ServiceAddress: "text",
  ServiceMeta: "map",
  ServicePort: "number",
  ServiceEnableTagOverride: "flag",
  ServiceKind: "text",
  ServiceWeights: { Passing: "number", Warning: "number" },
  CreateIndex: "number",
  ModifyIndex: "number",
};
/** Of a check. */
export const CHECK_FIELDS: Fields = {
  Node: "text",
  CheckID: "text",
  Name: "text",
  Status: "text",
  Notes: "text",
  Output: "text",
  ServiceID: "text",
  ServiceName: "text",
  ServiceTags: "texts",
  Type: "text",
  CreateIndex: "number",
  ModifyIndex: "number",
};

/** Of an instance with its node and all checks. */
export const HEALTH_FIELDS: Fields = { Node: NODE_FIELDS, Service: SERVICE_FIELDS, Checks: CHECK_FIELDS };

function text(value: unknown): string {
  return typeof value === "string" ? value : String(value ?? "");
}

/** JSON that this program has stored; what an older version did not store is empty. */
function parsed<T>(value: unknown): T {
  return JSON.parse(text(value) || "{}");
}

/** `Node`. */
export function nodeJson(row: CatalogRow) {
  return {
    ID: text(row.id),
    Node: text(row.name),
    Address: text(row.address),
    Datacenter: text(row.datacenter),
    TaggedAddresses: parsed<Record<string, string>>(row.tagged_addresses),
    Meta: parsed<Record<string, string>>(row.meta),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** The node of an instance. */
function nodeOfInstance(row: CatalogRow) {
  return nodeJson({
    id: row.node_id,
    name: row.node_name,
    address: row.node_address,
    datacenter: row.datacenter,
    tagged_addresses: row.node_tagged_addresses,
    meta: row.node_meta,
    create_index: row.node_create_index,
    modify_index: row.node_modify_index,
  });
}

function taggedAddresses(row: CatalogRow): Record<string, { Address: string; Port: number }> {
  const all = Object.entries(parsed<Record<string, { address: string; port: number }>>(row.tagged_addresses));
  return Object.fromEntries(all.map(([tag, { address, port }]) => [tag, { Address: address, Port: port }]));
}

function weights(row: CatalogRow): { Passing: number; Warning: number } {
  return { Passing: Number(row.passing_weight ?? 1), Warning: Number(row.warning_weight ?? 1) };
}

/** A service on a node. */
export function serviceJson(row: CatalogRow) {
  return {
    ...(row.kind ? { Kind: text(row.kind) } : {}),
    ID: text(row.id),
    Service: text(row.name),
    Tags: parsed<string[]>(row.tags),
    Address: text(row.address),
    TaggedAddresses: taggedAddresses(row),
    Meta: parsed<Record<string, string>>(row.meta),
    Port: Number(row.port),
    ...(row.socket_path ? { SocketPath: text(row.socket_path) } : {}),
    Weights: weights(row),
    EnableTagOverride: row.enable_tag_override === 1,
    Proxy: { Mode: "", MeshGateway: {}, Expose: {} },
    Connect: {},
    PeerName: "",
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** An instance of a service, with its node, as one object. */
export function instanceJson(row: CatalogRow) {
  const { ID, Node, Address, Datacenter, TaggedAddresses, Meta } = nodeOfInstance(row);
  return {
    ID,
    Node,
    Address,
    Datacenter,
    TaggedAddresses,
    NodeMeta: Meta,
    ServiceKind: text(row.kind),
    ServiceID: text(row.id),
    ServiceName: text(row.name),
    ServiceTags: parsed<string[]>(row.tags),
    ServiceAddress: text(row.address),
    ServiceTaggedAddresses: taggedAddresses(row),
    ServiceWeights: weights(row),
    ServiceMeta: parsed<Record<string, string>>(row.meta),
    ServicePort: Number(row.port),
    ServiceSocketPath: text(row.socket_path),
    ServiceEnableTagOverride: row.enable_tag_override === 1,
    ServiceProxy: { Mode: "", MeshGateway: {}, Expose: {} },
    ServiceConnect: {},
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** A check. */
export function checkJson(row: CatalogRow) {
  return {
    Node: text(row.node),
    CheckID: text(row.id),
    Name: text(row.name),
    Status: text(row.status),
    Notes: text(row.notes),
    Output: text(row.output),
    ServiceID: text(row.service_id),
    ServiceName: text(row.service_name),
    ServiceTags: parsed<string[]>(row.service_tags ?? "[]"),
    Type: text(row.type),
    Interval: text(row.interval),
    Timeout: text(row.timeout),
    ExposedPort: 0,
    Definition: parsed<Record<string, unknown>>(row.definition),
    CreateIndex: Number(row.create_index),
    ModifyIndex: Number(row.modify_index),
  };
}

/** Instances of a service with their nodes, and the checks that say how each is. */
export function healthJson(instances: readonly CatalogRow[], checks: readonly CatalogRow[]) {
  const byNode = new Map<string, CatalogRow[]>();
  for (const check of checks) {
    const node = text(check.node).toLowerCase();
    const known = byNode.get(node);
    if (known) known.push(check);
    else byNode.set(node, [check]);
  }
  return instances.map((row) => ({
    Node: nodeOfInstance(row),
    Service: serviceJson(row),
    Checks: (byNode.get(text(row.node).toLowerCase()) ?? [])
      .filter(({ service_id: id }) => id === "" || id === row.id).map(checkJson),
  }));
}

/** A coordinate as the API shows it. */
export function coordJson({ vec, error, adjustment, height }: Coordinate): Record<string, unknown> {
  return { Vec: vec, Error: error, Adjustment: adjustment, Height: height };
}
