/**
 * The nodes that this one has met, with the descriptions that they sent when they connected.
 * @module
 */
import type { Member, NodeId } from "../../core/raft/message.ts";

import type { Hello } from "./wire.ts";

/** Nodes that are remembered. What says hello under ever new names is no member: the ones met longest ago go first. */
const NODES_MAX = 256;

/** A map of at most {@linkcode NODES_MAX} nodes. */
export class RecentNodes<T> {
  readonly #values = new Map<NodeId, T>();

  /** The known description of a node. */
  get(id: NodeId): T | undefined {
    return this.#values.get(id);
  }

  /** Takes what is known of a node now. */
  set(id: NodeId, value: T): void {
    this.#values.delete(id);
    this.#values.set(id, value);
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= NODES_MAX) break;
      this.#values.delete(oldest);
    }
  }
}

/** Greetings by node id. */
export class Acquaintances {
  readonly #hellos = new RecentNodes<Hello>();
  readonly #sqlite: string;
  readonly #log: (line: string) => void;

  /** @param sqlite Version and options of this node's SQLite: others should have the same. */
  constructor(sqlite: string, log: (line: string) => void) {
    this.#sqlite = sqlite;
    this.#log = log;
  }

  /** A node's description of itself; undefined if the node was never met. */
  get(id: NodeId): Hello | undefined {
    return this.#hellos.get(id);
  }

  /** The members other than `self` that have not said that they apply commands of a version. */
  outdated(members: readonly Member[], self: NodeId, commandVersion: number): NodeId[] {
    const others = members.map(({ id }) => id).filter((id) => id !== self);
    return others.filter((id) => (this.#hellos.get(id)?.commandVersion ?? 0) < commandVersion);
  }

  /** Takes what a node says of itself, and warns where its SQLite is another. */
  meet(hello: Hello): void {
    const before = this.#hellos.get(hello.id);
    this.#hellos.set(hello.id, hello);
    const { id, sqlite } = hello;
    if (sqlite === undefined || sqlite === this.#sqlite || sqlite === before?.sqlite) return;
    this.#log(
      `WARNING: node ${id} has SQLite ${sqlite}, this one has ${this.#sqlite}: statements may come to other results ` +
        "there, and the replicas differ; use the same muster, -sqlite-library and -extensions-path on every node",
    );
  }
}
