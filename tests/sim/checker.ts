/**
 * The invariants of src/core/raft/RULES.md, checked at every event against a shadow of what the whole cluster did: I1 to I10,
 * I17 and the reads. It sees messages, writes and effects, never the inside of a core.
 * @module
 */
import type { Config, Entry, HardState, Index, NodeId, OutgoingMessage, Term } from "../../src/core/raft/message.ts";
import type { Effects } from "../../src/core/raft/effects.ts";
import type { Disk, Snapshot } from "./disk.ts";

/** A broken invariant: the run's finding. */
export class SimFailure extends Error {
  /** Always `SimFailure`. */
  override readonly name = "SimFailure";
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new SimFailure(message);
}

interface KnownEntry {
  readonly hash: number;
  readonly previousTerm: Term;
}

/** FNV-1a over kind and body: equal entries have equal hashes, and different ones practically never. */
export function entryHash(entry: Entry): number {
  let hash = 0x811c9dc5 ^ entry.kind.length;
  for (const byte of entry.body) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The history of the cluster, checked step by step. */
export class Checker {
  readonly #leaders = new Map<Term, NodeId>();
  readonly #known = new Map<number, KnownEntry>();
  readonly #disks = new Map<string, Disk>();
  /** Terms and hashes of committed entries, and the term in which each was committed: index i at i - 1. */
  readonly #committed: { readonly term: Term; readonly hash: number; readonly committedIn: Term }[] = [];
  /** Digest of the state machines after index i, at i. */
  readonly #digests: number[] = [];
  #ackedMax: Index = 0;
  /** Newest term in which something was committed. */
  #committedTerm: Term = 0;
  /** Acknowledged writes. */
  acked = 0;
  /** Granted reads. */
  readsGranted = 0;
  /** Logs cut. */
  compactions = 0;
  /** Snapshots installed. */
  installs = 0;

  /** Every disk that ever existed, by storage id: a delayed answer may speak of one that is gone. */
  addDisk(disk: Disk): void {
    this.#disks.set(disk.storageId, disk);
  }

  /** Highest index whose write a client was told of. */
  get ackedMax(): Index {
    return this.#ackedMax;
  }

  /** Entries committed anywhere. */
  get committedCount(): number {
    return this.#committed.length;
  }

  /** I5: one (index, term) has one content and one predecessor, everywhere and for ever. */
  appended(node: NodeId, log: readonly Entry[], entries: readonly Entry[]): void {
    for (const entry of entries) {
      const previousTerm = entry.index > 1 ? log[entry.index - 2].term : 0;
      check(previousTerm <= entry.term, `I5/L1: ${node} has a falling term at ${entry.index}`);
      const key = entry.index * 0x10_0000 + entry.term;
      const known = this.#known.get(key);
      if (known === undefined) {
        this.#known.set(key, { hash: entryHash(entry), previousTerm });
      } else {
        const isSame = known.hash === entryHash(entry) && known.previousTerm === previousTerm;
        check(isSame, `I5: ${node} holds another entry at (${entry.index}, ${entry.term})`);
      }
    }
  }

  /**
   * I1, I4. Late votes can elect a leader of a term that is over already: it owes nothing to the terms after its own,
   * in which it will find nobody to follow it.
   */
  elected(node: NodeId, term: Term, log: readonly Entry[]): void {
    const other = this.#leaders.get(term);
    check(other === undefined || other === node, `I1: ${node} and ${other} lead term ${term}`);
    this.#leaders.set(term, node);
    for (let at = 0; at < this.#committed.length; at++) {
      if (this.#committed[at].committedIn >= term) continue;
      check(at < log.length, `I4: leader ${node} of ${term} lacks committed entries`);
      check(log[at].term === this.#committed[at].term, `I4: leader ${node} of ${term} differs at ${at + 1}`);
    }
  }

  /** I2, at the moment a write becomes durable. */
  hardWritten(node: NodeId, before: HardState, after: HardState): void {
    check(after.term >= before.term, `I2: the durable term of ${node} fell`);
    if (after.term !== before.term || before.vote === null) return;
    check(after.vote === before.vote, `I2: ${node} voted twice in term ${after.term}`);
  }

  /** I3 for any node, I7 for the one that decided. */
  committed(
    node: { readonly id: NodeId; readonly log: readonly Entry[] },
    range: { readonly from: Index; readonly to: Index },
    leader: { readonly term: Term; readonly config: Config } | undefined,
  ): void {
    check(range.to <= node.log.length, `I6: ${node.id} commits past its log`);
    if (leader !== undefined) this.#checkQuorum(node, range.to, leader);
    for (let index = range.from; index <= range.to; index++) {
      const entry = node.log[index - 1];
      const known = this.#committed[index - 1];
      if (known === undefined) {
        const committedIn = leader?.term ?? entry.term;
        this.#committed.push({ term: entry.term, hash: entryHash(entry), committedIn });
        this.#committedTerm = Math.max(this.#committedTerm, committedIn);
      } else {
        const isSame = known.term === entry.term && known.hash === entryHash(entry);
        check(isSame, `I3: ${node.id} commits another entry at ${index}`);
      }
    }
  }

  #checkQuorum(
    node: { readonly id: NodeId; readonly log: readonly Entry[] },
    index: Index,
    leader: { readonly term: Term; readonly config: Config },
  ): void {
    const term = node.log[index - 1].term;
    check(term === leader.term, `I7: leader ${node.id} of ${leader.term} commits ${index} of term ${term} by counting`);
    let voters = 0;
    let copies = 0;
    for (const { role, storageId } of leader.config.members) {
      if (role !== "voter") continue;
      voters++;
      if (this.#disks.get(storageId)?.entries[index - 1]?.term === term) copies++;
    }
    const ids = leader.config.members.map((member) => member.id).join();
    check(copies * 2 > voters, `I7: ${node.id} commits ${index} with ${copies} durable copies of ${voters} (${ids})`);
  }

  /** I6, against the disk and the committed sequence. */
  applied(node: NodeId, disk: Disk, entry: Entry, before: Index): void {
    check(entry.index === before + 1, `I6: ${node} applies ${entry.index} after ${before}`);
    check(
      disk.entries[entry.index - 1]?.term === entry.term,
      `I6: ${node} applies ${entry.index} before it is durable`,
    );
    const known = this.#committed[entry.index - 1];
    const isSame = known?.term === entry.term && known.hash === entryHash(entry);
    check(isSame, `I6: ${node} applies ${entry.index}, which is not the committed entry`);
  }

  /** I15: what was applied in the same order has the same digest, on all nodes and after each start. */
  digested(node: NodeId, index: Index, digest: number): void {
    const known = this.#digests[index] ??= digest;
    check(known === digest, `I15: ${node} has the digest ${digest} after ${index}, others ${known}`);
  }

  /** I12: no log is cut above what its state machine holds durably. */
  compacted(node: NodeId, disk: Disk, index: Index): void {
    check(index <= disk.applied, `I12: ${node} cuts its log at ${index}, above the ${disk.applied} it holds durably`);
    this.compactions++;
  }

  /** An entry that was cut off cannot be sent. */
  sending(node: NodeId, disk: Disk, previous: Index): void {
    check(
      previous >= disk.base.index,
      `I12: ${node} sends entries after ${previous}, but its log begins after ${disk.base.index}`,
    );
  }

  /** A peer has its snapshot: the log must go on from there, or the peer needs another one, without end (S6). */
  continued(node: NodeId, disk: Disk, index: Index): void {
    check(index >= disk.base.index, `S6: ${node} sent a snapshot of ${index} but cut its log at ${disk.base.index}`);
  }

  /** A snapshot stands for committed entries, whole and in order. */
  installed(node: NodeId, { base, prefix, config }: Snapshot): void {
    check(prefix.length === base.index, `I6: ${node} installs a snapshot of ${prefix.length} entries as ${base.index}`);
    check(base.index <= this.#committed.length, `I3: ${node} installs a snapshot above what is committed`);
    for (let at = 0; at < prefix.length; at++) {
      const isSame = prefix[at].term === this.#committed[at].term && entryHash(prefix[at]) === this.#committed[at].hash;
      check(isSame, `I3: ${node} installs a snapshot that differs at ${at + 1}`);
    }
    check(
      config.at <= base.index,
      `S1: ${node} installs a configuration of ${config.at} with a snapshot of ${base.index}`,
    );
    this.installs++;
  }

  /** I8: nothing that depends on the disk leaves before it is there. */
  leaving(disk: Disk, m: OutgoingMessage): void {
    const isPromise = m.k === "requestVote" || (m.k === "requestVoteReply" && m.granted) ||
      (m.k === "appendReply" && m.ok);
    if (!isPromise) return;
    check(disk.hard.term >= m.term, `I8: ${m.from} sends ${m.k} of term ${m.term} before the term is durable`);
    if (m.k === "appendReply") {
      // In a later term the entries may have been replaced since, lawfully: the old leader has no majority (E3).
      if (disk.hard.term > m.term) return;
      check(disk.entries.length >= m.index, `I8: ${m.from} acknowledges ${m.index} before it is durable`);
    } else if (disk.hard.term === m.term) {
      const vote = m.k === "requestVote" ? m.from : m.to;
      check(disk.hard.vote === vote, `I8: ${m.from} votes for ${vote} before the vote is durable`);
    }
  }

  /** I9: one uncommitted configuration at most, and only in a term that has committed (M2). */
  reconfigured(node: { readonly id: NodeId; readonly log: readonly Entry[] }, facts: {
    readonly entry: Entry;
    readonly previous: Index;
    readonly commit: Index;
  }): void {
    const { entry, previous, commit } = facts;
    check(previous <= commit, `I9: ${node.id} appends a configuration at ${entry.index} while ${previous} is open`);
    check(node.log[commit - 1]?.term === entry.term, `I9: ${node.id} reconfigures before a commit of its term`);
  }

  /** I10: a client was told that its write stands at `entry`. */
  acknowledged(entry: Entry): void {
    const known = this.#committed[entry.index - 1];
    const isSame = known?.term === entry.term && known.hash === entryHash(entry);
    check(isSame, `I10: the write at ${entry.index} was acknowledged but is not committed`);
    this.acked++;
    this.#ackedMax = Math.max(this.#ackedMax, entry.index);
  }

  /** R10: what a lease serves is the newest state when it is served: no later term has committed anything. */
  leaseServed(node: NodeId, term: Term): void {
    const newest = this.#committedTerm;
    check(newest <= term, `R10: ${node} serves a read by its lease of ${term} though ${newest} has committed`);
  }

  /** I17: ticks before the one that has work to do, as the core had said. */
  rested(node: NodeId, { send, persist, apply, role, commit, config, needSnapshot }: Effects): void {
    const hasWork = send.length + needSnapshot.length > 0 || [persist, apply, role, commit, config].some(Boolean);
    check(!hasWork, `I17: ${node} has work to do at a tick of rest`);
  }

  /** I11, in its simple form: a read sees every write acknowledged before it was asked for. */
  readGranted(node: NodeId, index: Index, floor: Index): void {
    check(index >= floor, `I11: ${node} grants a read at ${index} though ${floor} was acknowledged before it`);
    this.readsGranted++;
  }
}
