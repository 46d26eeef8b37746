/**
 * Writes on their way from a node that does not lead to the leader, and the leader's answer: frames on the Raft streams
 * of the two, beside the messages of Raft. Older versions skip them.
 *
 *     proposals  count u32 | (ref u32, command: u32 length and bytes)…
 *     placed     term u64 | count u32 | (ref u32, index u64)… | count u32 | (ref u32, why: text)…
 *
 * A ref is the asker's own number. Decoding is bounded and throws {@linkcode DecodeError}. Pure.
 * @module
 */
import { ByteReader, type ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { writeFrame } from "../../base/codec/frame.ts";
import { FRAME } from "./wire.ts";

/** A write for the leader. */
export interface ProposedWrite {
  readonly ref: number;
  /** The encoded command, not stamped. */
  readonly body: Uint8Array;
  /** The trace that it belongs to, which travels in the frame before (trace_frames.ts). */
  readonly trace?: string | undefined;
}

/** Why the leader has not taken a write. */
export const REFUSALS = ["not_leader", "queue_full", "behind", "too_large", "storage_full"] as const;

/** The leader's answer to writes. */
export interface Placements {
  /** Of the entries. */
  readonly term: number;
  readonly placed: readonly { readonly ref: number; readonly index: number }[];
  /** Of these it is certain that they did not happen. */
  readonly refused: readonly { readonly ref: number; readonly why: typeof REFUSALS[number] }[];
}

/** What is sent to another node. */
export type RelayFrame =
  | { readonly k: "proposals"; readonly writes: readonly ProposedWrite[] }
  | { readonly k: "placed"; readonly placements: Placements };

/** Writes of one frame. */
const WRITES_MAX = 65_536;

/** Appends writes for the leader. */
export function writeProposals(writer: ByteWriter, writes: readonly ProposedWrite[]): void {
  writeFrame(writer, FRAME.proposals, (payload) => {
    payload.u32(writes.length);
    for (const { ref, body } of writes) payload.u32(ref).bytes(body);
  });
}

/** Decodes writes; each has its bytes for itself, as a log entry outlives the frame. */
export function decodeProposals(payload: Uint8Array): ProposedWrite[] {
  const reader = new ByteReader(payload);
  const writes: ProposedWrite[] = [];
  for (let left = countOf(reader); left > 0; left--) writes.push({ ref: reader.u32(), body: reader.bytes().slice() });
  reader.end();
  return writes;
}

/** Appends the leader's answer. */
export function writePlacements(writer: ByteWriter, { term, placed, refused }: Placements): void {
  writeFrame(writer, FRAME.placed, (payload) => {
    payload.u64(term).u32(placed.length);
    for (const { ref, index } of placed) payload.u32(ref).u64(index);
    payload.u32(refused.length);
    for (const { ref, why } of refused) payload.u32(ref).string(why);
  });
}

/** Decodes the leader's answer. A reason that this version does not know is taken for "not_leader": nothing was done. */
export function decodePlacements(payload: Uint8Array): Placements {
  const reader = new ByteReader(payload);
  const term = reader.u64();
  const placed: { ref: number; index: number }[] = [];
  for (let left = countOf(reader); left > 0; left--) placed.push({ ref: reader.u32(), index: reader.u64() });
  const refused: { ref: number; why: typeof REFUSALS[number] }[] = [];
  for (let left = countOf(reader); left > 0; left--) {
    const ref = reader.u32();
    const name = reader.string();
    refused.push({ ref, why: REFUSALS.find((why) => why === name) ?? "not_leader" });
  }
  reader.end();
  return { term, placed, refused };
}

function countOf(reader: ByteReader): number {
  const count = reader.u32();
  if (count > WRITES_MAX) throw new DecodeError(`Expected at most ${WRITES_MAX} writes in a frame, found ${count}`);
  return count;
}
