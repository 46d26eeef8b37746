/**
 * Chains of aliases (C8.11): the name at which the records of an answer end, and the records in the answer of an
 * upstream server. Pure.
 * @module
 */
import { type DnsData, DnsFormatError, type DnsRecord, type Name, need, readName, TYPE } from "./message.ts";

/** Longest chain that is followed from the name that was asked for. */
export const ALIASES_MAX = 3;
const HEADER_BYTES = 12;
/** Records of an upstream answer that are looked at. */
const RECORDS_MAX = 64;
const CLASS_IN = 1;

/** One text for all spellings of a name. */
export function nameKey(name: Name): string {
  return name.join(".").toLowerCase();
}

/**
 * The name to be looked up next: the last target of the chain that begins at `name`; undefined if the records of that
 * target are there, the chain leads back into itself, or is longer than {@linkcode ALIASES_MAX}.
 */
export function openEnd(name: Name, records: readonly DnsRecord[]): Name | undefined {
  let end = name;
  const seen = new Set<string>();
  for (;;) {
    const key = nameKey(end);
    if (seen.has(key) || seen.size > ALIASES_MAX) return undefined;
    seen.add(key);
    const own = records.filter((record) => nameKey(record.name) === key);
    const alias = own.find((record) => record.type === TYPE.CNAME);
    if (alias?.type !== TYPE.CNAME) return own.length > 0 || seen.size === 1 ? undefined : end;
    end = alias.target;
  }
}

/**
 * The answers of an upstream server that can be passed on, in its order; of types that cannot, none.
 * @throws {DnsFormatError} When it is no message.
 */
export function decodeAnswers(bytes: Uint8Array): readonly DnsRecord[] {
  need(bytes, 0, HEADER_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const cursor = { at: HEADER_BYTES };
  for (let left = view.getUint16(4); left > 0; left--) {
    readName(bytes, cursor);
    cursor.at += 4;
  }
  const records: DnsRecord[] = [];
  for (let left = Math.min(view.getUint16(6), RECORDS_MAX); left > 0; left--) {
    const record = readRecord(bytes, cursor);
    if (record) records.push(record);
  }
  return records;
}

/**
 * Reads a record; the cursor ends behind it. Undefined for one of a type or class that is of no use here.
 * @param classMask Bits of the class that count. @default {all}
 * @throws {DnsFormatError} When there is none.
 */
export function readRecord(bytes: Uint8Array, cursor: { at: number }, classMask = 0xffff): DnsRecord | undefined {
  const name = readName(bytes, cursor);
  need(bytes, cursor.at, 10);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [type, dnsClass, length] = [0, 2, 8].map((at) => view.getUint16(cursor.at + at));
  const ttl = view.getUint32(cursor.at + 4);
  const at = cursor.at + 10;
  need(bytes, at, length);
  cursor.at = at + length;
  const data = (dnsClass & classMask) === CLASS_IN ? dataOf(type, bytes, { at, length }) : undefined;
  return data && { name, ttl, ...data };
}

function dataOf(type: number, bytes: Uint8Array, { at, length }: { at: number; length: number }): DnsData | undefined {
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA:
      if (length !== (type === TYPE.A ? 4 : 16)) throw new DnsFormatError(`Expected an address, found ${length} bytes`);
      return { type, address: bytes.slice(at, at + length) };
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.PTR:
      return { type, target: readName(bytes, { at }) };
    case TYPE.SRV: {
      need(bytes, at, 6);
      const [priority, weight, port] = [0, 2, 4].map((offset) => bytes[at + offset] << 8 | bytes[at + offset + 1]);
      return { type, priority, weight, port, target: readName(bytes, { at: at + 6 }) };
    }
    case TYPE.TXT:
      return { type, texts: textsOf(bytes.subarray(at, at + length)) };
    default:
      return undefined;
  }
}

function textsOf(data: Uint8Array): Uint8Array[] {
  const texts: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 1 + data[at]) {
    need(data, at + 1, data[at]);
    texts.push(data.slice(at + 1, at + 1 + data[at]));
  }
  return texts;
}
