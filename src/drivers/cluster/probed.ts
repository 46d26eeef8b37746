/**
 * The result of probing an address for a node of the cluster. Types only.
 * @module
 */

/** The result of probing an address. */
export interface Probed {
  readonly addr: string;
  /** Id of the node that answered. */
  readonly id?: string;
  /** Its disk, and what its process is told by; absent where an older version answered. */
  readonly storageId?: string;
  readonly process?: string;
  /** In a cluster; in none; something that does not answer as a node; nobody, as no connection can be made. */
  readonly state: "member" | "idle" | "silent" | "nobody";
  /** For people, unless it is a member. */
  readonly why: string;
}
