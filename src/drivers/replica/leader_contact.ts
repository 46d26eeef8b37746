/**
 * Tells when this node last held what its leader held, as far as a follower can: the age of what a read at level none shows.
 * Pure.
 *
 * A message of the leader counts when it is of the node's own term, and the node has committed what the message calls
 * committed: one that lags behind hears its leader all the time. What lies in the buffers when a suspended process goes on
 * is as old as the suspension, and does not count.
 * @module
 */
import type { Index, Message, Term } from "../../core/raft/message.ts";

/** A process that makes no tick for longer than this was suspended: at rest it makes one every four ticks. */
const SILENT_TICKS_MAX = 6;

/** The leader's word, until this node has committed what it calls committed. */
interface Word {
  readonly term: Term;
  readonly commit: Index;
  readonly heardMs: number;
}

/** Contact with the leader. All times are in ms of the wall clock. */
export class LeaderContact {
  readonly #tickMs: number;
  #tickedMs: number;
  /** Buffers are taken to be empty of old messages from here on. */
  #trustedFromMs: number;
  #waiting: Word | undefined;

  /** @param tickMs Time between two ticks. */
  constructor(tickMs: number, nowMs: number) {
    this.#tickMs = tickMs;
    this.#tickedMs = this.#trustedFromMs = nowMs;
  }

  /** The process runs. */
  ticked(nowMs: number): void {
    if (this.#wasSuspended(nowMs)) this.#trustedFromMs = nowMs + this.#tickMs;
    this.#tickedMs = nowMs;
  }

  /** Messages have come from another node. */
  heard(messages: readonly Message[], nowMs: number): void {
    if (nowMs < this.#trustedFromMs || this.#wasSuspended(nowMs)) return;
    for (const m of messages) {
      if (m.k !== "appendEntries" && m.k !== "heartbeat") continue;
      const commit = m.k === "heartbeat" ? m.commit.index : m.commit;
      // While one waits it is the older one that counts: under load there would always be a newer one to wait for.
      if (this.#waiting?.term !== m.term) this.#waiting = { term: m.term, commit, heardMs: nowMs };
    }
  }

  /** What this node has committed now, and in which term it is. Returns the time of the contact, if there is a newer one. */
  committed(term: Term, commit: Index): number | undefined {
    const word = this.#waiting;
    if (word === undefined || word.term > term || word.term === term && word.commit > commit) return undefined;
    this.#waiting = undefined;
    return word.term === term ? word.heardMs : undefined;
  }

  #wasSuspended(nowMs: number): boolean {
    return Math.abs(nowMs - this.#tickedMs) > SILENT_TICKS_MAX * this.#tickMs;
  }
}
