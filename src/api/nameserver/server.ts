/**
 * The name server: DNS over UDP and TCP (C8.1 to C8.8). Nodes come from the catalog by stale reads, which need no
 * leader; names outside of the domains come from the upstream servers, if there are any.
 *
 * What was asked within this second is answered by the same bytes, as long as the catalog has not changed (C8.9).
 *
 * A message that cannot be decoded is answered FORMERR, or not at all if an answer could start a loop. Queries under
 * way, connections, their time and their bytes are limited.
 * @module
 */
import { shuffled } from "../../base/worker/shuffled.ts";
import { splitAddress } from "../../base/codec/address.ts";
import {
  answerAddress,
  answerNode,
  answerReverse,
  answerZone,
  type CatalogNode,
  nameOf,
  noSuchName,
  noSuchRecord,
  refusal,
  type Zone,
} from "../../core/dns/answer.ts";
import { parseIp } from "../../base/codec/ip.ts";
import { lookupOf, type Lookups, partsAbove } from "../../core/dns/lookup.ts";
import {
  type Answer,
  decodeQuery,
  DnsFormatError,
  encodeAnswer,
  encodeFailure,
  type Fit,
  idOf,
  type Name,
  PLAIN_UDP_BYTES,
  type Query,
  type Question,
  RCODE,
  TCP_BYTES_MAX,
  TYPE,
} from "../../core/dns/message.ts";
import { answerService, healthyInstances, type ServiceInstance } from "../../core/dns/service_answer.ts";
import { Aliases } from "./aliases.ts";
import { CallError } from "../../base/worker/channel.ts";
import type { NameServerSettings, NoDatacenter, OpenNameServer, QueryInstances } from "./api.ts";
import { KnownAnswers } from "./known_answers.ts";
import { DnsCounts } from "../../base/shared/dns_counts.ts";
import { readExactly } from "../../base/net/read_exactly.ts";
import { askRecursors, type Protocol } from "./recursor.ts";
import { openUdp, type UdpSocket } from "./udp_sockets.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Queries under way; more are dropped, as UDP may do. */
const QUERIES_MAX = 2000;
const CONNECTIONS_MAX = 256;
/** A connection without a query is closed after this time. */
const IDLE_MS = 10_000;
/** Queries of one connection. */
const QUERIES_PER_CONNECTION = 1000;
const NO_DATACENTER: NoDatacenter = "no_datacenter";
const CLASS_IN = 1;
const CLASS_ANY = 255;
/** Largest UDP answer, whatever size the asker accepts: a larger one would be fragmented. */
const UDP_BYTES_MAX = 4096;
/** Hard limit of answers over UDP without EDNS. */
const UDP_ANSWERS_MAX = 8;

/** The largest query over UDP that is taken whole. */
const UDP_QUERY_BYTES_MAX = 4096;

/** Asks the catalog, of the own datacenter unless another one is named. */
export interface CatalogSource {
  /** The same until something changes of what it answers from memory; undefined where nothing is at hand. */
  readonly state: unknown;
  /** Undefined where there is none; throws when it cannot be told. */
  node(name: string, datacenter?: string): Promise<CatalogNode | undefined>;
  nodes(datacenter?: string): Promise<readonly CatalogNode[]>;
  /** Whether there is another datacenter of that name. */
  knows(datacenter: string): Promise<boolean>;
  servers(): Promise<readonly CatalogNode[]>;
  /** Instances of a service, whatever their health; none where there is no such service. */
  service(name: string, datacenter?: string): Promise<readonly ServiceInstance[]>;
  /** What a prepared query finds; undefined where there is none of the name. */
  query(name: string, datacenter?: string): Promise<QueryInstances | undefined>;
  /** Instances of all services. */
  services(): Promise<readonly ServiceInstance[]>;
}

/** An open name server. */
export class NameServer {
  readonly #udp: UdpSocket[] = [];
  readonly #tcp: Deno.TcpListener[] = [];
  readonly #catalog: CatalogSource;
  readonly #domains: readonly Name[];
  readonly #datacenter: string;
  readonly #machine: readonly string[];
  readonly #log: (line: string) => void;
  readonly #ownHosts: string[] = [];
  readonly #known = new KnownAnswers();
  readonly #counts: DnsCounts;
  /** Answers that are made of what {@linkcode CatalogSource.state} stands for, and of nothing else. */
  readonly #lasting = new WeakSet<Answer>();
  readonly #aliases: Record<Protocol, Aliases>;
  /** Names above those of nodes, and the nodes that they were made of. */
  #above: { readonly nodes?: readonly CatalogNode[]; readonly parts: ReadonlySet<string> } = { parts: new Set() };
  #settings: NameServerSettings;
  #hasWarned = false;
  #underWay = 0;
  #connections = 0;
  readonly #open = new Set<Deno.TcpConn>();

  /**
   * Binds at once, and answers from {@linkcode NameServer.start} on.
   * @throws {Error} Naming the first address that it cannot have.
   */
  constructor(options: Omit<OpenNameServer, "k" | "lookups">, catalog: CatalogSource, log: (line: string) => void) {
    this.#machine = options.machine;
    this.#counts = new DnsCounts(options.counts);
    for (const addr of options.addrs) this.#bind(addr);
    this.#catalog = catalog;
    this.#domains = options.domains.map((domain) => nameOf(domain) ?? []);
    this.#datacenter = options.datacenter;
    this.#log = log;
    this.#settings = this.#usable(options.settings);
    this.#aliases = { udp: this.#aliasesBy("udp"), tcp: this.#aliasesBy("tcp") };
  }

  #aliasesBy(protocol: Protocol): Aliases {
    return new Aliases({
      own: async (question) => {
        const found = lookupOf(question.name, { domains: this.#domains, datacenter: this.#datacenter });
        if (found.lookup.k === "outside" || found.lookup.k === "reverse") return undefined;
        return (await this.#answerOwn(question, found)).answers;
      },
      upstream: async (query) => {
        return this.#settings.recursors.length > 0 ? await askRecursors(query, protocol, this.#settings) : undefined;
      },
    });
  }

  /** Begins to answer; until then questions wait. */
  start(): void {
    for (const udp of this.#udp) this.#serveUdp(udp);
    for (const tcp of this.#tcp) this.#serveTcp(tcp);
  }

  #bind(addr: string): void {
    try {
      const { hostname, port } = splitAddress(addr);
      const tcp = Deno.listen({ hostname, port });
      this.#tcp.push(tcp);
      this.#udp.push(...openUdp(hostname, tcp.addr.port, this.#machine));
      this.#ownHosts.push(hostname);
    } catch (error) {
      this.close();
      const why = messageOf(error);
      throw new Error(`cannot listen on DNS address ${addr}: ${why}`, { cause: error });
    }
  }

  /** Port of the first of its addresses. */
  get port(): number {
    return this.#tcp[0].addr.port;
  }

  /** Takes new settings into use. */
  set settings(settings: NameServerSettings) {
    this.#known.clear();
    this.#settings = this.#usable(settings);
  }

  /** An upstream server that is this one would be asked what it asks, again and again. */
  #usable(settings: NameServerSettings): NameServerSettings {
    const recursors = settings.recursors.filter((addr) => !this.#isOwn(addr));
    for (const addr of settings.recursors) {
      if (!recursors.includes(addr)) this.#log(`the upstream server ${addr} is this agent itself: it is not asked`);
    }
    return { ...settings, recursors };
  }

  #isOwn(addr: string): boolean {
    const { hostname, port } = splitAddress(addr);
    if (port !== this.port) return false;
    const isAny = this.#ownHosts.some((own) => own === "0.0.0.0" || own === "::");
    const isOfMachine = /^127\.|^::1$|^localhost$/.test(hostname) || this.#machine.includes(hostname);
    return this.#ownHosts.includes(hostname) || isAny && isOfMachine;
  }

  async #serveUdp({ conn: udp, mayMisanswer }: UdpSocket): Promise<void> {
    const buffer = new Uint8Array(UDP_QUERY_BYTES_MAX);
    for (;;) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await udp.receive(buffer);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        continue; // the last answer was refused by its receiver
      }
      const [bytes, from] = received;
      if (mayMisanswer) this.#warnOfAddress();
      const known = this.#knownAnswer(bytes);
      if (known) {
        this.#counts.note(known);
        udp.send(known, from).catch(() => {}); // the asker is gone, or this server is
        continue;
      }
      if (this.#underWay >= QUERIES_MAX) {
        this.#counts.note(undefined);
        continue;
      }
      this.#answer(bytes.slice(), "udp").then(async (answer) => {
        if (answer) await udp.send(answer, from);
      }).catch(() => {}); // the asker is gone, or this server is
    }
  }

  /** Says once that the machine has an address that is not in the list. */
  #warnOfAddress(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log(
      "a question over UDP came to an address that was not known when the agent started: its answer may leave from " +
        "another one, and be dropped by the asker. Restart the agent, or name the address in -client",
    );
  }

  /** A ready answer, if there is one. */
  #knownAnswer(query: Uint8Array): Uint8Array | undefined {
    const { state } = this.#catalog;
    if (state === undefined) return undefined;
    this.#known.validFor(state, unixSeconds());
    return this.#known.find(query);
  }

  async #serveTcp(tcp: Deno.TcpListener): Promise<void> {
    for (;;) {
      let conn: Deno.TcpConn;
      try {
        conn = await tcp.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        await new Promise((resolve) => setTimeout(resolve, 100)); // too many open files, say
        continue;
      }
      if (this.#connections >= CONNECTIONS_MAX) conn.close();
      else this.#serveConnection(conn);
    }
  }

  async #serveConnection(conn: Deno.TcpConn): Promise<void> {
    this.#connections++;
    this.#open.add(conn);
    let timer = setTimeout(() => close(conn), IDLE_MS);
    try {
      for (let count = 0; count < QUERIES_PER_CONNECTION; count++) {
        const length = await readExactly(conn, 2);
        const query = length && await readExactly(conn, length[0] << 8 | length[1]);
        if (!query) return;
        clearTimeout(timer);
        const answer = await this.#answer(query, "tcp");
        if (!answer) return;
        const framed = new Uint8Array(2 + answer.length);
        framed.set([answer.length >> 8, answer.length & 0xff]);
        framed.set(answer, 2);
        timer = setTimeout(() => close(conn), IDLE_MS);
        for (let written = 0; written < framed.length;) written += await conn.write(framed.subarray(written));
      }
    } catch {
      // the asker is gone
    } finally {
      clearTimeout(timer);
      this.#connections--;
      this.#open.delete(conn);
      close(conn);
    }
  }

  /** The bytes of the answer, which is counted; undefined where there is to be none. */
  async #answer(bytes: Uint8Array, protocol: Protocol): Promise<Uint8Array | undefined> {
    const answer = await this.#answerTo(bytes, protocol);
    this.#counts.note(answer);
    return answer;
  }

  async #answerTo(bytes: Uint8Array, protocol: Protocol): Promise<Uint8Array | undefined> {
    this.#underWay++;
    const id = idOf(bytes);
    try {
      const query = decodeQuery(bytes);
      const { state } = this.#catalog;
      const outcome = await this.#resolve(query, bytes, protocol);
      if (outcome instanceof Uint8Array) return outcome;
      const answer = encodeAnswer(query, outcome, this.#fit(query, protocol));
      const isCurrent = state !== undefined && state === this.#catalog.state;
      if (isCurrent && protocol === "udp" && this.#lasting.has(outcome)) {
        this.#known.keep(bytes, answer, hasOrder(outcome));
      }
      return answer;
    } catch (error) {
      if (error instanceof DnsFormatError) return id === undefined ? undefined : encodeFailure(id, RCODE.FORMERR);
      this.#log(`a query failed unexpectedly: ${error instanceof Error ? error.stack : error}`);
      return id === undefined ? undefined : encodeFailure(id, RCODE.SERVFAIL);
    } finally {
      this.#underWay--;
    }
  }

  #fit({ edns }: Query, protocol: Protocol): Fit {
    const { udpAnswerLimit, enableTruncate, disableCompression } = this.#settings;
    const common = { marksTruncation: enableTruncate, compresses: !disableCompression };
    if (protocol === "tcp") return { ...common, bytesMax: TCP_BYTES_MAX, answersMax: Infinity };
    if (!edns) {
      const answersMax = Math.min(udpAnswerLimit || UDP_ANSWERS_MAX, UDP_ANSWERS_MAX);
      return { ...common, bytesMax: PLAIN_UDP_BYTES, answersMax };
    }
    const bytesMax = Math.max(PLAIN_UDP_BYTES, Math.min(edns.udpBytes, UDP_BYTES_MAX));
    return { ...common, bytesMax, answersMax: Infinity };
  }

  /** An answer, or the bytes of an upstream server's. */
  async #resolve(query: Query, bytes: Uint8Array, protocol: Protocol): Promise<Answer | Uint8Array> {
    const { question, opcode, edns } = query;
    const { recursors } = this.#settings;
    const recursion = { recursionAvailable: recursors.length > 0 };
    if (opcode !== 0 || question.type === TYPE.AXFR) return refusal(recursion, RCODE.NOTIMP);
    if (edns && edns.version !== 0) return refusal(recursion, RCODE.BADVERS);
    if (question.class !== CLASS_IN && question.class !== CLASS_ANY) return refusal(recursion, RCODE.REFUSED);
    const found = lookupOf(question.name, { domains: this.#domains, datacenter: this.#datacenter });
    try {
      if (found.lookup.k === "outside") {
        return await this.#askUpstream(bytes, protocol) ?? refusal(recursion, RCODE.REFUSED);
      }
      if (found.lookup.k === "reverse") {
        const own = await this.#at(found.lookup.address);
        const isKnown = own.nodes.length + own.services.length > 0;
        const upstream = isKnown ? undefined : await this.#askUpstream(bytes, protocol);
        return upstream ?? answerReverse(question, own, this.#zone(found.domain));
      }
      const answer = await this.#answerOwn(question, found);
      const isWhole = answer.answers.at(-1)?.type !== TYPE.CNAME;
      const isOwn = !("datacenter" in found.lookup); // of another datacenter no change is told
      if (isWhole && isOwn && found.lookup.k !== "query") this.#lasting.add(answer);
      if (isWhole) return answer;
      return { ...answer, answers: await this.#aliases[protocol].followed(question, answer.answers) };
    } catch (error) {
      if (error instanceof CallError && error.code === NO_DATACENTER) return noSuchName(this.#zone(found.domain));
      this.#log(`the catalog could not be asked: ${messageOf(error)}`);
      return refusal(recursion, RCODE.SERVFAIL);
    }
  }

  /** What the catalog says of a name in the domains. */
  async #answerOwn(question: Question, { lookup, domain }: Lookups): Promise<Answer> {
    const datacenter = "datacenter" in lookup ? lookup.datacenter : undefined;
    const zone = this.#zone(domain, datacenter);
    switch (lookup.k) {
      case "node": {
        const node = await this.#catalog.node(lookup.name, datacenter);
        if (node) return answerNode(question, node, zone);
        return await this.#isAboveNode(lookup.name, datacenter) ? noSuchRecord(zone) : noSuchName(zone);
      }
      case "service": {
        const { tag, name } = lookup;
        const { onlyPassing } = this.#settings;
        const all = await this.#catalog.service(name, datacenter);
        const instances = healthyInstances(all, { tag, onlyPassing });
        const others = instances.length > 0 ? [] : healthyInstances(all, { tag: "", onlyPassing });
        // The tag "v1.2" is below "2": that name exists, too.
        if (partsAbove(others.flatMap(({ tags }) => tags)).has(tag.toLowerCase())) return noSuchRecord(zone);
        return answerService(question, shuffled(instances), zone);
      }
      case "query": {
        const found = await this.#catalog.query(lookup.name, datacenter);
        if (!found) return noSuchName(zone);
        const { instances, ttl } = found;
        const there = this.#zone(domain, found.datacenter);
        return answerService(question, instances, ttl === undefined ? there : { ...there, serviceTtl: { "*": ttl } });
      }
      case "address":
        return answerAddress(question, lookup.address, zone);
      case "zone":
        return answerZone(question, shuffled(await this.#catalog.servers()), zone);
      case "above":
        if (datacenter !== undefined && !await this.#catalog.knows(datacenter)) return noSuchName(zone);
        return noSuchRecord(zone);
      default:
        return noSuchName(zone);
    }
  }

  /** What is at an address: nodes, or else names of services. */
  async #at(wanted: Uint8Array): Promise<{ nodes: readonly CatalogNode[]; services: readonly string[] }> {
    const nodes = (await this.#catalog.nodes()).filter(({ address }) => isAt(address, wanted));
    if (nodes.length > 0) return { nodes, services: [] };
    const found = (await this.#catalog.services()).filter(({ address }) => isAt(address, wanted));
    return { nodes, services: [...new Set(found.map(({ service }) => service))] };
  }

  /** Whether a node's name ends in a dot and this name. */
  async #isAboveNode(name: string, datacenter: string | undefined): Promise<boolean> {
    const nodes = await this.#catalog.nodes(datacenter);
    if (this.#above.nodes !== nodes) this.#above = { nodes, parts: partsAbove(nodes.map((node) => node.name)) };
    return this.#above.parts.has(name.toLowerCase());
  }

  /** The answer of an upstream server; SERVFAIL where none answers; undefined where there is none. */
  async #askUpstream(bytes: Uint8Array, protocol: Protocol): Promise<Uint8Array | Answer | undefined> {
    if (this.#settings.recursors.length === 0) return undefined;
    return await askRecursors(bytes, protocol, this.#settings) ?? refusal({ recursionAvailable: true }, RCODE.SERVFAIL);
  }

  #zone(domain: Name, datacenter = this.#datacenter): Zone {
    const { nodeTtl, serviceTtl, nodeMetaTxt, aRecordLimit, recursors, soa } = this.#settings;
    return {
      domain,
      datacenter,
      nodeTtl,
      serviceTtl,
      nodeMetaTxt,
      aRecordLimit,
      recursionAvailable: recursors.length > 0,
      serial: unixSeconds(),
      soa,
    };
  }

  /** Stops listening and closes everything. */
  close(): void {
    for (const socket of [...this.#tcp, ...this.#udp.map(({ conn }) => conn)]) socket.close();
    for (const conn of this.#open) close(conn);
  }
}

function isAt(address: string, wanted: Uint8Array): boolean {
  const bytes = parseIp(address);
  return bytes?.length === wanted.length && bytes.every((byte, at) => byte === wanted[at]);
}

/** Whether it is one of several orders of the same records. */
function hasOrder({ answers, authority }: Answer): boolean {
  return answers.length > 1 || authority.length > 1;
}

function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // closed before
  }
}
