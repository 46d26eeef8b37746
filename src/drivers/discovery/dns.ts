/**
 * Cluster addresses by DNS: the addresses of a name, or the records of a service (Q16.4, Q16.5). Nothing is
 * kept: every lookup asks again.
 *
 * `Deno.resolveDns` asks as the system is configured: `/etc/resolv.conf` with its search list, and `/etc/hosts` first.
 * The runtime itself reads the two files, so no right to read files is needed, only the one to reach the name servers.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { lookup } from "node:dns/promises";
import { encodeQuery, RCODE, rcodeOf, TYPE } from "../../core/dns/message.ts";
import { readExactly } from "../../base/net/read_exactly.ts";
import type { DnsOptions, NameServer, SrvOptions } from "./api.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Limit of one question to one server. */
const LOOKUP_TIMEOUT_MS = 3000;
/** Addresses taken at most. */
const ADDRESSES_MAX = 256;

/** The addresses of every node, `host:port`, sorted. */
export async function lookupAddresses(options: DnsOptions | SrvOptions): Promise<string[]> {
  const found = options.mode === "dns" ? await lookupName(options) : await lookupService(options);
  return [...new Set(found)].sort().slice(0, ADDRESSES_MAX);
}

async function lookupName({ name, port, servers, hosts }: DnsOptions): Promise<string[]> {
  if (hosts.length > 0) return [...hosts];
  return (await ipsOf(name, servers)).map((ip) => joinAddress(ip, port));
}

async function lookupService({ name, service, servers }: SrvOptions): Promise<string[]> {
  const question = `_${service}._tcp.${name}`;
  const records = await ask(
    { name: question, type: TYPE.SRV },
    servers,
    (options) => Deno.resolveDns(question, "SRV", options),
  );
  const targets = records.filter(({ target }) => target !== "." && target !== "");
  const found = await Promise.all(
    targets.slice(0, ADDRESSES_MAX).map(async ({ target, port }) => {
      const ips = await ipsOf(target.replace(/\.$/, ""), servers);
      return ips.map((ip) => joinAddress(ip, port));
    }),
  );
  if (found.length === 0) throw new Error(`${question} has no SRV record`);
  return found.flat();
}

/** Both families; one may fail as long as the other has an address. */
async function ipsOf(name: string, servers: readonly NameServer[]): Promise<string[]> {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name) || name.includes(":")) return [name];
  const outcomes = await Promise.allSettled([
    ask({ name, type: TYPE.A }, servers, (options) => Deno.resolveDns(name, "A", options)),
    ask({ name, type: TYPE.AAAA }, servers, (options) => Deno.resolveDns(name, "AAAA", options)),
  ]);
  const ips = outcomes.flatMap((outcome) => outcome.status === "fulfilled" ? outcome.value : []);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (ips.length === 0 && failure) throw failure.reason;
  if (ips.length === 0) throw new Error(`${name} has no A or AAAA record`);
  return ips;
}

/** A question. */
interface Asked {
  readonly name: string;
  readonly type: number;
}

/**
 * Asks the system's resolver, or the servers in turn until one answers; "there is none" is an answer: an empty list. A
 * server that fails or refuses has not answered.
 */
async function ask<T>(
  asked: Asked,
  servers: readonly NameServer[],
  question: (options: Deno.ResolveDnsOptions) => Promise<T[]>,
): Promise<T[]> {
  const failures: string[] = [];
  for (const nameServer of servers.length === 0 ? [undefined] : servers) {
    try {
      return await question({ ...(nameServer && { nameServer }), signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) });
    } catch (error) {
      const isNone = error instanceof Deno.errors.NotFound;
      const refusal = isNone ? await (nameServer ? refusalOf(asked, nameServer) : systemRefusalOf(asked)) : undefined;
      if (isNone && refusal === undefined) return [];
      const by = nameServer ? ` by ${joinAddress(nameServer.ipAddr, nameServer.port)}` : "";
      failures.push(`looking up ${asked.name}${by} failed: ${refusal ?? reasonOf(error)}`);
    }
  }
  throw new Error(failures.join("; "));
}

/**
 * How a name server failed that is said to have no records: the runtime says so of every answer without any. It is asked
 * over TCP, for which the right to reach it is enough.
 */
async function refusalOf({ name, type }: Asked, { ipAddr, port }: NameServer): Promise<string | undefined> {
  let conn: Deno.TcpConn | undefined;
  const timer = setTimeout(() => conn?.close(), LOOKUP_TIMEOUT_MS);
  try {
    conn = await Deno.connect({ hostname: ipAddr, port, signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) });
    const id = crypto.getRandomValues(new Uint16Array(1))[0];
    const query = encodeQuery(id, { name: name.split(".").filter((label) => label !== ""), type });
    const framed = Uint8Array.of(query.length >> 8, query.length & 0xff, ...query);
    for (let written = 0; written < framed.length;) written += await conn.write(framed.subarray(written));
    const length = await readExactly(conn, 2);
    const answer = length && await readExactly(conn, length[0] << 8 | length[1]);
    const rcode = answer && rcodeOf(answer, id);
    if (rcode === undefined) return "it gave no answer that can be read";
    return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN ? undefined : `it answered ${rcodeName(rcode)}`;
  } catch {
    return undefined; // not by TCP: what it said before counts
  } finally {
    clearTimeout(timer);
    try {
      conn?.close();
    } catch {
      // the timer did
    }
  }
}

function rcodeName(rcode: number): string {
  return Object.entries(RCODE).find(([, code]) => code === rcode)?.[0] ?? `RCODE ${rcode}`;
}

/** The same for the system's resolver, whose servers only the system's own library asks. */
async function systemRefusalOf({ name }: Asked): Promise<string | undefined> {
  try {
    await lookup(name, { all: true });
    return undefined;
  } catch (error) {
    const isTemporary = error instanceof Error && "code" in error && error.code === "EAI_AGAIN";
    return isTemporary ? "the name server failed (temporary failure in name resolution)" : undefined;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return `no answer within ${LOOKUP_TIMEOUT_MS} ms`;
  return messageOf(error);
}
