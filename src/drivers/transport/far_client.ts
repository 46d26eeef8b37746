/**
 * Calls servers of other datacenters: clusters of their own, which know this node as they know a client agent. They have the
 * same authority for certificates, which name the datacenter (`server.DATACENTER.consul`), and the same secret.
 *
 * A link between datacenters may be cut without a word. {@linkcode FarClient.isThere} tells; the connection to a server that
 * is not there is closed, so that no call waits for it and the next one connects anew.
 * @module
 */
import type { TlsTrust } from "../../base/net/conn.ts";
import { type CallOptions, RemoteError, type RpcAnswer, type RpcClient } from "./rpc.ts";
import { type Hello, OPERATION } from "./wire.ts";

/** A server of another datacenter that does not take a connection in this time is not there. */
const CONNECT_TIMEOUT_MS = 3000;

/** What is expected of the certificate of a server in `datacenter`, given what is expected in the own one. */
export function trustIn(datacenter: string, trust: TlsTrust | undefined): TlsTrust | undefined {
  return trust && { ...trust, serverName: trust.serverName.replace(/^server\.[^.]+(?=\.)/, `server.${datacenter}`) };
}

/** Calls other datacenters; one connection to each server. */
export class FarClient {
  readonly #rpc: RpcClient;
  readonly #clients = new Map<string, RpcClient>();

  /** @param rpc Calls servers of the own datacenter; where it is closed, these calls end, too. */
  constructor(rpc: RpcClient) {
    this.#rpc = rpc;
  }

  /** Asks the server at `addr` for an operation; fails as {@linkcode RpcClient.call} does. */
  async ask(datacenter: string, addr: string, head: RpcAnswer["head"], options: CallOptions): Promise<RpcAnswer> {
    return await this.#clientFor(datacenter).call(addr, OPERATION, head, options);
  }

  /** Whether a server answers, or has sent anything meanwhile; if not, the connection to it is closed. */
  async isThere(datacenter: string, addr: string, timeoutMs: number): Promise<boolean> {
    const client = this.#clientFor(datacenter);
    const startedMs = performance.now();
    try {
      await client.call(addr, "meta", {}, { timeoutMs });
      return true;
    } catch (error) {
      // A long answer on its way holds up all others.
      if (error instanceof RemoteError || await client.hasHeard(addr, startedMs)) return true;
      await client.hangUp(addr);
      return false;
    }
  }

  #clientFor(datacenter: string): RpcClient {
    const known = this.#clients.get(datacenter);
    if (known) return known;
    const trust = (own: TlsTrust | undefined) => trustIn(datacenter, own);
    const client = this.#rpc.derived({ hello: asClient, trust, connectTimeoutMs: CONNECT_TIMEOUT_MS });
    this.#clients.set(datacenter, client);
    return client;
  }
}

/** A node of another cluster has no place in the one that it calls. */
function asClient({ protocol, id, apiUrl, version, incarnation }: Hello): Hello {
  return { protocol, purpose: "rpc", clusterId: "", id, storageId: "", addr: "", apiUrl, version, incarnation };
}
