/**
 * Parses a queried name (C8.1). From the right it has the domain, the datacenter if there is one, and the keyword; the
 * rest is the name of the node, which may contain dots. Pure.
 * @module
 */
import { addressOfReverse, hexBytes } from "./address.ts";
import type { Name } from "./message.ts";

/** The object of a query. */
export type Lookup =
  | { readonly k: "node"; readonly name: string }
  | { readonly k: "address"; readonly address: Uint8Array }
  | { readonly k: "reverse"; readonly address: Uint8Array }
  | { readonly k: "zone" }
  | { readonly k: "nothing" } // in the domain, and nothing that could be there
  | { readonly k: "outside" };

/** A lookup, and the domain by which it was asked; the primary one for reverse lookups. */
export interface Lookups {
  readonly lookup: Lookup;
  readonly domain: Name;
}

const KEYWORDS = ["node", "service", "query", "addr", "connect", "virtual", "ingress"];

/** Reads a name. Domains are lower case, the primary one first. */
export function lookupOf(
  name: Name,
  { domains, datacenter }: { readonly domains: readonly Name[]; readonly datacenter: string },
): Lookups {
  const lower = name.map((label) => label.toLowerCase());
  const domain = domains.filter((one) => endsWith(lower, one)).reduce<Name | undefined>(longer, undefined);
  if (!domain) {
    const address = addressOfReverse(name);
    return { lookup: address ? { k: "reverse", address } : { k: "outside" }, domain: domains[0] };
  }
  return { lookup: within(name.slice(0, name.length - domain.length), datacenter), domain };
}

function endsWith(name: Name, end: Name): boolean {
  return end.every((label, at) => name[name.length - end.length + at] === label);
}

/** The longer of two domains: one of them may lie below the other. */
function longer(one: Name | undefined, other: Name): Name {
  return one && one.length >= other.length ? one : other;
}

function within(labels: Name, datacenter: string): Lookup {
  if (labels.length === 0) return { k: "zone" };
  const lower = labels.map((label) => label.toLowerCase());
  const at = lower.findLastIndex((label) => KEYWORDS.includes(label));
  if (at < 1) return { k: "nothing" };
  const behind = lower.slice(at + 1);
  if (behind.length === 2 && behind[1] === "dc") behind.pop();
  if (behind.length > 1 || behind.length === 1 && behind[0] !== datacenter) return { k: "nothing" };
  if (lower[at] === "node") return { k: "node", name: labels.slice(0, at).join(".") };
  if (lower[at] !== "addr" || at !== 1) return { k: "nothing" };
  const address = hexBytes(labels[0]);
  return address ? { k: "address", address } : { k: "nothing" };
}
