/**
 * The settings of the pool that the servers of all datacenters form (C2.1, C3.1): a second gossip pool, with a port, timings
 * and joins of its own. Pure.
 * @module
 */
import type { GossipTuning, WanSettings } from "./config.ts";
import { type AddressReader, advertisedAddress } from "./addresses.ts";
import { type Settings, SettingsError } from "./settings.ts";
import { isTemplate } from "./sockaddr.ts";

const PORT = 8302;
const RETRY_INTERVAL_MS = 30_000;
const RECONNECT_TIMEOUT_MS = 72 * 3_600_000;
const RECONNECT_TIMEOUT_MS_MIN = 8 * 3_600_000;
/** Settings that mean something to servers alone. */
const KEYS = ["start_join_wan", "retry_join_wan", "advertise_addr_wan", "serf_wan"];

/**
 * The pool of an agent; undefined for a client agent, and for a server that has it turned off.
 * @param own Addresses of its other pool, and the ports between nodes that are taken.
 * @throws {SettingsError} When a setting cannot be used.
 */
export function wanSettings(
  settings: Settings,
  reader: AddressReader,
  own: {
    readonly isServer: boolean;
    readonly bind: string;
    readonly advertise: string;
    readonly ports: readonly number[];
  },
): WanSettings | undefined {
  checkWan(settings);
  const port = settings.number("ports.serf_wan", PORT);
  const joins = joinAddresses(settings, reader, "start_join_wan");
  const retries = joinAddresses(settings, reader, "retry_join_wan");
  if (!own.isServer) return undefined;
  if (port < 0) {
    if (joins.length + retries.length === 0) return undefined;
    throw new SettingsError("ports.serf_wan is -1: without this port no other datacenter can be joined");
  }
  if (own.ports.includes(port)) {
    throw new SettingsError(`ports.serf_wan must differ from the other ports between nodes: current value is ${port}`);
  }
  const bind = reader.one("serf_wan", settings.text("serf_wan")) || own.bind;
  const [given = ""] = reader.list("advertise_addr_wan", settings.text("advertise_addr_wan"));
  return {
    port,
    bind,
    // As in Consul, who is told an address for this datacenter and none for the others is reached there by the same.
    advertise: given === "" && !settings.has("serf_wan")
      ? own.advertise
      : advertisedAddress(given, bind, own.advertise),
    isRequired: settings.has("ports.serf_wan") || KEYS.some((key) => settings.has(key)),
    startJoin: joins,
    retryJoin: retries,
    retryIntervalMs: settings.durationMs("retry_interval_wan", RETRY_INTERVAL_MS),
    retryMax: settings.number("retry_max_wan", 0),
    reconnectTimeoutMs: settings.durationMs("reconnect_timeout_wan", RECONNECT_TIMEOUT_MS),
    gossip: gossipTuning(settings, "gossip_wan"),
  };
}

/** Warnings about settings of a client agent, which is in no pool across datacenters. */
export function wanAdvice(settings: Settings, isServer: boolean): string[] {
  if (isServer) return [];
  return KEYS.filter((key) => settings.has(key)).map((key) =>
    `${key} has no effect: only servers are members of the pool across datacenters`
  );
}

function checkWan(settings: Settings): void {
  const port = settings.number("ports.serf_wan", PORT);
  if (port < -1 || port === 0 || port > 65_535) {
    throw new SettingsError(`ports.serf_wan must be a port from 1 to 65535, or -1 for none: current value is ${port}`);
  }
  if (settings.number("retry_max_wan", 0) < 0) throw new SettingsError("retry_max_wan cannot be negative");
  if (settings.durationMs("retry_interval_wan", 1) <= 0) throw new SettingsError("retry_interval_wan must be positive");
  const isShort = settings.durationMs("reconnect_timeout_wan", Infinity) < RECONNECT_TIMEOUT_MS_MIN;
  if (isShort) throw new SettingsError("reconnect_timeout_wan must be >= 8h");
  for (const key of ["start_join_wan", "retry_join_wan"]) {
    if (settings.texts(key).some((text) => text.includes("provider="))) {
      throw new SettingsError(`${key} takes addresses and names: a provider is for retry_join (-retry-join)`);
    }
  }
}

/** Addresses to join, of which each may be a template. */
export function joinAddresses(settings: Settings, reader: AddressReader, key: string): string[] {
  return settings.texts(key).flatMap((text) => isTemplate(text) ? reader.list(key, text) : [text]);
}

/**
 * The timings of a pool that differ from those of its kind.
 * @param block `gossip_lan` or `gossip_wan`.
 * @throws {SettingsError} When one is not positive.
 */
export function gossipTuning(settings: Settings, block: string): GossipTuning {
  const tuning: Record<string, number> = {};
  const names = {
    gossipIntervalMs: "gossip_interval",
    gossipNodes: "gossip_nodes",
    probeIntervalMs: "probe_interval",
    probeTimeoutMs: "probe_timeout",
    retransmitMult: "retransmit_mult",
    suspicionMult: "suspicion_mult",
  };
  for (const [name, key] of Object.entries(names)) {
    const path = `${block}.${key}`;
    if (!settings.has(path)) continue;
    const value = name.endsWith("Ms") ? settings.durationMs(path, 0) : settings.number(path, 0);
    if (value <= 0) throw new SettingsError(`${path} must be positive`);
    tuning[name] = value;
  }
  return tuning;
}
