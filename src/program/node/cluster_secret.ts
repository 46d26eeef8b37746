/**
 * Reads the secret of the cluster before the process drops the permission to do so, and warns if nothing protects the
 * cluster port.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** A shorter secret could be guessed. */
const LENGTH_MIN = 16;

/**
 * Reads the secret; white space around it does not count.
 * @returns Empty where there is no file.
 * @throws {Error} Naming the file, when it cannot be used.
 */
export function readClusterSecret(path: string): string {
  if (path === "") return "";
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
  clusterAddr: string,
  { isProtected, isAgent }: { isProtected: boolean; isAgent: boolean },
): string | undefined {
  const { hostname } = splitAddress(clusterAddr);
  if (isProtected || hostname === "localhost" || hostname === "::1" || hostname.startsWith("127.")) return undefined;
  return `WARNING: whoever reaches ${clusterAddr} can join the cluster, vote and write: set -cluster-secret-file or ` +
    `${isAgent ? "verify_incoming" : "-node-verify-client"}, or let only the nodes reach it`;
}
