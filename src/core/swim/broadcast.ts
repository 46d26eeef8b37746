/**
 * The transmit-limited queue (G4.7; SWIM §4.1): each message rides on so many packets, the least sent
 * first, then the longest, then the newest. A newer message about a key takes the place of the older one. Pure.
 * @module
 */

interface Broadcast {
  readonly key: string | undefined;
  readonly message: Uint8Array;
  /** Called when it was sent often enough, or another took its place. */
  readonly onFinished: (() => void) | undefined;
  transmits: number;
}

/** How often a message is sent in a pool of `nodes`. */
export function transmitLimit(retransmitMult: number, nodes: number): number {
  return retransmitMult * Math.ceil(Math.log10(nodes + 1));
}

/** Messages waiting to ride along. */
export class BroadcastQueue {
  /** By transmits so far; each tier longest first, the newest first among equals. */
  readonly #tiers: Broadcast[][] = [];
  readonly #byKey = new Map<string, Broadcast>();
  readonly #lengthMax: number;
  #length = 0;

  /** @param lengthMax Messages kept: beyond, those sent most often go. */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /** Messages that wait. */
  get length(): number {
    return this.#length;
  }

  /**
   * Queues a message.
   * @param key What it is about; messages without one never replace each other.
   */
  push(message: Uint8Array, { key, onFinished }: { key?: string; onFinished?: () => void } = {}): void {
    const older = key === undefined ? undefined : this.#byKey.get(key);
    if (older) {
      this.#remove(older);
      older.onFinished?.();
    }
    const broadcast = { key, message, onFinished, transmits: 0 };
    if (key !== undefined) this.#byKey.set(key, broadcast);
    this.#insert(broadcast);
    if (this.#length > this.#lengthMax) this.#prune();
  }

  #tier(transmits: number): Broadcast[] {
    while (this.#tiers.length <= transmits) this.#tiers.push([]);
    return this.#tiers[transmits];
  }

  #insert(broadcast: Broadcast): void {
    const tier = this.#tier(broadcast.transmits);
    tier.splice(firstFitting(tier, broadcast.message.length), 0, broadcast);
    this.#length++;
  }

  #remove(broadcast: Broadcast): void {
    const tier = this.#tier(broadcast.transmits);
    const at = tier.indexOf(broadcast, firstFitting(tier, broadcast.message.length));
    tier.splice(at, 1);
    this.#length--;
    if (broadcast.key !== undefined && this.#byKey.get(broadcast.key) === broadcast) this.#byKey.delete(broadcast.key);
  }

  #prune(): void {
    const last = this.#tiers.findLast((tier) => tier.length > 0)?.at(-1);
    if (!last) return;
    this.#remove(last);
    last.onFinished?.();
  }

  /**
   * Messages that fit into `bytesMax` together, each with `overhead` bytes; they count as sent.
   * @param limit Transmits after which a message is done.
   */
  take(
    { overhead, bytesMax, limit, countMax }: { overhead: number; bytesMax: number; limit: number; countMax: number },
  ): Uint8Array[] {
    const taken: Broadcast[] = [];
    if (this.#length === 0) return [];
    let left = bytesMax;
    for (const tier of this.#tiers) {
      while (left > overhead && taken.length < countMax) {
        const fitting = tier[firstFitting(tier, left - overhead)];
        if (!fitting) break;
        this.#remove(fitting);
        taken.push(fitting);
        left -= overhead + fitting.message.length;
      }
    }
    for (const broadcast of taken) {
      broadcast.transmits++;
      if (broadcast.transmits >= limit) broadcast.onFinished?.();
      else {
        if (broadcast.key !== undefined) this.#byKey.set(broadcast.key, broadcast);
        this.#insert(broadcast);
      }
    }
    return taken.map(({ message }) => message);
  }
}

/** Index of the first message that is no longer than `bytes`. */
function firstFitting(tier: readonly Broadcast[], bytes: number): number {
  let low = 0;
  for (let high = tier.length; low < high;) {
    const middle = (low + high) >> 1;
    if (tier[middle].message.length > bytes) low = middle + 1;
    else high = middle;
  }
  return low;
}
