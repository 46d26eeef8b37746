/**
 * Addresses to join (G4.8): `host`, `host:port`, `[v6]:port`, a bare IPv6 address, `name/` in front.
 * @module
 */
import { formatIp, isLoopback, parseIp } from "../../base/codec/ip.ts";
import type { Endpoint } from "./api.ts";

/** Addresses of one name that are tried. */
const ADDRESSES_MAX = 16;

/**
 * Splits an address.
 * @throws {RangeError} When it is of no such form.
 */
export function splitJoinAddress(text: string, defaultPort: number): Endpoint {
  const address = text.slice(text.indexOf("/") + 1);
  if (parseIp(address)) return { host: address, port: defaultPort };
  const [, bracketed, bare, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  const host = bracketed ?? bare;
  if (host === undefined || port < 1 || port > 65_535) {
    throw new RangeError(`Cannot join "${text}": expected host or host:port`);
  }
  return { host, port };
}

/**
 * Addresses behind what was given, as the system resolves it.
 * @throws {Error} When there is none.
 */
export async function resolveJoinAddress(text: string, defaultPort: number): Promise<Endpoint[]> {
  const { host, port } = splitJoinAddress(text, defaultPort);
  const ip = parseIp(host);
  if (ip) return [{ host: formatIp(ip), port }];
  const { lookup } = await import("node:dns/promises"); // takes memory that most agents, given addresses, never need
  const found = await lookup(host, { all: true });
  return found.slice(0, ADDRESSES_MAX).map(({ address }) => ({ host: address, port }));
}

/** Whether a node is itself at an address, by where it listens and what it tells others. */
export function isOwnAddress(
  to: Endpoint,
  { local, advertise, machine = [] }: { local: Endpoint; advertise?: Endpoint; machine?: readonly string[] },
): boolean {
  const isAt = (host: string, port: number) => port === to.port && parseIp(host)?.join() === parseIp(to.host)?.join();
  if (isAt(local.host, local.port) || advertise && isAt(advertise.host, advertise.port || local.port)) return true;
  const isWildcard = parseIp(local.host)?.every((byte) => byte === 0) ?? false;
  return isWildcard && to.port === local.port && (isLoopback(to.host) || machine.some((host) => isAt(host, to.port)));
}
