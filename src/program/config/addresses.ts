/**
 * The addresses of an agent: the ones that it binds to and tells others, from its settings and the machine's, with Consul's
 * rules and words (C3.1, C3.12). Pure.
 * @module
 */
import { joinAddress, socketPath } from "../../base/codec/address.ts";
import { isIpv6, isLoopback, isPrivate, parseIp } from "../../base/codec/ip.ts";
import type { ApiEnvironment } from "../../drivers/provider/k8s_access.ts";
import type { Settings } from "./settings.ts";
import { SettingsError } from "./settings.ts";
import { expandTemplate, type InterfaceAddress, isTemplate, TemplateError } from "./sockaddr.ts";

const ANY = ["0.0.0.0", "::", "[::]"];

/** Facts about the machine that a configuration depends on. */
export interface Machine {
  readonly hostname: string;
  /** Token of a rendezvous from the environment. */
  readonly atlasToken?: string;
  /** Address of the API of Kubernetes, of the environment of a pod. */
  readonly kubernetes?: ApiEnvironment;
  readonly interfaces: readonly (InterfaceAddress & { readonly family: string })[];
}

/** What an agent is reached by. */
export interface Addresses {
  readonly bind: string;
  readonly advertise: string;
  /** Where clients are served: by HTTP, HTTPS and DNS. */
  readonly clients: Readonly<Record<"http" | "https" | "dns", readonly string[]>>;
}

/** Reads settings whose values may be templates. */
export class AddressReader {
  readonly #machine: Machine;
  readonly #isValidation: boolean;

  /** @param isValidation Whether a template may find nothing, as this is not the machine that the settings are for. */
  constructor(machine: Machine, isValidation: boolean) {
    this.#machine = machine;
    this.#isValidation = isValidation;
  }

  /** The addresses in a setting, separated by blanks. */
  list(key: string, text: string): string[] {
    if (!isTemplate(text)) return text.trim().split(/\s+/).filter((one) => one !== "");
    let found: string;
    try {
      found = expandTemplate(text, this.#machine.interfaces);
    } catch (error) {
      if (error instanceof TemplateError) throw new SettingsError(`${key}: ${error.message}`);
      throw error;
    }
    if (found === "" && this.#isValidation) return ["127.0.0.1"];
    if (found === "") throw new SettingsError(`${key}: no address found by ${text}`);
    return found.split(/\s+/);
  }

  /** The one address in a setting; empty where it is. */
  one(key: string, text: string): string {
    const [first = "", ...others] = this.list(key, text);
    if (others.length > 0) throw new SettingsError(`${key} cannot contain multiple addresses`);
    return first;
  }
}

/**
 * The addresses of an agent.
 * @throws {SettingsError} When one cannot be used, or none can be chosen.
 */
export function addressesOf(settings: Settings, reader: AddressReader, { isDev, machine }: {
  isDev: boolean;
  machine: Machine;
}): Addresses {
  const bind = isDev && !settings.has("bind_addr")
    ? "127.0.0.1"
    : reader.one("bind_addr", settings.text("bind_addr", "0.0.0.0"));
  const [given = ""] = reader.list("advertise_addr", settings.text("advertise_addr"));
  const all = clientAddresses(reader, "client_addr", settings.text("client_addr", "127.0.0.1"));
  const clientsBy = (name: "http" | "https" | "dns") => {
    const key = `addresses.${name}`;
    return settings.text(key) === "" ? all : clientAddresses(reader, key, settings.text(key));
  };
  return {
    bind,
    advertise: advertised(given, bind, machine),
    clients: { http: clientsBy("http"), https: clientsBy("https"), dns: clientsBy("dns") },
  };
}

function clientAddresses(reader: AddressReader, key: string, text: string): string[] {
  const addrs = reader.list(key, text);
  if (addrs.length === 0) throw new SettingsError(`${key} cannot be empty`);
  const socket = addrs.find((addr) => addr.startsWith("unix:"));
  if (socket !== undefined && key !== "addresses.http") {
    throw new SettingsError(
      key === "addresses.https" ? `${key}: a unix socket has no TLS` : "DNS address cannot be a unix socket",
    );
  }
  if (socket !== undefined && !socketPath(socket)) throw new SettingsError(`${key}: expected unix://PATH`);
  return [...new Set(addrs.map((addr) => addr.replace(/^\[(.*)\]$/, "$1")))];
}

/**
 * The `host:port` of an upstream DNS server, whose port is 53 unless it is given.
 * @throws {SettingsError} When it is neither an IP address nor a host name.
 */
export function recursorAddress(text: string): string {
  const plain = text.replace(/^\[(.*)\]$/, "$1");
  if (parseIp(plain)) return joinAddress(plain, 53);
  const [, host, port = "53"] = /^(.*?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const name = (host ?? "").replace(/^\[(.*)\]$/, "$1");
  const isName = name.length < 254 && /^(?=.*[A-Za-z])[\w-]{1,63}(\.[\w-]{1,63})*\.?$/.test(name);
  if ((isName || parseIp(name)) && Number(port) > 0 && Number(port) <= 65_535) return joinAddress(name, Number(port));
  throw new SettingsError(
    `recursors: ${JSON.stringify(text)} is no address: expected an IP address or a host name, with a port or not`,
  );
}

/** Whether an address stands for all of the machine. */
export function isAnyAddress(address: string): boolean {
  return ANY.includes(address);
}

/** Without brackets, and IPv6 in the one form in which gossip tells it: addresses are compared as texts. */
function plainAddress(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (!bare.includes(":")) return bare;
  return URL.parse(`http://[${bare}]`)?.hostname.slice(1, -1) ?? bare;
}

/**
 * The address told to others: the given one, or the bound one, or for all of the machine's a third.
 * @throws {SettingsError} When the given one is no address of one machine.
 */
export function advertisedAddress(given: string, bind: string, otherwise: string): string {
  if (isAnyAddress(given)) throw new SettingsError("Advertise address cannot be 0.0.0.0, :: or [::]");
  if (given !== "") return plainAddress(given);
  return isAnyAddress(bind) ? otherwise : plainAddress(bind);
}

/** The address told to others: given, or bound to, or the machine's only one of its kind. */
function advertised(given: string, bind: string, machine: Machine): string {
  const told = advertisedAddress(given, bind, "");
  if (told !== "") return told;
  const usable = usableAddresses(machine);
  const isV6 = bind !== "0.0.0.0";
  const kind = isV6 ? "public IPv6" : "private IPv4";
  const fits = (address: string) =>
    isV6 ? isIpv6(address) && !isPrivate(address) : !isIpv6(address) && isPrivate(address);
  const [address, ...others] = new Set(usable.filter(fits));
  if (others.length > 0) {
    throw new SettingsError(
      `Multiple ${kind} addresses found. Please configure one with 'bind' and/or 'advertise'.`,
    );
  }
  if (address === undefined) throw new SettingsError(`No ${kind} address found`);
  return plainAddress(address);
}

/** Addresses of the interfaces that lead out of the machine; those of loopback interfaces if there is nothing else. */
function usableAddresses({ interfaces }: Machine): string[] {
  const loopback = new Set(interfaces.filter(({ address }) => isLoopback(address)).map(({ name }) => name));
  const real = interfaces.filter(({ name }) => !loopback.has(name));
  return (real.length > 0 ? real : interfaces).map(({ address }) => address);
}
