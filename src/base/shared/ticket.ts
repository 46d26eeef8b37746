/**
 * Cancels the request that a Worker computes, through two words of shared memory. The Worker writes the id of its
 * current request, another thread the id of the request to abort; native code checks both while it computes.
 * @module
 */

/** Bytes of the two words: ticket, cancel. */
export const TICKET_BYTES = 8;
/** Tickets are 1 to this one; those that count them begin anew behind it. */
export const TICKET_MAX = 0x7fff_ffff;
/** The place of the two words in shared memory. */
export interface TicketPlace {
  readonly shared: SharedArrayBuffer;
  /** Their offset, a multiple of four. */
  readonly at: number;
}
/** In the place of a ticket: whatever runs, and all that follows. */
const ANY = -1;

/** The two words. */
export class Ticket {
  readonly #words: Int32Array;

  /** Reads and writes the words at a place. */
  constructor({ shared, at }: TicketPlace) {
    this.#words = new Int32Array(shared, at, TICKET_BYTES / 4);
  }

  /** Number of the request that is worked for; 0 for none. */
  get current(): number {
    return Atomics.load(this.#words, 0);
  }

  set current(ticket: number) {
    Atomics.compareExchange(this.#words, 1, ticket, 0); // meant for one that had this number long ago
    Atomics.store(this.#words, 0, ticket);
  }

  /** Ends the request of that number, if it is the one that runs. */
  cancel(ticket: number): void {
    const before = Atomics.load(this.#words, 1);
    if (before !== ANY) Atomics.compareExchange(this.#words, 1, before, ticket); // one that ends all stays
  }

  /** Ends whatever runs, and all that follows. */
  cancelAll(): void {
    Atomics.store(this.#words, 1, ANY);
  }

  /** Whether {@linkcode Ticket.cancelAll} was called. */
  get isCancelled(): boolean {
    return Atomics.load(this.#words, 1) === ANY;
  }
}
