/**
 * The secret of the cluster: the content of a file, or derived from the keys of an agent's gossip, so that an encrypted pool
 * has a protected cluster port without a further setting. Warns if nothing protects that port.
 * @module
 */
import { createHmac } from "node:crypto";
import { splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { startKeys } from "../../drivers/membership/files.ts";
import type { SecretOptions } from "../../drivers/transport/secret.ts";
import type { NodeConfig } from "../config/config.ts";

/** A shorter secret could be guessed. */
const LENGTH_MIN = 16;

/**
 * The secrets that a node starts with. Those of an agent are made of the keys that its gossip starts with.
 * @throws {Error} Naming the file, when it cannot be used.
 */
export function clusterSecretOf(
  { agent, clusterSecretFile, clusterSecretOptional: isOptional }: NodeConfig,
  gossipDirectory: string,
): SecretOptions {
  if (clusterSecretFile !== "") return { texts: [readSecret(clusterSecretFile)], isOptional };
  const keyring = agent && startKeys(gossipDirectory, agent.encryptionKey || undefined).keyring;
  return { texts: secretsOf(keyring?.keys ?? []), isOptional };
}

/** The secrets that belong to the keys of the gossip; who knows a secret does not know the key. */
export function secretsOf(gossipKeys: readonly Uint8Array[]): string[] {
  return gossipKeys.map((key) => createHmac("sha256", key).update("muster cluster secret").digest("base64"));
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
