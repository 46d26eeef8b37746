/**
 * The permissions of each Worker, as data. A permission that a row does not name is denied.
 *
 * The http, discovery and nameserver Workers read nothing, the SQLite Workers have no network, the replica sees only its own
 * folder. `import` is granted to none, `run` only to the Worker of checks, where the operator has allowed scripts. The
 * environment is closed to all. Only the SQLite Workers load native code, and only their library; none of them has the
 * network.
 *
 * SQLite extensions need no row: SQLite itself opens their files, as native code, which is outside the sandbox.
 *
 * A client agent has no Workers but those of its checks, watches, rendezvous and providers (see here.ts): the rest has the
 * rights of its process, which keeps the network.
 * @module
 */

import { joinAddress, socketPath } from "../../base/codec/address.ts";
import type { AgentConfig } from "../config/config.ts";
import type { Sink } from "../../drivers/sink/api.ts";
import type { DiscoveryOptions } from "../../drivers/discovery/api.ts";

/** The Workers of a node. */
export const ROLES = [
  "replica",
  "sqlite",
  "reader",
  "snapshot",
  "backup",
  "http",
  "parser",
  "discovery",
  "membership",
  "nameserver",
  "uploader",
  "cdc",
  "otlp",
  "checks",
  "watches",
  "rendezvous",
  "provider",
  "notifier",
] as const;

/** A Worker of a node. */
export type Role = typeof ROLES[number];

/** Paths and addresses of a node's parts. */
export interface Scope {
  /** Folder of the log. */
  readonly raftDirectory: string;
  /** Folder of the database. */
  readonly sqliteDirectory: string;
  /** `host:port` that HTTP listens on. */
  readonly httpAddrs: readonly string[];
  /** The same of HTTPS. */
  readonly httpsAddrs: readonly string[];
  /** Path of the SQLite library. */
  readonly sqliteLibrary: string;
  /** Folder of what is remembered of the gossip pool. */
  readonly gossipDirectory: string;
  /**
   * Addresses that discovery may reach, `host:port`; `any`: the system's name servers, which may change at any time.
   */
  readonly discoveryAddrs: readonly string[] | "any";
  /** What automatic backups may reach: `host:port` each, and directories. */
  readonly uploads: { readonly net: readonly string[]; readonly directories: readonly string[] };
  /** What changed rows may be delivered to: `host:port` each, and files. */
  readonly cdc: { readonly net: readonly string[]; readonly files: readonly string[] };
  /** The collector that metrics are pushed to, `host:port`. */
  readonly otlp: { readonly net: readonly string[] };
  /** Sockets of the service manager and of the Worker that talks to it, and the directory of the latter. */
  readonly serviceManager: { readonly sockets: readonly string[]; readonly directory: string };
  /** Whether checks may run programs. */
  readonly runsScripts: boolean;
  /** Whether watches have programs handle a change. */
  readonly runsHandlers: boolean;
}

/** Whether this runtime wants Unix sockets among the rights to the network: those before 2.9 do not know them there. */
function namesSockets(): boolean {
  const [major, minor] = Deno.version.deno.split(".").map(Number);
  return major > 2 || major === 2 && minor >= 9;
}

/** The table. */
export function permissionsOf(role: Role, scope: Scope): Deno.PermissionOptionsObject {
  const nothing = {
    net: false,
    read: false,
    write: false,
    env: false,
    sys: false,
    run: false,
    ffi: false,
    import: false,
  } as const;
  switch (role) {
    case "replica": // any address: members come and go, and are known by name only when they do
      return { ...nothing, net: true, read: [scope.raftDirectory], write: [scope.raftDirectory] };
    case "sqlite":
    case "snapshot":
    case "backup":
    case "reader": // a reader writes the shared memory file of the WAL
      return {
        ...nothing,
        read: [scope.sqliteDirectory, scope.sqliteLibrary],
        write: [scope.sqliteDirectory],
        ffi: [scope.sqliteLibrary], // native code: it has no network, and can open no other library, libc neither
      };
    case "http": {
      const addrs = [...scope.httpAddrs, ...scope.httpsAddrs];
      const ports = addrs.filter((addr) => socketPath(addr) === undefined);
      // To listen at a Unix socket is to make a file, and to remove it at the end.
      const sockets = addrs.map(socketPath).filter((path) => path !== undefined);
      const files = sockets.length > 0 && sockets;
      const net = namesSockets() ? [...ports, ...sockets.map((path) => `unix:${path}`)] : ports;
      return { ...nothing, net: net.length > 0 && net, read: files, write: files };
    }
    case "parser": // bytes in, bytes out
      return nothing;
    case "membership": // any address, as with the replica
      return { ...nothing, net: true, read: [scope.gossipDirectory], write: [scope.gossipDirectory] };
    case "nameserver": // any address: the runtime asks for a right to each address that an answer over UDP goes to
      return { ...nothing, net: true };
    case "uploader": { // the store, or the directory, that its configuration names
      const [net, files] = [scope.uploads.net, scope.uploads.directories].map((all) => all.length > 0 && [...all]);
      return { ...nothing, net, read: files, write: files };
    }
    case "cdc": { // the sink that its configuration names
      const [net, files] = [scope.cdc.net, scope.cdc.files].map((all) => all.length > 0 && [...all]);
      return { ...nothing, net, read: files, write: files };
    }
    case "otlp":
      return { ...nothing, net: [...scope.otlp.net] };
    case "checks": // any address and any program, as the operator names them; a program has the rights of the user
      return { ...nothing, net: true, run: scope.runsScripts };
    case "watches": // the agent itself, and what handlers there are
      return { ...nothing, net: true, run: scope.runsHandlers, env: scope.runsHandlers && ["SHELL"] };
    case "rendezvous": // agents come from anywhere, and the operator names the place
      return { ...nothing, net: true };
    case "provider": // the API that a file names at each lookup, or whoever asks on this network; files are read for it
      return { ...nothing, net: true };
    case "notifier": { // an abstract socket has no name that a right could have
      const { sockets, directory } = scope.serviceManager;
      const isAbstract = sockets.some((path) => path.startsWith("\0"));
      const net = isAbstract || (namesSockets() ? sockets.map((path) => `unix:${path}`) : false);
      const files = [...sockets, directory];
      return { ...nothing, net, read: files, write: files };
    }
    case "discovery":
      return { ...nothing, net: scope.discoveryAddrs === "any" ? true : [...scope.discoveryAddrs] };
  }
}

/** An address without a host means all of this machine's. */
export function anyHost(addr: string): string {
  return addr.startsWith(":") ? `0.0.0.0${addr}` : addr;
}

/** What the Worker of a sink may reach. */
export function sinkReach(
  sink: Sink | undefined,
): { readonly net: readonly string[]; readonly files: readonly string[] } {
  if (!sink || sink.k === "stdout") return { net: [], files: [] };
  if (sink.k === "file") return { net: [], files: [sink.path] };
  const { hostname, port, protocol } = new URL(sink.url);
  return { net: [`${hostname}:${port || (protocol === "https:" ? "443" : "80")}`], files: [] };
}

/** Addresses that the discovery Worker may reach. */
export function discoveryAddrs(options: DiscoveryOptions): readonly string[] | "any" {
  switch (options.mode) {
    case "dns":
    case "dns-srv":
      return options.servers.length === 0
        ? "any"
        : options.servers.map(({ ipAddr, port }) => joinAddress(ipAddr, port));
    case "consul-kv":
      return [joinAddress(options.server.hostname, options.server.port)];
    case "etcd-kv":
      return options.endpoints.map(({ hostname, port }) => joinAddress(hostname, port));
  }
}

/**
 * Whether the checks of an agent may run programs.
 * @throws {Error} When they are to, and this process may not.
 */
export function runsScripts(agent: AgentConfig | undefined): boolean {
  if (agent === undefined || agent.local.options.scripts === "none") return false;
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") return true;
  throw new Error("checks that run programs are enabled, and this process may run none: start it with --allow-run");
}

/**
 * Whether the watches of an agent run programs.
 * @throws {Error} When they are to, and this process may not.
 */
export function runsHandlers(agent: AgentConfig | undefined): boolean {
  if (!agent?.watches.some(({ handler }) => handler.k === "script")) return false;
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") return true;
  throw new Error("watches have programs as handlers, and this process may run none: start it with --allow-run");
}

/** Rights that this thread still has a use for. */
export interface KeptRights {
  /** A client agent has no Workers but that of checks, and uses the network itself. */
  readonly isClient: boolean;
  /** For a Worker that is still to start. */
  readonly keepsNet: boolean;
  /** For checks that run programs. */
  readonly keepsRun: boolean;
}

/** The Workers run, and the machine is known: from here on this thread may only read and write, and what it still needs. */
export function revokeSpentRights({ isClient, keepsNet, keepsRun }: KeptRights): void {
  Deno.permissions.revokeSync({ name: "env" });
  revokeSys(isClient);
  // A Worker gets at most what this thread has: the library stays open to it until the last SQLite Worker has started.
  if (isClient) Deno.permissions.revokeSync({ name: "ffi" });
  if (!keepsRun) Deno.permissions.revokeSync({ name: "run" });
  if (!keepsNet) Deno.permissions.revokeSync({ name: "net" });
}

/** A node with data goes on asking how full its disk is, where it may; nothing else of the system is of use any more. */
function revokeSys(isClient: boolean): void {
  for (const kind of ["hostname", "networkInterfaces"] as const) Deno.permissions.revokeSync({ name: "sys", kind });
  const hasAll = Deno.permissions.querySync({ name: "sys", kind: "hostname" }).state === "granted";
  if (isClient || hasAll) Deno.permissions.revokeSync({ name: "sys" });
}
