/**
 * Recovery of a cluster that lost its majority, by `raft/peers.json` (Q15.10, M12): the operator writes the list of
 * members on every node that is left. The node applies its whole log, so entries that were not committed may become
 * committed, and continues as if the database had been installed with that configuration, under a new cluster id. Nodes
 * of the old cluster that come back are refused. The file is then renamed to `peers.info`.
 * @module
 */
import { EMPTY_CONFIG, sortedConfig } from "../../core/raft/configuration.ts";
import type { Config, Index, Member } from "../../core/raft/message.ts";
import { packEntries } from "../../core/sql/exchange.ts";
import type { FromWriter, ToWriter } from "../sqlite/api.ts";
import type { ReplicaOptions } from "../replica/api.ts";
import { clusterIdOf } from "./cluster.ts";
import { FileDisk } from "../log/files.ts";
import { LogStore } from "../log/store.ts";
import { joinPath } from "../log/path.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const APPLY_BYTES = 4 * 1024 * 1024;

/** The file cannot be carried out; the message says what is wrong with it. */
export class RecoveryError extends Error {
  /** Always `RecoveryError`. */
  override readonly name = "RecoveryError";
}

/** The text is no JSON; where that shows is for whoever has an operator's file. */
class NotJsonError extends RecoveryError {}

/** A member as the file names it. */
export interface Peer {
  readonly id: string;
  readonly address: string;
  readonly isVoter: boolean;
}

/**
 * Reads the members.
 * @throws {RecoveryError} When they cannot be a configuration.
 */
export function parsePeers(text: string): Peer[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NotJsonError("it is not JSON");
  }
  if (!Array.isArray(value)) throw new RecoveryError("expected a list of members");
  const peers = value.map((item: unknown, at): Peer => {
    const fields = new Map(typeof item === "object" && item !== null ? Object.entries(item) : []);
    const [id, address, nonVoter] = [fields.get("id"), fields.get("address"), fields.get("non_voter") ?? false];
    if (typeof id !== "string" || id === "") throw new RecoveryError(`member ${at + 1} has no "id"`);
    if (typeof address !== "string" || !/^[^/]+:\d+$/.test(address)) {
      throw new RecoveryError(`the "address" of member "${id}" must be host:port`);
    }
    if (typeof nonVoter !== "boolean") throw new RecoveryError(`"non_voter" of member "${id}" must be true or false`);
    return { id, address, isVoter: !nonVoter };
  });
  for (const key of ["id", "address"] as const) {
    const twice = peers.find((peer, at) => peers.findIndex((other) => other[key] === peer[key]) !== at);
    if (twice) throw new RecoveryError(`two members have the ${key} ${twice[key]}`);
  }
  if (!peers.some(({ isVoter }) => isVoter)) throw new RecoveryError("at least one member must be a voter");
  return peers;
}

/** The configuration that the file asks for; disks are those that the last configuration names. */
export async function recoveredConfig(peers: readonly Peer[], old: Config, at: Index): Promise<Config> {
  const members = peers.map(({ id, address, isVoter }): Member => {
    const known = old.members.find((member) => member.id === id);
    if (!known) {
      throw new RecoveryError(
        `node "${id}" was no member: leave it out, and let it join with an empty data directory afterwards`,
      );
    }
    return { id, storageId: known.storageId, addr: address, role: isVoter ? "voter" : "nonvoter" };
  });
  const { members: sorted } = sortedConfig({ at, clusterId: "", members });
  return { at, clusterId: await clusterIdOf(sorted, old.clusterId), members: sorted };
}

/** Surroundings. */
export interface RecoveryParts {
  readonly options: ReplicaOptions;
  readonly writer: MessagePort;
  /** Last entry that the database holds. */
  readonly applied: Index;
  fatal(error: Error): void;
  log(line: string): void;
}

/**
 * Carries `peers.json` out where there is one.
 * @returns Last entry that the database holds then.
 * @throws {RecoveryError} When the file is wrong; nothing was changed.
 */
export async function recoverByFile(parts: RecoveryParts): Promise<Index> {
  const { options: { directory, nodeId, storageId, advertisedAddr }, applied, log } = parts;
  const path = joinPath(directory, "peers.json");
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (text === undefined) return applied;
  const store = LogStore.open(new FileDisk(directory), { identity: { nodeId, storageId }, applied }, {
    onPersisted: () => onPersisted.resolve(),
    onSpace: () => {},
    onInstall: () => Promise.resolve(),
    onFatal: parts.fatal,
    log,
  });
  const onPersisted = Promise.withResolvers<void>();
  try {
    const { last, configs, commit } = store.recovered;
    const config = await configOf(path, text, { old: configs.at(-1) ?? EMPTY_CONFIG, at: last.index });
    log(
      `recovering by ${path}: all of this node's log, up to entry ${last.index} of term ${last.term}, counts as committed`,
    );
    if (config.members.every(({ addr }) => addr !== advertisedAddr)) {
      log(`no member of ${path} has this node's address ${advertisedAddr}`);
    }
    await applyRest(store, parts);
    // The cluster is another one, and begins with a term of its own: that of the old one may have been driven to its end.
    const hard = { term: last.term + 1, vote: null };
    store.persist({ ticket: 1, hard, install: { base: last, config }, append: [], commit: last.index });
    await onPersisted.promise;
    await Deno.rename(path, joinPath(directory, "peers.info"));
    log(
      `recovered: ${last.index - commit} entries that were not known to be committed are; the members are ${
        config.members.map(({ id, addr }) => `${id} at ${addr}`).join(", ")
      }`,
    );
    return last.index;
  } finally {
    await store.close();
  }
}

async function configOf(path: string, text: string, { old, at }: { old: Config; at: Index }): Promise<Config> {
  try {
    return await recoveredConfig(parsePeers(text), old, at);
  } catch (error) {
    if (error instanceof NotJsonError) await refuseJson(path, text);
    throw error instanceof RecoveryError ? new RecoveryError(`${path}: ${error.message}`) : error;
  }
}

/** Says where a text is no JSON. @throws {RecoveryError} */
async function refuseJson(path: string, text: string): Promise<void> {
  const { parseJson } = await import("../../base/codec/json_text.ts"); // which takes memory that a node never needs
  try {
    parseJson(text, path);
  } catch (error) {
    throw new RecoveryError(messageOf(error));
  }
}

/** Has the writer apply what the log holds beyond the database. */
async function applyRest(store: LogStore, { writer, applied }: RecoveryParts): Promise<void> {
  const last = store.recovered.last.index;
  const done = Promise.withResolvers<void>();
  writer.onmessage = ({ data }: MessageEvent<FromWriter>) => {
    if (data.k === "applied" && data.index >= last) done.resolve();
    else if (data.k === "failed") done.reject(new Error(data.message));
  };
  for (let from = applied + 1; from <= last;) {
    const entries = store.read(from, last, APPLY_BYTES);
    const message: ToWriter = { k: "apply", entries: packEntries(entries) };
    writer.postMessage(message);
    from = entries[entries.length - 1].index + 1;
  }
  if (applied < last) await done.promise;
}
