/**
 * IP addresses as bytes and as text. Pure. An IPv4 address has four bytes, unless it came as an IPv4-mapped IPv6 address.
 * @module
 */

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Text of 4 or 16 bytes; IPv4-mapped ones as dotted quad, others in groups, the longest run of zeros left out. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) return `?${bytes.length}`;
  if (MAPPED.every((byte, i) => bytes[i] === byte)) return formatIp(bytes.subarray(12));
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i] << 8 | bytes[2 * i + 1]);
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (best.at < 0) return text(groups);
  return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

/** Bytes of an address: 4 for IPv4, 16 for IPv6; undefined where the text is none. */
export function parseIp(text: string): Uint8Array | undefined {
  const quad = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (quad) {
    const bytes = quad.slice(1).map(Number);
    return bytes.every((byte) => byte < 256) ? Uint8Array.from(bytes) : undefined;
  }
  return parseIpv6(text.replace(/%.*$/, ""));
}

/** Whether a text is an IPv6 address. */
export function isIpv6(text: string): boolean {
  return parseIp(text)?.length === 16;
}

/** Whether a text is an address of the machine itself. */
export function isLoopback(text: string): boolean {
  const bytes = parseIp(text);
  if (!bytes) return false;
  if (bytes.length === 4) return bytes[0] === 127;
  const isMapped = MAPPED.every((byte, at) => bytes[at] === byte);
  return isMapped && bytes[12] === 127 || bytes.every((byte, at) => byte === (at === 15 ? 1 : 0));
}

/** Whether a text is an address of a network that is not reached from everywhere, in Consul's sense: of a link, too. */
export function isPrivate(text: string): boolean {
  const bytes = parseIp(text);
  if (!bytes) return false;
  const [a, b] = bytes;
  if (bytes.length === 16) return isLoopback(text) || (a & 0xfe) === 0xfc || a === 0xfe && (b & 0xc0) === 0x80;
  return a === 10 || a === 127 || a === 100 && b >= 64 && b < 128 || a === 169 && b === 254 ||
    a === 172 && b >= 16 && b < 32 || a === 192 && b === 168;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail) {
    const low = parseIp(tail[2]);
    if (!low) return undefined;
    const group = (at: number) => (low[at] << 8 | low[at + 1]).toString(16);
    return parseIpv6(`${tail[1]}${group(0)}:${group(2)}`);
  }
  const halves = text.split("::");
  if (!text.includes(":") || halves.length > 2) return undefined;
  const [head, rest] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - head.length - (rest?.length ?? 0);
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...(rest ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => [parseInt(group, 16) >>> 8, parseInt(group, 16) & 0xff]));
}
