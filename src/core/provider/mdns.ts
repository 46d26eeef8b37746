/**
 * Members of one network by multicast DNS: what an agent answers to those that look for it, and what it makes of the answers
 * of others (DNS-based service discovery, RFC 6763). Pure.
 *
 * An agent is an instance of the service, `NAME-ID._muster._tcp.local`, at a host `NAME-ID.local`. The name has a part of
 * the node's random id and is therefore unique without the probes of RFC 6762 §8. All its records live for two minutes
 * only, so that nobody needs to be told when it ends.
 *
 *     _muster._tcp.local            PTR  one-0a1b2c3d._muster._tcp.local
 *     one-0a1b2c3d._muster._tcp.local  SRV  0 0 8301 one-0a1b2c3d.local      TXT  node=one
 *     one-0a1b2c3d.local               A    10.0.0.1
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { formatIp, parseIp } from "../../base/codec/ip.ts";
import { nameKey } from "../dns/alias.ts";
import { type DnsRecord, type Name, TYPE } from "../dns/message.ts";
import type { MdnsAnswer, MdnsMessage, MdnsQuestion } from "../dns/multicast.ts";
import type { MdnsOptions } from "./provider.ts";

const TTL_S = 120;
/** Of a node's id, in the name of its instance. */
const ID_CHARS = 8;
const LABEL_BYTES_MAX = 63;
/** Instances, hosts and addresses that are kept of the answers to one lookup. */
const FOUND_MAX = 256;
/** All services of a domain are listed here (RFC 6763 §9). */
const SERVICES = ["_services", "_dns-sd", "_udp"];

/** An agent that can be found. */
export interface Self {
  readonly node: string;
  /** Id of the node: random. */
  readonly id: string;
  /** IP address of its gossip. */
  readonly host: string;
  readonly port: number;
}

/** The name of a service. */
export function serviceName({ service, domain }: Pick<MdnsOptions, "service" | "domain">): Name {
  return [...service.split("."), ...domain.split(".")];
}

/** The records of an agent for one service. */
export class Announcement {
  readonly #instance: DnsRecord;
  readonly #services: DnsRecord;
  readonly #facts: readonly DnsRecord[];
  readonly #address: DnsRecord;

  /** @throws {RangeError} When its address is no IP address. */
  constructor({ node, id, host, port }: Self, options: Pick<MdnsOptions, "service" | "domain">) {
    const address = parseIp(host);
    if (!address) throw new RangeError(`Cannot announce "${host}": expected an IP address`);
    const service = serviceName(options);
    const domain = options.domain.split(".");
    const label = instanceLabel(node, id);
    const instance = [label, ...service];
    const target = [label, ...domain];
    this.#instance = { name: service, ttl: TTL_S, type: TYPE.PTR, target: instance };
    this.#services = { name: [...SERVICES, ...domain], ttl: TTL_S, type: TYPE.PTR, target: service };
    this.#facts = [
      { name: instance, ttl: TTL_S, type: TYPE.SRV, priority: 0, weight: 0, port, target },
      { name: instance, ttl: TTL_S, type: TYPE.TXT, texts: [new TextEncoder().encode(`node=${node}`).slice(0, 255)] },
    ];
    this.#address = { name: target, ttl: TTL_S, type: address.length === 4 ? TYPE.A : TYPE.AAAA, address };
  }

  /** Text for comparison of the name of its instance. */
  get key(): string {
    return this.#instance.type === TYPE.PTR ? nameKey(this.#instance.target) : "";
  }

  /**
   * The answer to a message; undefined where there is nothing to say: it asks for something else, or knows the answer
   * (RFC 6762 §7.1).
   */
  answer({ isAnswer, questions, records }: MdnsMessage): MdnsAnswer | undefined {
    if (isAnswer) return undefined;
    const own = [this.#instance, this.#services, ...this.#facts, this.#address];
    const asked = own.filter((record) => questions.some((question) => isAsked(record, question)));
    const answers = asked.filter((record) => !records.some((known) => isKnown(record, known)));
    if (answers.length === 0) return undefined;
    // What a PTR or SRV record leads to comes along (RFC 6763 §12).
    const further = answers.includes(this.#instance)
      ? [...this.#facts, this.#address]
      : answers.includes(this.#facts[0])
      ? [this.#address]
      : [];
    return { answers, additional: further.filter((record) => !answers.includes(record)) };
  }
}

/** The name of an instance: one label, also for a node whose name has dots. */
function instanceLabel(node: string, id: string): string {
  const plain = node.replaceAll(/[^\w-]/g, "-").slice(0, LABEL_BYTES_MAX - ID_CHARS - 1);
  return `${plain}-${id.replaceAll("-", "").slice(0, ID_CHARS)}`;
}

function isAsked({ name, type }: DnsRecord, question: MdnsQuestion): boolean {
  return (question.type === type || question.type === TYPE.ANY) && nameKey(question.name) === nameKey(name);
}

/** Whether who asks has a record already, and for some time to come. */
function isKnown(own: DnsRecord, known: DnsRecord): boolean {
  return own.type === TYPE.PTR && known.type === TYPE.PTR && nameKey(own.name) === nameKey(known.name) &&
    nameKey(own.target) === nameKey(known.target) && known.ttl >= own.ttl / 2;
}

/** Answers to one lookup, put together. What is not about the service is not kept. */
export class Findings {
  readonly #service: string;
  readonly #options: MdnsOptions;
  readonly #instances = new Set<string>();
  /** By instance, the key of its host, and its port. */
  readonly #places = new Map<string, { readonly host: string; readonly port: number }>();
  /** By host. */
  readonly #addresses = new Map<string, Set<string>>();

  constructor(options: MdnsOptions) {
    this.#options = options;
    this.#service = nameKey(serviceName(options));
  }

  /** Takes the records of an answer. */
  take(records: readonly DnsRecord[]): void {
    for (const record of records) {
      const name = nameKey(record.name);
      if (record.type === TYPE.PTR && name === this.#service) {
        const instance = nameKey(record.target);
        if (instance.endsWith(`.${this.#service}`) && this.#instances.size < FOUND_MAX) this.#instances.add(instance);
      } else if (record.type === TYPE.SRV && name.endsWith(`.${this.#service}`)) {
        if (this.#places.size >= FOUND_MAX || record.port === 0) continue;
        this.#places.set(name, { host: nameKey(record.target), port: record.port });
      } else if (record.type === TYPE.A || record.type === TYPE.AAAA) this.#takeAddress(name, record.address);
    }
  }

  #takeAddress(host: string, address: Uint8Array): void {
    const known = this.#addresses.get(host) ?? new Set();
    if (known.size >= 4 || this.#addresses.size >= FOUND_MAX) return;
    this.#addresses.set(host, known.add(formatIp(address)));
  }

  /** Addresses of gossip, by the key of the instance; IPv6 is preferred. */
  members(): ReadonlyMap<string, string> {
    const { v4, v6 } = this.#options;
    const found = new Map<string, string>();
    for (const instance of this.#instances) {
      const place = this.#places.get(instance);
      const addresses = [...(place && this.#addresses.get(place.host)) ?? []];
      const address = addresses.find((one) => v6 && one.includes(":")) ??
        addresses.find((one) => v4 && !one.includes(":"));
      if (place && address !== undefined) found.set(instance, joinAddress(address, place.port));
    }
    return found;
  }
}
