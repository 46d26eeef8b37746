/**
 * The boundary of the Raft core: inputs in, effects out. `step(input)` only changes memory and
 * queues work; `drain()` returns one merged {@linkcode Effects} for everything stepped since the last drain. The
 * driver steps all inputs that wait, drains once, and carries the effects out under the ordering contract O1 to O9
 * (RULES.md). Pure data.
 * @module
 */
import type { ClockReading, Lease } from "../../base/shared/lease.ts";
import type {
  Config,
  Entry,
  EntryId,
  HardState,
  Index,
  Mark,
  Member,
  Message,
  NodeId,
  OutgoingMessage,
  Term,
} from "./message.ts";

/** Number of a storage write, rising strictly from 1. */
export type Ticket = number;

/** A change of one member (single-server changes, dissertation §4.1). */
export type ConfigChange =
  | { readonly k: "add"; readonly member: Member } // as learner or nonvoter; replaces a nonvoting entry of the same id
  | { readonly k: "promote"; readonly id: NodeId } // learner → voter
  | { readonly k: "remove"; readonly id: NodeId }
  | { readonly k: "readdress"; readonly id: NodeId; readonly storageId: string; readonly addr: string };

/** An input of the core. */
export type Input =
  | { readonly k: "tick" } // exactly one logical tick
  | { readonly k: "clock"; readonly now: ClockReading } // first in every turn (lease.ts, rounds.ts)
  | { readonly k: "message"; readonly m: Message }
  | { readonly k: "propose"; readonly items: readonly { readonly ref: number; readonly body: Uint8Array }[] }
  | { readonly k: "read"; readonly ref: number } // wants a read index
  | { readonly k: "reconfigure"; readonly ref: number; readonly change: ConfigChange }
  | { readonly k: "transfer"; readonly ref: number; readonly to?: NodeId }
  | { readonly k: "persisted"; readonly ticket: Ticket } // this and all earlier writes are durable
  | { readonly k: "applied"; readonly index: Index }
  | { readonly k: "compacted"; readonly index: Index } // the log was cut up to here; all of it is applied durably
  | { readonly k: "snapshotReceived"; readonly base: EntryId; readonly config: Config } // whole, verified, staged
  | { readonly k: "snapshotSent"; readonly peer: NodeId; readonly index: Index | null } // the peer has it; null: failed
  | { readonly k: "linkDown"; readonly peer: NodeId }
  | { readonly k: "tellCommit"; readonly peer: NodeId } // a client of the peer waits for the commit index
  | { readonly k: "refused"; readonly peer: NodeId } // the peer's machine answers that nothing listens at its address
  | { readonly k: "storage"; readonly state: "ok" | "full" }
  | { readonly k: "bootstrap"; readonly ref: number; readonly config: Config }; // only on an empty log (M11)

/** Why something was refused before it was appended: safe to try again elsewhere or later. */
export type Refusal =
  | "not_leader"
  | "transferring"
  | "queue_full"
  | "too_large"
  | "storage_full"
  | "not_ready" // the leader has not committed an entry of its own term yet
  | "config_pending" // another configuration change is not committed yet
  | "no_such_member"
  | "last_voter"
  | "is_leader" // the leader itself: transfer first (M6)
  | "not_caught_up" // a learner that cannot be promoted yet
  | "invalid_change" // breaks a rule of the configuration: an address twice, another storage id, a vote from the start
  | "already_bootstrapped"
  | "transfer_timeout"
  | "leadership_lost";

/** The work for the driver, merged over all inputs stepped since the last drain. */
export interface Effects {
  /** One write: durable in this order and as a whole, then answered by a `persisted` input. */
  readonly persist?: {
    readonly ticket: Ticket;
    readonly hard?: HardState;
    /** The staged snapshot takes the place of database and log; `append` follows its base. */
    readonly install?: { readonly base: EntryId; readonly config: Config };
    /** Entries from here on are superseded by `append`. */
    readonly truncateFrom?: Index;
    readonly append: readonly Entry[];
    /** Commit index at this time: written along, a hint for the next boot (C5). */
    readonly commit: Index;
  };
  /** Messages; `after` 0 goes at once, otherwise not before `persisted(after)` (O2). */
  readonly send: readonly { readonly m: OutgoingMessage; readonly after: Ticket }[];
  /** Inclusive range that is committed and locally durable, to be applied in order (O5). */
  readonly apply?: { readonly from: Index; readonly to: Index };
  /** Read indices granted, or refusals. */
  readonly reads: readonly { readonly ref: number; readonly index: Index | null; readonly why?: Refusal }[];
  /** Proposals taken into the log (not yet committed), or refusals. */
  readonly proposals: readonly { readonly ref: number; readonly id: EntryId | null; readonly why?: Refusal }[];
  /** Configuration changes, bootstraps (taken into the log) and transfers (finished), or refusals. */
  readonly answers: readonly { readonly ref: number; readonly id: EntryId | null; readonly why?: Refusal }[];
  /** Set when role, term or known leader changed. */
  readonly role?: {
    readonly role: Role;
    readonly term: Term;
    readonly leader: NodeId | null;
    /** For the log line: why it changed. */
    readonly why: string;
  };
  /** The configuration in force, when it changed. */
  readonly config?: Config;
  /** Commit index, when it advanced. */
  readonly commit?: Index;
  /** Peers whose next entry is no longer in the log: they need a snapshot. */
  readonly needSnapshot: readonly NodeId[];
  /**
   * When the newest round was sent that a majority has echoed, by the wall clock; 0 for never, or where this node does not
   * lead; Infinity where it needs nobody. Missing where no clock is told. To be published behind the commit index.
   */
  readonly confirmedMs?: number;
  /** The lease as it is now, to take the last one's place before any message leaves; missing without the option. */
  readonly lease?: Lease;
}

/** A node's part in its term. */
export type Role = "follower" | "precandidate" | "candidate" | "leader";

/** The consensus machine. */
export interface Core {
  /** Takes one input. Never throws for remote input; never re-entered (O9). */
  step(input: Input): void;
  /** Returns the effects since the last drain; valid until the next step. */
  drain(): Effects;
  /** Plain data for `/status`, metrics and checkers. */
  status(): CoreStatus;
  /** Ticks until the next one that may have work to do, if nothing else happens; those before it may be stepped late. */
  readonly restTicks: number;
}

/** A picture of the core. */
export interface CoreStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | null;
  readonly leader: NodeId | null;
  /** Entry before the first one kept. */
  readonly base: EntryId;
  readonly last: EntryId;
  readonly commit: Index;
  readonly applied: Index;
  /** Term of the entry at `applied`; 0 for none. */
  readonly appliedTerm: Term;
  readonly durable: Index;
  /** Truncation epoch of the log, compared with {@linkcode AppendRange.epoch}. */
  readonly epoch: number;
  readonly config: Config;
  /** Newest configuration that is committed. */
  readonly committedConfig: Config;
  /** A leader says that the cluster goes on without this node (M8). */
  readonly isRemoved: boolean;
  /** It takes no part yet, as it asks the others what it promised (recall.ts). */
  readonly isUnsure: boolean;
  /** The known contents of other nodes' disks. */
  readonly marks: readonly Mark[];
  /** Ticks since the leader was last heard; 0 on the leader. */
  readonly ticksSinceLeader: number;
  /** Leader only: what is known of each peer. */
  readonly progress: readonly {
    readonly id: NodeId;
    readonly state: "probe" | "replicate" | "snapshot";
    readonly match: Index;
    readonly next: Index;
    readonly active: boolean;
    /** Ticks since its last answer. */
    readonly ticksSinceHeard: number;
    readonly inflight: number;
  }[];
  /** Messages that were impossible or malformed, dropped and counted (O9). */
  readonly dropped: number;
}

/** The state from which a node starts (B1). */
export interface BootState {
  readonly id: NodeId;
  /**
   * Storage id of this node's disk (B2). A configuration that lists the node id with another disk speaks of a
   * predecessor: a node that was removed and added again with an empty disk replays such configurations while it
   * catches up, and must not campaign by them. Left out, the node id alone decides.
   */
  readonly storageId?: string;
  readonly hard: HardState;
  /** Entry just before the first one kept; {0, 0} for a whole log. */
  readonly base: EntryId;
  /** Last entry of the log. */
  readonly last: EntryId;
  /** Terms of the log as runs: each run's first index and its term, in order, covering base.index + 1 … last.index. */
  readonly terms: readonly { readonly first: Index; readonly term: Term }[];
  /** Payload bytes of one entry, for flow control; asked for entries above base only. */
  readonly bytesOf: (index: Index) => number;
  /** Configurations in the log in index order, the one in force at base first where there is one. */
  readonly configs: readonly Config[];
  /** Safe lower bound: the greater of applied and the stored hint (C5). */
  readonly commit: Index;
  readonly applied: Index;
}

/** Timing and limits. */
export interface Options {
  /** Ticks without a leader until an election, drawn from [electionTicks, 2 × electionTicks). @default {20} */
  readonly electionTicks: number;
  /** Ticks between heartbeats. @default {2} */
  readonly heartbeatTicks: number;
  /** Messages in flight per peer. @default {128} */
  readonly inflightMessagesMax: number;
  /** Payload bytes in flight per peer. @default {8388608} */
  readonly inflightBytesMax: number;
  /** Payload bytes of one append message; a single larger entry may exceed it. @default {1048576} */
  readonly appendBytesMax: number;
  /** Payload bytes of one entry. @default {67108864} */
  readonly entryBytesMax: number;
  /** Payload bytes not yet committed. @default {134217728} */
  readonly uncommittedBytesMax: number;
  /** Reads waiting for a round. @default {10000} */
  readonly readsMax: number;
  /**
   * Whether a node that starts asks the others what it promised, and tells them (recall.ts). Left out, its disk is taken for
   * what it says.
   */
  readonly recall?: boolean;
  /** Lease reads (R10); missing: this node takes no lease and promises nothing. */
  readonly lease?: LeaseOptions;
}

/** A node's promise to leaders, in ms of its monotonic clock (lease.ts). */
export interface LeaseOptions {
  /** It votes for nobody for so long after it heard a leader. */
  readonly promiseMs: number;
  /** The same after its start, on account of an earlier process: 0 when that promised nothing. */
  readonly quietMs: number;
}

/** Random numbers, injected so that a run can be repeated. */
export interface Rng {
  /** A uniform integer in [0, 2^32). */
  u32(): number;
}
