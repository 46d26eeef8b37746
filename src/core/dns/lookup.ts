/**
 * Parses a queried name (C8.1). From the right it has the domain, the datacenter if there is one, and the keyword; the
 * rest is the name of the node, which may contain dots, or the name of a service with a tag before it. Pure.
 * @module
 */
import { addressOfReverse, hexBytes } from "./address.ts";
import type { Name } from "./message.ts";

/** The object of a query. Where it names another datacenter than the own one, it is to be found there. */
export type Lookup =
  | { readonly k: "node"; readonly name: string; readonly datacenter?: string }
  /** Instances of a service; an empty tag: whatever their tags. */
  | { readonly k: "service"; readonly name: string; readonly tag: string; readonly datacenter?: string }
  /** A prepared query. */
  | { readonly k: "query"; readonly name: string; readonly datacenter?: string }
  | { readonly k: "address"; readonly address: Uint8Array }
  | { readonly k: "reverse"; readonly address: Uint8Array }
  | { readonly k: "zone" }
  | { readonly k: "above"; readonly datacenter?: string } // no records of its own, but names below it
  | { readonly k: "nothing" } // in the domain, and nothing that could be there
  | { readonly k: "outside" };

/** A lookup, and the domain by which it was asked; the primary one for reverse lookups. */
export interface Lookups {
  readonly lookup: Lookup;
  readonly domain: Name;
}

/** Keywords that names are looked up below; below the others of Consul there is nothing here. */
const ABOVE_NAMES = ["node", "service", "query", "addr"];
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
  const lookup = within(name.slice(0, name.length - domain.length), datacenter);
  const isNothing = lookup.k === "nothing" || lookup.k === "above";
  const isAbove = isNothing && domains.some((one) => one.length > lower.length && endsWith(one, lower));
  return { lookup: isAbove ? { k: "above" } : lookup, domain };
}

/**
 * Names that end in a dot and more labels: what stands behind the first dot, and so on. In lower case.
 *
 * A resolver that asks label by label (RFC 9156) gives up on `rack7.beta.node.consul` if `beta.node.consul` is said not
 * to exist (RFC 8020), although no node has that name.
 */
export function partsAbove(names: Iterable<string>): ReadonlySet<string> {
  const above = new Set<string>();
  for (const name of names) {
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      above.add(name.slice(dot + 1).toLowerCase());
    }
  }
  return above;
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
  const behind = lower.slice(at + 1);
  if (at < 0 && isUnderscored(lower)) { // RFC 2782 knows no keyword
    const inService = within([...labels.slice(0, 2), "service", ...labels.slice(2)], datacenter);
    return inService.k === "service" ? inService : { k: "nothing" };
  }
  if (at < 0 && behind[0].startsWith("_") && behind.length <= 2) {
    return within(["_", "service", ...behind.slice(1)], datacenter);
  }
  if (at < 0 && behind.length === 1 && behind[0] === "dc") return { k: "above" }; // of DATACENTER.dc
  if (behind.length === 2 && behind[1] === "dc") behind.pop();
  if (behind.length > 1) return { k: "nothing" };
  const other = behind.length === 1 && behind[0] !== datacenter ? { datacenter: behind[0] } : {};
  const above: Lookup = { k: "above", ...other };
  if (at < 1) return at < 0 || ABOVE_NAMES.includes(lower[at]) ? above : { k: "nothing" };
  if (lower[at] === "node") return { k: "node", name: labels.slice(0, at).join("."), ...other };
  if (["service", "query"].includes(lower[at]) && at === 1 && lower[0].startsWith("_")) return above;
  if (lower[at] === "service") return { ...serviceLookup(labels.slice(0, at)), ...other };
  if (lower[at] === "query") return { k: "query", name: serviceLookup(labels.slice(0, at)).name, ...other };
  if (lower[at] !== "addr" || at !== 1 || other.datacenter !== undefined) return { k: "nothing" };
  const address = hexBytes(labels[0]);
  return address ? { k: "address", address } : { k: "nothing" };
}

/** Whether a name begins as RFC 2782 has it: `_SERVICE._PROTOCOL`. */
function isUnderscored([service = "", protocol = ""]: Name): boolean {
  return service.length > 1 && service.startsWith("_") && protocol.length > 1 && protocol.startsWith("_");
}

/** `[TAG.]NAME`, or `_NAME._TAG`, where the protocols stand for no tag at all. */
function serviceLookup(labels: Name): Extract<Lookup, { k: "service" }> {
  if (labels.length === 2 && isUnderscored(labels)) {
    const [name, tag] = labels.map((label) => label.slice(1));
    return { k: "service", name, tag: ["tcp", "udp"].includes(tag.toLowerCase()) ? "" : tag };
  }
  return { k: "service", name: labels[labels.length - 1], tag: labels.slice(0, -1).join(".") };
}
