/**
 * What is written to the log at once, and how writes that wait become one. Pure.
 * @module
 */
import type { Config, Entry, EntryId, HardState, Index } from "../../core/raft/message.ts";
import type { Batch } from "./format.ts";

/** One write to the disk: a snapshot first, if any, then the content of a batch. */
export interface LogWrite extends Batch {
  readonly install?: { readonly base: EntryId; readonly config: Config };
}

/** One batch for all that waits: later truncations drop earlier entries, the last hard state and commit index hold (O7). */
export function merge(pending: readonly LogWrite[]): LogWrite {
  if (pending.length === 1) return pending[0];
  let install: LogWrite["install"];
  let hard: HardState | undefined;
  let truncateFrom: Index | undefined;
  let commit = 0;
  const append: Entry[] = [];
  for (const one of pending) {
    if (one.install) {
      install = one.install;
      truncateFrom = undefined;
      append.length = 0;
    }
    hard = one.hard ?? hard;
    commit = one.commit;
    if (one.truncateFrom !== undefined) {
      while (append.length > 0 && append[append.length - 1].index >= one.truncateFrom) append.pop();
      truncateFrom = Math.min(truncateFrom ?? one.truncateFrom, one.truncateFrom);
    }
    for (const entry of one.append) append.push(entry);
  }
  return { hard, truncateFrom, append, commit, ...(install && { install }) };
}
