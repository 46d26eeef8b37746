/**
 * How a replica uses what each way of discovery finds.
 * @module
 */
import type { DiscoveryUse } from "../replica/api.ts";
import type { DiscoveryOptions } from "./api.ts";

/** A store also knows the leader, and is told of this node; names have addresses alone. */
export function discoveryUse(options: DiscoveryOptions): DiscoveryUse {
  return "deadAfterMs" in options
    ? { kind: "register", deadAfterMs: options.deadAfterMs }
    : { kind: "addresses", deadAfterMs: 0 };
}
