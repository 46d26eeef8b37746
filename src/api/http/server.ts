/**
 * The HTTP listener: connections with limits on how many there are, what they send and how slowly, and the headers that
 * every answer has (Q2.3). What is over a limit gets a status and a text that names the limit, and the
 * connection is closed; nothing of it is parsed. Requests of one connection are answered in order.
 * @module
 */
import { type Listening, sameCheck, type TlsServer } from "../../base/net/conn.ts";
import { connectionsOf, listenAt } from "../../base/net/tls.ts";
import { Deadlines } from "../../base/worker/deadlines.ts";
import { ClientConnection, type ConnectionParts } from "./connection.ts";
import { HttpError } from "./problem.ts";
import { ResponseHeads } from "./response_head.ts";
import type { Users } from "../../app/users/users.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Dependencies of the server. */
export interface ServerParts extends Omit<ConnectionParts, "heads"> {
  readonly counters: ConnectionParts["counters"] & { num_conn_rejected: number; connections: number };
  readonly options: ConnectionParts["options"] & {
    readonly version: string;
    readonly allowOrigin: string;
    /** Addresses of plain HTTP. */
    readonly bindAddrs: readonly string[];
    /** Addresses of HTTPS, with `tls`. */
    readonly tlsAddrs: readonly string[];
    /** Connections at a time. */
    readonly connectionsMax: number;
    /** Present for HTTPS. */
    readonly tls?: TlsServer;
  };
  /** If there are users, browsers are told to ask for a password. */
  readonly users: Users | undefined;
}

/** Open listeners. */
export interface HttpServer {
  /** Of the first address. */
  readonly port: number;
  /** Begins to take connections; until then they wait. */
  start(): void;
  /**
   * Has new connections of HTTPS get another certificate.
   * @throws {Error} When it cannot be used: the one before stays.
   */
  renew(tls: TlsServer): void;
  /** Takes no more connections and resolves when the requests under way are answered. */
  shutdown(): Promise<void>;
}

/**
 * Listens at the addresses in the options, and answers from {@linkcode HttpServer.start} on.
 * @throws {Error} Naming the first address that it cannot have.
 */
export async function serveHttp(parts: ServerParts): Promise<HttpServer> {
  const listeners = await listenAtAll(parts);
  const connections = new Set<ClientConnection>();
  const deadlines = new Deadlines();
  const { version, allowOrigin } = parts.options;
  const heads = new ResponseHeads({ version, allowOrigin, hasUsers: parts.users !== undefined });
  let accepted = parts.options.tls?.clients;
  return {
    port: listeners.find(({ port }) => port > 0)?.port ?? 0,
    start() {
      for (const listener of listeners) accept(listener, { ...parts, heads }, { connections, deadlines });
    },
    renew(tls) {
      for (const listener of listeners.slice(parts.options.bindAddrs.length)) listener.renew(tls);
      if (sameCheck(tls.clients, accepted)) return;
      accepted = tls.clients;
      // Whoever was let in by another authority has to show a certificate anew.
      for (const connection of connections) void connection.finish();
    },
    async shutdown() {
      for (const listener of listeners) listener.close();
      await Promise.all([...connections].map((connection) => connection.finish()));
    },
  };
}

/** Those of plain HTTP first. */
async function listenAtAll({ options: { bindAddrs, tlsAddrs, tls }, log }: ServerParts): Promise<Listening[]> {
  const listeners: Listening[] = [];
  for (const addr of [...bindAddrs, ...tlsAddrs]) {
    try {
      listeners.push(await listenAt(addr, listeners.length < bindAddrs.length ? undefined : tls, log));
    } catch (error) {
      for (const listener of listeners) listener.close();
      const why = messageOf(error);
      throw new Error(`cannot listen on HTTP address ${addr}: ${why}`, { cause: error });
    }
  }
  return listeners;
}

async function accept(
  listener: Listening,
  parts: ServerParts & ConnectionParts,
  { connections, deadlines }: { connections: Set<ClientConnection>; deadlines: Deadlines },
): Promise<void> {
  for await (const conn of connectionsOf(listener, parts.log)) {
    const connection = new ClientConnection(conn, parts, deadlines);
    if (connections.size >= parts.options.connectionsMax && !dismissIdle(connections)) {
      const text =
        `too many connections (${parts.options.connectionsMax}, the limit set by -http-max-conns): try again later`;
      parts.counters.num_conn_rejected++;
      connection.refuse(new HttpError(503, text, { retryAfter: 1 }));
      continue;
    }
    connections.add(connection);
    parts.counters.connections++;
    connection.serve().finally(() => {
      connections.delete(connection);
      parts.counters.connections--;
    });
  }
}

/** Time that a connection has at least before it is closed to make room for another one, in ms. */
const DISMISSED_AFTER_MS = 1000;

/**
 * Closes the connection that has been idle for longest, so that a client that holds all connections keeps nobody out.
 * @returns Whether there was one.
 */
function dismissIdle(connections: Set<ClientConnection>): boolean {
  let longest: ClientConnection | undefined;
  let sinceMs = performance.now() - DISMISSED_AFTER_MS;
  for (const connection of connections) {
    const { idleSinceMs = Infinity } = connection;
    if (idleSinceMs < sinceMs) [longest, sinceMs] = [connection, idleSinceMs];
  }
  if (!longest) return false;
  connections.delete(longest);
  longest.dismiss();
  return true;
}
