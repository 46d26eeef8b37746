/**
 * Answers to lookups of services (C8.3): the addresses of their healthy instances, or where each of them listens. Pure.
 * @module
 */
import { parseIp } from "../../base/codec/ip.ts";
import {
  addressRecords,
  answer,
  type CatalogNode,
  found,
  limited,
  nameOf,
  nodeName,
  noSuchName,
  textRecords,
  type Zone,
} from "./answer.ts";
import { type Answer, type DnsRecord, type Name, type Question, TYPE } from "./message.ts";

/** An instance of a service as the catalog has it. */
export interface ServiceInstance {
  /** Name of the service. */
  readonly service: string;
  readonly node: CatalogNode;
  /** IP address, or a host name; empty: that of the node. */
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  /** The worst of its own checks and those of its node. */
  readonly status: "passing" | "warning" | "critical";
  /** Weights of SRV records by status. */
  readonly weights: { readonly passing: number; readonly warning: number };
}

/** Which instances are answered. */
export interface ServiceFilter {
  /** Empty: whatever their tags. */
  readonly tag: string;
  /** Whether a warning is reason enough to leave one out. */
  readonly onlyPassing: boolean;
}

const PRIORITY = 1;

/** Instances that can be recommended; `critical` ones never. */
export function healthyInstances(
  instances: readonly ServiceInstance[],
  { tag, onlyPassing }: ServiceFilter,
): ServiceInstance[] {
  const wanted = tag.toLowerCase();
  return instances.filter(({ status, tags }) =>
    (status === "passing" || status === "warning" && !onlyPassing) &&
    (wanted === "" || tags.some((one) => one.toLowerCase() === wanted))
  );
}

/** The answer from the instances that can be recommended, in the order in which they are to be. */
export function answerService(question: Question, instances: readonly ServiceInstance[], zone: Zone): Answer {
  if (instances.length === 0) return noSuchName(zone);
  const ttl = ttlOf(instances[0].service, zone);
  const { type } = question;
  if (type === TYPE.SRV) return serviceRecords(question, instances, { ...zone, nodeTtl: ttl });
  if (type !== TYPE.A && type !== TYPE.AAAA && type !== TYPE.ANY) return found(zone, []);
  const records = new Map<string, DnsRecord>();
  let alias: DnsRecord | undefined;
  for (const { address, node } of instances) {
    const where = address || node.address;
    const [record] = addressRecords(question.name, where, { ...zone, nodeTtl: ttl });
    if (record?.type === TYPE.CNAME) alias ??= record;
    else if (record && (type === TYPE.ANY || record.type === type)) records.set(where, record);
  }
  // A name with an alias has no other record (RFC 1034 §3.6.2): addresses are of more use.
  if (records.size === 0 && alias) return found(zone, [alias]);
  return found(zone, limited([...records.values()], zone));
}

/** RFC 2782: each host and port once, with the addresses of the hosts beside. */
function serviceRecords({ name }: Question, instances: readonly ServiceInstance[], zone: Zone): Answer {
  const answers: DnsRecord[] = [];
  const additional: DnsRecord[] = [];
  const seen = new Set<string>();
  for (const instance of instances) {
    const { node, address, port, weights, status } = instance;
    const key = `${node.name} ${address} ${port}`.toLowerCase();
    const target = targetOf(instance, zone);
    if (seen.has(key) || !target) continue;
    seen.add(key);
    const weight = status === "warning" ? weights.warning : weights.passing;
    answers.push({ name, ttl: zone.nodeTtl, type: TYPE.SRV, priority: PRIORITY, weight, port, target });
    const isOwnName = address !== "" && !parseIp(address);
    if (!isOwnName) additional.push(...addressRecords(target, address || node.address, zone));
    if (zone.nodeMetaTxt && !isOwnName) additional.push(...textRecords(target, node.meta, zone));
  }
  return answers.length > 0 ? answer(zone, { answers, additional }) : found(zone, []);
}

/** The name of the host: of the node, of the address of its own, or the host name that stands for it. */
function targetOf({ node, address }: ServiceInstance, zone: Zone): Name | undefined {
  if (address === "") return nodeName(node, zone);
  const bytes = parseIp(address);
  return bytes ? [bytes.toHex(), "addr", zone.datacenter, ...zone.domain] : nameOf(address);
}

/** Of the exact name, of the longest prefix, or of all. */
function ttlOf(service: string, { serviceTtl }: Zone): number {
  const name = service.toLowerCase();
  const matching = Object.entries(serviceTtl).filter(([pattern]) =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1).toLowerCase()) : pattern.toLowerCase() === name
  );
  const rank = (pattern: string) => pattern.endsWith("*") ? pattern.length : Infinity;
  return matching.sort(([a], [b]) => rank(b) - rank(a))[0]?.[1] ?? 0;
}
