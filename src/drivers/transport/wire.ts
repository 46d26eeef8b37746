/**
 * The protocol between nodes on the cluster port. A connection opens with the bytes `MUST`, then has frames
 * (codec/frame.ts). No memberlist message begins with the first of these bytes.
 *
 *     hello    JSON of the caller: who it is, what the stream is for
 *     challenge and proof, in a cluster that has a shared secret (secret.ts); after them everything goes in records (record.ts)
 *     welcome  JSON of the answerer, or refused: a text, after which the connection closes
 *     on a "raft" stream: Raft messages, one direction only; replies come on the receiver's own stream; beside them writes
 *     for the leader (proposal_frames.ts), and their traces (trace_frames.ts)
 *     on an "rpc" stream: call and reply, matched by number, JSON head and binary body
 *
 * Decoding is bounded and throws {@linkcode DecodeError} for anything else. Pure.
 * @module
 */
import { ByteReader, type ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { writeFrame } from "../../base/codec/frame.ts";
import type {
  AppendRange,
  Entry,
  EntryId,
  EntryKind,
  Mark,
  Message,
  OutgoingMessage,
} from "../../core/raft/message.ts";

/** First bytes of every connection between nodes. */
export const PREAMBLE: Uint8Array = new TextEncoder().encode("MUST");
/** Version of the protocol; nodes of another one are refused by name. */
export const PROTOCOL_VERSION = 1;
/** The method of a call that asks for an operation of the layer above (app/database/operations.ts). */
export const OPERATION = "operation";
/** Longest hello, welcome or refusal. */
export const HELLO_BYTES_MAX = 16 * 1024;
/** Longest frame on a Raft stream: the largest entry and some more. */
export const RAFT_FRAME_BYTES_MAX = 80 * 1024 * 1024;

/** Frame kinds that are not Raft messages. */
export const FRAME = {
  hello: 1,
  welcome: 2,
  refused: 3,
  call: 4,
  reply: 5,
  cancel: 6,
  challenge: 7,
  proof: 8,
  /** See proposal_frames.ts. */
  proposals: 9,
  placed: 10,
  /** See trace_frames.ts. */
  traces: 11,
} as const;

/** A node's description of itself at the start of a stream, in both directions. */
export interface Hello {
  readonly protocol: number;
  readonly purpose: "raft" | "rpc";
  /** Empty while the node belongs to none. */
  readonly clusterId: string;
  readonly id: string;
  readonly storageId: string;
  readonly addr: string;
  readonly apiUrl: string;
  readonly version: string;
  /** Random per process start: messages of an earlier life are not taken (O8). */
  readonly incarnation: string;
  /** Version and options of the node's SQLite; missing, as from older versions: not told. */
  readonly sqlite?: string;
  /** The caller's random number, where it has a shared secret (secret.ts). */
  readonly number?: string;
  /** Names of the caller's keys, where it has a shared secret. */
  readonly keys?: readonly string[];
  /** This process's promise to leaders it hears, in ms (R10); missing from older versions, which promise nothing. */
  readonly promiseMs?: number;
  /** Whether this node, when it leads, takes writes from others (proposal_frames.ts); missing from older versions. */
  readonly takesProposals?: boolean;
  /** The newest version of commands (core/sql/command.ts) that this node applies; missing from older versions. */
  readonly commandVersion?: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Parses JSON from a peer into an object.
 * @throws {DecodeError} When it is none.
 */
export function decodeJsonObject(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value));
    }
  } catch {
    // reported below
  }
  throw new DecodeError("Expected a JSON object");
}

/** Reads a text field; missing or of another type is a {@linkcode DecodeError}. */
export function textField(object: Record<string, unknown>, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw new DecodeError(`Expected "${name}" to be a text`);
  return value;
}

function textsField(object: Record<string, unknown>, name: string): readonly string[] {
  const value = object[name];
  if (Array.isArray(value) && value.every((one): one is string => typeof one === "string")) return value;
  throw new DecodeError(`Expected "${name}" to be a list of texts`);
}

/** Reads a field that counts something; missing or of another kind is a {@linkcode DecodeError}. */
export function numberField(object: Record<string, unknown>, name: string): number {
  const value = object[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new DecodeError(`Expected "${name}" to be a whole number`);
  }
  return value;
}

/** Decodes a hello or welcome. */
export function decodeHello(payload: Uint8Array): Hello {
  const object = decodeJsonObject(payload);
  const purpose = textField(object, "purpose");
  if (object.protocol !== PROTOCOL_VERSION) {
    throw new DecodeError(`Expected cluster protocol ${PROTOCOL_VERSION}: the other node speaks ${object.protocol}`);
  }
  if (purpose !== "raft" && purpose !== "rpc") throw new DecodeError(`Expected purpose "raft" or "rpc"`);
  return {
    protocol: PROTOCOL_VERSION,
    purpose,
    clusterId: textField(object, "clusterId"),
    id: textField(object, "id"),
    storageId: textField(object, "storageId"),
    addr: textField(object, "addr"),
    apiUrl: textField(object, "apiUrl"),
    version: textField(object, "version"),
    incarnation: textField(object, "incarnation"),
    ...(object.sqlite !== undefined && { sqlite: textField(object, "sqlite") }),
    ...(object.number !== undefined && { number: textField(object, "number") }),
    ...(object.keys !== undefined && { keys: textsField(object, "keys") }),
    ...(object.promiseMs !== undefined && { promiseMs: numberField(object, "promiseMs") }),
    ...(object.takesProposals === true && { takesProposals: true }),
    ...(object.commandVersion !== undefined && { commandVersion: numberField(object, "commandVersion") }),
  };
}

/** A call or a reply. */
export interface Rpc {
  /** Matches replies with calls; chosen by the caller, rising. */
  readonly id: number;
  /** Method of a call, `ok` or `error` of a reply. */
  readonly method: string;
  readonly head: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
  /** The trace that a call belongs to, which travels in a frame of its own (trace_frames.ts). */
  readonly trace?: string | undefined;
}

/** Appends a call or reply. */
export function writeRpc(writer: ByteWriter, kind: typeof FRAME.call | typeof FRAME.reply, rpc: Rpc): void {
  writeFrame(writer, kind, (payload) => {
    payload.u64(rpc.id).string(rpc.method).string(JSON.stringify(rpc.head)).bytes(rpc.body);
  });
}

/** Appends a word that nobody waits for the reply to a call any more. */
export function writeCancel(writer: ByteWriter, id: number): void {
  writeFrame(writer, FRAME.cancel, (payload) => payload.u64(id));
}

/** Decodes the number of a call that nobody waits for any more. */
export function decodeCancel(payload: Uint8Array): number {
  const reader = new ByteReader(payload);
  const id = reader.u64();
  reader.end();
  return id;
}

/** Decodes a call or reply. */
export function decodeRpc(payload: Uint8Array): Rpc {
  const reader = new ByteReader(payload);
  const rpc = {
    id: reader.u64(),
    method: reader.string(),
    head: decodeJsonObject(reader.bytes()),
    body: reader.bytes(),
  };
  reader.end();
  return rpc;
}

const RAFT_KINDS = [
  "preVote",
  "preVoteReply",
  "requestVote",
  "requestVoteReply",
  "appendEntries",
  "appendReply",
  "heartbeat",
  "heartbeatReply",
  "timeoutNow",
  "removedNotice",
  "recall",
  "marks",
] as const;
const RAFT_KIND_FIRST = 16;
const ENTRY_KINDS: readonly EntryKind[] = ["noop", "command", "config"];

function writeId(writer: ByteWriter, id: EntryId): ByteWriter {
  return writer.u64(id.index).u64(id.term);
}

function readId(reader: ByteReader): EntryId {
  return { index: reader.u64(), term: reader.u64() };
}

function writeMark(writer: ByteWriter, { storageId, term, vote, entry }: Mark): void {
  writer.string(storageId).u64(term).u8(vote === null ? 0 : 1).string(vote ?? "");
  writeId(writer, entry);
}

function readMark(reader: ByteReader): Mark {
  const storageId = reader.string();
  const term = reader.u64();
  const hasVote = reader.u8() === 1;
  const vote = reader.string();
  return { storageId, term, vote: hasVote ? vote : null, entry: readId(reader) };
}

function readMarks(reader: ByteReader): Mark[] {
  const count = reader.u32();
  const marks: Mark[] = [];
  for (let i = 0; i < count; i++) marks.push(readMark(reader));
  return marks;
}

/** Entries of more bytes get just the room that they need. */
const LARGE_BYTES = 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 32;
const HEADER_BYTES_MAX = 1024;

/** Appends a Raft message; `entries` are those of an {@linkcode AppendRange}. */
export function writeRaftMessage(writer: ByteWriter, m: OutgoingMessage, entries: readonly Entry[]): void {
  const kind = RAFT_KINDS.indexOf(m.k === "appendRange" ? "appendEntries" : m.k) + RAFT_KIND_FIRST;
  const bytes = entries.reduce((sum, { body }) => sum + body.length + ENTRY_OVERHEAD_BYTES, 0);
  if (bytes > LARGE_BYTES) writer.expect(bytes + HEADER_BYTES_MAX);
  writeFrame(writer, kind, (payload) => {
    payload.string(m.from).string(m.to).u64(m.term);
    writeFields(payload, m, entries);
  });
}

function writeFields(payload: ByteWriter, m: OutgoingMessage, entries: readonly Entry[]): void {
  switch (m.k) {
    case "preVote":
      return void writeId(payload, m.last);
    case "requestVote":
      return void writeId(payload, m.last).u8(m.transfer ? 1 : 0);
    case "preVoteReply":
    case "requestVoteReply":
      return void payload.u8(m.granted ? 1 : 0);
    case "appendRange":
      return writeAppend(payload, m, entries);
    case "appendReply":
      return void writeId(payload.u8(m.ok ? 1 : 0).u64(m.index), m.hint).u64(m.round);
    case "heartbeat":
      return void writeId(payload, m.commit).u64(m.round);
    case "heartbeatReply":
      return void payload.u64(m.round);
    case "removedNotice":
      return void payload.u64(m.at);
    case "marks":
      payload.u8(m.isAnswer ? 1 : 0).u32(m.marks.length);
      for (const mark of m.marks) writeMark(payload, mark);
      return;
    case "timeoutNow":
    case "recall":
      return;
  }
}

function writeAppend(payload: ByteWriter, m: AppendRange, entries: readonly Entry[]): void {
  writeId(payload, m.prev).u64(m.commit).u64(m.round).u32(entries.length);
  for (const entry of entries) payload.u64(entry.term).u8(ENTRY_KINDS.indexOf(entry.kind)).bytes(entry.body);
}

/**
 * Decodes a Raft message; entries' bodies are views of `payload`, which the frame decoder made for this message alone.
 * @param promiseMs What the sender promises, by its hello: part of its replies.
 * @returns undefined for a kind that this version does not know: to be counted and skipped.
 */
export function decodeRaftMessage(kind: number, payload: Uint8Array, promiseMs?: number): Message | undefined {
  const k = RAFT_KINDS[kind - RAFT_KIND_FIRST];
  if (k === undefined) return undefined;
  const reader = new ByteReader(payload);
  const header = { from: reader.string(), to: reader.string(), term: reader.u64() };
  const message = readFields(reader, k, header);
  reader.end();
  const isPromise = promiseMs !== undefined && (message.k === "appendReply" || message.k === "heartbeatReply");
  return isPromise ? { ...message, promiseMs } : message;
}

function readFields(
  reader: ByteReader,
  k: typeof RAFT_KINDS[number],
  header: { from: string; to: string; term: number },
): Message {
  switch (k) {
    case "preVote":
      return { k, ...header, last: readId(reader) };
    case "requestVote":
      return { k, ...header, last: readId(reader), transfer: reader.u8() === 1 };
    case "preVoteReply":
    case "requestVoteReply":
      return { k, ...header, granted: reader.u8() === 1 };
    case "appendEntries":
      return readAppend(reader, header);
    case "appendReply":
      return { k, ...header, ok: reader.u8() === 1, index: reader.u64(), hint: readId(reader), round: reader.u64() };
    case "heartbeat":
      return { k, ...header, commit: readId(reader), round: reader.u64() };
    case "heartbeatReply":
      return { k, ...header, round: reader.u64() };
    case "removedNotice":
      return { k, ...header, at: reader.u64() };
    case "marks":
      return { k, ...header, isAnswer: reader.u8() === 1, marks: readMarks(reader) };
    case "timeoutNow":
    case "recall":
      return { k, ...header };
  }
}

function readAppend(reader: ByteReader, header: { from: string; to: string; term: number }): Message {
  const prev = readId(reader);
  const commit = reader.u64();
  const round = reader.u64();
  const count = reader.u32();
  const entries: Entry[] = [];
  for (let i = 1; i <= count; i++) {
    const term = reader.u64();
    const kind = ENTRY_KINDS[reader.u8()];
    if (kind === undefined) throw new DecodeError("Expected an entry kind that this version knows: upgrade this node");
    entries.push({ index: prev.index + i, term, kind, body: reader.bytes() });
  }
  return { k: "appendEntries", ...header, prev, entries, commit, round };
}
