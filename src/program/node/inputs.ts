/**
 * What a node is started with: read before the process gives up the rights to do so, and before anything starts.
 * @module
 */
import type { User } from "../../app/users/user.ts";
import { joinAddress, splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { DiscoveryOptions } from "../../drivers/discovery/api.ts";
import type { SinkPlans } from "../../drivers/sink/api.ts";
import type { SecretOptions } from "../../drivers/transport/secret.ts";
import type { NodeConfig } from "../config/config.ts";
import { Certificates } from "./certificates.ts";
import { clusterSecretOf } from "./cluster_secret.ts";
import type { ExtensionFile } from "./extensions.ts";
import { NodeFailure } from "./node_failure.ts";
import type { UploadPlans } from "./uploads.ts";

/** Files read for a node before it drops the permission to read them. */
export interface NodeInputs {
  /** How it finds the other nodes (see discovery.ts). */
  readonly discovery?: DiscoveryOptions | undefined;
  /** Automatic backups and the restore (see uploads.ts). */
  readonly uploads?: UploadPlans | undefined;
  /** Where changed rows and metrics are delivered to. */
  readonly sinks?: SinkPlans | undefined;
  /** The users (see users.ts); undefined if everybody may do everything. */
  readonly users?: readonly User[] | undefined;
  /** SQLite extensions (see extensions.ts). */
  readonly extensions?: readonly ExtensionFile[];
  /** Credentials to join with (see users.ts); empty for none. */
  readonly joinAuthorization?: string;
}

/** The same with what every node reads itself. */
export interface ReadInputs extends NodeInputs {
  readonly certificates: Certificates;
  readonly secret: SecretOptions;
}

/**
 * Adds what every node reads itself.
 * @throws {NodeFailure} When a certificate or the cluster's secret cannot be used.
 */
export async function readInputs(
  config: NodeConfig,
  inputs: NodeInputs,
  log: (line: string) => void,
): Promise<ReadInputs> {
  try {
    const [certificates, secret] = await Promise.all([Certificates.read(config, log), clusterSecretOf(config)]);
    return { ...inputs, certificates, secret };
  } catch (error) {
    throw new NodeFailure(messageOf(error));
  }
}

/**
 * The configuration with IP addresses to serve HTTPS at, where clients need a certificate there.
 * The Worker of HTTPS opens them by `node:tls` then, which looks names up by itself and asks for the right to what it has found,
 * while the Worker has the right to what is configured.
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
