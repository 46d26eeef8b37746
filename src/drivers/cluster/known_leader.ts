/**
 * The leader and its addresses as this node knows them. It reports when the leader changes, moves, or is heard from for
 * the first time.
 * @module
 */
import type { NodeId } from "../../core/raft/message.ts";
import type { LeaderInfo } from "../replica/api.ts";

/** Surroundings. */
export interface KnownLeaderParts {
  /** This node. */
  readonly self: LeaderInfo;
  /** Cluster address of a node; undefined while there is none. */
  addrOf(id: NodeId): string | undefined;
  /** URL of a node's HTTP API; undefined while it was not heard. */
  apiUrlOf(id: NodeId): string | undefined;
  /** Whether a node that leads takes writes from this one. */
  takesProposals(id: NodeId): boolean;
  /** Takes what is known now, whenever it is not what was known before. */
  tell(leader: LeaderInfo | null): void;
}

/** The leader. */
export class KnownLeader {
  readonly #parts: KnownLeaderParts;
  #id: NodeId | null = null;
  #changes = 0;
  #told: LeaderInfo | null = null;

  constructor(parts: KnownLeaderParts) {
    this.#parts = parts;
  }

  /** Its id; null while none is known. */
  get id(): NodeId | null {
    return this.#id;
  }

  /** How often another one, or none, came to be known. */
  get changes(): number {
    return this.#changes;
  }

  /** Null also while its address is unknown. */
  get info(): LeaderInfo | null {
    const { self, addrOf, apiUrlOf, takesProposals } = this.#parts;
    if (this.#id === null) return null;
    if (this.#id === self.id) return self;
    const addr = addrOf(this.#id);
    if (addr === undefined) return null;
    const takes = takesProposals(this.#id) ? { takesProposals: true } : {};
    return { id: this.#id, addr, apiUrl: apiUrlOf(this.#id) ?? "", ...takes };
  }

  /** Takes who leads. @returns Whether that is news. */
  set(id: NodeId | null): boolean {
    if (id === this.#id) return false;
    this.#id = id;
    this.#changes++;
    this.update();
    return true;
  }

  /** To be called when addresses may have changed. */
  update(): void {
    const { info } = this;
    const told = this.#told;
    const isSame = info?.id === told?.id && info?.addr === told?.addr && info?.apiUrl === told?.apiUrl &&
      info?.takesProposals === told?.takesProposals;
    if (isSame) return;
    this.#told = info;
    this.#parts.tell(info);
  }
}
