/**
 * The data directory: made at the first start, locked while a process uses it, and told apart from every
 * other by a random storage id (B2).
 * @module
 */
import { exists, syncDirectory, writeDurably } from "../../base/worker/files.ts";
import { readDamage, setAside } from "./damage.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** The directory cannot be used; the message says why and what to do. */
export class DataDirectoryError extends Error {
  /** Always `DataDirectoryError`. */
  override readonly name = "DataDirectoryError";
}

/** Version of the layout. */
export const DIRECTORY_FORMAT_VERSION = 1;

/** Says whose directory it is. */
const NODE_FILE = "node.json";

/** An opened data directory. */
export interface DataDirectory {
  readonly path: string;
  readonly raft: string;
  readonly sqlite: string;
  /** Path of the folder of SQLite extensions; there only with some. */
  readonly extensions: string;
  /** Path of the snapshot of the gossip pool. */
  readonly gossip: string;
  readonly nodeId: string;
  readonly storageId: string;
  /** Whether this start made it. */
  readonly isNew: boolean;
  /** Members through which the node goes back into its cluster, as its data were set aside; it must not found one. */
  readonly rejoin: readonly string[];
  /** Gives the lock back. */
  release(): void;
}

/** The directory of the gossip in a data directory. */
export function gossipDirectory(dataDirectory: string): string {
  return `${dataDirectory}/gossip`;
}

/**
 * Opens `path` for the node `nodeId`; empty: the one it has, or a new random one.
 * @param rejoinsDamaged Whether data that were found damaged are set aside (see damage.ts).
 * @throws {DataDirectoryError} When it is in use, belongs to another node, or has an unknown format.
 */
export function openDataDirectory(path: string, nodeId: string, { rejoinsDamaged = false } = {}): DataDirectory {
  const absolute = makeDirectory(path);
  const lock = lockDirectory(absolute);
  try {
    if (rejoinsDamaged) replaceDamaged(absolute);
    const raft = makeDirectory(`${absolute}/raft`);
    const sqlite = makeDirectory(`${absolute}/sqlite`);
    const known = readNodeFile(`${absolute}/${NODE_FILE}`);
    const gossip = makeDirectory(gossipDirectory(absolute));
    const id = nodeId || known?.nodeId || crypto.randomUUID();
    if (known && known.nodeId !== id) {
      throw new DataDirectoryError(
        `${absolute} belongs to node "${known.nodeId}", not to "${id}": a node's id must not change; ` +
          `start it with -node-id ${known.nodeId}, or give this node an empty directory`,
      );
    }
    const storageId = known?.storageId ?? writeNodeFile(absolute, id);
    return {
      path: absolute,
      raft,
      sqlite,
      gossip,
      extensions: `${absolute}/extensions`,
      nodeId: id,
      storageId,
      isNew: !known,
      rejoin: known?.rejoin ?? [],
      release: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Whether no node has had the directory yet, or it is not there; false where that cannot be seen: opening it says why. */
export function isNewDirectory(path: string): boolean {
  try {
    return !exists(`${path}/${NODE_FILE}`);
  } catch {
    return false;
  }
}

/** Replaces data that an earlier start found damaged by an empty directory for the same node. */
function replaceDamaged(path: string): void {
  try {
    const damage = readDamage(path);
    if (damage) setAside(path, damage, () => writeNodeFile(path, damage.nodeId, damage.members));
  } catch (error) {
    throw new DataDirectoryError(
      `Cannot set the damaged data in ${path} aside: ${messageOf(error)}`,
    );
  }
}

/** Makes a directory, and those that it needs, so that they are there after a power loss. */
function makeDirectory(path: string): string {
  try {
    const changed: string[] = [];
    for (let at = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`; !exists(at);) {
      changed.push(at = at.replace(/\/*[^/]+\/*$/, "") || "/");
    }
    Deno.mkdirSync(path, { recursive: true, mode: 0o750 });
    changed.forEach(syncReadable);
    return Deno.realPathSync(path);
  } catch (error) {
    throw new DataDirectoryError(
      `Cannot make the data directory ${path}: ${reasonOf(path, error)}`,
    );
  }
}

function reasonOf(path: string, error: unknown): string {
  if (error instanceof Deno.errors.AlreadyExists) return "there is a file of that name, or on the way to it";
  if (error instanceof Deno.errors.NotCapable) return `${path} is not a place for files`;
  return messageOf(error);
}

/** Syncs a directory, unless it may be written and not read. */
function syncReadable(path: string): void {
  try {
    syncDirectory(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

function lockDirectory(path: string): Deno.FsFile {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(`${path}/lock`, { create: true, read: true, write: true });
  } catch (error) {
    throw new DataDirectoryError(
      `Cannot write to the data directory ${path}: ${messageOf(error)}`,
    );
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new DataDirectoryError(
    `The data directory ${path} is in use by another process: stop it, or use another directory`,
  );
}

function readNodeFile(path: string): { nodeId: string; storageId: string; rejoin: string[] } | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new DataDirectoryError(`Cannot read ${path}: ${messageOf(error)}`);
  }
  try {
    const { format, nodeId, storageId, rejoin = [] } = JSON.parse(text);
    if (format !== DIRECTORY_FORMAT_VERSION) {
      throw new DataDirectoryError(
        `${path} has format ${format}, this muster knows ${DIRECTORY_FORMAT_VERSION}: use the version that wrote it`,
      );
    }
    if (typeof nodeId === "string" && typeof storageId === "string" && Array.isArray(rejoin)) {
      return { nodeId, storageId, rejoin: rejoin.map(String) };
    }
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
  }
  throw new DataDirectoryError(
    `${path} is damaged: expected JSON with format, nodeId and storageId. Restore it from a copy`,
  );
}

function writeNodeFile(directory: string, nodeId: string, rejoin: readonly string[] = []): string {
  const storageId = crypto.randomUUID();
  const content = { format: DIRECTORY_FORMAT_VERSION, nodeId, storageId, ...(rejoin.length > 0 ? { rejoin } : {}) };
  writeDurably(directory, NODE_FILE, `${JSON.stringify(content, null, 2)}\n`);
  return storageId;
}
