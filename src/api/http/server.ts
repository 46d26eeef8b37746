/**
 * The HTTP listener: connections with limits on how many there are, what they send and how slowly, and the headers that
 * every answer has (spec/rqlite.md 2.3). What is over a limit gets a status and a text that names the limit, and the
 * connection is closed; nothing of it is parsed. Requests of one connection are answered in order.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import type { ForwardedRequest, ForwardedResponse } from "../../drivers/replica/api.ts";
import { Deadlines } from "../../base/worker/deadlines.ts";
import { ClientConnection } from "./connection.ts";
import type { HeldAnswer } from "../../app/database/held_answer.ts";
import { HttpError, type HttpResponse, JSON_TYPE } from "./problem.ts";
import type { Services } from "./request.ts";
import { route } from "../rqlite/router.ts";

/** Open listeners. */
export interface HttpServer {
  /** Of the first address. */
  readonly port: number;
  /** Takes no more connections and resolves when the requests under way are answered. */
  shutdown(): Promise<void>;
}

/**
 * Listens at the addresses in the options.
 * @throws {Error} Naming the first address that it cannot have.
 */
export function serveHttp(services: Services): HttpServer {
  const listeners = listenAtAll(services.options.bindAddrs);
  const connections = new Set<ClientConnection>();
  const deadlines = new Deadlines();
  for (const listener of listeners) accept(listener, services, { connections, deadlines });
  return {
    port: listeners[0].addr.port,
    async shutdown() {
      for (const listener of listeners) listener.close();
      await Promise.all([...connections].map((connection) => connection.finish()));
    },
  };
}

function listenAtAll(addrs: readonly string[]): Deno.TcpListener[] {
  const listeners: Deno.TcpListener[] = [];
  for (const addr of addrs) {
    try {
      const { hostname, port } = splitAddress(addr);
      listeners.push(Deno.listen({ hostname, port }));
    } catch (error) {
      for (const listener of listeners) listener.close();
      const why = error instanceof Error ? error.message : error;
      throw new Error(`cannot listen on HTTP address ${addr}: ${why}`, { cause: error });
    }
  }
  return listeners;
}

async function accept(
  listener: Deno.TcpListener,
  services: Services,
  { connections, deadlines }: { connections: Set<ClientConnection>; deadlines: Deadlines },
): Promise<void> {
  for (;;) {
    let conn: Deno.TcpConn;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      services.log(`accepting a connection failed: ${error instanceof Error ? error.message : error}`);
      await new Promise((resolve) => setTimeout(resolve, 100)); // out of file descriptors, most likely
      continue;
    }
    const connection = new ClientConnection(conn, services, deadlines);
    if (connections.size >= services.options.connectionsMax) {
      const text =
        `too many connections (${services.options.connectionsMax}, the limit set by -http-max-conns): try again later`;
      connection.refuse(new HttpError(503, text, { retryAfter: 1 }));
      continue;
    }
    connections.add(connection);
    connection.serve().finally(() => connections.delete(connection));
  }
}

/** Answers what another node sent on, as if a client had sent it here; when it is `over`, nobody waits for the answer. */
export async function serveForwarded(
  request: ForwardedRequest,
  services: Services,
  over: Promise<void>,
): Promise<{ response: ForwardedResponse; held?: HeldAnswer }> {
  services.counters.served++;
  const { method, target, contentType, authorization, relayed, body } = request;
  const startedMs = performance.now();
  const response: HttpResponse = await route(
    { method, target, contentType, authorization, body, forwarded: !relayed, startedMs, whenOver: () => over },
    services,
  );
  const { held } = response;
  const answer = held?.whole() ?? response.body;
  const forwarded = {
    status: response.status,
    contentType: response.contentType ?? (answer.length > 0 ? JSON_TYPE : ""),
    servedBy: services.options.advertisedAddr,
    ...(response.headers ? { headers: response.headers } : {}),
    ...(response.leaderless ? { leaderless: true } : {}),
    body: typeof answer === "string" ? new TextEncoder().encode(answer) : answer,
  };
  return held ? { response: { ...forwarded, isHeld: true }, held } : { response: forwarded };
}
