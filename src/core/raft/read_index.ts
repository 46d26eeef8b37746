/**
 * Linearizable reads without the log (R1 to R9, dissertation §6.4): a read takes the commit index on arrival
 * and is confirmed when a majority answers a round of heartbeats that started after it.
 *
 * Rounds are numbered by the leader. A caller's own id is never matched against answers, and neither is "any answer":
 * both let a delayed one confirm a read that arrived after it was sent (R4).
 * @module
 */
import { confirmedRound, sendHeartbeats } from "./replication.ts";
import { startRound } from "./rounds.ts";
import { type Leadership, leadership, type RaftState } from "./state.ts";

/** Rounds under way at a time: waiting for one that began too early would cost a read up to half of its time. */
const ROUNDS_MAX = 4;

/** Takes a read, or refuses it. */
export function onRead(s: RaftState, ref: number): void {
  const lead = leadership(s);
  if (lead === undefined) {
    s.out.reads.push({ ref, index: null, why: "not_leader" });
  } else if (lead.earlyReads.length + lead.reads.length >= s.options.readsMax) {
    s.out.reads.push({ ref, index: null, why: "queue_full" });
  } else if (s.commit < lead.firstIndex) {
    // R1: an older leader may have committed more than this one knows to be committed.
    lead.earlyReads.push(ref);
  } else {
    lead.reads.push({ ref, index: s.commit, round: lead.round + 1 });
  }
}

/** Grants what was confirmed, and starts a round for reads that none under way began after, unless there are many (R5). */
export function serveReads(s: RaftState, lead: Leadership): void {
  if (lead.earlyReads.length > 0 && s.commit >= lead.firstIndex) {
    for (const ref of lead.earlyReads) lead.reads.push({ ref, index: s.commit, round: lead.round + 1 });
    lead.earlyReads = [];
  }
  grant(s, lead);
  const newest = lead.reads.at(-1);
  if (newest === undefined || newest.round <= lead.round || newest.round - lead.reads[0].round >= ROUNDS_MAX) return;
  startRound(s, lead);
  sendHeartbeats(s, lead);
  // R9: where this node is the only voter, its own word is a majority.
  grant(s, lead);
}

function grant(s: RaftState, lead: Leadership): void {
  if (lead.reads.length === 0) return;
  const confirmed = confirmedRound(s, lead);
  let count = 0;
  while (count < lead.reads.length && lead.reads[count].round <= confirmed) count++;
  if (count === 0) return;
  for (const { ref, index } of lead.reads.splice(0, count)) s.out.reads.push({ ref, index });
}
