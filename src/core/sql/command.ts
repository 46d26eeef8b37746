/**
 * The payload of a log entry: what a request asks of the database, with the leader's time and seed. Pure.
 *
 * Integers big-endian; a text is its length in bytes as u32 and UTF-8:
 *   time f64 (ms since 1970) | seed u64 | version u8 | flags u8 | steps f64 | read timeout u32 (ms) | count u32 | statement…
 *   flags:     bits 0–1 kind (0 execute, 1 request, 2 query, 3 load), bit 2 transaction, bit 3 the cluster's own
 *   statement: owner u8 (version 3 alone: 0 as the command, 1 a client) | parts u32 | part… | positional u32 | value… | named u32 (0 none, else count + 1) | (name, value)…
 *   part:      verb (u8 length, ASCII) | parameters u32 | text
 *   value:     tag u8: 0 NULL, 1 i64, 2 f64, 3 text, 4 blob (u32 length), 5 integer in u8
 * (1) Time, seed and steps are zero until the leader stamps them in place, just before it appends the entry: a node that
 *     forwards a command has no say in them. Steps are what the entry may do, counted in steps of SQLite's virtual
 *     machine: every replica ends it at the same place. Version 1 has no steps and no timeout; version 3 is for commands of
 *     the cluster's own that hold statements of a client, and is written once all members know it.
 * (2) The statement is stored as split by the node that took it, so that a later version which would split a text
 *     differently still applies an old log as it was applied before.
 * @module
 */

import { ByteReader, ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import type { SqlPart } from "./statement.ts";
import type { SqlValue } from "./value.ts";

/** One element of a request: a string of SQL, split, with its parameters. */
export interface BoundStatement {
  /** The statements of the string, in order. */
  readonly parts: readonly SqlPart[];
  /** Positional parameters, consumed left to right by the parts. */
  readonly positional: readonly SqlValue[];
  /** Named parameters by bare name, seen by every part; `null` when there are none. */
  readonly named: Readonly<Record<string, SqlValue>> | null;
  /** In a command of the cluster's own: it is a client's, and may do no more than in his own. @default {false} */
  readonly isOfClient?: boolean;
}

/** Values as an encoded command has them, between two places in its bytes. */
export interface EncodedValues {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** The tags of encoded values. */
export const VALUE_TAG = { null: 0, integer: 1, real: 2, text: 3, blob: 4, byte: 5 } as const;

/** An element with the text of the one before it. Its values are read when they are asked for: those of a bulk are handed on as they are. */
export class RepeatedStatement implements BoundStatement, EncodedValues {
  /** Always `null`. */
  readonly named = null;
  readonly parts: readonly SqlPart[];
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** Number of values. */
  readonly count: number;

  /** The values between `from` and `to` are whole, and were looked at. */
  constructor(parts: readonly SqlPart[], bytes: Uint8Array, from: number, to: number, count: number) {
    this.parts = parts;
    this.bytes = bytes;
    this.from = from;
    this.to = to;
    this.count = count;
  }

  /** The values, read anew. */
  get positional(): readonly SqlValue[] {
    const reader = new ByteReader(this.bytes.subarray(this.from, this.to));
    return Array.from({ length: this.count }, () => decodeValue(reader));
  }
}

/**
 * Statements that were encoded and judged elsewhere: those of a large request. No further one is kept in memory as
 * objects, which take many times as much.
 */
export interface EncodedStatements {
  /** As {@linkcode encodeCommand} gives them. */
  readonly command: Uint8Array;
  readonly count: number;
  /** Whether each of them may be a read. */
  readonly mayBeRead: boolean;
}

/** The statements of a request. */
export type Statements = readonly BoundStatement[] | EncodedStatements;

/** Whether statements were encoded elsewhere. */
export function isEncoded(statements: Statements): statements is EncodedStatements {
  return "command" in statements;
}

/** How many statements there are. */
export function countOf(statements: Statements): number {
  return isEncoded(statements) ? statements.count : statements.length;
}

/** The request in a log entry. */
export interface Command {
  /** Endpoint: `query` is a read at level strong, `load` a step of loading a database (load_step.ts). */
  readonly kind: "execute" | "request" | "query" | "load";
  /** Whether all statements take effect or none. */
  readonly transaction: boolean;
  /** The cluster's own: it may write the catalog. No request of a client becomes one. @default {false} */
  readonly isSystem?: boolean;
  /** The elements of the request, in order. */
  readonly statements: Statements;
  /** Time for what only its asker sees (reads at level strong), in milliseconds; 0 for no limit. @default {0} */
  readonly readTimeoutMs?: number;
  /** Steps that are enough by the asker's own word; 0: as many as the leader allows. @default {0} */
  readonly wantedSteps?: number;
}

/** Seed of an entry's random numbers: 64 bits in two halves. */
export interface Seed {
  /** Upper 32 bits, unsigned. */
  readonly hi: number;
  /** Lower 32 bits, unsigned. */
  readonly lo: number;
}

/** A command as the leader put it into the log. */
export interface StampedCommand extends Omit<Command, "wantedSteps" | "statements"> {
  /** The elements of the request, in order. */
  readonly statements: readonly BoundStatement[];
  /** The leader's clock when it appended the entry, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Chosen by the leader. */
  readonly seed: Seed;
  /** Steps of SQLite's virtual machine that the entry may take. */
  readonly maxSteps: number;
  /** Time for what only its asker sees, in milliseconds; 0 for no limit. */
  readonly readTimeoutMs: number;
}

/** The values that the leader adds to a command. */
export interface Stamp {
  /** Its clock, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Seed of the random numbers. */
  readonly seed: Seed;
  /** Steps that the entry may take. */
  readonly maxSteps: number;
}

/**
 * Steps that an entry may take where nothing else is said (`-db-max-steps`): worth a minute or two. An entry of an earlier
 * version has as many.
 */
export const MAX_STEPS_DEFAULT = 4_000_000_000;
/** Steps that stand for a millisecond of a `db_timeout`, which must end a write at the same place on every node. */
export const STEPS_PER_MS = 50_000;

/** Length of the stamp that opens every encoded command; steps, too, are the leader's, behind version and flags. */
export const STAMP_BYTES = 16;
const STEPS_AT = STAMP_BYTES + 2;
/** Largest time a stamp may hold: the end of the year 9999, the last that SQLite's date functions know. */
export const TIME_MS_MAX = 253_402_300_799_999;

/** The newest version that this program knows. */
export const COMMAND_VERSION = 3;
const VERSION = 2;
/** The version without steps and timeout. */
const VERSION_BEFORE = 1;
/** The version whose statements say whose they are. */
const VERSION_WITH_OWNERS = 3;
const KINDS = ["execute", "request", "query", "load"] as const;
const TRANSACTION_FLAG = 4;
const SYSTEM_FLAG = 8;
/** In the place of a count of parts: those of the statement before. */
const SAME_PARTS = 0xffff_ffff;
/** Texts up to this length are decoded byte by byte where they are ASCII, which is quicker than asking the decoder. */
const SHORT_TEXT_BYTES_MAX = 24;
const NO_TEXT = "Expected text in UTF-8";
/** Keeps a leading U+FEFF: it is part of the client's text. */
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Buffer in which commands are encoded one after the other; each is copied out, and a large one takes it along. */
const scratch = new ByteWriter(4096);
/** A command of more statements gets its room at once: growing bit by bit would take several times as much. */
const MANY_STATEMENTS = 1000;
const STATEMENT_BYTES = 16;
const VALUE_BYTES = 10;
/** Parts as they are encoded, for as long as what split them remembers them: a client sends the same text again and again. */
const encodedParts = new WeakMap<readonly SqlPart[], Uint8Array>();

/** Encodes a command, unstamped. The caller owns the bytes. */
export function encodeCommand(command: Command): Uint8Array {
  scratch.clear();
  putCommand(scratch, command);
  return scratch.finish();
}

/** Writes a command, unstamped. */
export function putCommand(writer: ByteWriter, command: Command): void {
  const { statements } = command;
  if (isEncoded(statements)) {
    const before = writer.length;
    const headBytes = writeHead(writer, command).length - before;
    writer.raw(statements.command.subarray(headBytes));
    return;
  }
  if (statements.length > MANY_STATEMENTS) writer.expect(sizeOf(statements));
  const hasOwners = command.isSystem === true && statements.some(({ isOfClient }) => isOfClient);
  writeHead(writer, command, hasOwners ? VERSION_WITH_OWNERS : VERSION).u32(statements.length);
  let before: readonly SqlPart[] = [];
  for (const { parts, positional, named, isOfClient } of statements) {
    if (hasOwners) writer.u8(isOfClient ? 1 : 0);
    if (isSameText(parts, before)) writer.u32(SAME_PARTS);
    else writer.raw(encodeParts(parts));
    before = parts;
    writer.u32(positional.length);
    for (const value of positional) encodeValue(writer, value);
    if (named === null) {
      writer.u32(0);
      continue;
    }
    const names = Object.keys(named);
    writer.u32(names.length + 1);
    for (const name of names) encodeValue(writer.string(name), named[name] ?? null);
  }
}

/** Writes what stands before the statements: as many bytes for every command. */
function writeHead(writer: ByteWriter, command: Omit<Command, "statements">, version = VERSION): ByteWriter {
  writer.u64(0).u64(0); // the stamp
  const flags = (command.transaction ? TRANSACTION_FLAG : 0) | (command.isSystem ? SYSTEM_FLAG : 0);
  writer.u8(version).u8(KINDS.indexOf(command.kind) | flags);
  return writer.f64(command.wantedSteps ?? 0).u32(Math.min(Math.max(0, command.readTimeoutMs ?? 0), 0xffff_ffff));
}

/** About how many bytes a command takes: too few where texts are not ASCII, or are not the same in all statements. */
function sizeOf(statements: readonly BoundStatement[]): number {
  let bytes = 0;
  for (const { positional, named } of statements) {
    bytes += STATEMENT_BYTES;
    for (const value of positional) bytes += sizeOfValue(value);
    for (const name in named) bytes += name.length + sizeOfValue(named[name] ?? null);
  }
  return bytes;
}

function sizeOfValue(value: SqlValue): number {
  return VALUE_BYTES + (typeof value === "string" || value instanceof Uint8Array ? value.length : 0);
}

/** Whether a statement has the text of the one before it: a bulk request repeats one text a thousand times. */
function isSameText(parts: readonly SqlPart[], before: readonly SqlPart[]): boolean {
  if (parts.length === 0 || parts.length !== before.length) return false;
  return parts === before || parts.every(({ sql }, at) => sql === before[at]?.sql);
}

function encodeParts(parts: readonly SqlPart[]): Uint8Array {
  const known = encodedParts.get(parts);
  if (known !== undefined) return known;
  const writer = new ByteWriter();
  writer.u32(parts.length);
  for (const part of parts) encodePart(writer, part);
  const bytes = writer.copy();
  encodedParts.set(parts, bytes);
  return bytes;
}

function encodePart(writer: ByteWriter, part: SqlPart): void {
  writer.u8(Math.min(part.verb.length, 255));
  for (let at = 0; at < part.verb.length && at < 255; at++) writer.u8(part.verb.charCodeAt(at) & 0x7f);
  writer.u32(part.parameterCount).string(part.sql);
}

function encodeValue(writer: ByteWriter, value: SqlValue): void {
  if (value === null) writer.u8(VALUE_TAG.null);
  else if (typeof value === "bigint") {
    if (value >= 0n && value < 256n) writer.u8(VALUE_TAG.byte).u8(Number(value));
    else writer.u8(VALUE_TAG.integer).i64(value);
  } else if (typeof value === "number") writer.u8(VALUE_TAG.real).f64(value);
  else if (typeof value === "string") writer.u8(VALUE_TAG.text).string(value);
  else writer.u8(VALUE_TAG.blob).bytes(value);
}

/** Whether an encoded command is one of a client, to be taken from a node that got it: not the cluster's own, nor a step of a load. */
export function isOfClient(body: Uint8Array): boolean {
  const flags = body[STAMP_BYTES + 1];
  if (flags === undefined || body[STAMP_BYTES] !== VERSION || flags > 15) return false;
  return (flags & SYSTEM_FLAG) === 0 && KINDS[flags & 3] !== "load";
}

/** Writes what the leader decides into an encoded command. */
export function stampCommand(body: Uint8Array, { timeMs, seed, maxSteps }: Stamp): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  view.setFloat64(0, timeMs);
  view.setUint32(8, seed.hi);
  view.setUint32(12, seed.lo);
  // One of an earlier version, handed on by a node that was not brought up to date, has no place for it.
  if (body[STAMP_BYTES] < VERSION) return;
  const wanted = view.getFloat64(STEPS_AT);
  view.setFloat64(STEPS_AT, wanted > 0 ? Math.min(wanted, maxSteps) : maxSteps);
}

/**
 * Decodes a command. BLOBs are views of `body`.
 * @param keepsValues Whether elements with the text of the one before them are {@linkcode RepeatedStatement}s.
 * @throws {DecodeError} When the bytes are not an encoded command.
 */
export function decodeCommand(body: Uint8Array, keepsValues = false): StampedCommand {
  const reader = new ByteReader(body);
  const timeMs = reader.f64();
  // Not NaN, not beyond what the date functions can say: checked here, so that no statement meets it.
  if (!(timeMs >= 0 && timeMs <= TIME_MS_MAX)) throw new DecodeError(`Expected a time of day, found ${timeMs}`);
  const seed = { hi: reader.u32(), lo: reader.u32() };
  const version = reader.u8();
  if (version < VERSION_BEFORE || version > COMMAND_VERSION) {
    throw new DecodeError(`Expected a command of version ${COMMAND_VERSION} at most, found ${version}`);
  }
  const flags = reader.u8();
  const kind = KINDS[flags & 3];
  if (kind === undefined || flags > 15) throw new DecodeError(`Expected the flags of a command, found ${flags}`);
  const maxSteps = version >= VERSION ? reader.f64() : MAX_STEPS_DEFAULT;
  if (!(maxSteps >= 0)) throw new DecodeError(`Expected a number of steps, found ${maxSteps}`);
  const readTimeoutMs = version >= VERSION ? reader.u32() : 0;
  const statements: BoundStatement[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const isOfClient = version === VERSION_WITH_OWNERS && reader.u8() === 1;
    const statement = decodeStatement(reader, statements.at(-1)?.parts, keepsValues ? body : undefined);
    statements.push(isOfClient ? ofClient(statement) : statement);
  }
  reader.end();
  const transaction = (flags & TRANSACTION_FLAG) !== 0;
  const stamped = { kind, transaction, statements, timeMs, seed, maxSteps, readTimeoutMs };
  return flags & SYSTEM_FLAG ? { ...stamped, isSystem: true } : stamped;
}

function ofClient({ parts, positional, named }: BoundStatement): BoundStatement {
  return { parts, positional, named, isOfClient: true };
}

// No array is sized by a count from the bytes: every element takes at least one byte, so a false count runs out of them.
function decodeStatement(
  reader: ByteReader,
  before: readonly SqlPart[] | undefined,
  kept: Uint8Array | undefined,
): BoundStatement {
  const parts = decodeParts(reader, before);
  const count = reader.u32();
  const from = reader.offset;
  const positional: SqlValue[] = [];
  const isKept = kept !== undefined && parts === before;
  if (isKept) { for (let left = count; left > 0; left--) passValue(reader); }
  else for (let left = count; left > 0; left--) positional.push(decodeValue(reader));
  const repeated = isKept ? new RepeatedStatement(parts, kept, from, reader.offset, count) : undefined;
  const namedCount = reader.u32();
  if (namedCount === 0) return repeated ?? { parts, positional, named: null };
  const named: Record<string, SqlValue> = Object.create(null); // a parameter may be called __proto__
  for (let left = namedCount - 1; left > 0; left--) {
    const name = decodeText(reader.bytes());
    named[name] = decodeValue(reader);
  }
  return { parts, positional: repeated?.positional ?? positional, named };
}

function decodeParts(reader: ByteReader, before: readonly SqlPart[] | undefined): readonly SqlPart[] {
  const count = reader.u32();
  if (count === SAME_PARTS) {
    if (before === undefined) throw new DecodeError("Expected the parts of the first statement");
    return before;
  }
  const parts: SqlPart[] = [];
  for (let left = count; left > 0; left--) parts.push(decodePart(reader));
  return parts;
}

/** A part as it was decoded before, with the bytes of its text. */
interface KnownPart {
  readonly text: Uint8Array;
  readonly part: SqlPart;
}

/** Slots for parts seen lately; a log repeats few texts many times, and comparing bytes is cheaper than decoding them. */
const KNOWN_PARTS_MAX = 512;
/** Longer texts are decoded each time. */
const KNOWN_TEXT_BYTES_MAX = 512;
const knownParts: (KnownPart | undefined)[] = new Array(KNOWN_PARTS_MAX); // a memo of a pure function, bounded

function decodePart(reader: ByteReader): SqlPart {
  const verb = reader.raw(reader.u8());
  const parameterCount = reader.u32();
  const text = reader.bytes();
  const slot = slotOf(text);
  const known = knownParts[slot];
  if (known !== undefined && isSame(known, verb, parameterCount, text)) return known.part;
  const part = { sql: decodeText(text), verb: String.fromCharCode(...verb), parameterCount };
  if (text.length <= KNOWN_TEXT_BYTES_MAX) knownParts[slot] = { text: text.slice(), part };
  return part;
}

function decodeText(bytes: Uint8Array): string {
  if (bytes.length <= SHORT_TEXT_BYTES_MAX) {
    let text = "";
    let at = 0;
    for (; at < bytes.length && bytes[at] < 0x80; at++) text += String.fromCharCode(bytes[at]);
    if (at === bytes.length) return text;
  }
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw new DecodeError(NO_TEXT);
  }
}

/** Slot of a text, by its length and some of its bytes. */
function slotOf(text: Uint8Array): number {
  let hash = text.length;
  for (let at = 0; at < text.length; at += 5) hash = Math.imul(hash, 31) + (text[at] ?? 0) | 0;
  return (hash >>> 0) % KNOWN_PARTS_MAX;
}

function isSame({ text: knownText, part }: KnownPart, verb: Uint8Array, count: number, text: Uint8Array): boolean {
  if (knownText.length !== text.length || part.parameterCount !== count || part.verb.length !== verb.length) {
    return false;
  }
  for (let at = 0; at < verb.length; at++) {
    if (part.verb.charCodeAt(at) !== verb[at]) return false;
  }
  for (let at = 0; at < text.length; at++) {
    if (knownText[at] !== text[at]) return false;
  }
  return true;
}

function decodeValue(reader: ByteReader): SqlValue {
  const tag = reader.u8();
  switch (tag) {
    case VALUE_TAG.null:
      return null;
    case VALUE_TAG.integer:
      return reader.i64();
    case VALUE_TAG.real:
      return reader.f64();
    case VALUE_TAG.text:
      return decodeText(reader.bytes());
    case VALUE_TAG.blob:
      return reader.bytes();
    case VALUE_TAG.byte:
      return BigInt(reader.u8());
    default:
      throw new DecodeError(`Expected the tag of a value, found ${tag}`);
  }
}

/** Passes over a value; finds the faults that {@linkcode decodeValue} finds. */
function passValue(reader: ByteReader): void {
  const tag = reader.u8();
  switch (tag) {
    case VALUE_TAG.null:
      return;
    case VALUE_TAG.integer:
    case VALUE_TAG.real:
      return reader.skip(8);
    case VALUE_TAG.text:
      if (reader.skipText()) return;
      throw new DecodeError(NO_TEXT);
    case VALUE_TAG.blob:
      return reader.skip(reader.u32());
    case VALUE_TAG.byte:
      return reader.skip(1);
    default:
      throw new DecodeError(`Expected the tag of a value, found ${tag}`);
  }
}
