/**
 * Limits guessing: a client address has so many wrong passwords, then one more every few seconds; fewer for one user, so that
 * a client with a wrong password does not shut out the others behind the same address. What is kept is bounded.
 * @module
 */
import { parseIp } from "../../base/codec/ip.ts";

/** How many attempts may fail at once, and how soon the next one is free. */
export interface AttemptLimit {
  readonly count: number;
  readonly everyMs: number;
}

/** For one user from one address. */
const USER_LIMIT: AttemptLimit = { count: 20, everyMs: 5000 };
/** For all users from one address. */
const ADDRESS_LIMIT: AttemptLimit = { count: 200, everyMs: 1000 };
/** Addresses, and pairs of address and user, that are remembered: those that were heard of last. */
const REMEMBERED_MAX = 8192;

/** Attempts that failed or are under way. */
export class Attempts {
  readonly #users = new Buckets(USER_LIMIT);
  readonly #addresses = new Buckets(ADDRESS_LIMIT);

  /**
   * Begins an attempt.
   * @param user Whatever tells users apart.
   * @returns 0, or the seconds until there may be one.
   */
  begin(address: string, user: string, nowMs: number): number {
    const place = networkOf(address);
    const waitMs = Math.max(this.#addresses.waitMs(place, nowMs), this.#users.waitMs(`${place} ${user}`, nowMs));
    if (waitMs > 0) return Math.ceil(waitMs / 1000);
    this.#addresses.add(place, 1, nowMs);
    this.#users.add(`${place} ${user}`, 1, nowMs);
    return 0;
  }

  /** An attempt that began was right: it does not count. */
  succeeded(address: string, user: string, nowMs: number): void {
    const place = networkOf(address);
    this.#addresses.add(place, -1, nowMs);
    this.#users.add(`${place} ${user}`, -1, nowMs);
  }
}

/** One holder of an IPv6 network has all its addresses, at least 2^64 of them. */
function networkOf(address: string): string {
  const bytes = parseIp(address);
  return bytes?.length === 16 && !isMapped(bytes) ? bytes.slice(0, 8).join(".") : address;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Leaky buckets by name; what is kept is bounded. */
export class Buckets {
  readonly #limit: AttemptLimit;
  /** Attempts that count, as of a time; the one that was used last stands last. */
  readonly #levels = new Map<string, { readonly level: number; readonly atMs: number }>();

  /** @param limit How much each bucket takes. */
  constructor(limit: AttemptLimit) {
    this.#limit = limit;
  }

  #level(name: string, nowMs: number): number {
    const known = this.#levels.get(name);
    return known ? Math.max(0, known.level - (nowMs - known.atMs) / this.#limit.everyMs) : 0;
  }

  /** Time until one more has room. */
  waitMs(name: string, nowMs: number): number {
    return Math.max(0, this.#level(name, nowMs) + 1 - this.#limit.count) * this.#limit.everyMs;
  }

  /** Puts in, or takes out with a negative count. */
  add(name: string, count: number, nowMs: number): void {
    const level = Math.max(0, this.#level(name, nowMs) + count);
    this.#levels.delete(name);
    if (level > 0) this.#levels.set(name, { level, atMs: nowMs });
    if (this.#levels.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#levels.keys()) return void this.#levels.delete(oldest);
  }
}
