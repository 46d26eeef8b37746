/**
 * Which messages a correct node can send at all (O9): integers that are safe and not negative, entries that follow each
 * other. Everything else is dropped before it can reach an assertion. Pure.
 * @module
 */
import type { AppendEntries, EntryId, Mark, Message, NodeId, OutgoingMessage, Term } from "./message.ts";

/**
 * Terms that a message may be ahead: an election a second for more than a century. A forged message with the last term that
 * there is would otherwise end a cluster for good, as every voter writes down the term that it has seen.
 */
export const TERM_LEAP_MAX = 2 ** 32;

/** Whether `m` could have been sent to `self`, which is in `term`, by a correct node. */
export function isPlausible(m: Message, { self, term }: { self: NodeId; term: Term }): boolean {
  if (m.to !== self || m.from === self || typeof m.from !== "string" || m.from === "") return false;
  if (!isCount(m.term) || m.term > term + TERM_LEAP_MAX) return false;
  switch (m.k) {
    case "preVote":
    case "requestVote":
      return m.term > 0 && isId(m.last) && m.last.term <= m.term;
    case "preVoteReply":
      return true;
    case "requestVoteReply":
    case "timeoutNow":
      return m.term > 0;
    case "appendEntries":
      return m.term > 0 && isCount(m.commit) && isCount(m.round) && areConsecutive(m);
    case "appendReply":
      return m.term > 0 && isCount(m.index) && isId(m.hint) && m.hint.index <= m.index && isCount(m.round) &&
        isCount(m.promiseMs ?? 0);
    case "heartbeat":
      return m.term > 0 && isCount(m.round) && isCount(m.commit.index) && isCount(m.commit.term) &&
        m.commit.term <= m.term;
    case "heartbeatReply":
      return m.term > 0 && isCount(m.round) && isCount(m.promiseMs ?? 0);
    case "removedNotice":
      return isCount(m.at);
    case "recall":
      return true;
    case "marks":
      return m.marks.every((mark) => isMark(mark) && mark.term <= term + TERM_LEAP_MAX);
    default:
      // A kind that a later version may send.
      return false;
  }
}

/** Whether a message answers another one. */
export function isReply({ k }: Message | OutgoingMessage): boolean {
  return k === "preVoteReply" || k === "requestVoteReply" || k === "appendReply" || k === "heartbeatReply";
}

/** Whether a message may go to any disk under the receiver's id: a node that lags may know an older one only (recall.ts). */
export function isForAnyDisk({ k }: Message | OutgoingMessage): boolean {
  return k === "recall" || k === "marks";
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isId({ index, term }: EntryId): boolean {
  return isCount(index) && isCount(term) && (index === 0) === (term === 0);
}

function isMark({ storageId, term, vote, entry }: Mark): boolean {
  if (typeof storageId !== "string" || vote !== null && typeof vote !== "string") return false;
  return isCount(term) && isCount(entry.index) && isCount(entry.term) && entry.term <= term;
}

function areConsecutive({ prev, entries, term }: AppendEntries): boolean {
  if (!isId(prev)) return false;
  let index = prev.index;
  let newest = prev.term;
  for (const entry of entries) {
    index++;
    if (entry.index !== index || !isCount(entry.term) || entry.term < newest || entry.term === 0) return false;
    if (entry.kind !== "noop" && entry.kind !== "command" && entry.kind !== "config") return false;
    newest = entry.term;
  }
  return newest <= term && isCount(index);
}
