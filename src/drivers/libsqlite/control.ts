/**
 * The limits of a statement and the work it did: a structure shared with the native part (library/muster.h has the same
 * offsets). It lies in shared memory, so that another thread can abort the statement.
 * @module
 */

import { Activity, ACTIVITY_BYTES } from "../../base/shared/activity.ts";
import { Ticket, TICKET_BYTES, type TicketPlace } from "../../base/shared/ticket.ts";

/** Offset of the request that is worked for, and of the one that is to end. */
export const TICKET = 128;
/** Offset of what the writer is at; the native part does not know it. */
export const ACTIVITY = TICKET + TICKET_BYTES;
/** Bytes of the structure. */
export const CONTROL_BYTES = ACTIVITY + ACTIVITY_BYTES;

const STEPS = 0;
const NOW_MS = 8;
const TIMEOUT_MS = 16;
const VALUE_BYTES = 24;
const TEMP_BYTES = 32;
const RANDOM = 40;
const CHANGES = 56;
const ROWID = 64;
const STATEMENT = 72;
const STOP = 80;
const AUTOCOMMIT = 84;
const DEFERRED = 88;
const COLUMNS = 92;
const PARAMETERS = 96;
const READONLY = 100;
const USED = 104;
const NEEDED = 108;
const IO_CODE = 112;
const IO_ERRNO = 116;
const IO_FILE = 120;

/** Why a statement was stopped, in the native part's order. */
export const STOPS = ["none", "steps", "time", "cancelled", "memory", "temporary", "compile"] as const;
/** Why a statement was stopped. */
export type Stop = typeof STOPS[number];
/** The kinds of file, in the native part's order. */
export const FILES = ["none", "database", "wal", "temporary", "other"] as const;
/** The kind of a file that an operation failed on. */
export type FileKind = typeof FILES[number];

/** No limit, where a limit is a number. */
export const UNLIMITED = -1;
const STEPS_UNLIMITED = 1n << 62n;
const BYTES_UNLIMITED = 1n << 62n;

/** The structure, with names for its fields. */
export class Control {
  /** The structure itself; goes to other Workers as it is. */
  readonly shared: SharedArrayBuffer;
  /** Its bytes, for the native part. */
  readonly bytes: Uint8Array;
  /** Where they lie in memory, once the driver has asked for it. */
  address: bigint | undefined;
  /** Which request it is at, and who may end it. */
  readonly ticket: Ticket;
  /** The writer's current activity. */
  readonly activity: Activity;
  readonly #view: DataView;
  readonly #words: Int32Array;

  /** @param shared One that another Worker has made, or none: a new one, without limits. */
  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(CONTROL_BYTES);
    this.bytes = new Uint8Array(this.shared);
    this.#view = new DataView(this.shared);
    this.#words = new Int32Array(this.shared);
    this.ticket = new Ticket(this.ticketPlace);
    this.activity = new Activity(this.shared, ACTIVITY);
    if (!shared) this.free();
  }

  /** Where the ticket lies, for another thread. */
  get ticketPlace(): TicketPlace {
    return { shared: this.shared, at: TICKET };
  }

  /** Takes all limits away: no budget, no time limit, the system's clock and randomness. */
  free(): void {
    this.#view.setBigInt64(STEPS, STEPS_UNLIMITED, true);
    this.#view.setBigInt64(NOW_MS, -1n, true);
    this.#view.setBigInt64(TIMEOUT_MS, -1n, true);
    this.#view.setBigInt64(VALUE_BYTES, BYTES_UNLIMITED, true);
    this.#view.setBigInt64(TEMP_BYTES, -1n, true);
    for (let at = 0; at < 4; at++) this.#words[RANDOM / 4 + at] = 0;
  }

  /** Steps of the virtual machine that are left; {@linkcode UNLIMITED} for any number. Counts down. */
  get steps(): number {
    return Number(this.#view.getBigInt64(STEPS, true));
  }

  set steps(steps: number) {
    this.#view.setBigInt64(STEPS, steps === UNLIMITED ? STEPS_UNLIMITED : BigInt(Math.trunc(steps)), true);
  }

  /** The time that the date functions see, in milliseconds since 1970; negative for the system's. */
  set nowMs(nowMs: number) {
    this.#view.setBigInt64(NOW_MS, BigInt(Math.trunc(nowMs)), true);
  }

  /** Time for each call in milliseconds, {@linkcode UNLIMITED} for any. */
  set timeoutMs(timeoutMs: number) {
    this.#view.setBigInt64(TIMEOUT_MS, BigInt(Math.ceil(timeoutMs)), true);
  }

  /** Bytes that the large values of a statement may take together. */
  set valueBytes(bytes: number) {
    this.#view.setBigInt64(VALUE_BYTES, BigInt(bytes), true);
  }

  /** Length of each temporary file in bytes, {@linkcode UNLIMITED} for any. */
  set tempBytes(bytes: number) {
    this.#view.setBigInt64(TEMP_BYTES, BigInt(bytes), true);
  }

  /** State of the generator, four words; all zero for the system's randomness. */
  setRandom(a: number, b: number, c: number, d: number): void {
    const at = RANDOM / 4;
    this.#words[at] = a;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
    this.#words[at + 3] = d;
  }

  /** `sqlite3_changes64()` after the last call. */
  get changes(): number | bigint {
    return this.#integer(CHANGES);
  }

  /** `sqlite3_last_insert_rowid()` after the last call. */
  get lastInsertRowid(): number | bigint {
    return this.#integer(ROWID);
  }

  /** A number where it is exact: a bigint for each row would take longer than much of what is done with it. */
  #integer(at: number): number | bigint {
    const value = this.#words[at / 4 + 1] * 0x1_0000_0000 + (this.#words[at / 4] >>> 0);
    return Number.isSafeInteger(value) ? value : this.#view.getBigInt64(at, true);
  }

  /** Handle of the statement that was prepared last; 0 for none. */
  get statement(): bigint {
    return this.#view.getBigInt64(STATEMENT, true);
  }

  /** Why the last call was stopped. */
  get stop(): Stop {
    return STOPS[this.#words[STOP / 4]] ?? "none";
  }

  /** Whether no transaction was open after the last call. */
  get isAutocommit(): boolean {
    return this.#words[AUTOCOMMIT / 4] !== 0;
  }

  /** Whether deferred foreign keys were violated after the last call. */
  get hasDeferredViolations(): boolean {
    return this.#words[DEFERRED / 4] !== 0;
  }

  /** Columns of the statement that was prepared last. */
  get columns(): number {
    return this.#words[COLUMNS / 4];
  }

  /** Parameters of the statement that was prepared last. */
  get parameters(): number {
    return this.#words[PARAMETERS / 4];
  }

  /** Whether the statement that was prepared last changes nothing. */
  get isReadOnly(): boolean {
    return (this.#words[READONLY / 4] & 1) > 0;
  }

  /** Bytes that the last call has written. */
  get used(): number {
    return this.#words[USED / 4];
  }

  /** Bytes that the next row takes, where the buffer was too short for it; otherwise 0. */
  get needed(): number {
    return this.#words[NEEDED / 4];
  }

  /** SQLite's code of the last operation on a file that failed in the last call; 0 for none. */
  get ioCode(): number {
    return this.#words[IO_CODE / 4];
  }

  /** The system's number for it. */
  get ioErrno(): number {
    return this.#words[IO_ERRNO / 4];
  }

  /** The file concerned. */
  get ioFile(): FileKind {
    return FILES[this.#words[IO_FILE / 4]] ?? "other";
  }
}
