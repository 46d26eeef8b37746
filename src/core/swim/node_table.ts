/**
 * The nodes that the failure detector knows, in the order in which they are probed (SWIM §4.3). Pure.
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import { formatIp } from "../../base/codec/ip.ts";
import { STATE, type State } from "./message.ts";

/** Nodes that are kept: more is no cluster but an attack. */
export const NODES_MAX = 1 << 16;

/** Indices into version bytes (G4.9). */
export const VSN = {
  protocolMin: 0,
  protocolMax: 1,
  protocolCur: 2,
  delegateMin: 3,
  delegateMax: 4,
  delegateCur: 5,
} as const;

/** The known state of a node. Byte fields are never changed in place. */
export interface SwimNode {
  readonly name: string;
  addr: Uint8Array;
  port: number;
  meta: Uint8Array;
  /** Six bytes, see {@linkcode VSN}. */
  vsn: Uint8Array;
  incarnation: number;
  state: State;
  /** When `state` last changed. */
  changedMs: number;
}

/** The address at which a node is reached. */
export function endpointOf({ addr, port }: Pick<SwimNode, "addr" | "port">): Endpoint {
  return { host: formatIp(addr), port };
}

/** Whether a node is gone, one way or the other. */
export function isGone({ state }: SwimNode): boolean {
  return state === STATE.dead || state === STATE.left;
}

/** All nodes, by name and in probing order. */
export class NodeTable {
  readonly #byName = new Map<string, SwimNode>();
  readonly #order: SwimNode[] = [];
  readonly #random: () => number;
  #next = 0;

  /** @param random From 0 to 1, without 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Nodes not yet forgotten, the dead included. */
  get size(): number {
    return this.#order.length;
  }

  /** All nodes. */
  get nodes(): readonly SwimNode[] {
    return this.#order;
  }

  /** The node of a name. */
  get(name: string): SwimNode | undefined {
    return this.#byName.get(name);
  }

  /** Takes a node in at a random place of the order. */
  add(node: SwimNode): void {
    this.#byName.set(node.name, node);
    this.#order.push(node);
    this.#swap(this.#below(this.#order.length), this.#order.length - 1);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #swap(a: number, b: number): void {
    [this.#order[a], this.#order[b]] = [this.#order[b], this.#order[a]];
  }

  /** The next node to probe; at the end of a round the long gone are forgotten and the order is shuffled. */
  nextToProbe(isProbed: (node: SwimNode) => boolean, isForgotten: (node: SwimNode) => boolean): SwimNode | undefined {
    for (let checked = 0; checked <= this.#order.length;) {
      if (this.#next >= this.#order.length) {
        this.#forget(isForgotten);
        this.#shuffle();
        this.#next = 0;
        checked++;
        continue;
      }
      const node = this.#order[this.#next++];
      if (isProbed(node)) return node;
      checked++;
    }
    return undefined;
  }

  #forget(isForgotten: (node: SwimNode) => boolean): void {
    let kept = 0;
    for (const node of this.#order) {
      if (isForgotten(node)) this.#byName.delete(node.name);
      else this.#order[kept++] = node;
    }
    this.#order.length = kept;
  }

  #shuffle(): void {
    for (let last = this.#order.length - 1; last > 0; last--) this.#swap(last, this.#below(last + 1));
  }

  /** Up to `count` different nodes that `isWanted`, at random. */
  pick(count: number, isWanted: (node: SwimNode) => boolean): SwimNode[] {
    const size = this.#order.length;
    if (size < 3 * count) {
      const wanted = this.#order.filter(isWanted);
      for (let last = wanted.length - 1; last > 0; last--) {
        const other = this.#below(last + 1);
        [wanted[last], wanted[other]] = [wanted[other], wanted[last]];
      }
      return wanted.slice(0, count);
    }
    const picked: SwimNode[] = [];
    for (let draws = 0; draws < 3 * size && picked.length < count; draws++) {
      const node = this.#order[this.#below(size)];
      if (!picked.includes(node) && isWanted(node)) picked.push(node);
    }
    return picked;
  }
}
