/**
 * SQLite's random and clock functions, made the same on every replica (spec/raft.md §4.4).
 *
 * The overrides reach where rewriting the text does not: CURRENT_* keywords, defaults, triggers, views. Random numbers
 * come from the entry's seed, the number of the statement and a counter; the clock is the entry's, frozen. The date
 * functions hand their arguments, with the time put in where SQLite would look at its own clock, to the real functions
 * on a private in-memory connection.
 *
 * (1) Random functions are registered as non-deterministic: else SQLite evaluates them once for all rows.
 * (2) Date functions with arguments are registered as deterministic: else existing indexes and generated columns that
 *     use them no longer compile. Without arguments, and CURRENT_*, they are the clock and nothing else: those are
 *     non-deterministic, which keeps them out of indexes as in stock SQLite.
 * (3) The modifiers 'localtime' and 'utc' depend on the host's time zone: they change nothing here.
 * @module
 */

import type { SqlValue } from "../sql/value.ts";
import type { Seed } from "../sql/command.ts";
import { type Database, runOnce, type Statement, VALUE_BYTES_MAX } from "./driver.ts";

/** Where the overrides take time and randomness from; set for each entry and statement. */
export class Determinism {
  #now = "";
  #timeMs = -1;
  readonly #state = new Uint32Array(4);
  #seed: Seed = { hi: 0, lo: 0 };

  /** Starts an entry: freezes the clock. */
  beginEntry(timeMs: number, seed: Seed): void {
    this.#seed = seed;
    if (timeMs === this.#timeMs) return;
    this.#timeMs = timeMs;
    this.#now = "";
  }

  /** Starts the statement with this number within the entry: its random numbers depend on nothing before it. */
  beginStatement(number: number): void {
    const { hi, lo } = this.#seed;
    this.#state[0] = mix(hi ^ 0x9e37_79b9);
    this.#state[1] = mix(lo ^ 0x85eb_ca6b);
    this.#state[2] = mix(number ^ hi ^ 0xc2b2_ae35);
    this.#state[3] = mix(Math.imul(number + 1, 0x27d4_eb2f) ^ lo) | 1; // never all zero
    for (let round = 0; round < 4; round++) this.next();
  }

  /** The entry's time as SQLite writes it, with milliseconds. */
  get now(): string {
    if (this.#now === "") this.#now = new Date(this.#timeMs).toISOString().replace("T", " ").slice(0, 23);
    return this.#now;
  }

  /** The next 32 random bits, unsigned (xoshiro128**, Blackman and Vigna 2018). */
  next(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    state[0] = a ^ fourth;
    state[1] = b ^ third;
    state[2] = third ^ (b << 9);
    state[3] = rotate(fourth, 11);
    return result;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Spreads 32 bits (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}

function randomInteger(source: Determinism): bigint {
  return BigInt.asIntN(64, (BigInt(source.next()) << 32n) | BigInt(source.next()));
}

/** `randomblob(N)`: at least one byte; beyond the length limit NULL, where stock SQLite fails. */
function randomBlob(source: Determinism, argument: SqlValue): SqlValue {
  const wanted = typeof argument === "string" ? Number.parseInt(argument, 10) : Number(argument ?? 0);
  const length = Number.isFinite(wanted) ? Math.max(1, Math.trunc(wanted)) : 1;
  if (length > VALUE_BYTES_MAX) return null;
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 4) {
    const bits = source.next();
    for (let byte = 0; byte < 4 && at + byte < length; byte++) bytes[at + byte] = bits >>> (byte * 8);
  }
  return bytes;
}

/** Longest text that can be a time, a modifier or a sensible format: SQLite stops at a few dozen characters. */
const DATE_TEXT_MAX = 65_536;
const utf8Decoder = new TextDecoder();

/** An argument as SQLite's date functions see it: BLOBs are text, and text ends at a NUL. */
function dateArgument(value: SqlValue): SqlValue {
  if (value === null || typeof value === "bigint" || typeof value === "number") return value;
  if (value.length > DATE_TEXT_MAX) return null;
  const text = typeof value === "string" ? value : utf8Decoder.decode(value);
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function isOneOf(value: SqlValue | undefined, ...words: readonly string[]): boolean {
  return typeof value === "string" && words.includes(value.toLowerCase());
}

/** Puts the clock in where SQLite would look at its own, from `at` on, and drops the time-zone modifiers. */
function withClock(args: readonly SqlValue[], at: number, now: string): readonly SqlValue[] {
  const head = args.slice(0, at);
  const first = args[at];
  // A leading 'subsec' stands for 'now' with fractions (sqlite.org/lang_datefunc.html §2).
  const isImplicit = first === undefined || isOneOf(first, "subsec", "subsecond");
  const time = isImplicit || isOneOf(first, "now") ? now : first;
  const modifiers = args.slice(isImplicit ? at : at + 1).filter((value) => !isOneOf(value, "localtime", "utc"));
  return [...head, time, ...modifiers];
}

/** Date functions and the position of their time value. */
const DATE_FUNCTIONS = new Map([
  ["date", 0],
  ["time", 0],
  ["datetime", 0],
  ["julianday", 0],
  ["unixepoch", 0],
  ["strftime", 1],
]);

/** Calls the real functions, on a connection of its own. */
class DateCalculator {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
  }

  call(name: string, args: readonly SqlValue[]): SqlValue {
    const key = `${name}/${args.length}`;
    let statement = this.#statements.get(key);
    if (statement === undefined) {
      statement = this.#database.prepare(`SELECT ${name}(${args.map(() => "?").join(",")})`);
      this.#statements.set(key, statement);
    }
    return statement.all({ named: null, anonymous: args })[0]?.[0] ?? null;
  }
}

/**
 * Replaces the random and clock functions of `database`.
 * @param clockless A private in-memory connection, whose own functions compute; nothing else may use it.
 */
export function defineFunctions(database: Database, clockless: Database, source: Determinism): void {
  const dates = new DateCalculator(clockless);
  database.defineFunction({
    name: "random",
    argumentCount: 0,
    isDeterministic: false,
    call: () => randomInteger(source),
  });
  database.defineFunction({
    name: "randomblob",
    argumentCount: 1,
    isDeterministic: false,
    call: (length = null) => randomBlob(source, length),
  });
  for (const [name, at] of DATE_FUNCTIONS) {
    const call = (...args: SqlValue[]) => {
      if (at === 1 && (args[0] ?? null) === null) return null;
      return dates.call(name, withClock(args.map(dateArgument), at, source.now));
    };
    database.defineFunction({ name, argumentCount: -1, isDeterministic: true, call });
    // The clock alone: SQLite prefers the exact number of arguments.
    database.defineFunction({ name, argumentCount: at, isDeterministic: false, call });
  }
  database.defineFunction({
    name: "timediff",
    argumentCount: 2,
    isDeterministic: true,
    call: (...args) => {
      const times = args.map(dateArgument).map((value) => isOneOf(value, "now") ? source.now : value);
      return dates.call("timediff", times);
    },
  });
  const keywords = [["current_date", "date"], ["current_time", "time"], ["current_timestamp", "datetime"]] as const;
  for (const [keyword, name] of keywords) {
    database.defineFunction({
      name: keyword,
      argumentCount: 0,
      isDeterministic: false,
      call: () => dates.call(name, [source.now]),
    });
  }
}

/** Version of SQLite as text. */
export function sqliteVersion(database: Database): string {
  const version = runOnce(database, "SELECT sqlite_version()")[0]?.[0];
  return typeof version === "string" ? version : "";
}
