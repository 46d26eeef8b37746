/**
 * A leader's view of one peer (L7 to L11): a state, the matching index, the entries in flight. Pure.
 *
 *   probe ──accepted──▶ replicate ──rejected, link lost──▶ probe
 *     │                     │
 *     └──── next <= base ───┴──▶ snapshot ──acknowledges an index we hold──▶ replicate
 *
 * Invariant (L9): 0 <= match < next, and match never falls within a term.
 * @module
 */
import { invariant } from "../../invariant.ts";
import type { Index, NodeId } from "./message.ts";

/** Append messages sent and not answered: a ring of their last indices and sizes, bounded by count and bytes (F1). */
export class Window {
  readonly #last: number[];
  readonly #bytes: number[];
  readonly #bytesMax: number;
  #head = 0;
  #count = 0;
  #bytesInFlight = 0;

  /** @param max Messages and payload bytes in flight; one message may exceed the bytes. */
  constructor(max: { readonly messages: number; readonly bytes: number }) {
    this.#last = new Array(max.messages).fill(0);
    this.#bytes = new Array(max.messages).fill(0);
    this.#bytesMax = max.bytes;
  }

  /** Messages in flight. */
  get count(): number {
    return this.#count;
  }

  /** Whether another message has to wait. */
  get isFull(): boolean {
    return this.#count === this.#last.length || this.#bytesInFlight >= this.#bytesMax;
  }

  /** Notes a message that ends at `last`. */
  push(last: Index, bytes: number): void {
    invariant(!this.isFull, "an append was sent into a full window (F1)");
    const at = (this.#head + this.#count) % this.#last.length;
    this.#last[at] = last;
    this.#bytes[at] = bytes;
    this.#count++;
    this.#bytesInFlight += bytes;
  }

  /** Frees every message that ends at or below `match`. */
  release(match: Index): void {
    while (this.#count > 0 && this.#last[this.#head] <= match) {
      this.#bytesInFlight -= this.#bytes[this.#head];
      this.#head = (this.#head + 1) % this.#last.length;
      this.#count--;
    }
  }

  /** Frees everything. */
  clear(): void {
    this.#count = 0;
    this.#bytesInFlight = 0;
  }
}

/** Rounds of a learner's catching up (M5). */
export interface CatchUp {
  /** Last index of the leader when the round began. */
  target: Index;
  /** Tick at which it began. */
  startedAt: number;
  /** Rounds that took an election timeout or longer. */
  slowRounds: number;
  /** Whether the newest completed round was short enough to promote. */
  caughtUp: boolean;
}

/** Progress of one peer. Changed by replication.ts. */
export interface Progress {
  /** The peer. */
  readonly id: NodeId;
  /** Sends in flight. */
  readonly window: Window;
  /** Rounds of a learner; unused for others. */
  readonly catchUp: CatchUp;
  /** See the diagram above. */
  state: "probe" | "replicate" | "snapshot";
  /** Last index known to be durable at the peer and equal to ours. */
  match: Index;
  /** First index to send next. */
  next: Index;
  /** Last index the peer may see: below its own removal until that is committed (M9). */
  sendMax: Index;
  /** For a removed peer: the tick at which it is forgotten; Infinity for a member. */
  forgetAt: number;
  /** Heard from since the last CheckQuorum (P5). */
  active: boolean;
  /** Tick of the last message from it. */
  heardAt: number;
  /** Highest read round it echoed (R3). */
  round: number;
  /** The promise in its process's last answer; 0 for none (R10). */
  promiseMs: number;
  /** Answers of earlier rounds come from before it was a member: from another disk under the same id (B2). */
  readonly roundMin: number;
  /** A probe is out: wait for its answer or for the next heartbeat reply (L7). */
  probing: boolean;
  /** Tick of the last probe. */
  probedAt: number;
  /** An empty append is owed (L10, C4). */
  nudge: boolean;
  /** Last index sent at the last heartbeat reply: still not acknowledged at the next one asks for a nudge (L10). */
  sentAtHeartbeat: Index;
  /** Highest commit index it was told by an append. */
  commitSent: Index;
  /** An append left since the last tick (C4). */
  sentSinceTick: boolean;
}

/** Progress of a peer of which nothing is known yet (E10). */
export function createProgress(
  id: NodeId,
  start: { readonly last: Index; readonly now: number; readonly roundMin: number },
  window: { readonly messages: number; readonly bytes: number },
): Progress {
  return {
    id,
    window: new Window(window),
    catchUp: { target: start.last, startedAt: start.now, slowRounds: 0, caughtUp: false },
    state: "probe",
    match: 0,
    next: start.last + 1,
    sendMax: Infinity,
    forgetAt: Infinity,
    active: false,
    heardAt: start.now,
    round: 0,
    promiseMs: 0,
    roundMin: start.roundMin,
    probing: false,
    probedAt: start.now,
    nudge: false,
    sentAtHeartbeat: 0,
    commitSent: 0,
    sentSinceTick: false,
  };
}

/** Goes back to asking where the peer matches. */
export function becomeProbe(peer: Progress, next: Index): void {
  invariant(next > peer.match, "next fell to match (L9)");
  peer.state = "probe";
  peer.next = next;
  peer.sentAtHeartbeat = 0;
  peer.probing = false;
  peer.window.clear();
}

/** Goes on to pipelining, from just behind what matches. */
export function becomeReplicate(peer: Progress): void {
  peer.state = "replicate";
  peer.next = peer.match + 1;
  peer.probing = false;
  peer.window.clear();
}
