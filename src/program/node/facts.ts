/**
 * Facts about the machine and the program for `/status`, gathered once before the supervisor drops its permissions.
 * @module
 */
import { readConsole } from "../../api/console/files.ts";
import type { SupervisorMethods } from "../../api/server/api.ts";
import type { DiskFacts } from "../../app/picture/heard.ts";
import type { DescribedError, Methods } from "../../base/worker/channel.ts";
import { DISK_FULL } from "../../base/worker/files.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { isNoSpace } from "../../drivers/log/disk.ts";
import type { DatabaseSizes } from "../../app/metrics/sqlite.ts";
import type { NodeConfig } from "../config/config.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import type { DataDirectory } from "./data_directory.ts";
import { API_VERSION } from "./version.ts";

/** Name of the database's file. */
export const DATABASE = "db.sqlite";

/** The parts of `/status` that do not change while the node runs. */
export function machineFacts(
  config: NodeConfig,
  directory: Pick<DataDirectory, "path" | "extensions">,
  extensions: readonly string[],
): Record<string, unknown> {
  const { os, arch, target } = Deno.build;
  return {
    build: {
      version: API_VERSION,
      branch: "unknown",
      commit: "unknown",
      build_time: "unknown",
      compiler_toolchain: "deno",
      compiler_command: `deno ${Deno.version.deno} ${target}`,
    },
    os: { pid: Deno.pid, ppid: Deno.ppid, page_size: 4096, executable: Deno.execPath(), hostname: Deno.hostname() },
    runtime: {
      GOARCH: arch === "x86_64" ? "amd64" : arch === "aarch64" ? "arm64" : arch,
      GOOS: os,
      GOMAXPROCS: navigator.hardwareConcurrency,
      num_cpu: navigator.hardwareConcurrency,
      version: `deno ${Deno.version.deno} v8 ${Deno.version.v8}`,
    },
    mux: { addr: config.clusterAddr, tls: String(config.nodeCert !== "") },
    network: { interfaces: interfaces() },
    extensions: { dir: directory.extensions, names: namesOf(extensions) },
    data_directory: directory.path,
  };
}

function namesOf(paths: readonly string[]): string[] {
  return paths.map((path) => path.slice(path.lastIndexOf("/") + 1));
}

/** The same of the sections `store` and `store.raft`: what the node was told, as far as it has an effect. */
export function storeFacts(
  config: NodeConfig,
  directory: Pick<DataDirectory, "path" | "nodeId" | "sqlite">,
  extensions: readonly string[],
): { store: Record<string, unknown>; raft: Record<string, unknown> } {
  const { foreignKeys, snapshotIntervalMs, snapshotEntries, compressSnapshots } = config;
  return {
    store: {
      dir: directory.path,
      db_conf: { fk_constraints: foreignKeys, extensions: namesOf(extensions) },
      snapshot_interval: formatDuration(snapshotIntervalMs),
      snapshot_threshold: snapshotEntries,
    },
    raft: {
      transport: { compress_snap: compressSnapshots },
      config: { // durations in nanoseconds, as rqlite has them
        LocalID: directory.nodeId,
        HeartbeatTimeout: config.heartbeatTimeoutMs * 1e6,
        ElectionTimeout: config.electionTimeoutMs * 1e6,
        SnapshotInterval: snapshotIntervalMs * 1e6,
        SnapshotThreshold: snapshotEntries,
        ShutdownOnRemove: config.stopWhenRemoved,
      },
    },
  };
}

/** Bytes of all files in a directory; one that is removed meanwhile does not count. */
export async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(directory)) {
      const path = `${directory}/${name}`;
      bytes += isDirectory ? await sizeOf(path) : await Deno.lstat(path).then(({ size }) => size, () => 0);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return bytes;
}

/**
 * The disk that a directory is on, for who looks at the cluster: what is free and what it holds in bytes, and the bytes of the
 * directory's files; undefined where the process may not ask, or the platform does not say.
 */
export async function diskOf(directory: string): Promise<DiskFacts> {
  const usedBytes = await sizeOf(directory);
  const { statfs } = await import("node:fs/promises"); // takes 2 MB, and is asked for by those who look
  try {
    const { bavail, bsize, blocks } = await statfs(directory);
    return { usedBytes, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return { usedBytes }; // no right to ask: it was started without --allow-sys=statfs
  }
}

/** What HTTP asks the supervisor about files. */
export function fileTasks(
  { path, sqlite }: Pick<DataDirectory, "path" | "sqlite">,
): Pick<Methods<SupervisorMethods>, "directorySize" | "databaseSizes" | "disk" | "consoleFiles"> {
  return {
    directorySize: () => sizeOf(path),
    databaseSizes: () => databaseSizes(`${sqlite}/${DATABASE}`),
    disk: () => diskOf(path),
    consoleFiles: readConsole,
  };
}

/** Describes the failure of a task for HTTP, which tells its client of a full disk by a status of its own. */
export function describeTask(error: unknown): DescribedError {
  if (!isNoSpace(error)) return { error: messageOf(error) };
  return { error: "no space left on the disk of this agent: nothing was written; free some space", code: DISK_FULL };
}

/** Bytes of a database's file and of its WAL; 0 for one that is not there. */
export async function databaseSizes(path: string): Promise<DatabaseSizes> {
  const [databaseBytes, walBytes] = await Promise.all(
    [path, `${path}-wal`].map((file) => Deno.lstat(file).then(({ size }) => size, () => 0)),
  );
  return { databaseBytes, walBytes };
}

function interfaces(): Record<string, { addresses: { address: string }[]; hardware_address: string }> {
  const found: Record<string, { addresses: { address: string }[]; hardware_address: string }> = {};
  for (const { name, cidr, mac } of Deno.networkInterfaces()) {
    found[name] ??= { addresses: [], hardware_address: mac };
    found[name].addresses.push({ address: cidr });
  }
  return found;
}
