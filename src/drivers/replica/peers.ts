/**
 * The Raft streams to the other nodes: one to each member, at the address that it has now, and one to whoever calls and is
 * not a member yet. One that was removed keeps its stream for a while, so that it hears of its removal (M9).
 * @module
 */
import type { Member, NodeId } from "../../core/raft/message.ts";
import { type PeerEvents, type PeerOptions, PeerStream } from "../transport/peer.ts";

/** Streams to removed members stay this long. */
const REMOVED_STREAM_MS = 10_000;

/** Surroundings. */
export interface PeersParts {
  /** This node. */
  readonly self: NodeId;
  /** Address of a member now. */
  addrOf(member: Member): string;
  /** Address of a node that no stream leads to yet; undefined where it is not known. */
  find(id: NodeId): string | undefined;
  /** Whether a node that was removed is needed all the same. */
  isNeeded(id: NodeId): boolean;
  options(id: NodeId): PeerOptions;
  events(id: NodeId): PeerEvents;
}

/** All streams. */
export class Peers {
  readonly #parts: PeersParts;
  readonly #streams = new Map<NodeId, PeerStream>();

  constructor(parts: PeersParts) {
    this.#parts = parts;
  }

  /** The stream to a node, opened where its address is known. */
  to(id: NodeId): PeerStream | undefined {
    const known = this.#streams.get(id);
    if (known) return known;
    const addr = this.#parts.find(id);
    return addr === undefined || id === this.#parts.self ? undefined : this.#open(id, addr);
  }

  #open(id: NodeId, addr: string): PeerStream {
    const stream = new PeerStream(addr, this.#parts.options(id), this.#parts.events(id));
    this.#streams.set(id, stream);
    return stream;
  }

  /** Has streams to these members, where they are now. */
  follow(members: readonly Member[]): void {
    for (const member of members) {
      if (member.id === this.#parts.self) continue;
      const addr = this.#parts.addrOf(member);
      const stream = this.#streams.get(member.id);
      if (stream?.addr === addr) continue;
      stream?.close();
      this.#open(member.id, addr);
    }
    for (const id of this.#streams.keys()) {
      if (!members.some((member) => member.id === id)) setTimeout(() => this.#drop(id), REMOVED_STREAM_MS);
    }
  }

  #drop(id: NodeId): void {
    if (this.#parts.isNeeded(id)) return;
    this.#streams.get(id)?.close();
    this.#streams.delete(id);
  }

  /** For `/status`. */
  status(): { readonly id: NodeId; readonly addr: string; readonly connected: boolean }[] {
    return [...this.#streams].map(([id, stream]) => ({ id, addr: stream.addr, connected: stream.connected }));
  }

  /** Closes all. */
  close(): void {
    for (const stream of this.#streams.values()) stream.close();
  }
}
