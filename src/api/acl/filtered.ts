/**
 * The headers about access control.
 * @module
 */

/** Of an answer from which something was left out that the token may not see. */
export const FILTERED: Readonly<Record<string, string>> = { "X-Consul-Results-Filtered-By-ACLs": "true" };

/** Of every answer of `/v1` where access control is on. */
export function defaultPolicyHeader(policy: string): Readonly<Record<string, string>> {
  return { "X-Consul-Default-ACL-Policy": policy };
}
