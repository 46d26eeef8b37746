/**
 * The network of a simulated cluster: messages lost, repeated, late and out of order, links cut one way or both.
 * @module
 */
import type { Message, NodeId } from "../../src/core/raft/message.ts";
import { isForAnyDisk, isReply } from "../../src/core/raft/message_check.ts";
import type { Coverage } from "./coverage.ts";
import type { SimNode } from "./node.ts";
import type { Profile } from "./profile.ts";
import type { Random } from "../harness/random.ts";
import type { Schedule } from "./schedule.ts";

const SECOND = 1_000_000;

/** Surroundings. */
export interface NetworkParts {
  readonly schedule: Schedule;
  readonly coverage: Coverage;
  /** Draws what becomes of each message. */
  readonly random: Random;
  /** Draws partitions. */
  readonly faults: Random;
  profile(): Profile;
  nodes(): readonly SimNode[];
  /** A message arrives at a node that runs. */
  arrived(node: SimNode, m: Message): void;
}

interface Sent {
  readonly m: Message;
  readonly incarnation: number;
  readonly storageId: string;
  /** Storage id of the disk that it is for. */
  readonly wanted: string | undefined;
}

/** All links of one cluster. */
export class Network {
  readonly #parts: NetworkParts;
  /** Directed links that deliver nothing, as "from>to". */
  readonly #cut = new Set<string>();

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /** Whether nothing goes that way. */
  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${from}>${to}`);
  }

  /** Cuts a link both ways. */
  separate(a: NodeId, b: NodeId): void {
    this.#cut.add(`${a}>${b}`);
    this.#cut.add(`${b}>${a}`);
  }

  /** All links deliver again. */
  heal(): void {
    this.#cut.clear();
  }

  /** Takes a message off a node's hands. */
  send(from: SimNode, m: Message): void {
    const { random, schedule } = this.#parts;
    const { loss, duplication, stragglers, delayMean } = this.#parts.profile();
    if (this.isCut(from.id, m.to) || random.chance(loss)) return;
    const incarnation = from.incarnation;
    const storageId = from.disk.storageId;
    // An answer goes back to whoever asked.
    const wanted = isReply(m) || isForAnyDisk(m) ? undefined : from.storageIds.get(m.to);
    const sent = { m, incarnation, storageId, wanted };
    const copies = random.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const late = random.chance(stragglers) ? random.below(5 * SECOND) : 0;
      const delay = 100 + random.exponential(delayMean) + late;
      schedule.after(delay, () => this.#deliver(sent));
    }
  }

  #deliver({ m, incarnation, storageId, wanted }: Sent): void {
    const { coverage } = this.#parts;
    const node = this.#parts.nodes().find(({ id }) => id === m.to);
    if (node?.core === undefined || this.isCut(m.from, m.to)) return;
    // B2: another storage id than the configuration's is another node under a known name.
    if (wanted !== undefined && wanted !== node.disk.storageId) {
      return coverage.hit("message for a replaced disk dropped");
    }
    // Answers count for the disk they come from. Requests pass: a node that lags behind may know an older disk of its
    // leader only, and would otherwise never hear of the newer one.
    const expected = isReply(m) ? node.storageIds.get(m.from) : undefined;
    if (expected !== undefined && expected !== storageId) return;
    // O8: a newer process of the sender closed the connection on which this came.
    if (incarnation < (node.heard.get(m.from) ?? 0)) return coverage.hit("message of an earlier process dropped");
    node.heard.set(m.from, incarnation);
    this.#parts.arrived(node, m);
  }

  /** Cuts links in another pattern than before, or none. */
  partition(): void {
    const { faults } = this.#parts;
    this.heal();
    const ids = this.#parts.nodes().map((node) => node.id);
    const kind = faults.below(4);
    const isOneWay = faults.chance(0.3);
    const lonely = faults.pick(ids);
    const sides = new Set(ids.filter(() => faults.chance(0.5)));
    for (const from of ids) {
      for (const to of ids) {
        const isCut = kind === 0
          ? false
          : kind === 1
          ? from === lonely || (!isOneWay && to === lonely)
          : kind === 2
          ? sides.has(from) && !sides.has(to) || (!isOneWay && !sides.has(from) && sides.has(to))
          : faults.chance(0.3);
        if (from !== to && isCut) this.#cut.add(`${from}>${to}`);
      }
    }
  }
}
