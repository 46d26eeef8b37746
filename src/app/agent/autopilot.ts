/**
 * The care for servers (C9.9): what may be set about it, which failed server the leader takes out of the cluster, and
 * which are well. Pure.
 *
 * A failed server is taken out when the cluster is safer without it: when the voters are an even number, one fewer has the
 * same majority to lose. So it goes once another one has taken its place, and not before; when it comes back, it joins
 * again.
 * @module
 */
import { formatDuration, parseDuration } from "../../base/codec/duration.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import type { MemberRecord } from "../../drivers/membership/api.ts";

/** Settings, with Consul's names in JSON. */
export interface AutopilotConfig {
  /** Whether failed servers are taken out. @default {true} */
  readonly cleansUp: boolean;
  /** A server that was heard later is not well. @default {200} */
  readonly lastContactMs: number;
  /** A server that lacks more entries is not well. @default {250} */
  readonly trailingLogs: number;
  /** No server is taken out where fewer would be left. @default {0} */
  readonly minQuorum: number;
  /** Kept and shown: a server votes as soon as it has caught up. @default {10000} */
  readonly stabilizationMs: number;
}

/** Without any setting. */
export const AUTOPILOT_DEFAULTS: AutopilotConfig = {
  cleansUp: true,
  lastContactMs: 200,
  trailingLogs: 250,
  minQuorum: 0,
  stabilizationMs: 10_000,
};

/** Where the settings of the whole cluster stand among the entries of configuration. */
export const AUTOPILOT_ENTRY = { kind: "autopilot", name: "global" };

/** The settings as the API shows them. */
export function autopilotJson(config: AutopilotConfig): Record<string, unknown> {
  return {
    CleanupDeadServers: config.cleansUp,
    LastContactThreshold: formatDuration(config.lastContactMs),
    MaxTrailingLogs: config.trailingLogs,
    MinQuorum: config.minQuorum,
    ServerStabilizationTime: formatDuration(config.stabilizationMs),
    RedundancyZoneTag: "",
    DisableUpgradeMigration: true,
    UpgradeVersionTag: "",
  };
}

/**
 * Reads settings; what is missing is as in `before`.
 * @throws {DecodeError} When one cannot be used.
 */
export function autopilotConfig(
  body: Readonly<Record<string, unknown>>,
  before: AutopilotConfig = AUTOPILOT_DEFAULTS,
): AutopilotConfig {
  return {
    cleansUp: flag(body.CleanupDeadServers, "CleanupDeadServers") ?? before.cleansUp,
    lastContactMs: duration(body.LastContactThreshold, "LastContactThreshold") ?? before.lastContactMs,
    trailingLogs: whole(body.MaxTrailingLogs, "MaxTrailingLogs") ?? before.trailingLogs,
    minQuorum: whole(body.MinQuorum, "MinQuorum") ?? before.minQuorum,
    stabilizationMs: duration(body.ServerStabilizationTime, "ServerStabilizationTime") ?? before.stabilizationMs,
  };
}

function flag(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw new DecodeError(`Expected ${name} to be true or false`);
}

function whole(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new DecodeError(`Expected ${name} to be a whole number`);
}

/** Go's text, or nanoseconds. */
function duration(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === "number" ? value / 1e6 : typeof value === "string" ? parseDuration(value) : undefined;
  if (ms !== undefined && ms >= 0) return ms;
  throw new DecodeError(`Expected ${name} to be a duration such as "10s"`);
}

/** A server, as far as its health goes. */
export interface WatchedServer {
  readonly id: string;
  readonly isVoter: boolean;
  readonly lastIndex: number;
  /** Since when the leader has not heard it; undefined: never. */
  readonly lastContactMs?: number | undefined;
}

/** The health of all servers. */
export interface ServersHealth<Server> {
  readonly servers: readonly (Server & { readonly member: MemberRecord | undefined; readonly isWell: boolean })[];
  /** Whether all are well. */
  readonly isWell: boolean;
  /** Voters that may fail before there is no majority. */
  readonly tolerance: number;
}

/** The health of servers, by their leader and the pool. */
export function serversHealth<Server extends WatchedServer>(
  servers: readonly Server[],
  members: readonly MemberRecord[],
  { lastContactMs: contactMsMax, trailingLogs }: AutopilotConfig,
): ServersHealth<Server> {
  const last = Math.max(...servers.map(({ lastIndex }) => lastIndex));
  const seen = servers.map((server) => {
    const member = members.find(({ tags }) => tags.id === server.id);
    const { lastContactMs, lastIndex } = server;
    const isHeard = lastContactMs !== undefined && lastContactMs <= contactMsMax;
    return { ...server, member, isWell: member?.status === "alive" && isHeard && last - lastIndex <= trailingLogs };
  });
  const voters = seen.filter(({ isVoter }) => isVoter);
  const well = voters.filter(({ isWell }) => isWell).length;
  return {
    servers: seen,
    isWell: seen.every(({ isWell }) => isWell),
    tolerance: Math.max(0, well - (Math.floor(voters.length / 2) + 1)),
  };
}

/** The id of the server that is to be taken out; undefined: none is. */
export function deadServer(
  voters: readonly string[],
  members: readonly MemberRecord[],
  { cleansUp, minQuorum }: AutopilotConfig,
): string | undefined {
  if (!cleansUp || voters.length % 2 === 1 || voters.length - 1 < Math.max(minQuorum, 3)) return undefined;
  const isAlive = (id: string) => members.some(({ tags, status }) => tags.id === id && status === "alive");
  const dead = voters.filter((id) =>
    !isAlive(id) && members.some(({ tags, status }) => tags.id === id && status === "failed")
  );
  // Those that are left have to be a majority of today's, which takes the decision.
  const alive = voters.filter(isAlive).length;
  return alive > voters.length / 2 ? dead[0] : undefined;
}
