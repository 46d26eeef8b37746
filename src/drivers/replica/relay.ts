/**
 * Writes that this node takes while another one leads, and those that it takes from others while it leads (X7).
 *
 * A node that does not lead encodes a write and hands it to the leader, which appends it and tells in which place of the
 * log it is. The node answers its client from its own database, when it has applied the entry that it finds in that place
 * (replica.ts). So the leader does nothing for the client but what it does for every entry.
 *
 * - The leader tells the place on its Raft stream to the node before the entry itself leaves on it.
 * - Until the place is known, nothing tells what became of a write. When a stream between the two breaks, or another node
 *   leads, the outcome of such writes is unknown, at once.
 * - Only members are served. Where there are users, no node takes writes so: the leader checks a client's credentials itself.
 * @module
 */
import { isOfClient } from "../../core/sql/command.ts";
import type { EntryId, NodeId } from "../../core/raft/message.ts";
import { type Placements, type ProposedWrite, REFUSALS, type RelayFrame } from "../transport/proposal_frames.ts";
import type { RelayHandlers } from "../transport/listener.ts";
import type { Hello } from "../transport/wire.ts";
import type { LocalAsker, RefusedWhy, RemoteAsker, WaitingProposal } from "./replica.ts";

/** Writes of this node whose place is not known yet. */
export const RELAYED_MAX = 8192;
/** Their bytes: what the nodes have to say to each other else must not queue behind them (F7). */
export const RELAYED_BYTES_MAX = 1024 * 1024;
/** References beyond this are used anew: they travel as 32 bits. */
const REF_MAX = 0xffff_ffff;

/** Surroundings. */
export interface RelayParts {
  /** Whether this node takes writes from others: it has no users. */
  readonly takesProposals: boolean;
  /** Whether a node is a member, with the disk that the configuration names. */
  isMember(caller: Hello): boolean;
  /** The leader, if it is another node that takes writes from this one. */
  leader(): NodeId | undefined;
  /** Sends a frame on the Raft stream to a node; false where there is none, or too much waits for it. */
  send(to: NodeId, frame: RelayFrame): boolean;
  /** Puts writes of another node into the log, while this one leads; otherwise they are refused. */
  propose(proposals: readonly WaitingProposal[]): void;
  /** An entry with the write of a client of this node has its place. */
  place(waiter: LocalAsker, id: EntryId): void;
  /** A write of a client of this node has no result. */
  refused(waiter: LocalAsker, why: RefusedWhy): void;
}

interface Pending {
  readonly waiter: LocalAsker;
  readonly bytes: number;
  readonly leader: NodeId;
}

/** Carries writes to the leader. */
export class Relay implements RelayHandlers {
  readonly #parts: RelayParts;
  readonly #pending = new Map<number, Pending>();
  #bytes = 0;
  #nextRef = 1;
  /** What the leader has to tell, by node: places and refusals of this turn. */
  readonly #refusals = new Map<NodeId, { readonly ref: number; readonly why: typeof REFUSALS[number] }[]>();

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /**
   * Takes writes of this node's clients to the leader, as many as there is room for.
   * @returns Those that were not taken.
   */
  forward(proposals: readonly WaitingProposal<LocalAsker>[]): readonly WaitingProposal<LocalAsker>[] {
    const leader = this.#parts.leader();
    if (leader === undefined) return proposals;
    const writes: ProposedWrite[] = [];
    const left: WaitingProposal<LocalAsker>[] = [];
    for (const proposal of proposals) {
      const { body, asker } = proposal;
      if (this.#pending.size >= RELAYED_MAX || this.#bytes + body.length > RELAYED_BYTES_MAX) {
        left.push(proposal);
        continue;
      }
      const ref = this.#nextRef;
      this.#nextRef = ref % REF_MAX + 1;
      this.#pending.set(ref, { waiter: asker, bytes: body.length, leader });
      this.#bytes += body.length;
      const { trace } = asker;
      if (trace) trace.isRelayed = true;
      writes.push(trace ? { ref, body, trace: trace.traceparent } : { ref, body });
    }
    if (writes.length === 0 || this.#parts.send(leader, { k: "proposals", writes })) return left;
    for (const { ref } of writes) this.#remove(ref);
    for (const { asker: { trace } } of proposals) if (trace) trace.isRelayed = false;
    return proposals;
  }

  #remove(ref: number): void {
    this.#bytes -= this.#pending.get(ref)?.bytes ?? 0;
    this.#pending.delete(ref);
  }

  /** Takes writes of another node; each is answered. */
  onProposals(writes: readonly ProposedWrite[], caller: Hello): void {
    const isWelcome = this.#parts.takesProposals && this.#parts.isMember(caller);
    const proposals: WaitingProposal[] = [];
    for (const { ref, body, trace } of writes) {
      const asker: RemoteAsker = { peer: caller.id, ref };
      if (isWelcome && isOfClient(body)) proposals.push(trace ? { body, asker, traceparent: trace } : { body, asker });
      else this.refuse(asker, "not_leader");
    }
    if (proposals.length > 0) this.#parts.propose(proposals);
  }

  /** Tells other nodes where their writes are, before the entries leave. */
  placed(term: number, places: readonly { readonly asker: RemoteAsker; readonly index: number }[]): void {
    const byPeer = Map.groupBy(places, ({ asker }) => asker.peer);
    for (const [peer, own] of byPeer) {
      const placed = own.map(({ asker: { ref }, index }) => ({ ref, index }));
      this.#parts.send(peer, { k: "placed", placements: { term, placed, refused: [] } });
    }
  }

  /** Tells another node that a write of it was not done. */
  refuse({ peer, ref }: RemoteAsker, why: RefusedWhy): void {
    const known = REFUSALS.find((one) => one === why) ?? "not_leader";
    const waiting = this.#refusals.get(peer);
    if (waiting) return void waiting.push({ ref, why: known });
    this.#refusals.set(peer, [{ ref, why: known }]);
    queueMicrotask(() => {
      const refused = this.#refusals.get(peer) ?? [];
      this.#refusals.delete(peer);
      this.#parts.send(peer, { k: "placed", placements: { term: 0, placed: [], refused } });
    });
  }

  /** The leader's answer. One from a node that was not asked tells nothing. */
  onPlacements({ term, placed, refused }: Placements, { id: from }: Hello): void {
    for (const { ref, index } of placed) {
      const waiter = this.#settle(ref, from);
      if (waiter) this.#parts.place(waiter, { index, term });
    }
    for (const { ref, why } of refused) {
      const waiter = this.#settle(ref, from);
      if (waiter) this.#parts.refused(waiter, why);
    }
  }

  #settle(ref: number, from: NodeId): LocalAsker | undefined {
    const pending = this.#pending.get(ref);
    if (pending?.leader !== from) return undefined;
    this.#remove(ref);
    return pending.waiter;
  }

  /** The stream from a node broke: what it was to tell may be lost. */
  onStreamEnd({ id }: Hello): void {
    this.lost(id);
  }

  /** The stream to a node broke: what it was to be told may be lost. */
  lost(peer: NodeId): void {
    this.#giveUp(({ leader }) => leader === peer);
  }

  /** Another node leads, or none: the one before may have taken what it was sent, or not. */
  leaderChanged(leader: NodeId | null): void {
    this.#giveUp((pending) => pending.leader !== leader);
  }

  #giveUp(isLost: (pending: Pending) => boolean): void {
    for (const [ref, pending] of this.#pending) {
      if (!isLost(pending)) continue;
      this.#remove(ref);
      this.#parts.refused(pending.waiter, "unknown");
    }
  }
}
