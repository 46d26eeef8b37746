/**
 * The operations about the catalog and the Raft cluster that agents ask of servers, and servers of the leader.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import {
  finite,
  flag,
  listOf,
  mapOf,
  oneOf,
  optional,
  record,
  type Shape,
  text,
  whole,
} from "../../base/codec/shape.ts";
import type { CoreStatus } from "../../core/raft/effects.ts";
import { needs } from "../../core/acl/resource.ts";
import { readAcl } from "../acl/visible.ts";
import { needsOfDeregistration, needsOfNode, needsOfRegistration } from "../acl/write_needs.ts";
import type { OperationAcl } from "../../core/acl/guard.ts";
import { NotLeaderError, OperationError } from "../database/errors.ts";
import {
  type Codec,
  type Implementations,
  jsonCodec,
  jsonOperation,
  NOTHING,
  type Operation,
  type OperationTable,
} from "../database/operation.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { Permission } from "../users/permission.ts";
import type { Agent } from "./agent.ts";
import { parseRead } from "./catalog.ts";
import { type AnyQuery, type CatalogQuery, catalogQuery, planOf } from "./catalog_query.ts";
import {
  type CatalogFound,
  type CatalogReadParts,
  type CatalogReadRequest,
  CONSISTENCIES,
  readCatalog,
} from "./catalog_read.ts";
import {
  type CatalogCheck,
  type CatalogService,
  deregister,
  type Deregistration,
  type NodeRegistration,
  register,
  type Registration,
} from "./registration.ts";

/** A server of the Raft configuration, with what gossip knows of it. */
export interface RaftServer {
  readonly id: string;
  /** Its name in the pool; undefined: unknown. */
  readonly name?: string | undefined;
  readonly addr: string;
  readonly isLeader: boolean;
  readonly isVoter: boolean;
  readonly lastIndex: number;
}

/** The servers as the leader sees them. */
export interface RaftHealth {
  readonly term: number;
  readonly servers: readonly (RaftServer & {
    /** Since its last answer; 0 for the leader; undefined: it gave none. */
    readonly lastContactMs?: number | undefined;
  })[];
}

/** The operations about the catalog and the Raft cluster. */
export interface CatalogOperations {
  readonly catalogRead: {
    readonly params: CatalogReadRequest<CatalogQuery>;
    readonly result: CatalogFound<CatalogQuery>;
  };
  /** Of a node alone. */
  readonly register: { readonly params: NodeRegistration; readonly result: void };
  /** Of a node with services and checks. */
  readonly registerAll: { readonly params: Registration; readonly result: void };
  readonly deregister: { readonly params: Deregistration; readonly result: void };
  /** Cluster addresses of the leader, empty where none is known, and of the voters. */
  readonly raftPeers: {
    readonly params: Record<string, never>;
    readonly result: { readonly leader: string; readonly voters: readonly string[] };
  };
  readonly raftConfiguration: {
    readonly params: { readonly isStale: boolean };
    readonly result: { readonly servers: readonly RaftServer[]; readonly index: number };
  };
  /** The servers as the leader sees them. */
  readonly raftHealth: { readonly params: Record<string, never>; readonly result: RaftHealth };
  /** Takes a server out of the cluster, by its id or, if that is empty, by its cluster address. */
  readonly raftRemovePeer: { readonly params: { readonly id: string; readonly addr: string }; readonly result: void };
  /** Hands leadership over, to the server of an id or, if that is empty, to any. */
  readonly raftTransfer: { readonly params: { readonly to: string }; readonly result: void };
}

/** Longest wait for a change of the Raft cluster. */
const RAFT_TIMEOUT_MS = 10_000;
/** Pairs of metadata, and their characters: what is in the catalog goes to every node, and into memory. */
export const META_PAIRS_MAX = 64;
export const META_CHARS_MAX = 512;
/** Characters of a name, an address or an id. */
export const NAME_CHARS_MAX = 255;
export const TAGS_MAX = 256;
export const TAG_CHARS_MAX = 4096;
export const NOTES_CHARS_MAX = 4096;
export const OUTPUT_CHARS_MAX = 64 * 1024;
export const DEFINITION_CHARS_MAX = 64 * 1024;
/** Services, and checks, of one registration. */
export const ROWS_MAX = 1000;
const SERVERS_MAX = 10_000;
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;

/** Whether a text can be a name, an address or an id. */
export function isPlainName(value: string): boolean {
  return value.length <= NAME_CHARS_MAX && !CONTROL.test(value);
}

/** A name, an address or an id. */
export const plainName: Shape<string> = (value, where) => {
  if (typeof value === "string" && isPlainName(value)) return value;
  throw new DecodeError(
    `Expected ${where} to be at most ${NAME_CHARS_MAX} characters, none of them a control character`,
  );
};

const pairs: Shape<Record<string, string>> = (value, where) => {
  const found = mapOf(text(META_CHARS_MAX), META_PAIRS_MAX)(value, where);
  for (const key of Object.keys(found)) text(META_CHARS_MAX)(key, `a name in ${where}`);
  return found;
};

/** A node. */
export const nodeFields: Shape<NodeRegistration> = record({
  name: plainName,
  address: plainName,
  id: plainName,
  taggedAddresses: optional(pairs),
  meta: pairs,
});

/** A service of a node. */
export const serviceFields: Shape<CatalogService> = record({
  id: plainName,
  name: plainName,
  tags: listOf(text(TAG_CHARS_MAX), TAGS_MAX),
  address: plainName,
  port: whole(65_535),
  meta: pairs,
  taggedAddresses: mapOf(record({ address: plainName, port: whole(65_535) }), META_PAIRS_MAX),
  weights: record({ passing: whole(65_535), warning: whole(65_535) }),
  enableTagOverride: flag,
  kind: plainName,
  socketPath: text(NOTES_CHARS_MAX),
});

/** A check of a node. */
export const checkFields: Shape<CatalogCheck> = record({
  id: plainName,
  name: plainName,
  status: oneOf("passing", "warning", "critical"),
  notes: text(NOTES_CHARS_MAX),
  output: text(OUTPUT_CHARS_MAX),
  serviceId: plainName,
  type: plainName,
  interval: plainName,
  timeout: plainName,
  definition: text(DEFINITION_CHARS_MAX),
});

/** The fields of a read with queries of a kind. */
function readFields<Query>(query: Shape<Query>): Shape<CatalogReadRequest<Query>> {
  return record({ query, consistency: oneOf(...CONSISTENCIES), index: whole(), waitMs: finite });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What was found travels as the text that a reader has rendered. */
function foundCodec<Query extends AnyQuery>(query: Shape<Query>): Codec<CatalogFound<Query>> {
  const fields = record({ query, isLeaderKnown: flag, lastContactMs: finite, isFiltered: optional(flag) });
  return {
    encode: ({ text, isLeaderKnown, lastContactMs, query, isFiltered }) => ({
      value: { query, isLeaderKnown, lastContactMs, ...(isFiltered ? { isFiltered } : {}) },
      body: encoder.encode(text),
    }),
    decode({ value, body }) {
      const { query, ...facts } = fields(value, "the result");
      return { ...parseRead(decoder.decode(body), planOf(query).statements.length), ...facts, query };
    },
  };
}

/** A read of replicated state. */
export function readOperation<Query extends AnyQuery>(
  permission: Permission,
  query: Shape<Query>,
): Operation<CatalogReadRequest<Query>, CatalogFound<Query>> {
  return {
    permissions: [permission],
    acl: readAcl(),
    isForNodes: true,
    params: jsonCodec(readFields(query)),
    result: foundCodec(query),
  };
}

const serverFields = {
  id: text(1024),
  name: optional(text(1024)),
  addr: text(1024),
  isLeader: flag,
  isVoter: flag,
  lastIndex: whole(),
};
const server: Shape<RaftServer> = record(serverFields);
const health: Shape<RaftHealth> = record({
  term: whole(),
  servers: listOf(record({ ...serverFields, lastContactMs: optional(finite) }), SERVERS_MAX),
});

const writing = <T>(
  permission: "catalog-write" | "operator-write",
  params: Shape<T>,
  acl: OperationAcl<T, void>,
) => ({
  permissions: [permission],
  acl,
  params: jsonCodec(params),
  result: NOTHING,
});

const OPERATING = { needs: () => [needs("operator", "write")] };

/** These operations, and how they travel. */
export const CATALOG_OPERATIONS: OperationTable<CatalogOperations> = {
  catalogRead: readOperation("catalog-read", catalogQuery),
  register: {
    ...writing("catalog-write", nodeFields, { needs: (node, read) => needsOfNode(node, read) }),
    isForNodes: true,
  },
  registerAll: {
    ...writing(
      "catalog-write",
      record({
        node: nodeFields,
        skipsNode: flag,
        services: listOf(serviceFields, ROWS_MAX),
        checks: listOf(checkFields, ROWS_MAX),
      }),
      { needs: (registration, read) => needsOfRegistration(registration, read) },
    ),
    isForNodes: true,
  },
  deregister: {
    ...writing("catalog-write", record({ node: plainName, service: plainName, check: plainName }), {
      needs: needsOfDeregistration,
    }),
    isForNodes: true,
  },
  raftPeers: jsonOperation(
    ["status"],
    record({}),
    record({ leader: text(1024), voters: listOf(text(1024), SERVERS_MAX) }),
    { needs: () => [] },
  ),
  raftConfiguration: jsonOperation(
    ["operator-read"],
    record({ isStale: flag }),
    record({ servers: listOf(server, SERVERS_MAX), index: whole() }),
    { needs: () => [needs("operator", "read")] },
  ),
  raftHealth: jsonOperation(["operator-read"], record({}), health, { needs: () => [needs("operator", "read")] }),
  raftRemovePeer: writing("operator-write", record({ id: text(1024), addr: text(1024) }), OPERATING),
  raftTransfer: writing("operator-write", record({ to: text(1024) }), OPERATING),
};

/** What these operations work with. */
export interface CatalogParts extends CatalogReadParts {
  readonly replica: Pick<ReplicaClient, "call" | "leader" | "members" | "confirmRead">;
  /** Present in an agent. */
  readonly agent: Agent | undefined;
}

/** Does these operations on this node. */
export function catalogImplementations(parts: CatalogParts): Implementations<CatalogOperations> {
  const { catalog, replica } = parts;
  return {
    async catalogRead(request, { whenOver }) {
      const waitMs = Math.min(request.waitMs, parts.agent?.options.queryTimeMs.most ?? 0);
      return await readCatalog(parts, { ...request, waitMs }, whenOver);
    },
    async register(node) {
      expectToLead(parts);
      await register(catalog, agentOf(parts).options.datacenter, { node, skipsNode: false, services: [], checks: [] });
    },
    async registerAll(registration) {
      expectToLead(parts);
      await register(catalog, agentOf(parts).options.datacenter, registration);
    },
    async deregister(what) {
      expectToLead(parts);
      await deregister(catalog, what);
    },
    raftPeers: () => ({
      leader: replica.leader?.addr ?? "",
      voters: replica.members.filter(({ role }) => role === "voter").map(({ addr }) => addr),
    }),
    raftConfiguration: ({ isStale }) => raftConfiguration(parts, isStale),
    raftHealth: () => raftHealth(parts),
    raftRemovePeer: (params) => raftRemovePeer(parts, params),
    async raftTransfer({ to }) {
      expectToLead(parts);
      await told(replica.call("transfer", { ...(to === "" ? {} : { to }), timeoutMs: RAFT_TIMEOUT_MS }));
    },
  };
}

function agentOf({ agent }: Pick<CatalogParts, "agent">): Agent {
  if (!agent) throw new OperationError("this node is not an agent: start it with muster agent");
  return agent;
}

/** @throws {NotLeaderError} Elsewhere than on the leader. */
export function expectToLead({ state }: Pick<CatalogParts, "state">): void {
  if (!state.isLeader) throw new NotLeaderError();
}

/** A failure of the replica is for people. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new OperationError(messageOf(error));
  }
}

async function raftConfiguration(
  parts: CatalogParts,
  isStale: boolean,
): Promise<CatalogOperations["raftConfiguration"]["result"]> {
  if (!isStale) expectToLead(parts);
  const { core, servers } = await raftServers(parts);
  return { servers, index: core.config.at };
}

async function raftServers(
  parts: Pick<CatalogParts, "agent" | "replica">,
): Promise<{ core: CoreStatus; contacts: Readonly<Record<string, number>>; servers: RaftServer[] }> {
  const [status, members] = await Promise.all([parts.replica.call("status", {}), agentOf(parts).pool.members()]);
  // The replica's own words.
  const core = status.core as CoreStatus;
  const contacts = status.contacts as Readonly<Record<string, number>>;
  const names = new Map(members.map(({ name, tags }) => [tags.id, name]));
  const matches = new Map(core.progress.map(({ id, match }) => [id, match]));
  const servers = core.config.members.map(({ id, addr, role }) => ({
    id,
    name: names.get(id),
    addr,
    isLeader: id === core.leader,
    isVoter: role === "voter",
    lastIndex: id === core.id ? core.last.index : matches.get(id) ?? 0,
  }));
  return { core, contacts, servers };
}

/**
 * The servers as this node sees them, which has to lead.
 * @throws {NotLeaderError} Elsewhere.
 */
export async function raftHealth(parts: Pick<CatalogParts, "agent" | "replica" | "state">): Promise<RaftHealth> {
  expectToLead(parts);
  const { core, contacts, servers } = await raftServers(parts);
  return {
    term: core.term,
    servers: servers.map((one) => ({ ...one, lastContactMs: one.isLeader ? 0 : contacts[one.id] })),
  };
}

async function raftRemovePeer(parts: CatalogParts, { id, addr }: { id: string; addr: string }): Promise<void> {
  expectToLead(parts);
  const member = parts.replica.members.find((one) => id !== "" ? one.id === id : one.addr === addr);
  if (!member) {
    const asked = id !== "" ? `id "${id}"` : `address "${addr}"`;
    throw new OperationError(`${asked} was not found in the Raft configuration`);
  }
  await told(parts.replica.call("remove", { id: member.id, timeoutMs: RAFT_TIMEOUT_MS }));
}
