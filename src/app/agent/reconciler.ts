/**
 * The leader's work on the catalog: what gossip says of the members becomes rows of the catalog (C9.6).
 *
 * A member that is alive is registered with a passing `serfHealth` check, a failed one keeps its place with a critical
 * one, one that left or was reaped goes, with all that ran on it. Nodes without that check were registered by hand and are left alone. Only
 * differences are written, so that a quiet pool costs no log entry. It looks at every event, when this node becomes
 * leader, and once a minute.
 * @module
 */
import type { MemberRecord } from "../../drivers/membership/api.ts";
import { type CatalogWrite, remove, upsert } from "../../core/catalog/catalog.ts";
import { forgetDeleted, hasForgettable } from "../../core/catalog/kv.ts";
import { forgetHistory, hasForgettableHistory, HISTORY_ENTRY } from "../../core/catalog/kv_history.ts";
import { forgetGone } from "../../core/catalog/watch.ts";
import { type Catalog, type CatalogRow, SERF_HEALTH } from "./catalog.ts";
import { Alarm } from "../../base/worker/alarm.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { Agent } from "./agent.ts";
import { AUTOPILOT_DEFAULTS, AUTOPILOT_ENTRY, autopilotConfig, deadServer } from "./autopilot.ts";
import { sortedJson } from "./registration.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const PERIOD_MS = 60_000;
/** Events come in groups: a pool of hundreds starts at once. */
const GATHER_MS = 100;
/** Longest wait for the removal of a server. */
const REMOVE_MS = 10_000;
/** After a failure. */
const RETRY_MS = 2000;
/** Watched names of nodes and services that are gone, and such names for each node that is there. */
const GONE_NAMES_MAX = 10_000;
const NAMES_PER_NODE = 10;
/** What remembers a deleted key is kept for so long (C10). */
const TOMBSTONE_MS = 15 * 60_000;
/** Rows written by one entry of the log at most. */
const WRITES_MAX = 500;

/** Dependencies of the reconciler. */
export interface ReconcilerParts {
  readonly agent: Agent;
  readonly catalog: Catalog;
  readonly state: NodeState;
  readonly replica: Pick<ReplicaClient, "call" | "members">;
  log(line: string, level?: LogLevel): void;
}

/** Keeps the catalog in step with the pool while this node leads. */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #alarm = new Alarm(() => this.#run());
  #isBusy = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    parts.agent.pool.onEvent(() => this.soon());
    this.#alarm.within(GATHER_MS);
  }

  /** Something has changed. */
  soon(): void {
    this.#alarm.within(GATHER_MS);
  }

  async #run(): Promise<void> {
    if (this.#isBusy) return this.#alarm.within(GATHER_MS);
    this.#isBusy = true;
    let nextMs = PERIOD_MS;
    try {
      if (this.#parts.state.isLeader) await this.#reconcile();
    } catch (error) {
      nextMs = RETRY_MS;
      const why = messageOf(error);
      if (this.#parts.state.isLeader) this.#parts.log(`failed to reconcile the catalog: ${why}`, "warn");
    } finally {
      this.#isBusy = false;
      this.#alarm.within(nextMs);
    }
  }

  async #reconcile(): Promise<void> {
    const { agent, catalog } = this.#parts;
    await catalog.bringUpToDate();
    const [members, wan = []] = await Promise.all([agent.pool.members(), agent.wan?.members().catch(() => [])]);
    const { rows: [nodes, services, checks, known, [{ names }]] } = await catalog.read([
      { sql: "SELECT * FROM _muster_nodes" },
      { sql: "SELECT * FROM _muster_services WHERE id = 'consul'" },
      { sql: `SELECT * FROM _muster_checks WHERE id = '${SERF_HEALTH}'` },
      { sql: "SELECT * FROM _muster_members" },
      { sql: "SELECT count(*) AS names FROM _muster_index" },
    ]);
    const found: Found = {
      nodes: byName(nodes, "name"),
      services: byName(services, "node"),
      checks: byName(checks, "node"),
      members: byName(known, "name"),
    };
    const wanAddrs = new Map(wan.map(({ name, addr }) => [name, addr]));
    const writes = catalogWrites(members, found, { ...agent.options, wanAddrs });
    for (let at = 0; at < writes.length; at += WRITES_MAX) await catalog.write(writes.slice(at, at + WRITES_MAX));
    if (Number(names) > GONE_NAMES_MAX + NAMES_PER_NODE * nodes.length) await catalog.write(forgetGone());
    await this.#forgetDeleted();
    await this.#cleanUp(members);
  }

  /** Takes a failed server out of the cluster when that is safer (autopilot.ts). */
  async #cleanUp(members: readonly MemberRecord[]): Promise<void> {
    const { catalog, replica, log } = this.#parts;
    const { kind, name } = AUTOPILOT_ENTRY;
    const { rows: [[entry]] } = await catalog.read([{
      sql: "SELECT body FROM _muster_config_entries WHERE kind = ? AND name = ?",
      positional: [kind, name],
    }]);
    const config = entry ? autopilotConfig(JSON.parse(String(entry.body))) : AUTOPILOT_DEFAULTS;
    const voters = replica.members.filter(({ role }) => role === "voter").map(({ id }) => id);
    const id = deadServer(voters, members, config);
    if (id === undefined) return;
    log(
      `server "${members.find(({ tags }) => tags.id === id)?.name}" (${id}) has failed and was replaced: it is removed`,
    );
    await replica.call("remove", { id, timeoutMs: REMOVE_MS });
  }

  /** Forgets of the history of keys what its limits say. */
  async #forgetHistory(): Promise<void> {
    const { catalog } = this.#parts;
    const { kind, name } = HISTORY_ENTRY;
    const { rows: [[entry]] } = await catalog.read([{
      sql: "SELECT body ->> '$.MaxAge' AS age FROM _muster_config_entries WHERE kind = ? AND name = ?",
      positional: [kind, name],
    }]);
    const age = entry && parseDuration(String(entry.age));
    const beforeMs = age ? Date.now() - age : 0;
    const { rows: [[{ found }]] } = await catalog.read([hasForgettableHistory(beforeMs)]);
    if (Number(found) > 0) await catalog.write(forgetHistory(beforeMs));
  }

  /** Forgets keys that were deleted long ago. */
  async #forgetDeleted(): Promise<void> {
    const { catalog } = this.#parts;
    const beforeMs = Date.now() - TOMBSTONE_MS;
    await this.#forgetHistory();
    const { rows: [[{ found }]] } = await catalog.read([hasForgettable(beforeMs)]);
    if (Number(found) > 0) await catalog.write(forgetDeleted(beforeMs));
  }
}

/** Rows of the catalog by the lower-cased name of their node. */
interface Found {
  readonly nodes: ReadonlyMap<string, CatalogRow>;
  readonly services: ReadonlyMap<string, CatalogRow>;
  readonly checks: ReadonlyMap<string, CatalogRow>;
  readonly members: ReadonlyMap<string, CatalogRow>;
}

function byName(rows: readonly CatalogRow[], column: string): Map<string, CatalogRow> {
  return new Map(rows.map((row) => [String(row[column]).toLowerCase(), row]));
}

type Row = Readonly<Record<string, string | bigint>>;

const NO_ADDRS: ReadonlyMap<string, string> = new Map();

/** The writes that make the catalog agree with the pool. */
export function catalogWrites(
  members: readonly MemberRecord[],
  found: Found,
  { datacenter, nodeName, wanAddrs = NO_ADDRS }: {
    datacenter: string;
    nodeName: string;
    /** Addresses in the pool of all datacenters, by `NODE.DATACENTER`. */
    wanAddrs?: ReadonlyMap<string, string>;
  },
): CatalogWrite[] {
  const writes: CatalogWrite[] = [];
  const put = (table: string, keys: readonly string[], known: CatalogRow | undefined, row: Row) => {
    const isSame = known && Object.entries(row).every(([column, value]) => String(known[column]) === String(value));
    if (!isSame) writes.push(upsert(table, keys, row));
  };
  const present = new Set<string>();
  for (const [key, member] of holders(members, found)) {
    put("members", ["name"], found.members.get(key), memberRow(member));
    if (member.status === "left" && member.name !== nodeName) continue;
    present.add(key);
    const wan = wanAddrs.get(`${member.name}.${datacenter}`);
    put("nodes", ["name"], found.nodes.get(key), nodeRow(member, { datacenter, wan }, found.nodes.get(key)));
    const service = found.services.get(key);
    if (member.tags.role === "consul") put("services", ["node", "id"], service, serviceRow(member));
    else if (service?.name === "consul") writes.push(remove("services", { node: String(service.node), id: "consul" }));
    put("checks", ["node", "id"], found.checks.get(key), checkRow(member));
  }
  for (const [key, { name }] of found.nodes) {
    if (present.has(key) || !found.checks.has(key)) continue;
    for (const table of ["services", "checks"]) writes.push(remove(table, { node: String(name) }));
    writes.push(remove("nodes", { name: String(name) }));
  }
  const names = new Set(members.map(({ name }) => name.toLowerCase()));
  for (const [key, { name }] of found.members) {
    if (!names.has(key)) writes.push(remove("members", { name: String(name) }));
  }
  return writes;
}

/**
 * Members by the name that the catalog and DNS know them by, in lower case. Where several share one, which gossip takes for
 * two names, one that is up has it, and it keeps it (C9.5). A node that was renamed is there under its new name alone.
 */
function holders(members: readonly MemberRecord[], { nodes }: Found): Map<string, MemberRecord> {
  const held = new Map<string, MemberRecord>();
  const alive = new Map(members.filter(({ status }) => status === "alive").map(({ name, tags }) => [tags.id, name]));
  for (const member of members) {
    const { tags: { id }, status, name } = member;
    if (status !== "alive" && id !== undefined && (alive.get(id) ?? name) !== name) continue; // it has another name now
    const key = member.name.toLowerCase();
    const rank = ({ status, tags }: MemberRecord) =>
      (status === "alive" ? 2 : 0) + (tags.id !== undefined && tags.id === nodes.get(key)?.id ? 1 : 0);
    const other = held.get(key);
    if (!other || rank(member) > rank(other)) held.set(key, member);
  }
  return held;
}

function memberRow({ name, addr, port, status, tags }: MemberRecord): Row {
  return { name, address: addr, port: BigInt(port), status, tags: sortedJson(tags) };
}

/**
 * The row of a node in the catalog. The metadata, which the node itself registers, are kept, as is its address for other
 * datacenters while it is not in their pool.
 */
function nodeRow(
  { name, addr, tags }: MemberRecord,
  { datacenter, wan }: { datacenter: string; wan: string | undefined },
  known: CatalogRow | undefined,
): Row {
  const kept: Record<string, string> = known?.address === addr
    ? JSON.parse(String(known.tagged_addresses ?? "{}"))
    : {};
  const far = wan ?? kept.wan ?? addr;
  const tagged = { lan: addr, [`lan_${familyOf(addr)}`]: addr, wan: far, [`wan_${familyOf(far)}`]: far };
  const before: Record<string, string> = known ? JSON.parse(String(known.meta ?? "{}")) : {};
  const meta = { ...before, "consul-network-segment": "", "consul-version": buildOf(tags) };
  return {
    name,
    id: tags.id ?? "",
    address: addr,
    datacenter: tags.dc ?? datacenter,
    tagged_addresses: sortedJson(tagged),
    meta: sortedJson(meta),
  };
}

function familyOf(addr: string): "ipv4" | "ipv6" {
  return addr.includes(":") ? "ipv6" : "ipv4";
}

function serviceRow({ name, port, tags }: MemberRecord): Row {
  const isReplica = tags.read_replica === "1";
  const meta = {
    version: buildOf(tags),
    raft_version: tags.raft_vsn ?? "3",
    serf_protocol_current: tags.vsn ?? "2",
    serf_protocol_min: tags.vsn_min ?? "2",
    serf_protocol_max: tags.vsn_max ?? "3",
    read_replica: String(isReplica),
    non_voter: String(isReplica),
  };
  return {
    node: name,
    id: "consul",
    name: "consul",
    tags: "[]",
    address: "",
    port: BigInt(/^\d{1,5}$/.test(tags.port ?? "") ? tags.port : port),
    meta: sortedJson(meta),
  };
}

function checkRow({ name, status }: MemberRecord): Row {
  const isCritical = status === "failed";
  return {
    node: name,
    id: SERF_HEALTH,
    name: "Serf Health Status",
    status: isCritical ? "critical" : "passing",
    notes: "",
    output: isCritical ? "Agent not live or unreachable" : "Agent alive and reachable",
    service_id: "",
    service_name: "",
    type: "",
  };
}

function buildOf(tags: Readonly<Record<string, string>>): string {
  return (tags.build ?? "").split(":")[0];
}
