/**
 * Which faults a run has, and how many: drawn from its seed, most of them off in most runs ("swarm"), because faults
 * hide each other. A named profile has one class of faults always and the others never.
 * @module
 */
import type { Options } from "../../src/core/raft/effects.ts";
import { DEFAULT_OPTIONS } from "../../src/core/raft/raft.ts";
import type { LogSizes } from "./node_log.ts";
import { Random } from "../harness/random.ts";

/** One run's faults. Times in virtual microseconds, 0 for never. */
export interface Profile {
  /** Nodes at the start, all voters. */
  readonly nodes: number;
  /** Share of messages lost. */
  readonly loss: number;
  /** Share of messages delivered twice. */
  readonly duplication: number;
  /** Mean of the exponential part of a message's delay: reorders when it is large. */
  readonly delayMean: number;
  /** Share of messages that come up to five seconds late: after elections they know nothing of. */
  readonly stragglers: number;
  /** Mean time between partitions. */
  readonly partitionEvery: number;
  /** Mean time between crashes. */
  readonly crashEvery: number;
  /** Mean time a crashed node stays down. */
  readonly downMean: number;
  /** Mean time of a write to disk. */
  readonly writeMean: number;
  /** Mean time between pauses in which a disk does nothing. */
  readonly stallEvery: number;
  /** Mean time between changes of members. */
  readonly memberEvery: number;
  /** Mean time between leadership transfers. */
  readonly transferEvery: number;
  /** Mean time between client operations. */
  readonly clientEvery: number;
  /** Longest time for which a node's inputs gather before one drain. */
  readonly turnMax: number;
  /** Mean time from handing entries to the state machine until it has applied them. */
  readonly applyMean: number;
  /** Mean time between two checkpoints that cut a log, with few entries left behind. */
  readonly compactEvery: number;
  /** Mean time of copying, sending and installing a snapshot. */
  readonly snapshotMean: number;
  /** Timing and limits of the cores. */
  readonly options: Options;
  /** Mean time between copies of a disk that are put back after a crash. */
  readonly restoreEvery: number;
  /** The real log over simulated files; undefined for the simplified disk. */
  readonly log: LogFaults | undefined;
  /** The faults of clocks. */
  readonly clocks: ClockFaults;
  /** Reads by lease; undefined for none. */
  readonly leases: Leases | undefined;
  /** Whether the state machines are the real ones. */
  readonly isSqlite: boolean;
}

/** The faults of clocks. */
export interface ClockFaults {
  /** Ticks are up to so many times as quick, or as slow. */
  readonly spread: number;
  /** Mean time between pauses in which a process does nothing. */
  readonly freezeEvery: number;
  /** Mean time between jumps of a wall clock. */
  readonly jumpEvery: number;
}

/** Reads by lease (R10). */
export interface Leases {
  /** Whether some nodes promise nothing, in some of their lives. */
  readonly isMixed: boolean;
  /** Mean time between two steps of a read. */
  readonly stepMean: number;
}

/** The real log's sizes, and what its disks do wrong. */
export interface LogFaults extends LogSizes {
  /** Share of crashes in which the power is lost, not only the process. */
  readonly powerLoss: number;
  /** Share of starts that are cut short by the end of the process. */
  readonly killedStarts: number;
  /** Mean time between failed writes or syncs. */
  readonly failEvery: number;
  /** Mean time between times in which a disk is full. */
  readonly fullEvery: number;
  /** Mean time between disks that hang until their node is started anew. */
  readonly stuckEvery: number;
  /** Mean time between changes of what one disk of the cluster holds. */
  readonly damageEvery: number;
}

const SECOND = 1_000_000;
/** Share of runs with the real log. */
const LOG_SHARE = 0.25;
/** Share of runs with the real state machine. */
const SQLITE_SHARE = 0.1;
/** Share of runs with leases. */
const LEASES_SHARE = 0.15;

/** The profiles by name, and what each is. */
export const PROFILES = {
  swarm: "every class of faults by chance, most of them off in most runs",
  calm: "no faults at all",
  network: "messages lost, repeated, late and out of order",
  partitions: "links cut, one way or both, in changing patterns",
  crashes: "nodes, or all of them at once, lose power and come back",
  disks: "slow writes, and disks that hang for a while",
  files: "the real log over files: torn writes, lost names, errors, full and stuck disks, damage, old disks restored",
  clocks: "clocks at half or twice the speed, jumps of time, processes that stand still",
  sqlite: "the real state machine, on SQLite in memory; crashes, and logs cut short",
  snapshots: "logs cut short, so that peers need a copy of the database",
  echoes: "many messages seconds late, across changing partitions and leaders: old answers meet new terms",
  leases: "linearizable reads by lease under every class of faults; clocks are alike within a tenth",
  membership: "nodes added, removed, moved, replaced with an empty disk; leadership transferred",
} as const;

/** Name of a profile. */
export type ProfileName = keyof typeof PROFILES;

/** Whether there is a profile of that name. */
export function isProfileName(name: string): name is ProfileName {
  return Object.hasOwn(PROFILES, name);
}

function maybe(random: Random, probability: number, draw: () => number): number {
  // Drawn in any case: switching a fault off must not change the draws that follow.
  const value = draw();
  return random.chance(probability) ? value : 0;
}

/** Draws a run's faults. @param name Which of {@linkcode PROFILES}. */
export function drawProfile(seed: number, name: ProfileName = "swarm"): Profile {
  const profile = drawConsensus(new Random(seed, 1), name === "leases" ? "swarm" : name);
  const log = drawLog(new Random(seed, 8), name);
  const { clocks, isSqlite } = drawClocks(new Random(seed, 10), name);
  const share = name === "files" ? 0.4 : name === "swarm" ? 0.2 : 0;
  const restored = new Random(seed, 14);
  const restoreEvery = maybe(restored, share, () => restored.between(5, 20) * SECOND);
  const drawn = { ...profile, restoreEvery, log, clocks, isSqlite, ...(isSqlite && forCommands(profile)) };
  return { ...drawn, ...drawLeases(new Random(seed, 12), name, drawn) };
}

/** Whether a run has leases; what else they need to be put to the test, where that is the point. */
function drawLeases(
  random: Random,
  name: ProfileName,
  { clocks, transferEvery }: Pick<Profile, "clocks" | "transferEvery">,
): Pick<Profile, "leases" | "clocks" | "transferEvery"> {
  const isOn = random.chance(name === "swarm" ? LEASES_SHARE : 0) || name === "leases";
  if (!isOn) return { leases: undefined, clocks, transferEvery };
  const freezeEvery = maybe(random, 0.8, () => random.between(1, 8) * SECOND);
  const handOverEvery = maybe(random, 0.4, () => random.between(2, 10) * SECOND);
  const isPoint = name === "leases";
  return {
    leases: { isMixed: random.chance(0.3), stepMean: maybe(random, 0.8, () => random.between(1, 60) * 1000) },
    clocks: { ...clocks, spread: 1, ...(isPoint && { freezeEvery }) },
    transferEvery: isPoint ? handOverEvery : transferEvery,
  };
}

/** Real commands are larger, and slower. */
function forCommands({ options, clientEvery }: Pick<Profile, "options" | "clientEvery">): Partial<Profile> {
  const entryBytesMax = Math.max(options.entryBytesMax, 4096);
  const uncommittedBytesMax = Math.max(options.uncommittedBytesMax, 16 * 1024);
  return { options: { ...options, entryBytesMax, uncommittedBytesMax }, clientEvery: clientEvery * 5 };
}

function drawClocks(random: Random, name: ProfileName): Pick<Profile, "clocks" | "isSqlite"> {
  const share = (probability: number) =>
    name === "swarm" || name === "leases" ? probability : name === "clocks" ? 1 : 0;
  const clocks = {
    spread: 1 + maybe(random, share(0.3), () => random.below(101) / 100),
    freezeEvery: maybe(random, share(0.3), () => random.between(2, 15) * SECOND),
    jumpEvery: maybe(random, share(0.3), () => random.between(1, 20) * SECOND),
  };
  return { clocks, isSqlite: random.chance(name === "swarm" ? SQLITE_SHARE : 0) || name === "sqlite" };
}

function drawConsensus(
  random: Random,
  name: ProfileName,
): Omit<Profile, "restoreEvery" | "log" | "clocks" | "leases" | "isSqlite"> {
  const share = (of: ProfileName, probability: number) => name === "swarm" ? probability : name === of ? 1 : 0;
  const hasEchoes = name === "echoes";
  const hasCrashes = name === "files" || name === "sqlite";
  const tight = random.chance(0.4);
  return {
    nodes: random.between(1, 5),
    loss: maybe(random, share("network", 0.5), () => random.below(30) / 100),
    duplication: maybe(random, share("network", 0.4), () => random.below(40) / 100),
    delayMean: maybe(random, share("network", 0.7), () => random.exponential(30_000)),
    stragglers: maybe(
      random,
      hasEchoes ? 1 : share("network", 0.4),
      () => random.between(1, 50) / (hasEchoes ? 150 : 1000),
    ),
    partitionEvery: maybe(random, hasEchoes ? 1 : share("partitions", 0.6), () => random.between(1, 10) * SECOND),
    crashEvery: maybe(random, hasCrashes ? 1 : share("crashes", 0.6), () => random.between(1, 10) * SECOND),
    downMean: random.between(1, 5) * SECOND,
    writeMean: random.chance(share("disks", 0.3)) ? random.between(1, 300) * 1000 : random.between(1, 20) * 100,
    stallEvery: maybe(random, share("disks", 0.3), () => random.between(5, 20) * SECOND),
    memberEvery: maybe(random, hasEchoes ? 0.4 : share("membership", 0.5), () => random.between(1, 6) * SECOND),
    transferEvery: maybe(random, hasEchoes ? 0.7 : share("membership", 0.3), () => random.between(2, 10) * SECOND),
    clientEvery: random.between(10, 200) * 1000,
    turnMax: maybe(random, 0.6, () => random.between(1, 20) * 1000),
    applyMean: maybe(random, 0.5, () => random.between(1, 100) * 1000),
    options: {
      ...DEFAULT_OPTIONS,
      ...(tight && {
        inflightMessagesMax: random.between(1, 4),
        inflightBytesMax: random.between(16, 512),
        appendBytesMax: random.between(1, 128),
        uncommittedBytesMax: random.between(64, 4096),
        entryBytesMax: 64,
        readsMax: random.between(1, 20),
      }),
    },
    compactEvery: maybe(
      random,
      hasCrashes ? 0.6 : share("snapshots", 0.6),
      () => random.between(1, 30) * SECOND / 10,
    ),
    snapshotMean: random.between(1, 2000) * 1000,
  };
}

/** Whether a run has the real log, and what goes wrong with its files. */
function drawLog(random: Random, name: ProfileName): LogFaults | undefined {
  const share = (probability: number) => name === "files" ? Math.max(probability, 0.5) : probability;
  const isReal = random.chance(name === "files" ? 1 : LOG_SHARE);
  const log: LogFaults = {
    segmentBytes: 4096 << random.below(4),
    cacheBytes: [0, 8192, 1024 * 1024][random.below(3)],
    scrubBytes: 256,
    powerLoss: random.chance(0.3) ? 1 : random.below(100) / 100,
    killedStarts: maybe(random, share(0.3), () => random.below(50) / 100),
    failEvery: maybe(random, share(0.3), () => random.between(2, 20) * SECOND),
    fullEvery: maybe(random, share(0.3), () => random.between(2, 20) * SECOND),
    stuckEvery: maybe(random, share(0.2), () => random.between(5, 30) * SECOND),
    damageEvery: maybe(random, share(0.3), () => random.between(1, 40) * SECOND),
  };
  return isReal && name !== "calm" ? log : undefined;
}

/** The faults that are left when everything is healed. */
export function healed(profile: Profile): Profile {
  return {
    ...profile,
    loss: 0,
    duplication: 0,
    delayMean: 2000,
    stragglers: 0,
    partitionEvery: 0,
    crashEvery: 0,
    writeMean: 1000,
    stallEvery: 0,
    memberEvery: 0,
    transferEvery: 0,
    snapshotMean: 10_000,
    restoreEvery: 0,
    log: profile.log && { ...profile.log, killedStarts: 0, failEvery: 0, fullEvery: 0, stuckEvery: 0, damageEvery: 0 },
    clocks: { ...profile.clocks, freezeEvery: 0, jumpEvery: 0 },
  };
}
