/**
 * The network that an agent is found on by multicast DNS: the interface of its own address. Pure.
 *
 * The runtime cannot be told by which interface a multicast datagram is to leave. The system decides by the address that the
 * socket is bound to: an IPv4 address of the interface, or its IPv6 address of the link with the name of the interface
 * (tried with Deno 2.9.6 on Linux; other IPv6 addresses leave by whichever interface comes first).
 * @module
 */
import { isLoopback, parseIp } from "../../base/codec/ip.ts";

/** An address of an interface of this machine. */
export interface InterfaceEntry {
  readonly name: string;
  readonly address: string;
  /** `address/bits`; a single address where it is missing. */
  readonly cidr?: string | null;
  /** Number of the interface, at IPv6 addresses of the link. */
  readonly scopeid?: number | null;
}

/** One interface, in one family. */
export interface Link {
  /** Name of the interface. */
  readonly name: string;
  /** The group of multicast DNS (RFC 6762 §3). */
  readonly group: string;
  /** What a socket is bound to so that it hears what is sent to the group on this interface, and nothing else. */
  readonly listen: string;
  /** What a socket is bound to so that its datagrams leave by this interface. */
  readonly source: string;
  /** Number of the interface for IPv6; for IPv4 the source stands for it. */
  readonly index: number;
  /** Networks of the interface, `address/bits`: only who is on one of them is listened to (§11). */
  readonly networks: readonly string[];
}

/**
 * The links of an agent at `address`: the interface that has it, or else all that lead out of the machine, as with an address
 * that is translated.
 */
export function linksOf(interfaces: readonly InterfaceEntry[], address: string): readonly Link[] {
  const isV4 = parseIp(address)?.length === 4;
  const family = interfaces.filter((entry) => (parseIp(entry.address)?.length === 4) === isV4);
  const chosen = [
    family.filter((entry) => entry.address === address),
    family.filter((entry) => contains(networkOf(entry), address)),
  ].find((found) => found.length > 0) ?? family.filter((entry) => !isLoopback(entry.address));
  const names = [...new Set(chosen.map(({ name }) => name))];
  return names.map((name) => linkOf(name, family.filter((entry) => entry.name === name), isV4))
    .filter((link) => link !== undefined);
}

function linkOf(name: string, entries: readonly InterfaceEntry[], isV4: boolean): Link | undefined {
  const networks = entries.map(networkOf);
  if (isV4) {
    const group = "224.0.0.251";
    return { name, group, listen: group, source: entries[0].address, index: 0, networks };
  }
  const local = entries.find(({ address, scopeid }) => /^fe[89ab]/i.test(address) && scopeid);
  if (!local?.scopeid) return undefined;
  const group = "ff02::fb";
  const at = (host: string) => `${host}%${name}`;
  return { name, group, listen: at(group), source: at(local.address), index: local.scopeid, networks };
}

function networkOf({ address, cidr }: InterfaceEntry): string {
  return cidr ?? address;
}

/** Whether an address is in a network, `address/bits` or a single address. */
export function contains(network: string, address: string): boolean {
  const [base, bits] = network.split("/");
  const [a, b] = [parseIp(base), parseIp(address)];
  if (!a || !b || a.length !== b.length) return false;
  const count = bits === undefined ? a.length * 8 : Number(bits);
  return a.every((byte, at) => {
    const kept = Math.min(8, Math.max(0, count - at * 8));
    return ((byte ^ b[at]) & (0xff00 >> kept)) === 0;
  });
}
