/**
 * Configurations: their bytes, their history along the log, and single-member changes as pure functions (M1 to M10).
 *
 * The body of a configuration entry, integers big-endian, strings with a u32 length in bytes:
 *   version u8 = 1 | cluster id | count u32 | count × (id | storage id | address | role u8: 1 voter, 2 learner, 3 nonvoter)
 * Members are sorted by id; ids and addresses are unique. The index is that of the entry and is not repeated.
 * @module
 */
import { ByteReader, ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { invariant } from "../../invariant.ts";
import type { ConfigChange, Refusal } from "./effects.ts";
import type { Config, Index, Member, NodeId } from "./message.ts";

const VERSION = 1;
/** Members of one configuration. */
export const MEMBERS_MAX = 256;
/** Bytes of an id or an address. */
const NAME_BYTES_MAX = 1024;
const ROLES: readonly Member["role"][] = ["voter", "learner", "nonvoter"];

/** No cluster yet. */
export const EMPTY_CONFIG: Config = { at: 0, clusterId: "", members: [] };

/** The body of the entry that holds `config`. */
export function encodeConfig(config: Config): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(VERSION).string(config.clusterId).u32(config.members.length);
  for (const member of config.members) {
    writer.string(member.id).string(member.storageId).string(member.addr).u8(ROLES.indexOf(member.role) + 1);
  }
  return writer.copy();
}

/**
 * Reads the body of the configuration entry at `at`.
 * @throws {DecodeError} When the bytes are not what {@linkcode encodeConfig} writes.
 */
export function decodeConfig(body: Uint8Array, at: Index): Config {
  const reader = new ByteReader(body);
  const version = reader.u8();
  if (version !== VERSION) throw new DecodeError(`Expected configuration version ${VERSION}: found ${version}`);
  const clusterId = readName(reader);
  const count = reader.u32();
  if (count > MEMBERS_MAX) throw new DecodeError(`Expected at most ${MEMBERS_MAX} members: found ${count}`);
  const members: Member[] = [];
  for (let member = 0; member < count; member++) {
    const id = readName(reader);
    const storageId = readName(reader);
    const addr = readName(reader);
    const role = ROLES.at(reader.u8() - 1);
    if (role === undefined) throw new DecodeError(`Expected a known role for member "${id}"`);
    members.push({ id, storageId, addr, role });
  }
  reader.end();
  const config = { at, clusterId, members };
  const fault = configFault(config);
  if (fault !== undefined) throw new DecodeError(`Expected a valid configuration: ${fault}`);
  return config;
}

function readName(reader: ByteReader): string {
  const name = reader.string();
  if (name.length > NAME_BYTES_MAX) throw new DecodeError(`Expected a name of at most ${NAME_BYTES_MAX} bytes`);
  return name;
}

/** Returns the error of a configuration (M10), or `undefined`. */
export function configFault(config: Config): string | undefined {
  if (config.members.length > MEMBERS_MAX) return "too many members";
  if (!config.members.some((member) => member.role === "voter")) return "no voter";
  const addresses = new Set<string>();
  let previous: NodeId | undefined;
  for (const { id, addr } of config.members) {
    if (id === "") return "an empty member id";
    if (previous !== undefined && previous >= id) return "members not sorted by id, or an id twice";
    if (addresses.has(addr)) return `the address "${addr}" twice`;
    addresses.add(addr);
    previous = id;
  }
  return undefined;
}

/** A copy of `config` with its members in the order of their ids. */
export function sortedConfig(config: Config): Config {
  return { ...config, members: config.members.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)) };
}

/** The member of that id, or `undefined`. */
export function memberOf(config: Config, id: NodeId): Member | undefined {
  return config.members.find((member) => member.id === id);
}

/** Whether `id` is a voter of `config`. */
export function isVoter(config: Config, id: NodeId): boolean {
  return memberOf(config, id)?.role === "voter";
}

/**
 * `config` after a change of one member, or why it is not allowed. Knows the configuration alone: the leader's own
 * state (M2a to c), catching up (M5) and the leader's removal (M6) are checked by the caller.
 */
export function changedConfig(config: Config, change: ConfigChange): Config | Refusal {
  const id = change.k === "add" ? change.member.id : change.id;
  const old = memberOf(config, id);
  const others = config.members.filter((member) => member.id !== id);
  let changed: Member | undefined;
  switch (change.k) {
    case "add":
      // M4: new nodes hold no vote. A voter keeps its entry: under the same id it would have to be removed first.
      if (change.member.role === "voter" || old?.role === "voter") return "invalid_change";
      changed = change.member;
      break;
    case "promote":
      if (old === undefined || old.role !== "learner") return "no_such_member";
      changed = { ...old, role: "voter" };
      break;
    case "readdress":
      if (old === undefined) return "no_such_member";
      // M10: another storage id under a known node id is a lost disk, not a move.
      if (old.storageId !== change.storageId) return "invalid_change";
      changed = { ...old, addr: change.addr };
      break;
    case "remove":
      if (old === undefined) return "no_such_member";
      if (!others.some((member) => member.role === "voter")) return "last_voter";
  }
  const members = changed === undefined ? others : [...others, changed];
  const result = sortedConfig({ ...config, members });
  return configFault(result) === undefined ? result : "invalid_change";
}

/** A node as configurations list it. */
export interface Self {
  /** Its node id. */
  readonly id: NodeId;
  /** Its disk; undefined where the id alone decides. */
  readonly storageId?: string;
}

/** The configurations along the log: the newest one is in force, committed or not (M1). */
export class ConfigHistory {
  #configs: Config[];
  readonly #self: Self;
  #voters: readonly NodeId[] = [];
  #isVoter = false;

  /**
   * @param configs Those in the log in index order, the one in force at the base first.
   * @param self Who asks.
   */
  constructor(configs: readonly Config[], self: Self) {
    this.#self = self;
    this.#configs = [EMPTY_CONFIG, ...configs.filter((config) => config.at > 0)];
    for (let at = 1; at < this.#configs.length; at++) {
      invariant(this.#configs[at].at > this.#configs[at - 1].at, "configurations do not rise along the log");
    }
    this.#refresh();
  }

  #refresh(): void {
    this.#voters = votersOf(this.current);
    this.#isVoter = this.votesIn(this.current);
  }

  /** Whether this node, on this disk, is a voter of the one in force. */
  get isVoter(): boolean {
    return this.#isVoter;
  }

  /** Whether this node, on this disk, is a voter of `config`: under another storage id it is a predecessor (B2). */
  votesIn(config: Config): boolean {
    const member = memberOf(config, this.#self.id);
    if (member?.role !== "voter") return false;
    return this.#self.storageId === undefined || member.storageId === this.#self.storageId;
  }

  /** The one in force. */
  get current(): Config {
    return this.#configs[this.#configs.length - 1];
  }

  /** Voters of the one in force, sorted. */
  get voters(): readonly NodeId[] {
    return this.#voters;
  }

  /** The newest one at or below `commit`. */
  committed(commit: Index): Config {
    let at = this.#configs.length - 1;
    while (at > 0 && this.#configs[at].at > commit) at--;
    return this.#configs[at];
  }

  /** Takes the configuration of a new entry. */
  push(config: Config): void {
    invariant(config.at > this.current.at, "a configuration does not follow the newest one");
    this.#configs.push(config);
    this.#refresh();
  }

  /** Forgets those that were replaced at or below `index` (M1): the one in force there stays. */
  compact(index: Index): void {
    const inForce = this.committed(index);
    this.#configs = this.#configs.slice(this.#configs.indexOf(inForce));
  }

  /** Puts the configuration of a snapshot in the place of all (S1). */
  reset(config: Config): void {
    this.#configs = [config];
    this.#refresh();
  }

  /** Rolls back those in entries from `from` on. */
  truncate(from: Index): void {
    if (this.current.at < from) return;
    while (this.#configs.length > 1 && this.current.at >= from) this.#configs.pop();
    this.#refresh();
  }
}

function votersOf(config: Config): NodeId[] {
  return config.members.filter((member) => member.role === "voter").map((member) => member.id);
}
