/**
 * Keys and flags of Consul that this program knows and does not follow: what it says of each. Data.
 * @module
 */

/** Of the hosted service by which agents of Consul 0.5 to 0.9 found each other. */
const ATLAS = "the service that it used ended in 2017: -retry-join (retry_join) takes its place";

/** Flags of Consul that are gone for good, with the kind of their value. */
export const ENDED_FLAGS: readonly {
  readonly name: string;
  readonly kind: "bool" | "string";
  readonly reason: string;
}[] = [
  { name: "atlas", kind: "string", reason: ATLAS },
  { name: "atlas-join", kind: "bool", reason: ATLAS },
  { name: "atlas-token", kind: "string", reason: ATLAS },
  { name: "atlas-endpoint", kind: "string", reason: ATLAS },
];

/** Keys of configuration files that are gone for good, and why. */
export const ENDED_KEYS: ReadonlyMap<string, string> = new Map(
  ["atlas_join", "atlas_infrastructure", "atlas_token", "atlas_acl_token", "atlas_endpoint"].map((key) => [key, ATLAS]),
);
