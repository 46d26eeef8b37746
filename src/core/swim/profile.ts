/**
 * The constants of gossip by kind of network (G4.10, G5.5, G5.13). Milliseconds. Pure.
 * @module
 */

/** memberlist's constants. */
export interface SwimConfig {
  /** How often messages are spread, and to how many. */
  readonly gossipIntervalMs: number;
  readonly gossipNodes: number;
  /** How long the dead are still told, so that they can refute. */
  readonly gossipToTheDeadMs: number;
  /** A protocol period: how often one member is probed. */
  readonly probeIntervalMs: number;
  /** Wait for the ack of a probe before others are asked. */
  readonly probeTimeoutMs: number;
  /** Members that are asked to probe. */
  readonly indirectChecks: number;
  /** A message is sent this × ⌈log10(n + 1)⌉ times. */
  readonly retransmitMult: number;
  /** A suspect has this × log10(n) × probe interval to refute, at least. */
  readonly suspicionMult: number;
  /** At most so many times that, as long as nobody confirms. */
  readonly suspicionMaxTimeoutMult: number;
  readonly pushPullIntervalMs: number;
  /** Limit of each step on a stream. */
  readonly streamTimeoutMs: number;
  /** Local health goes from 0 to one less. */
  readonly awarenessMaxMultiplier: number;
  /** After this long dead, a name may come back at another address; 0: never. */
  readonly deadNodeReclaimMs: number;
  /** Local health, dynamic suspicion, nacks, and telling a suspect with its ping. */
  readonly lifeguard: boolean;
}

/** Serf's constants. */
export interface SerfConfig {
  readonly reapIntervalMs: number;
  readonly reconnectIntervalMs: number;
  /** A failed member is forgotten after this. */
  readonly reconnectTimeoutMs: number;
  /** A member that left is forgotten after this. */
  readonly tombstoneTimeoutMs: number;
  /** Intents about unknown members are kept so long. */
  readonly recentIntentMs: number;
  readonly broadcastTimeoutMs: number;
  readonly leavePropagateDelayMs: number;
  /** Encoded message of an event, and name and payload together. */
  readonly eventBytesMax: number;
  readonly queryBytesMax: number;
  readonly responseBytesMax: number;
  readonly queryTimeoutMult: number;
}

const LAN: SwimConfig = {
  gossipIntervalMs: 200,
  gossipNodes: 3,
  gossipToTheDeadMs: 30_000,
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  indirectChecks: 3,
  retransmitMult: 4,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  pushPullIntervalMs: 30_000,
  streamTimeoutMs: 10_000,
  awarenessMaxMultiplier: 8,
  deadNodeReclaimMs: 0,
  lifeguard: true,
};

/** By kind of network. `local` is for one machine. */
export const SWIM_PROFILES: Readonly<Record<"lan" | "wan" | "local", SwimConfig>> = {
  lan: LAN,
  wan: {
    ...LAN,
    gossipIntervalMs: 500,
    gossipNodes: 4,
    gossipToTheDeadMs: 60_000,
    probeIntervalMs: 5000,
    probeTimeoutMs: 3000,
    suspicionMult: 6,
    pushPullIntervalMs: 60_000,
    streamTimeoutMs: 30_000,
  },
  local: {
    ...LAN,
    gossipIntervalMs: 100,
    gossipToTheDeadMs: 15_000,
    probeTimeoutMs: 200,
    indirectChecks: 1,
    retransmitMult: 2,
    suspicionMult: 3,
    pushPullIntervalMs: 15_000,
    streamTimeoutMs: 1000,
  },
};

/** Serf's defaults, everywhere the same. */
export const SERF_DEFAULTS: SerfConfig = {
  reapIntervalMs: 15_000,
  reconnectIntervalMs: 30_000,
  reconnectTimeoutMs: 24 * 3_600_000,
  tombstoneTimeoutMs: 24 * 3_600_000,
  recentIntentMs: 5 * 60_000,
  broadcastTimeoutMs: 5000,
  leavePropagateDelayMs: 1000,
  eventBytesMax: 512,
  queryBytesMax: 1024,
  responseBytesMax: 1024,
  queryTimeoutMult: 16,
};
