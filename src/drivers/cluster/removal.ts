/**
 * Whether this node has been taken out of its cluster: its own log says so, up to which the others still send it, or one of them does
 * in so many words (M8). A removed node does nothing about it by itself while it runs: somebody wanted it out. Pure.
 * @module
 */
import type { Config, Index } from "../../core/raft/message.ts";

/** What an operator is told of it. */
export const REMOVED =
  "this node was removed from its cluster; to take it in again, restart it with -join, or with the flags " +
  "for bootstrap or discovery that the others have";

/** What the core knows of it. */
export interface Membership {
  readonly config: Config;
  readonly commit: Index;
  readonly isRemoved: boolean;
}

/** Follows the membership of one node. */
export class Removal {
  readonly #self: { readonly nodeId: string; readonly storageId: string };
  /** Whether it has been part of a cluster in this life. */
  #wasMember = false;
  #isOut = false;
  #isPlaced = false;

  /** @param self Its id, and that of its data directory: another one under the same id is another node. */
  constructor(self: { readonly nodeId: string; readonly storageId: string }) {
    this.#self = self;
  }

  /** Whether it is out, since it was last looked at. */
  get isOut(): boolean {
    return this.#isOut;
  }

  /** Whether the membership is one without this node; as that of a new node that is catching up may be. */
  isOutOf({ config, commit, isRemoved }: Membership): boolean {
    // What is not committed may be taken back.
    return isRemoved || !this.#isIn(config) && config.at <= commit;
  }

  #isIn({ members }: Config): boolean {
    const { nodeId, storageId } = this.#self;
    return members.some((member) => member.id === nodeId && member.storageId === storageId);
  }

  /** What became of it while it was down is known, and it belongs to its cluster. */
  placed(): void {
    this.#isPlaced = true;
  }

  /** Looks at the membership. @returns Whether the node was taken out since the last look, and not while it was down. */
  isNew(membership: Membership): boolean {
    if (this.#isIn(membership.config)) this.#wasMember = true;
    const before = this.#isOut;
    this.#isOut = this.#wasMember && this.isOutOf(membership);
    return this.#isPlaced && this.#isOut && !before;
  }
}
