/**
 * The secret of the cluster: the content of a file, or derived from the keys of an agent's gossip, so that an encrypted pool
 * has a protected cluster port without a further setting. Warns if nothing protects that port.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { startKeys } from "../../drivers/membership/files.ts";
import { gossipDirectory } from "./data_directory.ts";
import { wanDirectory } from "./pool.ts";
import type { SecretOptions } from "../../drivers/transport/secret.ts";
import type { AgentConfig, NodeConfig } from "../config/config.ts";

/** A shorter secret could be guessed. */
const LENGTH_MIN = 16;
const LABEL = new TextEncoder().encode("muster cluster secret");

/**
 * The secrets that a node starts with. Those of an agent are made of the keys that its gossip starts with.
 * @throws {Error} Naming the file, when it cannot be used.
 */
export async function clusterSecretOf(
  { agent, dataDirectory, clusterSecretFile, clusterSecretOptional: isOptional }: NodeConfig,
): Promise<SecretOptions> {
  if (clusterSecretFile !== "") return { texts: [readSecret(clusterSecretFile)], isOptional };
  const { lan, wan } = agent ? gossipKeysOf(agent, gossipDirectory(dataDirectory)) : NO_KEYS;
  return { texts: await secretsOf([...lan, ...wan]), isOptional };
}

/** The keys of an agent's pools, the primary one first. */
export interface GossipKeys {
  readonly lan: readonly Uint8Array[];
  /** Of the pool of the servers of all datacenters; by them the servers of another one are known. */
  readonly wan: readonly Uint8Array[];
}

const NO_KEYS: GossipKeys = { lan: [], wan: [] };

/** The keys that an agent starts with. A new keyring of the second pool begins with the primary key of the first. */
export function gossipKeysOf(
  { encryptionKey, wan }: Pick<AgentConfig, "encryptionKey" | "wan">,
  directory: string,
): GossipKeys {
  const lan = startKeys(directory, encryptionKey || undefined).keyring?.keys ?? [];
  const first = encryptionKey || lan[0]?.toBase64();
  const keyring = wan && startKeys(wanDirectory(directory), first).keyring;
  return { lan, wan: keyring?.keys ?? [] };
}

/** The secrets that belong to the keys of the gossip; who knows a secret does not know the key. */
export async function secretsOf(gossipKeys: readonly Uint8Array[]): Promise<string[]> {
  return [...new Set(await Promise.all(gossipKeys.map(secretOf)))];
}

async function secretOf(gossipKey: Uint8Array): Promise<string> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new Uint8Array(gossipKey), hmac, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(hmac, key, LABEL)).toBase64();
}

/** Reads a secret; white space around it does not count. */
function readSecret(path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path).trim();
  } catch (error) {
    throw new Error(`cannot read the cluster secret: ${messageOf(error)}`);
  }
  if (text.length >= LENGTH_MIN) return text;
  throw new Error(
    `the cluster secret in ${path} is too short: ${LENGTH_MIN} characters or more are needed, for example ` +
      "those of: openssl rand -base64 32",
  );
}

/** Warning about a cluster port that asks for neither a secret nor a certificate; undefined if only this machine can reach the port. */
export function openPortWarning(
  { clusterAddr, nodeVerifiesClients, agent }: Pick<NodeConfig, "clusterAddr" | "nodeVerifiesClients" | "agent">,
  { texts, isOptional }: SecretOptions,
): string | undefined {
  const { hostname } = splitAddress(clusterAddr);
  if (nodeVerifiesClients || hostname === "localhost" || hostname === "::1" || hostname.startsWith("127.")) {
    return undefined;
  }
  const open = `WARNING: whoever reaches ${clusterAddr} can join the cluster, vote and write`;
  if (texts.length > 0) {
    return isOptional ? `${open}: restart without -cluster-secret-optional once every node has the secret` : undefined;
  }
  const ways = agent ? "-encrypt or verify_incoming" : "-cluster-secret-file or -node-verify-client";
  return `${open}: set ${ways}, or let only the nodes reach it`;
}
