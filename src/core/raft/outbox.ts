/**
 * The output of a drain of the core: one write, and the messages with the tickets they wait for (O2, O7).
 * @module
 */
import type { Effects, Ticket } from "./effects.ts";
import type { Queued, RaftState } from "./state.ts";

type Write = NonNullable<Effects["persist"]>;
/** A write in the making. */
type Draft = { -readonly [Key in keyof Write]: Write[Key] };

/** The write that is owed, with its ticket (O7); undefined when nothing changed. */
export function takeWrite(s: RaftState): Effects["persist"] {
  if (!s.hardDirty && !s.log.hasUnsaved) return undefined;
  const { install: base, truncateFrom, append } = s.log.takeUnsaved();
  const ticket = s.log.tickets.issue({ last: s.log.last, hard: s.hardDirty, now: s.timer.now });
  const write: Draft = { ticket, append, commit: s.commit };
  if (s.hardDirty) write.hard = { term: s.term, vote: s.vote };
  s.hardDirty = false;
  if (s.part.role === "candidate" && s.part.ownVoteTicket === Infinity) s.part.ownVoteTicket = ticket;
  if (base !== undefined) write.install = { base, config: s.configs.committed(base.index) };
  if (truncateFrom !== undefined) write.truncateFrom = truncateFrom;
  return write;
}

/** Gives every queued message the ticket it must wait for (O2). Comes after the write of this drain has its own. */
export function takeMessages(s: RaftState): Effects["send"] {
  const queued = s.out.send;
  s.out.send = [];
  const messages: Effects["send"][number][] = [];
  for (const item of queued) {
    // O7: a promise of an older term may speak of entries that were replaced before they reached the disk.
    if (item.gate !== "free" && item.m.term < s.term) continue;
    messages.push({ m: item.m, after: ticketOf(s, item) });
  }
  return messages;
}

function ticketOf(s: RaftState, item: Queued): Ticket {
  if (item.gate === "free") return 0;
  return item.gate === "all" ? s.log.tickets.newest : s.log.tickets.gate(item.index);
}
