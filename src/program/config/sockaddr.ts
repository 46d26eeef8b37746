/**
 * Addresses that are found at the start: the templates of HashiCorp's go-sockaddr in the settings for addresses, such as
 * `{{ GetInterfaceIP "eth1" }}` or `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}`. Pure.
 *
 * A source of addresses, then filters, joined by `|`. The runtime tells the addresses of the machine, not which interfaces
 * are up or have the default route: interfaces count as up, and where the choice would depend on the default route the
 * template is refused instead of guessing.
 * @module
 */
import { formatIp, parseIp } from "../../base/codec/ip.ts";

/** A template that cannot be evaluated; the message names what it was. */
export class TemplateError extends Error {
  /** Always `TemplateError`. */
  override readonly name = "TemplateError";
}

/** An address of an interface. */
export interface InterfaceAddress {
  /** Name of the interface. */
  readonly name: string;
  readonly address: string;
  /** `address/bits`; a single address where it is missing. */
  readonly cidr?: string | null;
  /** Number of the interface, at IPv6 addresses of the link. */
  readonly scopeid?: number | null;
}

interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** A list on its way through a pipeline. */
interface List {
  readonly entries: readonly Entry[];
  /** Whether its order is that of Consul only if all is on one interface. */
  readonly byDefaultRoute: boolean;
}

type Value = List | string;
type Filter = (list: List, args: readonly string[]) => Value;

/** Networks of RFC 6890: for special purposes, private ones among them. */
const SPECIAL =
  ("0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " +
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::1/128 ::/128 64:ff9b::/96 " +
    "::ffff:0:0/96 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/10").split(" ");
/** Those of them that routers do not forward. */
const NOT_FORWARDED =
  ("0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 " +
    "224.0.0.0/4 240.0.0.0/4 ::1/128 ::/128 ::ffff:0:0/96 2001:db8::/32 fe80::/10 ff00::/8").split(" ");
const RFCS: Readonly<Record<string, readonly string[]>> = {
  "1918": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
  "3927": ["169.254.0.0/16"],
  "4193": ["fc00::/7"],
  "6598": ["100.64.0.0/10"],
  "6890": SPECIAL,
};

/** Whether a text holds a template. */
export function isTemplate(text: string): boolean {
  return text.includes("{{");
}

/**
 * Evaluates the templates in a text; the rest of it stays.
 * @throws {TemplateError} When one makes no sense, or uses what is not known here.
 */
export function expandTemplate(text: string, machine: readonly InterfaceAddress[]): string {
  const entries = machine.flatMap((one) => entryOf(one) ?? []);
  const parts = text.split(/\{\{-?([\s\S]*?)-?\}\}/);
  if (/\{\{|\}\}/.test(parts.filter((_, at) => at % 2 === 0).join(""))) {
    throw new TemplateError(`Cannot read ${JSON.stringify(text)}: a brace is missing`);
  }
  return parts.map((part, at) => at % 2 === 0 ? part : evaluate(part, entries)).join("").trim();
}

function entryOf({ name, address, cidr }: InterfaceAddress): Entry | undefined {
  const bytes = parseIp(address);
  const bits = Number(cidr?.split("/")[1] ?? NaN);
  return bytes && { name, bytes, bits: Number.isInteger(bits) ? bits : 8 * bytes.length };
}

function evaluate(expression: string, all: readonly Entry[]): string {
  const commands = commandsOf(expression);
  let value: Value | undefined;
  for (const [name, ...args] of commands) {
    value = value === undefined ? start(name, args, all) : next(value, name, args);
  }
  if (typeof value === "string") return value;
  throw new TemplateError(`Cannot use {{${expression}}}: it ends in a list; attr or join makes a text of it`);
}

/** Names and arguments, command by command. */
function commandsOf(expression: string): [name: string, ...args: string[]][] {
  const commands: string[][] = [[]];
  const token = /\s*(?:(\|)|"((?:[^"\\]|\\.)*)"|`([^`]*)`|([\w.+-]+))\s*/y;
  const text = expression.trim();
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (!found) {
      throw new TemplateError(`Cannot read ${JSON.stringify(text.slice(at))} in {{${expression}}}`);
    }
    const [, pipe, quoted, raw, word] = found;
    if (pipe) commands.push([]);
    else commands.at(-1)?.push(quoted?.replace(/\\(.)/g, "$1") ?? raw ?? word);
  }
  return commands.map(([name, ...args]) => {
    if (name === undefined) throw new TemplateError(`Cannot read {{${expression}}}: a function is missing`);
    return [name, ...args];
  });
}

function start(name: string, args: readonly string[], all: readonly Entry[]): Value {
  const needs = (count: number) => {
    if (args.length !== count) {
      throw new TemplateError(`Cannot use ${name}: it takes ${count} argument(s), not ${args.length}`);
    }
  };
  const forwarded = all.filter(({ bytes }) => !isIn(bytes, NOT_FORWARDED));
  const isSpecial = ({ bytes }: Entry) => isIn(bytes, SPECIAL);
  const listOf = (isWanted: (entry: Entry) => boolean): List => ({
    entries: sorted(forwarded.filter(isWanted), "type,size"),
    byDefaultRoute: true,
  });
  if (name === "GetInterfaceIP" || name === "GetInterfaceIPs") {
    needs(1);
    const named = all.filter((entry) => regexp(args[0]).test(entry.name));
    const usable = name === "GetInterfaceIP" ? named.filter((entry) => forwarded.includes(entry)) : named;
    const texts = sorted(usable, "type,size").map(({ bytes }) => formatIp(bytes));
    return name === "GetInterfaceIP" ? texts[0] ?? "" : texts.join(" ");
  }
  needs(0);
  switch (name) {
    case "GetAllInterfaces":
      return { entries: all, byDefaultRoute: false };
    case "GetPrivateInterfaces":
      return listOf(isSpecial);
    case "GetPublicInterfaces":
      return listOf((entry) => !isSpecial(entry));
    case "GetPrivateIP":
      return attr(listOf(isSpecial), ["address"]);
    case "GetPublicIP":
      return attr(listOf((entry) => !isSpecial(entry)), ["address"]);
    case "GetPrivateIPs":
      return join(listOf(isSpecial), ["address", " "]);
    case "GetPublicIPs":
      return join(listOf((entry) => !isSpecial(entry)), ["address", " "]);
    case "GetDefaultInterfaces":
      throw new TemplateError(
        "Cannot use GetDefaultInterfaces: the default route is not known; name the interface instead",
      );
    default:
      throw new TemplateError(
        `Cannot use "${name}": it is no known source of addresses (GetPrivateIP, GetInterfaceIP, …)`,
      );
  }
}

const FILTERS: Readonly<Record<string, { readonly args: number; readonly apply: Filter }>> = {
  include: { args: 2, apply: (list, [by, what]) => select(list, { by, what }, true) },
  exclude: { args: 2, apply: (list, [by, what]) => select(list, { by, what }, false) },
  sort: {
    args: 1,
    apply: ({ entries }, [by]) => ({ entries: sorted(entries, by), byDefaultRoute: /(^|,)[+-]?default(,|$)/.test(by) }),
  },
  limit: {
    args: 1,
    apply: (list, [count]) => ({ ...list, entries: ordered(list).slice(0, wholeNumber("limit", count)) }),
  },
  offset: { args: 1, apply: (list, [by]) => ({ ...list, entries: ordered(list).slice(wholeNumber("offset", by)) }) },
  unique: { args: 1, apply: (list, [by]) => unique(list, by) },
  attr: { args: 1, apply: attr },
  join: { args: 2, apply: join },
};

function next(value: Value, name: string, args: readonly string[]): Value {
  if (!Object.hasOwn(FILTERS, name)) throw new TemplateError(`Cannot use "${name}": it is no known filter`);
  const filter = FILTERS[name];
  if (typeof value === "string") {
    throw new TemplateError(`Cannot use "${name}" on a text: it takes a list of addresses`);
  }
  if (args.length !== filter.args) {
    throw new TemplateError(`Cannot use "${name}": it takes ${filter.args} argument(s), not ${args.length}`);
  }
  return filter.apply(value, args);
}

/** The entries, if their order is known. */
function ordered({ entries, byDefaultRoute }: List): readonly Entry[] {
  const names = new Set(entries.map(({ name }) => name));
  if (!byDefaultRoute || names.size < 2) return entries;
  throw new TemplateError(
    `Cannot choose between the interfaces ${[...names].join(" and ")}: the default route is not known. ` +
      'Name one of them, as in {{ GetInterfaceIP "eth0" }}, or sort by something else',
  );
}

function attr(list: List, [what]: readonly string[]): string {
  const [first] = ordered(list);
  const text = attribute(what);
  return first === undefined ? "" : text(first);
}

function join({ entries }: List, [what, separator]: readonly string[]): string {
  return entries.map(attribute(what)).join(separator);
}

function attribute(what: string): (entry: Entry) => string {
  switch (what) {
    case "address":
    case "host":
      return ({ bytes }) => formatIp(bytes);
    case "name":
      return ({ name }) => name;
    case "type":
      return ({ bytes }) => bytes.length === 4 ? "IPv4" : "IPv6";
    case "mask_bits":
      return ({ bits }) => String(bits);
    case "network":
      return ({ bytes, bits }) => `${formatIp(masked(bytes, bits))}/${bits}`;
    case "string":
      return ({ bytes, bits }) => `${formatIp(bytes)}${bits === 8 * bytes.length ? "" : `/${bits}`}`;
    default:
      throw new TemplateError(`Cannot tell the attribute "${what}" of an address`);
  }
}

function select(
  { entries, byDefaultRoute }: List,
  { by, what }: { by: string; what: string },
  isIncluded: boolean,
): List {
  const fits = criterion(by.toLowerCase(), what);
  return { entries: entries.filter((entry) => fits(entry) === isIncluded), byDefaultRoute };
}

function criterion(by: string, what: string): (entry: Entry) => boolean {
  const words = what.toLowerCase().split("|");
  switch (by) {
    case "address": {
      const pattern = regexp(what);
      return ({ bytes }) => pattern.test(formatIp(bytes));
    }
    case "name": {
      const pattern = regexp(what);
      return ({ name }) => pattern.test(name);
    }
    case "network":
      return ({ bytes }) => isIn(bytes, words);
    case "size":
      return ({ bits }) => words.some((word) => Number(word.replace("/", "")) === bits);
    case "type": {
      const known = ["ip", "ipv4", "ipv6", "unix"];
      const other = words.find((word) => !known.includes(word));
      if (other !== undefined) throw new TemplateError(`Cannot select by the type "${other}"`);
      return ({ bytes }) => words.includes("ip") || words.includes(bytes.length === 4 ? "ipv4" : "ipv6");
    }
    case "rfc":
    case "rfcs": {
      const other = words.find((word) => !Object.hasOwn(RFCS, word));
      if (other !== undefined) throw new TemplateError(`Cannot select by RFC ${other}: known are ${Object.keys(RFCS)}`);
      return ({ bytes }) => words.some((word) => isIn(bytes, RFCS[word]));
    }
    case "flag":
    case "flags":
      return flags(words);
    default:
      throw new TemplateError(`Cannot select addresses by "${by}"`);
  }
}

/** All flags must hold, as several of interfaces do in Go. */
function flags(words: readonly string[]): (entry: Entry) => boolean {
  const known: Readonly<Record<string, (entry: Entry) => boolean>> = {
    up: () => true,
    forwardable: ({ bytes }) => !isIn(bytes, NOT_FORWARDED),
    loopback: ({ bytes }) => isIn(bytes, ["127.0.0.0/8", "::1/128"]),
    "link-local unicast": ({ bytes }) => isIn(bytes, ["169.254.0.0/16", "fe80::/10"]),
    "global unicast": ({ bytes }) =>
      !isIn(bytes, ["0.0.0.0/32", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/127", "fe80::/10", "ff00::/8"]),
  };
  const other = words.find((word) => !Object.hasOwn(known, word));
  if (other !== undefined) {
    throw new TemplateError(`Cannot select by the flag "${other}": known here are ${Object.keys(known).join(", ")}`);
  }
  return (entry) => words.every((word) => known[word](entry));
}

function unique(list: List, by: string): List {
  if (by !== "address" && by !== "name") throw new TemplateError(`Cannot make addresses unique by "${by}"`);
  const seen = new Set<string>();
  const text = attribute(by);
  const entries = list.entries.filter((entry) => !seen.has(text(entry)) && seen.add(text(entry)));
  return { ...list, entries };
}

const ORDERS: Readonly<Record<string, (a: Entry, b: Entry) => number>> = {
  address: (a, b) => compareBytes(a.bytes, b.bytes),
  default: () => 0,
  name: (a, b) => a.name < b.name ? -1 : Number(a.name > b.name),
  private: (a, b) => Number(isIn(b.bytes, SPECIAL)) - Number(isIn(a.bytes, SPECIAL)),
  size: (a, b) => a.bytes.length - b.bytes.length || a.bits - b.bits, // larger networks first
  type: (a, b) => a.bytes.length - b.bytes.length,
};

function sorted(entries: readonly Entry[], by: string): readonly Entry[] {
  const orders = by.split(",").map((text) => {
    const [, sign, name] = /^([+-]?)(.*)$/.exec(text.trim()) ?? [];
    if (!Object.hasOwn(ORDERS, name)) throw new TemplateError(`Cannot sort addresses by "${name}"`);
    return (a: Entry, b: Entry) => sign === "-" ? ORDERS[name](b, a) : ORDERS[name](a, b);
  });
  return entries.toSorted((a, b) => orders.reduce((found, order) => found || order(a, b), 0));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}

function isIn(bytes: Uint8Array, networks: readonly string[]): boolean {
  return networks.some((network) => {
    const [text, bits] = network.split("/");
    const base = parseIp(text);
    if (!base) throw new TemplateError(`Cannot use "${network}" as a network`);
    const length = bits === undefined ? 8 * base.length : Number(bits);
    return base.length === bytes.length && compareBytes(masked(bytes, length), masked(base, length)) === 0;
  });
}

function masked(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, at) => byte & 0xff00 >> Math.min(8, Math.max(0, bits - 8 * at)) & 0xff);
}

function wholeNumber(name: string, text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new TemplateError(`Cannot use "${name}" with ${JSON.stringify(text)}: expected a number`);
  }
  return Number(text);
}

function regexp(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new TemplateError(`Cannot use ${JSON.stringify(text)} as a regular expression`);
  }
}
