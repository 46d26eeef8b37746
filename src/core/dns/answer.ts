/**
 * Answers to lookups (C8.2, C8.4): NXDOMAIN where there is no such name, an empty answer where it has no record
 * of the type, both with the zone's SOA. Pure.
 * @module
 */
import { parseIp } from "../../base/codec/ip.ts";
import { type Answer, type DnsRecord, type Name, type Question, RCODE, TYPE } from "./message.ts";

/** A node as the catalog has it. */
export interface CatalogNode {
  readonly name: string;
  /** IP address, or a host name. */
  readonly address: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** The zone and how its answers are to be. Seconds. */
export interface Zone {
  /** The domain that was asked by. */
  readonly domain: Name;
  readonly datacenter: string;
  readonly nodeTtl: number;
  /** By name of the service, by `prefix*`, or for `*`. */
  readonly serviceTtl: Readonly<Record<string, number>>;
  readonly nodeMetaTxt: boolean;
  /** Most addresses in an answer; 0: any number. */
  readonly aRecordLimit: number;
  readonly recursionAvailable: boolean;
  readonly serial: number;
  readonly soa: { readonly refresh: number; readonly retry: number; readonly expire: number; readonly minTtl: number };
}

const TEXT_BYTES_MAX = 255;
/** Name servers in an answer. */
const SERVERS_MAX = 3;

/** An answer of the zone. */
export function answer(zone: Zone, parts: Partial<Answer>): Answer {
  return {
    rcode: RCODE.NOERROR,
    isAuthoritative: true,
    recursionAvailable: zone.recursionAvailable,
    answers: [],
    authority: [],
    additional: [],
    ...parts,
  };
}

/** The zone's SOA record. */
export function soaRecord({ domain, soa, serial }: Zone): DnsRecord {
  return {
    name: domain,
    ttl: soa.minTtl,
    type: TYPE.SOA,
    primary: ["ns", ...domain],
    mailbox: ["hostmaster", ...domain],
    serial,
    refresh: soa.refresh,
    retry: soa.retry,
    expire: soa.expire,
    minimum: soa.minTtl,
  };
}

/** There is no such name. */
export function noSuchName(zone: Zone): Answer {
  return answer(zone, { rcode: RCODE.NXDOMAIN, authority: [soaRecord(zone)] });
}

/** There is such a name, without records of the type. */
export function noSuchRecord(zone: Zone): Answer {
  return found(zone, []);
}

/** An answer without records and with a code. */
export function refusal(zone: Pick<Zone, "recursionAvailable">, rcode: number): Answer {
  return {
    rcode,
    isAuthoritative: false,
    recursionAvailable: zone.recursionAvailable,
    answers: [],
    authority: [],
    additional: [],
  };
}

/** An answer, or the word that the name has no record of the type. */
export function found(zone: Zone, answers: readonly DnsRecord[], additional: readonly DnsRecord[] = []): Answer {
  if (answers.length > 0) return answer(zone, { answers, additional });
  return answer(zone, { authority: [soaRecord(zone)], additional });
}

/** Records of a node: its address, and what is known about it as texts. */
export function answerNode(question: Question, node: CatalogNode, zone: Zone): Answer {
  const { name, type } = question;
  const addresses = addressRecords(name, node.address, zone);
  const texts = textRecords(name, node.meta, zone);
  // A host name in the place of the address is an alias, which answers every type (RFC 1034 §3.6.2).
  const isAlias = addresses.some((record) => record.type === TYPE.CNAME);
  if (isAlias) return found(zone, addresses, zone.nodeMetaTxt || type === TYPE.TXT || type === TYPE.ANY ? texts : []);
  if (type === TYPE.ANY) return found(zone, [...addresses, ...texts]);
  if (type === TYPE.TXT) return found(zone, texts);
  const wanted = addresses.filter((record) => record.type === type);
  return found(zone, limited(wanted, zone), zone.nodeMetaTxt ? texts : []);
}

/** As many as an answer may have. */
export function limited(records: readonly DnsRecord[], { aRecordLimit }: Zone): readonly DnsRecord[] {
  return aRecordLimit > 0 ? records.slice(0, aRecordLimit) : records;
}

/** The record of an address, or an alias where it is a host name. */
export function addressRecords(name: Name, address: string, zone: Zone): DnsRecord[] {
  const bytes = parseIp(address);
  if (bytes) return [{ name, ttl: zone.nodeTtl, ...addressData(bytes) }];
  const target = nameOf(address);
  return target ? [{ name, ttl: zone.nodeTtl, type: TYPE.CNAME, target }] : [];
}

function addressData(address: Uint8Array): { type: typeof TYPE.A | typeof TYPE.AAAA; address: Uint8Array } {
  return { type: address.length === 4 ? TYPE.A : TYPE.AAAA, address };
}

/** Labels of a name as text; undefined where it cannot be one. */
export function nameOf(text: string): Name | undefined {
  const labels = text.replace(/\.$/, "").split(".");
  const isFit = labels.every((label) => /^[\x21-\x7e]{1,63}$/.test(label)) && text.length < 254;
  return isFit ? labels : undefined;
}

/** Pairs as RFC 1464 writes them; under `rfc1035-` the value alone. */
export function textRecords(name: Name, meta: Readonly<Record<string, string>>, zone: Zone): DnsRecord[] {
  return Object.entries(meta).map(([key, value]) => {
    const text = key.startsWith("rfc1035-") ? value : `${key.replace(/[`=]/g, "`$&")}=${value}`;
    const bytes = new TextEncoder().encode(text);
    const texts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length || at === 0; at += TEXT_BYTES_MAX) {
      texts.push(bytes.subarray(at, at + TEXT_BYTES_MAX));
    }
    return { name, ttl: zone.nodeTtl, type: TYPE.TXT, texts };
  });
}

/** `HEX.addr`: the address itself; in the additional part where another type was asked for. */
export function answerAddress({ name, type }: Question, address: Uint8Array, zone: Zone): Answer {
  const record: DnsRecord = { name, ttl: zone.nodeTtl, ...addressData(address) };
  const isAsked = type === record.type || type === TYPE.ANY;
  return isAsked ? found(zone, [record]) : found(zone, [], [record]);
}

/** Names of the nodes at an address, or else of the services. */
export function answerReverse(
  { name, type }: Question,
  { nodes, services }: { readonly nodes: readonly CatalogNode[]; readonly services: readonly string[] },
  zone: Zone,
): Answer {
  if (nodes.length + services.length === 0) return noSuchName(zone);
  if (type !== TYPE.PTR && type !== TYPE.ANY) return found(zone, []);
  const targets = nodes.length > 0 ? nodes.map((node) => nodeName(node, zone)) : services.map((service) => {
    const labels = nameOf(service);
    return labels && [...labels, "service", zone.datacenter, ...zone.domain];
  });
  return found(zone, targets.flatMap((target) => target ? [{ name, ttl: 0, type: TYPE.PTR, target }] : []));
}

/** The full name of a node; undefined where it is unfit for DNS. */
export function nodeName({ name }: CatalogNode, { domain, datacenter }: Zone): Name | undefined {
  const labels = nameOf(name);
  return labels && [...labels, "node", datacenter, ...domain];
}

/** The zone itself: SOA and NS, with the servers' addresses. */
export function answerZone({ name, type }: Question, servers: readonly CatalogNode[], zone: Zone): Answer {
  const named = servers.filter(({ name: server }) => /^[A-Za-z0-9-]{1,63}$/.test(server)).slice(0, SERVERS_MAX);
  const targets = named.map((server) => ({ server, target: nodeName(server, zone) ?? [] }));
  const ns = targets.map(({ target }): DnsRecord => ({ name, ttl: zone.nodeTtl, type: TYPE.NS, target }));
  const glue = targets.flatMap(({ server, target }) => addressRecords(target, server.address, zone));
  if (type === TYPE.SOA) {
    return answer(zone, { answers: [{ ...soaRecord(zone), name }], authority: ns, additional: glue });
  }
  if (type === TYPE.NS) return found(zone, ns, glue);
  if (type === TYPE.ANY) return answer(zone, { answers: [{ ...soaRecord(zone), name }, ...ns], additional: glue });
  return found(zone, []);
}
