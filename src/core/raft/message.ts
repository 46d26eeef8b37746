/**
 * The words of the Raft engine: entries, configurations and the messages between nodes. Pure data.
 *
 * Every message names its sender, its receiver and a term. The cluster id and the sender's storage id travel once per
 * stream, not per message (src/replica/), as does what its process promises. `append` and `heartbeat` carry the number of the leader's read round, which
 * replies echo (R2).
 * @module
 */

/** Position in the log, from 1; 0 stands before the first entry. A safe integer: 2^53 entries are never reached. */
export type Index = number;
/** Election term, from 1; 0 before the first election. */
export type Term = number;
/** A node's id: never reused, not an address. */
export type NodeId = string;

/** Names one entry: content at (index, term) never differs anywhere (log matching). */
export interface EntryId {
  /** Position in the log. */
  readonly index: Index;
  /** Term of the leader that created it. */
  readonly term: Term;
}

/** Kind of an entry: a leader's empty first entry, a client's command, or a configuration. */
export type EntryKind = "noop" | "command" | "config";

/** One entry of the replicated log. */
export interface Entry extends EntryId {
  /** Kind of the body. */
  readonly kind: EntryKind;
  /** Owned by the entry: never a view into a buffer that is used again (seeded bug 20). Empty for a no-op. */
  readonly body: Uint8Array;
}

/** A server in a configuration: a voter, or a non-voter that only receives the log. */
export interface Member {
  /** Its node id. */
  readonly id: NodeId;
  /** Random id of its data directory; another one under the same node id means that its disk was lost (B2). */
  readonly storageId: string;
  /** Advertised cluster address, `host:port`. */
  readonly addr: string;
  /**
   * `voter` counts for votes and commits. `learner` receives the log and is to become a voter once caught up (M4, M5).
   * `nonvoter` receives the log for good: a read replica.
   */
  readonly role: "voter" | "learner" | "nonvoter";
}

/** The servers of the cluster as the entry at `at` states them. */
export interface Config {
  /** Index of the entry that holds it; 0 for none. */
  readonly at: Index;
  /** Made at bootstrap from the first members, the same for the cluster's life; empty where there is no cluster yet. */
  readonly clusterId: string;
  /** Sorted by id, ids and addresses unique. */
  readonly members: readonly Member[];
}

/** State that must be durable before it is visible: the current term, and this node's vote in it. */
export interface HardState {
  /** Current term. */
  readonly term: Term;
  /** Candidate voted for in this term, or null. */
  readonly vote: NodeId | null;
}

/**
 * The known content of a disk (recall.ts): in `term`, its node voted for `vote`, and its log holds `entry` and all
 * entries before it, which do not change within that term.
 */
export interface Mark {
  readonly storageId: string;
  readonly term: Term;
  /** Null for none, or for one that is not known. */
  readonly vote: NodeId | null;
  /** Term 0 where the term of the entry is not known; {0, 0} for none. */
  readonly entry: EntryId;
}

interface Header {
  /** Sender. */
  readonly from: NodeId;
  /** Receiver. */
  readonly to: NodeId;
  /** Sender's term; in `preVote` and a granted `preVoteReply` the term that would be campaigned in. */
  readonly term: Term;
}

/** Asks whether an election could be won, changing nothing at the receiver (dissertation §9.6). */
export interface PreVote extends Header {
  readonly k: "preVote";
  /** The sender's last entry. */
  readonly last: EntryId;
}
/** Answers a {@linkcode PreVote}. */
export interface PreVoteReply extends Header {
  readonly k: "preVoteReply";
  readonly granted: boolean;
}
/** Asks for a vote (dissertation §3.4). */
export interface RequestVote extends Header {
  readonly k: "requestVote";
  readonly last: EntryId;
  /** Set in a leadership transfer: overrides stickiness (P4, T3). */
  readonly transfer: boolean;
}
/** Answers a {@linkcode RequestVote}. */
export interface RequestVoteReply extends Header {
  readonly k: "requestVoteReply";
  readonly granted: boolean;
}
/** Entries for a follower, as they arrive (dissertation §3.5). */
export interface AppendEntries extends Header {
  readonly k: "appendEntries";
  /** The entry just before `entries`. */
  readonly prev: EntryId;
  /** Consecutive, rising by one; empty in a probe. */
  readonly entries: readonly Entry[];
  /** The leader's commit index. */
  readonly commit: Index;
  /** Read round at the time of sending. */
  readonly round: number;
}
/**
 * {@linkcode AppendEntries} as the core sends it: the range `prev.index + 1 … last` instead of the entries. The driver
 * loads them when it writes to the stream, and drops the message if the log was truncated since
 * (`epoch` differs from the core's current one): that equals a loss on the network.
 */
export interface AppendRange extends Header {
  readonly k: "appendRange";
  readonly prev: EntryId;
  /** Last index to send; `prev.index` for none. */
  readonly last: Index;
  readonly commit: Index;
  readonly round: number;
  /** Truncation epoch of the sender's log. */
  readonly epoch: number;
}
/** Answers {@linkcode AppendEntries}. */
export interface AppendReply extends Header {
  readonly k: "appendReply";
  readonly ok: boolean;
  /** When ok: last index known to match, `prev.index + entries.length` (L4). Otherwise `prev.index` of the request. */
  readonly index: Index;
  /** When not ok: where to probe next (L6). */
  readonly hint: EntryId;
  readonly round: number;
  readonly promiseMs?: number;
}
/** Keeps followers from campaigning and opens a read round. */
export interface Heartbeat extends Header {
  readonly k: "heartbeat";
  /**
   * The lesser of the leader's commit index and what it knows to match at the receiver (L5), with the term of the entry there:
   * an older copy of the receiver's disk may hold another one in its place. Term 0: the leader's log does not reach so far back.
   */
  readonly commit: EntryId;
  readonly round: number;
}
/** Answers {@linkcode Heartbeat}. */
export interface HeartbeatReply extends Header {
  readonly k: "heartbeatReply";
  readonly round: number;
  /**
   * How long the sender's process votes for nobody after a message of a leader (R10); missing or 0: it promises nothing. The
   * receiver's driver fills it in, from what the process said of itself when its stream opened.
   */
  readonly promiseMs?: number;
}
/** Leadership transfer: campaign at once (dissertation §3.10). */
export interface TimeoutNow extends Header {
  readonly k: "timeoutNow";
}
/** Tells a node that is not in the committed configuration to stop campaigning; advice only (M8). */
export interface RemovedNotice extends Header {
  readonly k: "removedNotice";
  /** Index of the configuration without the receiver. */
  readonly at: Index;
}

/** Asks what the receiver remembers of the sender's disk (recall.ts). */
export interface Recall extends Header {
  readonly k: "recall";
}
/** Known contents of disks: the sender's own mark, or with `isAnswer` all marks that it remembers. */
export interface Marks extends Header {
  readonly k: "marks";
  /** It answers a {@linkcode Recall}. */
  readonly isAnswer: boolean;
  readonly marks: readonly Mark[];
}

/** A message from another node. */
export type Message =
  | PreVote
  | PreVoteReply
  | RequestVote
  | RequestVoteReply
  | AppendEntries
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | TimeoutNow
  | RemovedNotice
  | Recall
  | Marks;

/** A message that the core sends: a {@linkcode Message} with ranges in the place of entries. */
export type OutgoingMessage = Exclude<Message, AppendEntries> | AppendRange;
