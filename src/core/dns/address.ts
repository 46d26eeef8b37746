/**
 * IP addresses as the names under which their owners are looked up (RFC 1035 §3.5, RFC 3596 §2.5). Pure.
 * @module
 */
import { parseIp } from "../../base/codec/ip.ts";
import type { Name } from "./message.ts";

/** The address that a name below `in-addr.arpa` or `ip6.arpa` stands for; undefined where it is none. */
export function addressOfReverse(name: Name): Uint8Array | undefined {
  const lower = name.map((label) => label.toLowerCase());
  const [zone, arpa] = lower.slice(-2);
  if (arpa !== "arpa") return undefined;
  const labels = lower.slice(0, -2).reverse();
  if (zone === "in-addr" && labels.length === 4) return parseIp(labels.join("."));
  if (zone !== "ip6" || labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
  return hexBytes(labels.join(""));
}

/** Bytes of 8 or 32 hexadecimal digits; undefined for anything else. */
export function hexBytes(text: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{8}|[0-9a-f]{32})$/i.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
