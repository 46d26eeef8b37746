/**
 * Loading a database file into the cluster, from whichever node gets it: in parts of a moderate size, a few of them under way,
 * so that a file of any size takes little memory. A part whose outcome is not known is sent again: it takes its own place. What
 * every replica then does with the parts is in core/sql/load_step.ts.
 * @module
 */
import type { LoadStep } from "../../core/sql/load_step.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { BusyError, RefusedError, RequestError } from "./errors.ts";

/**
 * Bytes of a part. On its way it is copied into buffers that every Worker and connection keeps for the next one; larger
 * parts would have buffers made anew each time.
 */
const PART_BYTES = 512 * 1024;
/** Parts under way at a time. */
const PARTS_MAX = 4;
/** Attempts at a part, and the pause between them. */
const ATTEMPTS_MAX = 10;
const PAUSE_MS = 500;

/** Longest wait for a part, and for the file to take its place. */
const PART_MS = 30_000;
const INSTALL_MS = 30 * 60_000;

/** Longest wait for a step. */
export function limitOfStep({ k }: LoadStep): number {
  return k === "install" ? INSTALL_MS : PART_MS;
}

/** Does a step, on this node or through the leader. */
export type DoLoadStep = (step: LoadStep) => Promise<void>;

/**
 * Loads a file.
 * @param pieces Its bytes as they come, each valid until the next one is asked for.
 * @returns Its size in bytes.
 * @throws {RequestError} When it was not loaded; its `outcome` says whether that is certain.
 * @throws {RefusedError} When the leader does not let the client.
 */
export async function loadFile(pieces: AsyncIterable<Uint8Array>, doStep: DoLoadStep): Promise<number> {
  const id = crypto.randomUUID();
  const underWay = new Set<Promise<void>>();
  const free: Uint8Array<ArrayBuffer>[] = [];
  let failure: unknown;
  let size = 0;
  try {
    for await (const bytes of partsOf(pieces, free)) {
      const at = size;
      const part = again(() => doStep({ k: "part", id, at, bytes })).catch((error) => failure ??= error)
        .finally(() => {
          underWay.delete(part);
          free.push(bytes);
        });
      underWay.add(part);
      size += bytes.length;
      if (underWay.size >= PARTS_MAX) await Promise.race(underWay);
      if (failure !== undefined) throw failure;
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure;
    if (size === 0) throw new Error("the file is empty"); // which SQLite takes for a database
  } catch (error) {
    // Behind the parts that are under way, which would make the table anew; the next load removes them, too.
    Promise.all(underWay).then(() => doStep({ k: "drop", id })).catch(() => {});
    if (error instanceof RefusedError) throw error;
    throw new RequestError(`nothing was loaded: ${messageOf(error)}`);
  }
  await doStep({ k: "install", id, size });
  return size;
}

/** Tries again what harms nobody when it is done twice. */
async function again(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (error) {
      const mayHelp = error instanceof BusyError || error instanceof RequestError;
      if (!mayHelp || attempt >= ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** Bytes in parts of one size, the last one as it comes out; in buffers from `free`, where there is one. */
async function* partsOf(
  pieces: AsyncIterable<Uint8Array>,
  free: Uint8Array<ArrayBuffer>[],
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let part = new Uint8Array(PART_BYTES);
  let length = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const taken = piece.subarray(at, at + part.length - length);
      part.set(taken, length);
      length += taken.length;
      at += taken.length;
      if (length < part.length) continue;
      yield part;
      part = free.pop() ?? new Uint8Array(PART_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield part.subarray(0, length);
}
