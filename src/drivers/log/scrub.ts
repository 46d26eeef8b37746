/**
 * Reads what was written long ago once more, a piece at a time, so that damage is found while other nodes still have what
 * it hit (D11): all segments but the one that is written to, from the oldest on, and then from the start again.
 * @module
 */
import { crc32c } from "../../base/codec/crc32c.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import type { LogDisk, LogFile } from "./disk.ts";
import { BATCH_HEADER_BYTES, decodeBatchHeader, decodeSegmentHeader } from "./format.ts";
import { damage, HEADER_BYTES_MAX } from "./recovery.ts";

/** A segment, as far as it matters here. */
export interface ScrubbedSegment {
  readonly name: string;
  readonly number: number;
}

/** The point at which a chain of batches continues. */
interface Link {
  readonly number: number;
  readonly chain: number;
}

/** A file on the way. */
interface Open extends ScrubbedSegment {
  readonly file: LogFile;
  offset: number;
  /** The next batch. */
  next: Link;
  /** The body under way. */
  body: { left: number; crc: number; readonly wanted: number; readonly link: Link } | undefined;
  /** All batches were read: zeros follow. */
  isTail: boolean;
}

/** One log's scrub. */
export class LogScrub {
  readonly #disk: LogDisk;
  #open: Open | undefined;
  /** The segment read before, and what follows it. */
  #before: { readonly number: number; readonly next: Link } | undefined;
  /** Times that all was read. */
  passes = 0;

  constructor(disk: LogDisk) {
    this.#disk = disk;
  }

  /**
   * Reads about `bytesMax` bytes more, on this thread.
   * @param segments All, oldest first; of the last one, which is written to, only the header is read.
   * @throws {LogDamageError} When it finds damage.
   */
  step(segments: readonly ScrubbedSegment[], bytesMax: number): void {
    if (segments.length === 1) return this.close();
    for (let left = bytesMax; left > 0;) {
      const segment = this.#open ?? this.#begin(segments);
      if (segment.number === segments[segments.length - 1].number) return this.#startOver();
      left -= this.#read(segment, left);
      if (segment.offset >= segment.file.bytes) this.#end(segment);
    }
  }

  #begin(segments: readonly ScrubbedSegment[]): Open {
    const before = this.#before;
    const { name, number } = segments.find((one) => one.number > (before?.number ?? 0)) ?? segments[0];
    const file = this.#disk.open(name);
    const found = decodeSegmentHeader(file.read(0, Math.min(file.bytes, HEADER_BYTES_MAX)));
    if (found?.header.number !== number) throw this.#damage(name, 0, "the segment's header is damaged");
    const { nextBatch, chain } = found.header;
    // A snapshot removes the entries that it replaces before its segment begins, and older segments are cut meanwhile.
    const isNext = before?.number === number - 1 && !found.header.isRestart;
    if (isNext && (before.next.number !== nextBatch || before.next.chain !== chain)) {
      throw this.#damage(name, 0, `it continues batch ${nextBatch - 1}, not ${before.next.number - 1} before it`);
    }
    const next = { number: nextBatch, chain };
    return this.#open = { name, number, file, offset: found.length, next, body: undefined, isTail: false };
  }

  /** Reads a piece of at most `left` bytes; how many. */
  #read(segment: Open, left: number): number {
    const { file, offset, body } = segment;
    const rest = file.bytes - offset;
    if (body) {
      const bytes = file.read(offset, Math.min(left, body.left));
      const { length } = bytes;
      body.crc = crc32c(bytes, body.crc);
      freeBuffer(bytes);
      body.left -= length;
      if (length === 0 || body.left === 0 && body.crc !== body.wanted) {
        throw this.#damage(segment.name, offset, `batch ${segment.next.number} is damaged`);
      }
      if (body.left === 0) {
        segment.next = body.link;
        segment.body = undefined;
      }
      segment.offset += length;
      return length;
    }
    if (!segment.isTail) {
      const header = decodeBatchHeader(file.read(offset, Math.min(rest, BATCH_HEADER_BYTES)));
      if (header?.number === segment.next.number && header.chain === segment.next.chain) {
        const link = { number: header.number + 1, chain: header.crc };
        segment.body = { left: header.bodyLength, crc: 0, wanted: header.bodyCrc, link };
        segment.offset += BATCH_HEADER_BYTES;
        return BATCH_HEADER_BYTES;
      }
      segment.isTail = true;
    }
    const bytes = file.read(offset, Math.min(left, rest));
    if (bytes.some((byte) => byte !== 0)) {
      throw this.#damage(segment.name, offset, `batch ${segment.next.number}, or what follows the last, is damaged`);
    }
    const { length } = bytes;
    freeBuffer(bytes);
    segment.offset += length;
    return Math.max(1, length);
  }

  #end({ number, next, file }: Open): void {
    file.close();
    this.#before = { number, next };
    this.#open = undefined;
  }

  #startOver(): void {
    this.close();
    this.#before = undefined;
    this.passes++;
  }

  #damage(name: string, offset: number, what: string): Error {
    return damage(this.#disk.pathOf(name), offset, `${what}, as reading it once more shows`);
  }

  /** Forgets the file under way. */
  close(): void {
    this.#open?.file.close();
    this.#open = undefined;
  }
}
