/**
 * Changes of members: nodes that are added, removed, moved, and replaced with an empty disk.
 * @module
 */
import type { ConfigChange, Input } from "../../src/core/raft/effects.ts";
import type { Index, Member, NodeId } from "../../src/core/raft/message.ts";
import type { Coverage } from "./coverage.ts";
import type { Disk } from "./disk.ts";
import type { SimNode } from "./node.ts";
import type { Random } from "../harness/random.ts";
import type { Schedule } from "./schedule.ts";

const MILLISECOND = 1000;
const SECOND = 1_000_000;
const MEMBERS_MAX = 6;

/** Surroundings. */
export interface MembersParts {
  readonly schedule: Schedule;
  readonly coverage: Coverage;
  readonly random: Random;
  nodes(): readonly SimNode[];
  /** The node to ask for a change: mostly one that believes to lead. */
  target(): SimNode | undefined;
  makeNode(id: NodeId): SimNode;
  makeDisk(id: NodeId): Disk;
  boot(node: SimNode): void;
  input(node: SimNode, input: Input): void;
  /** A number that no request had yet. */
  nextRef(): number;
}

/** The members: nodes that join and leave. */
export class Members {
  readonly #parts: MembersParts;

  constructor(parts: MembersParts) {
    this.#parts = parts;
  }

  /** One change, of whichever kind comes up. */
  change(): void {
    const node = this.#parts.target();
    if (node === undefined) return;
    const members = node.config.members;
    const ref = this.#parts.nextRef();
    const victim = this.#parts.random.pick(members);
    const choice = this.#parts.random.below(4);
    if (choice <= 1 && members.length < MEMBERS_MAX) {
      const added = this.#newcomer();
      added.addedAt = this.#parts.schedule.now;
      const role = this.#parts.random.chance(0.2) ? "nonvoter" : "learner";
      this.#parts.input(node, {
        k: "reconfigure",
        ref,
        change: { k: "add", member: member(added.id, added.disk, role) },
      });
    } else if (victim !== undefined && choice === 2) {
      this.#parts.input(node, { k: "reconfigure", ref, change: { k: "remove", id: victim.id } });
      if (this.#parts.random.chance(0.5)) {
        this.#replaceDisk(victim, node.config.at, this.#parts.schedule.now + 2 * SECOND);
      }
    } else if (victim !== undefined) {
      const addr = `${victim.id}:${ref}`;
      const change = { k: "readdress", id: victim.id, storageId: victim.storageId, addr } as const;
      this.#parts.input(node, { k: "reconfigure", ref, change });
    }
  }

  /** Replaces a lost disk as an operator does: as soon as the removal is committed, the node is added anew. */
  #replaceDisk(victim: Member, since: Index, until: number): void {
    this.#parts.schedule.after(this.#parts.random.between(1, 5) * MILLISECOND, () => {
      const node = this.#parts.nodes().find(({ id }) => id === victim.id);
      if (node?.disk.storageId !== victim.storageId || this.#parts.schedule.now > until) return;
      const leader = this.#parts.nodes().find((other) => {
        const config = other.role?.role === "leader" ? other.core?.status().committedConfig : undefined;
        return config !== undefined && config.at > since && config.members.every(({ id }) => id !== victim.id);
      });
      if (leader === undefined) return this.#replaceDisk(victim, since, until);
      if (node.core !== undefined) node.crash(this.#parts.random);
      node.replaceDisk(this.#parts.makeDisk(node.id));
      this.#parts.coverage.hit("member replaced with an empty disk");
      node.addedAt = this.#parts.schedule.now;
      this.#parts.boot(node);
      const change = { k: "add", member: member(node.id, node.disk, "learner") } as const;
      this.#parts.input(leader, { k: "reconfigure", ref: this.#parts.nextRef(), change });
    });
  }

  /**
   * Treats a node that stopped because of damage as an operator does: its directory is emptied, and it asks to join,
   * again and again until it has a vote. The leader does what src/drivers/cluster/cluster.ts does: another storage id under a
   * known name means that the disk is another one, so the old member goes before the new one comes (B2).
   */
  rejoin(node: SimNode, then: () => void): void {
    node.replaceDisk(this.#parts.makeDisk(node.id));
    this.#parts.boot(node);
    this.#join(node, then);
  }

  #join(node: SimNode, then: () => void): void {
    const { storageId } = node.disk;
    this.#parts.schedule.after(this.#parts.random.between(20, 500) * MILLISECOND, () => {
      if (node.disk.storageId !== storageId) return; // it was wiped once more
      const leaders = this.#parts.nodes().filter((one) => one.core !== undefined && one.role?.role === "leader");
      const leader = this.#parts.random.pick(leaders);
      const config = leader?.core?.status().committedConfig;
      const known = config?.members.find(({ id }) => id === node.id);
      if (known?.storageId === storageId && known.role === "voter") {
        this.#parts.coverage.hit("node stopped by damage was wiped and caught up");
        return then();
      }
      if (leader !== undefined && config !== undefined && known?.storageId !== storageId) {
        const change: ConfigChange = known === undefined
          ? { k: "add", member: member(node.id, node.disk, "learner") }
          : { k: "remove", id: known.id };
        this.#parts.input(leader, { k: "reconfigure", ref: this.#parts.nextRef(), change });
      }
      this.#join(node, then);
    });
  }

  /** A node without a cluster: a former member with a new disk, one that never got in, or a new one. */
  #newcomer(): SimNode {
    // The request to add a node may still be under way, and stragglers with it: then its disk is not to be replaced.
    const settled = this.#parts.schedule.now - 10 * SECOND;
    const outside = this.#parts.nodes().filter((node) => node.addedAt < settled && this.#isOutside(node));
    const old = this.#parts.random.pick(outside);
    if (old !== undefined && this.#parts.random.chance(0.7)) {
      if (old.core !== undefined) old.crash(this.#parts.random);
      old.replaceDisk(this.#parts.makeDisk(old.id));
      this.#parts.boot(old);
      return old;
    }
    const added = this.#parts.makeNode(`n${this.#parts.nodes().length + 1}`);
    this.#parts.boot(added);
    return added;
  }

  /** Whether the node is out of every configuration that may still decide anything. */
  #isOutside(node: SimNode): boolean {
    const isMember = (other: SimNode) =>
      other.config.members.some(({ storageId }) => storageId === node.disk.storageId);
    return !this.#parts.nodes().some((other) => isMember(other));
  }
}

/** A node as a configuration names it. */
export function member(id: NodeId, disk: Disk, role: Member["role"]): Member {
  return { id, storageId: disk.storageId, addr: `${id}:1`, role };
}
