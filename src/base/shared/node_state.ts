/**
 * The state that every part of a node reads often: role, term, commit and applied index. It lies in shared memory, and
 * only the replica writes it, so a weak read sends no messages. Numbers are doubles: indices are safe integers. The
 * replica's figures for metrics lie behind it.
 * @module
 */
import type { Lease } from "./lease.ts";
import { REPLICA_COUNTS_BYTES, ReplicaCounts } from "./replica_counts.ts";

/** A node whose database is behind with what is committed for longer than this is not ready. */
export const APPLY_WAIT_MS_MAX = 5000;

const ROLES = ["follower", "precandidate", "candidate", "leader"] as const;
/** A node's part in its term. */
export type Role = typeof ROLES[number];
const FIELDS = [
  "role",
  "term",
  "commit",
  "applied",
  "leaderKnown",
  "leaderContactMs",
  "leaderAppendedMs",
  "ready",
  "leaseEndMs",
  "leaseSkewMs",
  "confirmedMs",
  "appliedTerm",
  "waitingSinceMs",
  "changed",
  "fullLog",
  "fullDatabase",
  "placedElsewhere",
  "open",
] as const;
type Field = typeof FIELDS[number];

/** Where each field lies: asked several times for each request. */
const AT = Object.freeze(Object.fromEntries(FIELDS.map((field, at) => [field, at]))) as Readonly<Record<Field, number>>;

/** Bytes of shared memory that a {@linkcode NodeState} needs. */
export const NODE_STATE_BYTES = FIELDS.length * 8 + REPLICA_COUNTS_BYTES;

/** A view of the shared state; single values are read and written whole. */
export class NodeState {
  /** What the replica has counted and timed so far. */
  readonly counts: ReplicaCounts;
  readonly #values: Float64Array;

  /** @param memory Shared memory of {@linkcode NODE_STATE_BYTES}. */
  constructor(memory: SharedArrayBuffer) {
    this.#values = new Float64Array(memory, 0, FIELDS.length);
    this.counts = new ReplicaCounts(memory, FIELDS.length * 8);
  }

  #get(field: Field): number {
    return this.#values[AT[field]];
  }

  #set(field: Field, value: number): void {
    this.#values[AT[field]] = value;
  }

  /** The node's part in its term. */
  get role(): Role {
    return ROLES[this.#values[0]];
  }
  set role(role: Role) {
    this.#values[0] = ROLES.indexOf(role);
  }

  /** Whether this node believes that it leads. */
  get isLeader(): boolean {
    return this.#values[0] === 3;
  }

  /** Current term. */
  get term(): number {
    return this.#get("term");
  }
  set term(term: number) {
    this.#set("term", term);
  }

  /** Highest index known to be committed. */
  get commit(): number {
    return this.#get("commit");
  }
  set commit(index: number) {
    this.#set("commit", index);
  }

  /** Highest index that the database holds. */
  get applied(): number {
    return this.#get("applied");
  }
  set applied(index: number) {
    this.#set("applied", index);
  }

  /** Whether a leader is known. */
  get leaderKnown(): boolean {
    return this.#get("leaderKnown") === 1;
  }
  set leaderKnown(known: boolean) {
    this.#set("leaderKnown", known ? 1 : 0);
  }

  /** Wall clock, in ms, when the leader was last heard; 0 for never. */
  get leaderContactMs(): number {
    return this.#get("leaderContactMs");
  }
  set leaderContactMs(time: number) {
    this.#set("leaderContactMs", time);
  }

  /** The leader's wall clock, in ms, stamped on the newest command applied here; 0 for none. */
  get leaderAppendedMs(): number {
    return this.#get("leaderAppendedMs");
  }
  set leaderAppendedMs(time: number) {
    this.#set("leaderAppendedMs", time);
  }

  /**
   * The lease, by the replica's monotonic clock. A new one is set after the commit index that it vouches for, and none
   * before any message leaves that ends it. Its parts are not read as a whole: the end goes first when it is withdrawn.
   */
  get lease(): Lease {
    return { endMs: this.#get("leaseEndMs"), skewMs: this.#get("leaseSkewMs") };
  }
  set lease({ endMs, skewMs }: Lease) {
    this.#set("leaseEndMs", endMs);
    this.#set("leaseSkewMs", skewMs);
  }

  /**
   * Wall clock, in ms, of this leader's last word to the others that a majority has answered: until then nobody else led. 0
   * for none in this term, and where this node does not lead; Infinity where it is a majority by itself. Set behind the
   * commit index.
   */
  get confirmedMs(): number {
    return this.#get("confirmedMs");
  }
  set confirmedMs(time: number) {
    this.#set("confirmedMs", time);
  }

  /**
   * Term of the newest entry that the database is known to hold. Where it is the current term, everything that was committed
   * before that term began is applied.
   */
  get appliedTerm(): number {
    return this.#get("appliedTerm");
  }
  set appliedTerm(term: number) {
    this.#set("appliedTerm", term);
  }

  /** The newest entry with a write whose client is told of it by another node, maybe before this one has applied it; 0 for none. */
  get placedElsewhere(): number {
    return this.#get("placedElsewhere");
  }
  set placedElsewhere(index: number) {
    this.#set("placedElsewhere", index);
  }

  /** Wall clock, in ms, when the oldest entry was committed that waits to be applied; 0 where none does. */
  get waitingSinceMs(): number {
    return this.#get("waitingSinceMs");
  }
  set waitingSinceMs(time: number) {
    this.#set("waitingSinceMs", time);
  }

  /**
   * Index of the newest command that the database holds; 0 for none. Leaders and members that come and go do not move it. From a
   * start or a snapshot on until the next command it may be an entry behind that command.
   */
  get changed(): number {
    return this.#get("changed");
  }
  set changed(index: number) {
    this.#set("changed", index);
  }

  /** Whether the disk of the log or that of the database was full when it was last written to. */
  get full(): { readonly log: boolean; readonly database: boolean } {
    return { log: this.#get("fullLog") === 1, database: this.#get("fullDatabase") === 1 };
  }
  set full({ log, database }: { readonly log: boolean; readonly database: boolean }) {
    this.#set("fullLog", log ? 1 : 0);
    this.#set("fullDatabase", database ? 1 : 0);
  }

  /** Whether the log is open and the node takes part, or is about to; until then the replica answers nothing. */
  get isOpen(): boolean {
    return this.#get("open") === 1;
  }
  set isOpen(open: boolean) {
    this.#set("open", open ? 1 : 0);
  }

  /** Whether the database is open and what was committed before the start is applied. */
  get ready(): boolean {
    return this.#get("ready") === 1;
  }
  set ready(ready: boolean) {
    this.#set("ready", ready ? 1 : 0);
  }
}
