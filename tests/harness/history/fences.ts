/**
 * Fenced writes: whether those who hold a lock write, one after the other, and nobody who has lost it. Pure.
 *
 * Each write names the lock and the token of its holder, and goes into a table whose rows are in the order of the log.
 *
 * (1) Of one lock, the tokens in the table never go down, and each belongs to one session.
 * (2) A write that was sent after its session was known to have ended, or to have given the lock back, is not there.
 * (3) What was acknowledged is there, once; what was refused is not.
 * @module
 */

/** A write of a holder. */
export interface FencedWrite {
  /** Unique. */
  readonly id: number;
  readonly lock: number;
  readonly session: string;
  readonly token: number;
  /** Whether it was sent after the lock was known to be lost. */
  readonly isLate: boolean;
  readonly outcome: "done" | "notDone" | "unknown";
}

/** Verdict on the writes. */
export interface FenceResult {
  /** Writes that are there. */
  readonly written: number;
  /** Writes that were sent too late, and refused. */
  readonly refused: number;
  readonly faults: readonly string[];
}

/** Checks writes against the ids in the table, in the order of the log. */
export function checkFences(writes: readonly FencedWrite[], ids: readonly number[]): FenceResult {
  const faults: string[] = [];
  const byId = new Map(writes.map((write) => [write.id, write]));
  const last = new Map<number, FencedWrite>();
  for (const id of ids) {
    const write = byId.get(id);
    if (write === undefined) {
      faults.push(`a write that nobody sent: ${id}`);
      continue;
    }
    const before = last.get(write.lock);
    last.set(write.lock, write);
    if (before && before.token > write.token) faults.push(`a holder before this one wrote: ${lines(before, write)}`);
    if (before && before.token === write.token && before.session !== write.session) {
      faults.push(`one token, two sessions: ${lines(before, write)}`);
    }
    if (write.isLate) faults.push(`a write after the lock was lost: ${lines(write)}`);
    if (write.outcome === "notDone") faults.push(`a write that was refused is there: ${lines(write)}`);
  }
  const counts = Map.groupBy(ids, (id) => id);
  for (const write of writes) {
    const count = counts.get(write.id)?.length ?? 0;
    if (count > 1) faults.push(`a write is there ${count} times: ${lines(write)}`);
    if (count === 0 && write.outcome === "done") faults.push(`an acknowledged write is lost: ${lines(write)}`);
  }
  const refused = writes.filter(({ isLate, outcome }) => isLate && outcome === "notDone").length;
  return { written: ids.length, refused, faults };
}

function lines(...writes: readonly FencedWrite[]): string {
  return writes.map((write) => `\n  ${JSON.stringify(write)}`).join("");
}
