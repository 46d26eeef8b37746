/**
 * Detects a disk that lost entries. Nodes remember what each other's disks hold. If a node's disk lacks what another
 * node remembers, its directory is an older copy (B3), or the disk lost writes that it had reported as durable.
 * recall.ts decides when nodes ask.
 * @module
 */
import { InvariantError } from "../../invariant.ts";
import type { Log } from "./log.ts";
import type { EntryId, Index, Mark, NodeId, Term } from "./message.ts";

/** This node's promises are worth nothing: it stops before it votes or acknowledges anything again. */
export class LostEntriesError extends InvariantError {
  private constructor(what: string) {
    super(
      `${what} (L5): its data directory is an older copy of itself, or its disk lost writes. Keep the files; in a cluster, ` +
        "remove this node, empty its data directory and let it join again",
    );
  }

  /** @param index Index that was acknowledged. @param last Index where the log ends. */
  static ofEntry(index: Index, last: Index): LostEntriesError {
    return new LostEntriesError(
      `The log, which ends at index ${last}, does not hold what this node acknowledged up to index ${index}`,
    );
  }

  /** @param term Term in which the node took part. @param own Term on its disk. */
  static ofTerm(term: Term, own: Term): LostEntriesError {
    return new LostEntriesError(
      `The log, which ends in term ${own}, does not hold what this node promised in term ${term}`,
    );
  }

  /** @param vote Candidate that got the vote. @param term Term of the vote. */
  static ofVote(vote: NodeId, term: Term): LostEntriesError {
    return new LostEntriesError(`The log does not hold this node's vote for "${vote}" in term ${term}`);
  }
}

/**
 * L5, B3: what is known to have been durable here is still here.
 * @throws {LostEntriesError} When it is gone, or another entry is in its place: so is an acknowledged write.
 */
export function checkHolds(log: Log, { index, term }: EntryId): void {
  const held = log.termAt(index);
  const isOther = term > 0 && held !== undefined && held !== term;
  if (index > log.last || isOther) throw LostEntriesError.ofEntry(index, log.last);
}

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

/** Merges two marks of one disk. */
function later(a: Mark, b: Mark): Mark {
  if (a.term !== b.term) return a.term > b.term ? a : b;
  return { ...a, vote: a.vote ?? b.vote, entry: b.entry.index > a.entry.index ? b.entry : a.entry };
}
