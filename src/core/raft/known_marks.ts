/**
 * The newest mark of each disk that a node has heard of (recall.ts). Pure.
 * @module
 */
import type { Mark } from "./message.ts";

/** Disks whose marks are kept. Members tell theirs again and again, so what is dropped is of disks that are gone. */
const DISKS_MAX = 64;

/** Marks by storage id. */
export class KnownMarks {
  /** The one that was told longest ago comes first. */
  readonly #marks = new Map<string, Mark>();

  /** All that is known. */
  get all(): Mark[] {
    return [...this.#marks.values()];
  }

  /** Takes what a disk is said to hold. */
  add(mark: Mark): void {
    const known = this.#marks.get(mark.storageId);
    this.#marks.delete(mark.storageId);
    this.#marks.set(mark.storageId, known === undefined ? mark : later(known, mark));
    for (const storageId of this.#marks.keys()) {
      if (this.#marks.size <= DISKS_MAX) break;
      this.#marks.delete(storageId);
    }
  }
}

/** What two marks of one disk say together. */
function later(a: Mark, b: Mark): Mark {
  if (a.term !== b.term) return a.term > b.term ? a : b;
  return { ...a, vote: a.vote ?? b.vote, entry: b.entry.index > a.entry.index ? b.entry : a.entry };
}
