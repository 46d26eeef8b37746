/**
 * IP addresses as bytes, as text, and as the names under which their owners are looked up (RFC 1035 §3.5, RFC 3596 §2.5). Pure.
 * @module
 */
import type { Name } from "./message.ts";

/** Four or sixteen bytes of an address; undefined where the text is none. */
export function addressBytes(text: string): Uint8Array | undefined {
  return text.includes(":") ? ipv6Bytes(text) : ipv4Bytes(text);
}

function ipv4Bytes(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return Uint8Array.from(parts, Number);
}

function ipv6Bytes(text: string): Uint8Array | undefined {
  const halves = text.toLowerCase().split("%")[0].split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const groups = [...head];
  if (tail !== undefined) {
    const missing = 8 - head.length - tail.length;
    if (missing < 1) return undefined;
    groups.push(...new Array<string>(missing).fill("0"), ...tail);
  }
  if (groups.length !== 8 || !groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]));
}

/** The address that a name below `in-addr.arpa` or `ip6.arpa` stands for; undefined where it is none. */
export function addressOfReverse(name: Name): Uint8Array | undefined {
  const lower = name.map((label) => label.toLowerCase());
  const [zone, arpa] = lower.slice(-2);
  if (arpa !== "arpa") return undefined;
  const labels = lower.slice(0, -2).reverse();
  if (zone === "in-addr" && labels.length === 4) return ipv4Bytes(labels.join("."));
  if (zone !== "ip6" || labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
  return hexBytes(labels.join(""));
}

/** Bytes of 8 or 32 hexadecimal digits; undefined for anything else. */
export function hexBytes(text: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{8}|[0-9a-f]{32})$/i.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
