/**
 * Events of the application (G5.7): told once by every node, and sent on. Pure.
 * @module
 */
import { sameBytes } from "../swim/keyring.ts";
import { encodeMessage } from "../swim/msgpack.ts";
import { SERF, type SerfPushPull, USER_EVENT, type UserEvent } from "./message.ts";
import type { SerfState } from "./state.ts";

/** Slots of the buffer of events that were seen. */
export const EVENT_SLOTS = 512;
/** No event is larger, whatever is configured. */
const EVENT_BYTES_CEILING = 9216;
/** Events with the same stamp, and all that are kept: real pools have a few. */
const SLOT_EVENTS_MAX = 64;

interface Slot {
  readonly ltime: bigint;
  readonly events: { readonly name: string; readonly payload: Uint8Array }[];
}

/** An event was refused where it began. */
export class UserEventError extends Error {
  /** Always `UserEventError`. */
  override readonly name = "UserEventError";
}

/** Events, and which of them were seen. */
export class UserEvents {
  readonly #state: SerfState;
  readonly #slots = new Map<number, Slot>();
  #minTime: bigint;

  constructor(state: SerfState) {
    this.#state = state;
    const restored = state.options.restored?.event ?? 0n;
    this.#minTime = restored > 0n ? restored + 1n : 0n;
  }

  /** Nothing that was stamped before is told. */
  raiseMinimum(ltime: bigint): void {
    if (ltime > this.#minTime) this.#minTime = ltime;
  }

  /**
   * Fires an event: it is told here, too.
   * @throws {UserEventError} When it is too large.
   */
  fire(name: string, payload: Uint8Array, coalesce: boolean): void {
    const { eventClock, options } = this.#state;
    const { eventBytesMax } = options.config;
    const nameBytes = new TextEncoder().encode(name).length;
    if (nameBytes + payload.length > Math.min(eventBytesMax, EVENT_BYTES_CEILING)) {
      throw new UserEventError(`user event exceeds configured limit of ${eventBytesMax} bytes before encoding`);
    }
    const event = { ltime: eventClock.time, name, payload, coalesce };
    const message = encodeMessage(SERF.userEvent, USER_EVENT, event);
    if (message.length > Math.min(eventBytesMax, EVENT_BYTES_CEILING)) {
      throw new UserEventError(`user event exceeds configured limit of ${eventBytesMax} bytes after encoding`);
    }
    eventClock.stamp();
    this.receive(event);
    this.#state.eventQueue.push(message);
  }

  /**
   * An event came.
   * @returns Whether it is news, to be sent on.
   */
  receive({ ltime, name, payload, coalesce }: UserEvent): boolean {
    const { eventClock, net } = this.#state;
    if (name.length + payload.length > EVENT_BYTES_CEILING) {
      net.drop("user event too large");
      return false;
    }
    eventClock.witness(ltime);
    if (ltime < this.#minTime) return false;
    if (eventClock.time > EVENT_SLOTS && ltime < eventClock.time - BigInt(EVENT_SLOTS)) {
      net.drop("received old event", `${name} from time ${ltime}`);
      return false;
    }
    const at = Number(ltime % BigInt(EVENT_SLOTS));
    let slot = this.#slots.get(at);
    if (slot?.ltime !== ltime) this.#slots.set(at, slot = { ltime, events: [] });
    if (slot.events.some((one) => one.name === name && sameBytes(one.payload, payload))) return false;
    if (slot.events.length >= SLOT_EVENTS_MAX) {
      net.drop("too many events of one time");
      return false;
    }
    slot.events.push({ name, payload });
    this.#state.tell({ type: "user", name, payload, ltime, coalesce });
    return true;
  }

  /** Events seen, for a push/pull. */
  get buffered(): SerfPushPull["events"] {
    return [...this.#slots.values()];
  }

  /** Takes what another has seen. */
  merge({ events }: SerfPushPull): void {
    for (const slot of events) {
      for (const { name, payload } of slot?.events ?? []) {
        this.receive({ ltime: slot?.ltime ?? 0n, name, payload, coalesce: false });
      }
    }
  }
}
