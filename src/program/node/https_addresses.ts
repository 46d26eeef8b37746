/**
 * Addresses of HTTPS that asks for certificates. Its Worker opens them by `node:tls`, which looks names up by itself and asks
 * for the right to what it has found, while the Worker has the right to what is configured: names are looked up before.
 * @module
 */
import { joinAddress, splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeConfig } from "../config/config.ts";
import { NodeFailure } from "./node_failure.ts";

/**
 * The configuration with IP addresses to serve HTTPS at, where clients need a certificate there.
 * @throws {NodeFailure} When a name has no address.
 */
export async function withHttpsAddresses(config: NodeConfig): Promise<NodeConfig> {
  if (!config.httpVerifiesClients) return config;
  return { ...config, httpsAddrs: await Promise.all(config.httpsAddrs.map(resolved)) };
}

async function resolved(addr: string): Promise<string> {
  const { hostname, port } = splitAddress(addr);
  const { lookup } = await import("node:dns/promises"); // takes memory that most nodes never need
  try {
    return joinAddress((await lookup(hostname)).address, port);
  } catch (error) {
    throw new NodeFailure(`cannot listen on HTTP address ${addr}: ${messageOf(error)}`);
  }
}
