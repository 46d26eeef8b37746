/**
 * Cluster addresses by DNS: the addresses of a name, or the records of a service (Q16.4, Q16.5). Nothing is
 * kept: every lookup asks again.
 *
 * `Deno.resolveDns` asks as the system is configured: `/etc/resolv.conf` with its search list, and `/etc/hosts` first.
 * The runtime itself reads the two files, so no right to read files is needed, only the one to reach the name servers.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
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
  const records = await ask(question, servers, (options) => Deno.resolveDns(question, "SRV", options));
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
    ask(name, servers, (options) => Deno.resolveDns(name, "A", options)),
    ask(name, servers, (options) => Deno.resolveDns(name, "AAAA", options)),
  ]);
  const ips = outcomes.flatMap((outcome) => outcome.status === "fulfilled" ? outcome.value : []);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (ips.length === 0 && failure) throw failure.reason;
  if (ips.length === 0) throw new Error(`${name} has no A or AAAA record`);
  return ips;
}

/** Asks the system's resolver, or the servers in turn until one answers; "there is none" is an answer: an empty list. */
async function ask<T>(
  name: string,
  servers: readonly NameServer[],
  question: (options: Deno.ResolveDnsOptions) => Promise<T[]>,
): Promise<T[]> {
  const failures: string[] = [];
  for (const nameServer of servers.length === 0 ? [undefined] : servers) {
    try {
      return await question({ ...(nameServer && { nameServer }), signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      const by = nameServer ? ` by ${joinAddress(nameServer.ipAddr, nameServer.port)}` : "";
      failures.push(`looking up ${name}${by} failed: ${reasonOf(error)}`);
    }
  }
  throw new Error(failures.join("; "));
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return `no answer within ${LOOKUP_TIMEOUT_MS} ms`;
  return messageOf(error);
}
