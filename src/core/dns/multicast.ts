/**
 * Messages of multicast DNS (RFC 6762 §18): questions, known answers, and answers, which go to everybody or, where who
 * asks is no full member of multicast DNS, back to the one that asked (§6.7). Pure; decoding is bounded as in message.ts.
 * @module
 */
import { readRecord } from "./alias.ts";
import { DnsFormatError, type DnsRecord, Message, type Name, need, readName, writeRecord } from "./message.ts";

/** Port of multicast DNS. */
export const MDNS_PORT = 5353;
/** Longest message (§17): what fits into a frame of 9000 bytes. */
export const MDNS_BYTES_MAX = 9000;
/** Time to live in answers to who is no full member of multicast DNS, in seconds (§6.7). */
const LEGACY_TTL_MAX = 10;
const HEADER_BYTES = 12;
const QUESTIONS_MAX = 32;
const RECORDS_MAX = 256;
const CLASS_IN = 1;
const CLASS_ANY = 255;
/** Top bit of a class: "answer me alone" in a question (§5.4), "forget what you knew" in a record (§10.2). */
const TOP_BIT = 0x8000;

/** A question. */
export interface MdnsQuestion {
  readonly name: Name;
  readonly type: number;
  /** Whether the answer may go to the one that asks alone. */
  readonly wantsUnicast: boolean;
}

/** A message. */
export interface MdnsMessage {
  readonly id: number;
  readonly isAnswer: boolean;
  readonly questions: readonly MdnsQuestion[];
  /** Of all sections: known answers in a question, answers and what belongs to them in an answer. */
  readonly records: readonly DnsRecord[];
}

/**
 * Decodes a message; of types and classes that are of no use here, nothing.
 * @throws {DnsFormatError} When it is none, or one that is to be ignored (§18.3, §18.11).
 */
export function decodeMdns(bytes: Uint8Array): MdnsMessage {
  if (bytes.length > MDNS_BYTES_MAX) throw new DnsFormatError(`Expected at most ${MDNS_BYTES_MAX} bytes`);
  need(bytes, 0, HEADER_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint16(2);
  if ((flags & 0x780f) !== 0) throw new DnsFormatError("Expected opcode 0 and response code 0");
  const [questionCount, ...counts] = [4, 6, 8, 10].map((at) => view.getUint16(at));
  const recordCount = counts.reduce((sum, count) => sum + count, 0);
  if (questionCount > QUESTIONS_MAX || recordCount > RECORDS_MAX) {
    throw new DnsFormatError(`Expected at most ${QUESTIONS_MAX} questions and ${RECORDS_MAX} records`);
  }
  const cursor = { at: HEADER_BYTES };
  const questions: MdnsQuestion[] = [];
  for (let left = questionCount; left > 0; left--) {
    const name = readName(bytes, cursor);
    need(bytes, cursor.at, 4);
    const [type, dnsClass] = [view.getUint16(cursor.at), view.getUint16(cursor.at + 2)];
    cursor.at += 4;
    const isKnown = [CLASS_IN, CLASS_ANY].includes(dnsClass & ~TOP_BIT);
    if (isKnown) questions.push({ name, type, wantsUnicast: (dnsClass & TOP_BIT) !== 0 });
  }
  const records: DnsRecord[] = [];
  for (let left = recordCount; left > 0; left--) {
    const record = readRecord(bytes, cursor, ~TOP_BIT);
    if (record) records.push(record);
  }
  return { id: view.getUint16(0), isAnswer: (flags & 0x8000) !== 0, questions, records };
}

/** A question for all records of a type, to be answered to the one that asks (§5.1). */
export function encodeMdnsQuery(id: number, { name, type }: Pick<MdnsQuestion, "name" | "type">): Uint8Array {
  return new Message(false).u16(id).u16(0).u16(1).u16(0).u16(0).u16(0).name(name).u16(type).u16(CLASS_IN).bytes();
}

/** Records that answer, and records that are of use with them. */
export interface MdnsAnswer {
  readonly answers: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
}

/**
 * An answer.
 * @param legacy The question of one that asks as an ordinary resolver does: it gets its question and id back and a short time
 * to live, so that it does not keep what it hears no news of (§6.7).
 */
export function encodeMdnsAnswer({ answers, additional }: MdnsAnswer, legacy?: MdnsMessage): Uint8Array {
  const questions = legacy?.questions ?? [];
  const message = new Message(true).u16(legacy?.id ?? 0).u16(0x8400);
  message.u16(questions.length).u16(answers.length).u16(0).u16(additional.length);
  for (const { name, type } of questions) message.name(name).u16(type).u16(CLASS_IN);
  for (const record of [...answers, ...additional]) {
    writeRecord(message, legacy ? { ...record, ttl: Math.min(record.ttl, LEGACY_TTL_MAX) } : record);
  }
  return message.bytes();
}
