/**
 * Damages log files that were written correctly: a bit changes, a sector reads as if it had never been written, or a
 * write turns out to have landed elsewhere, in the same file or another one, while its right place kept what it held.
 *
 * The last batch of all is spared: no log can tell its loss, or what looks like it, from a write that a crash cut short
 * (D17). Everything before it is vouched for by what follows, so that its damage must be found.
 * @module
 */
import { BATCH_HEADER_BYTES, decodeBatchHeader, SECTOR_BYTES } from "../../src/drivers/log/format.ts";
import type { Content, SimFiles } from "./files.ts";
import type { Random } from "../harness/random.ts";

/** A kind of damage to a disk. */
export type Damage = "bit" | "sector" | "misdirected";

const DAMAGES: readonly Damage[] = ["bit", "sector", "misdirected"];

/** The place of a batch in its file. */
interface Place {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

interface LogFileFound {
  readonly name: string;
  readonly content: Content;
  readonly batches: readonly Place[];
  /** The last batch of all, where it is in this file. */
  readonly last: Place | undefined;
  /** Before this nothing is spared. */
  readonly end: number;
}

/**
 * Changes what a node's log files hold.
 * @returns What and where; undefined where there is nothing to be changed.
 */
export function damageFiles(files: SimFiles, random: Random): string | undefined {
  const found = logFiles(files);
  // Of the newest one, nothing is read again before the next start.
  const file = random.chance(0.5) ? found.at(-1) : random.pick(found);
  const to = random.pick(found);
  if (file === undefined || to === undefined) return undefined;
  // A disk goes wrong in one way: so it is known what a later stop has found.
  const kind = files.damage ?? random.pick(DAMAGES);
  const place = kind === "misdirected"
    ? misdirect({ file, to }, random)
    : kind === "sector"
    ? erase(file, random)
    : flip(file, random);
  if (place !== undefined) files.damage = kind;
  return place;
}

/** The log's files that are whole on disk, oldest first. */
function logFiles(files: SimFiles): LogFileFound[] {
  const names = files.list().filter((name) => name.endsWith(".log")).sort();
  const found: LogFileFound[] = [];
  for (const name of names) {
    const content = files.find(name);
    if (content === undefined || content.durable.length < content.cached.length) continue;
    const batches = batchesOf(content.durable);
    const isNewest = name === names.at(-1);
    const last = isNewest ? batches.toSorted((a, b) => a.number - b.number).at(-1) : undefined;
    found.push({ name, content, batches, last, end: isNewest ? last?.start ?? 0 : content.durable.length });
  }
  return found;
}

/** All that begins like a batch, copies in wrong places included. */
function batchesOf(bytes: Uint8Array): Place[] {
  const places: Place[] = [];
  for (let start = SECTOR_BYTES; start + BATCH_HEADER_BYTES <= bytes.length; start += 8) {
    if (bytes[start] !== 0x4D || bytes[start + 1] !== 0x42) continue;
    const header = decodeBatchHeader(bytes.subarray(start));
    if (header === undefined) continue;
    places.push({ number: header.number, start, end: start + BATCH_HEADER_BYTES + header.bodyLength });
  }
  return places;
}

function sectorOf(offset: number): number {
  return Math.floor(offset / SECTOR_BYTES) * SECTOR_BYTES;
}

function flip({ name, content }: LogFileFound, random: Random): string {
  // Of the zeros behind the last batch only the first are worth it.
  const end = content.durable.findLastIndex((byte) => byte !== 0) + 20;
  const at = random.below(Math.min(end, content.durable.length));
  content.flip(at, 1 << random.below(8));
  return `byte ${at} of ${name}`;
}

function erase({ name, content, end }: LogFileFound, random: Random): string | undefined {
  if (end < SECTOR_BYTES) return undefined;
  const sector = random.below(Math.floor(end / SECTOR_BYTES));
  content.overwrite(sector * SECTOR_BYTES, new Uint8Array(SECTOR_BYTES));
  return `sector ${sector} of ${name}`;
}

/** Moves the sectors that one batch was written to. */
function misdirect({ file, to }: { file: LogFileFound; to: LogFileFound }, random: Random): string | undefined {
  const others = file.batches.filter((one) => one !== file.last);
  const batch = random.pick(others.filter((one) => rightEnd(one, file) > one.start)) ?? random.pick(others);
  if (batch === undefined || file.content.dirty.size + to.content.dirty.size > 0) return undefined;
  const from = sectorOf(batch.start);
  // The bytes behind it were written later, and were not there yet.
  const moved = new Uint8Array(sectorOf(batch.end + SECTOR_BYTES - 1) - from);
  moved.set(file.content.durable.subarray(from, batch.end));
  const at = wrongPlace(to, moved.length, random);
  if (at === undefined || (to === file && at === from)) return undefined;
  const end = rightEnd(batch, file);
  if (end > batch.start) file.content.overwrite(batch.start, new Uint8Array(end - batch.start));
  to.content.overwrite(at, moved);
  return `the write to offset ${batch.start} of ${file.name}, which went to ${at} of ${to.name}`;
}

/**
 * The end of the right place: the sector in which the next batch begins was written once more with that one, and well.
 */
function rightEnd({ end }: Place, { batches }: LogFileFound): number {
  return batches.some(({ start }) => start === end) ? sectorOf(end) : end;
}

/** A run of sectors anywhere, except over the last batch of all. */
function wrongPlace({ content, last }: LogFileFound, bytes: number, random: Random): number | undefined {
  const at = random.below(Math.floor(content.durable.length / SECTOR_BYTES)) * SECTOR_BYTES;
  if (at + bytes > content.durable.length) return undefined;
  const isOverLast = last !== undefined && at < last.end && at + bytes > sectorOf(last.start);
  return isOverLast ? undefined : at;
}
