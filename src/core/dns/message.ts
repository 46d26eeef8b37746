/**
 * DNS messages (RFC 1035 §4, EDNS: RFC 6891): questions in, answers out. Pure.
 *
 * Names are lists of labels, each a text with one character per byte, kept in the case in which they came (RFC 1034 §3.1 leaves it to the
 * asker, and some asker vary it to be sure of the answer). Decoding is bounded: a pointer only leads backwards, a name has at
 * most 255 bytes, and what is not a query of this form is a {@linkcode DnsFormatError}, never a crash.
 * @module
 */

/** Types of records (RFC 1035 §3.2.2, RFC 3596, RFC 2782). */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  AXFR: 252,
  ANY: 255,
} as const;
/** Response codes (RFC 1035 §4.1.1, RFC 6895). */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;

const CLASS_IN = 1;
const HEADER_BYTES = 12;
const NAME_BYTES_MAX = 255;
const LABEL_BYTES_MAX = 63;
/** Size of a UDP answer where the asker names none. */
export const PLAIN_UDP_BYTES = 512;
/** Largest message over TCP. */
export const TCP_BYTES_MAX = 65_535;
/** Largest UDP message that this server accepts, announced in EDNS. */
export const EDNS_UDP_BYTES = 4096;
/** Option of EDNS that names the asker's network (RFC 7871). */
const CLIENT_SUBNET = 8;
/** Longest compression pointer. */
const POINTER_MAX = 0x3fff;
/** Longest time to live (RFC 2181 §8). */
const SECONDS_MAX = 2 ** 31 - 1;

/** A message that cannot be decoded as a query. */
export class DnsFormatError extends Error {
  /** Always `DnsFormatError`. */
  override readonly name = "DnsFormatError";
}

/** Labels from left to right, without the root. */
export type Name = readonly string[];

/** A question. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** The EDNS options of a query. */
export interface Edns {
  readonly udpBytes: number;
  readonly version: number;
  /** Data of its client-subnet option, to be echoed with scope 0; absent where there is none. */
  readonly clientSubnet?: Uint8Array;
}

/** A query. */
export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly question: Question;
  readonly edns: Edns | undefined;
}

/** A record of an answer; `ttl` in seconds. */
export type DnsRecord = { readonly name: Name; readonly ttl: number } & DnsData;

/** The data of a record. */
export type DnsData =
  | { readonly type: typeof TYPE.A | typeof TYPE.AAAA; readonly address: Uint8Array }
  | { readonly type: typeof TYPE.NS | typeof TYPE.CNAME | typeof TYPE.PTR; readonly target: Name }
  | { readonly type: typeof TYPE.TXT; readonly texts: readonly Uint8Array[] }
  | {
    readonly type: typeof TYPE.SRV;
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: Name;
  }
  | {
    readonly type: typeof TYPE.SOA;
    readonly primary: Name;
    readonly mailbox: Name;
    readonly serial: number;
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    readonly minimum: number;
  };

/** An answer, before it is fitted into a message. */
export interface Answer {
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
}

/** Limits of a message. */
export interface Fit {
  readonly bytesMax: number;
  /** Most answers; Infinity for any number. */
  readonly answersMax: number;
  /** Whether what was left out is told by the TC bit. */
  readonly marksTruncation: boolean;
  readonly compresses: boolean;
}

/** Id of a message that may be a query, to answer rubbish with; undefined where an answer could only do harm. */
export function idOf(bytes: Uint8Array): number | undefined {
  const isQuery = bytes.length >= HEADER_BYTES && (bytes[2] & 0x80) === 0;
  return isQuery ? bytes[0] << 8 | bytes[1] : undefined;
}

/**
 * Decodes a query.
 * @throws {DnsFormatError} When it is none with exactly one question.
 */
export function decodeQuery(bytes: Uint8Array): Query {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < HEADER_BYTES) throw new DnsFormatError(`Expected at least ${HEADER_BYTES} bytes`);
  const flags = view.getUint16(2);
  if (flags & 0x8000) throw new DnsFormatError("Expected a query, not an answer");
  const opcode = flags >> 11 & 15;
  const counts = [4, 6, 8, 10].map((at) => view.getUint16(at));
  if (counts[0] !== 1) throw new DnsFormatError(`Expected one question, found ${counts[0]}`);
  const cursor = { at: HEADER_BYTES };
  const name = readName(bytes, cursor);
  need(bytes, cursor.at, 4);
  const question = { name, type: view.getUint16(cursor.at), class: view.getUint16(cursor.at + 2) };
  cursor.at += 4;
  let edns: Edns | undefined;
  for (let left = counts[1] + counts[2] + counts[3]; left > 0; left--) {
    const found = readRecord(bytes, view, cursor);
    if (found === undefined) continue;
    if (edns !== undefined) throw new DnsFormatError("Expected at most one OPT record");
    edns = found;
  }
  return {
    id: view.getUint16(0),
    opcode,
    recursionDesired: (flags & 0x100) !== 0,
    checkingDisabled: (flags & 0x10) !== 0,
    question,
    edns,
  };
}

/** @throws {DnsFormatError} When there are fewer than `count` bytes at a place. */
export function need(bytes: Uint8Array, at: number, count: number): void {
  if (at + count > bytes.length) throw new DnsFormatError(`Expected ${count} more bytes at ${at}`);
}

/** Skips a record; what it says where it is the OPT record. */
function readRecord(bytes: Uint8Array, view: DataView, cursor: { at: number }): Edns | undefined {
  readName(bytes, cursor);
  need(bytes, cursor.at, 10);
  const type = view.getUint16(cursor.at);
  const udpBytes = view.getUint16(cursor.at + 2);
  const version = bytes[cursor.at + 5];
  const length = view.getUint16(cursor.at + 8);
  const start = cursor.at + 10;
  need(bytes, start, length);
  cursor.at = start + length;
  if (type !== TYPE.OPT) return undefined;
  for (let at = start; at + 4 <= start + length;) {
    const size = view.getUint16(at + 2);
    if (at + 4 + size > start + length) throw new DnsFormatError("Expected the options of EDNS to fill their record");
    if (view.getUint16(at) === CLIENT_SUBNET) {
      return { udpBytes, version, clientSubnet: bytes.slice(at + 4, at + 4 + size) };
    }
    at += 4 + size;
  }
  return { udpBytes, version };
}

/**
 * Reads a name, following pointers, which must lead back; the cursor ends behind the name.
 * @throws {DnsFormatError} When there is none.
 */
export function readName(bytes: Uint8Array, cursor: { at: number }): Name {
  const labels: string[] = [];
  let at = cursor.at;
  let lowest = at;
  let isAway = false;
  for (let total = 1;;) {
    need(bytes, at, 1);
    const length = bytes[at];
    if (length === 0) {
      if (!isAway) cursor.at = at + 1;
      return labels;
    }
    if (length >= 0xc0) {
      need(bytes, at, 2);
      const target = (length & 0x3f) << 8 | bytes[at + 1];
      if (target >= lowest) throw new DnsFormatError("Expected a pointer to an earlier name");
      if (!isAway) cursor.at = at + 2;
      isAway = true;
      at = lowest = target;
      continue;
    }
    if (length > LABEL_BYTES_MAX) throw new DnsFormatError(`Expected a label of at most ${LABEL_BYTES_MAX} bytes`);
    total += length + 1;
    if (total > NAME_BYTES_MAX) throw new DnsFormatError(`Expected a name of at most ${NAME_BYTES_MAX} bytes`);
    need(bytes, at + 1, length);
    labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length)));
    at += length + 1;
  }
}

/** Bytes of a message in the making. */
export class Message {
  readonly #bytes: number[] = [];
  readonly #names = new Map<string, number>();
  readonly #compresses: boolean;

  /** @param compresses Whether a name may point to an earlier one. */
  constructor(compresses: boolean) {
    this.#compresses = compresses;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Appends a byte. */
  u8(value: number): this {
    this.#bytes.push(value & 0xff);
    return this;
  }

  /** Appends 16 bits, big-endian, as all of a message is. */
  u16(value: number): this {
    return this.u8(value >> 8).u8(value);
  }

  /** Appends 32 bits. */
  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  /** Appends bytes. */
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  /** Replaces 16 bits. */
  setU16(at: number, value: number): void {
    this.#bytes[at] = value >> 8 & 0xff;
    this.#bytes[at + 1] = value & 0xff;
  }

  /** A name; a tail that was written before, in the same case, is pointed to. */
  name(name: Name): this {
    for (let at = 0; at < name.length; at++) {
      const tail = name.slice(at).map((label) => `${label.length}${label}`).join("");
      const known = this.#names.get(tail);
      if (known !== undefined && this.#compresses) return this.u16(0xc000 | known);
      if (this.length <= POINTER_MAX && known === undefined) this.#names.set(tail, this.length);
      this.u8(name[at].length);
      for (let i = 0; i < name[at].length; i++) this.u8(name[at].charCodeAt(i));
    }
    return this.u8(0);
  }

  /** Forgets everything behind `length`. */
  cut(length: number): void {
    this.#bytes.length = length;
    for (const [tail, at] of this.#names) if (at >= length) this.#names.delete(tail);
  }

  /** The message so far. */
  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

/**
 * Encodes an answer to `query`, fitted into its limits: additional records go first, then authority, then answers from
 * the end; one answer stays if it fits at all.
 */
export function encodeAnswer(query: Query, answer: Answer, fit: Fit): Uint8Array {
  const message = new Message(fit.compresses);
  const { question, edns } = query;
  message.u16(query.id).u16(0).u16(1).u16(0).u16(0).u16(0);
  message.name(question.name).u16(question.type).u16(question.class);
  const roomMax = fit.bytesMax - (edns ? optBytes(edns) : 0);
  // A chain of aliases is of no use without its end: its links do not count.
  const links = answer.answers.filter(({ type }) => type === TYPE.CNAME).length;
  const answers = answer.answers.slice(0, links + fit.answersMax);
  const counts = [answers, answer.authority, answer.additional].map((records) => {
    let count = 0;
    for (const record of records) {
      const before = message.length;
      writeRecord(message, record);
      if (message.length > roomMax) {
        message.cut(before);
        break;
      }
      count++;
    }
    return count;
  });
  const isCut = counts[0] < answer.answers.length;
  if (edns) writeOpt(message, edns, answer.rcode);
  message.setU16(2, flagsOf(query, answer, isCut && fit.marksTruncation));
  message.setU16(6, counts[0]);
  message.setU16(8, counts[1]);
  message.setU16(10, counts[2] + (edns ? 1 : 0));
  return message.bytes();
}

function flagsOf(query: Query, answer: Answer, isTruncated: boolean): number {
  return 0x8000 | query.opcode << 11 | (answer.isAuthoritative ? 0x400 : 0) | (isTruncated ? 0x200 : 0) |
    (query.recursionDesired ? 0x100 : 0) | (answer.recursionAvailable ? 0x80 : 0) |
    (query.checkingDisabled ? 0x10 : 0) | (answer.rcode & 15);
}

/** A question for one name, to be answered with recursion. */
export function encodeQuery(id: number, { name, type }: Pick<Question, "name" | "type">): Uint8Array {
  const message = new Message(false).u16(id).u16(0x100).u16(1).u16(0).u16(0).u16(0);
  return message.name(name).u16(type).u16(CLASS_IN).bytes();
}

/** The response code of an answer to the query `id`; undefined where it is none. */
export function rcodeOf(answer: Uint8Array, id: number): number | undefined {
  const isAnswer = answer.length >= HEADER_BYTES && (answer[0] << 8 | answer[1]) === id && (answer[2] & 0x80) !== 0;
  return isAnswer ? answer[3] & 15 : undefined;
}

/** The shortest answer: to what could not be decoded, FORMERR. */
export function encodeFailure(id: number, rcode: number): Uint8Array {
  return new Message(false).u16(id).u16(0x8000 | rcode).u16(0).u16(0).u16(0).u16(0).bytes();
}

function optBytes({ clientSubnet }: Edns): number {
  return 11 + (clientSubnet ? 4 + clientSubnet.length : 0);
}

function writeOpt(message: Message, { clientSubnet }: Edns, rcode: number): void {
  message.u8(0).u16(TYPE.OPT).u16(EDNS_UDP_BYTES).u8(rcode >> 4).u8(0).u16(0);
  if (!clientSubnet) return void message.u16(0);
  const echoed = clientSubnet.slice();
  if (echoed.length > 3) echoed[3] = 0; // scope: the answer does not depend on the network
  message.u16(4 + echoed.length).u16(CLIENT_SUBNET).u16(echoed.length).raw(echoed);
}

/** Appends a record. */
export function writeRecord(message: Message, record: DnsRecord): void {
  message.name(record.name).u16(record.type).u16(CLASS_IN).u32(seconds(record.ttl));
  const lengthAt = message.length;
  message.u16(0);
  writeData(message, record);
  message.setU16(lengthAt, message.length - lengthAt - 2);
}

function writeData(message: Message, record: DnsRecord): void {
  switch (record.type) {
    case TYPE.A:
    case TYPE.AAAA:
      return void message.raw(record.address);
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      return void message.name(record.target);
    case TYPE.TXT:
      for (const text of record.texts) message.u8(text.length).raw(text);
      return;
    case TYPE.SRV: // RFC 2782: the target is not compressed
      message.u16(record.priority).u16(record.weight).u16(record.port);
      for (const label of record.target) message.u8(label.length).raw(Uint8Array.from(label, (c) => c.charCodeAt(0)));
      return void message.u8(0);
    case TYPE.SOA:
      message.name(record.primary).name(record.mailbox).u32(record.serial).u32(seconds(record.refresh));
      message.u32(seconds(record.retry)).u32(seconds(record.expire)).u32(seconds(record.minimum));
  }
}

/** A time as a message can hold it (RFC 2181 §8). */
function seconds(value: number): number {
  return Math.min(Math.max(0, value), SECONDS_MAX);
}
