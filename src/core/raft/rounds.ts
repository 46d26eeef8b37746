/**
 * Rounds of heartbeats and when each was sent. A round that a majority of voters has echoed shows that nobody else had
 * been elected when it was sent: from that a leader knows how old its word is, and with what the voters promise besides, a
 * lease follows (lease.ts). Times need a driver that tells the clock; without one there are no rounds but those of reads.
 * @module
 */
import { progressOf } from "./replication.ts";
import { quorumValue } from "./quorum.ts";
import { type Leadership, leadership, type RaftState } from "./state.ts";

/** Election timeouts for which rounds are remembered, one per tick: a leader unheard for so long has resigned (P5). */
const ELECTIONS_REMEMBERED = 2;

/** Starts a round of heartbeats, and notes when: before any of its messages leaves. */
export function startRound(s: RaftState, lead: Leadership): void {
  lead.round++;
  if (s.clock === undefined) return;
  const tick = s.timer.now;
  // One that is left out counts as the one before it: from an earlier time, thus for less.
  if (lead.rounds.at(-1)?.tick === tick) return;
  lead.rounds.push({ round: lead.round, tick, sentMs: s.clock.ms });
  if (lead.rounds.length > ELECTIONS_REMEMBERED * s.options.electionTicks) lead.rounds.shift();
}

/** When the newest round up to `round` was sent, by the monotonic clock; undefined where that is forgotten. */
export function roundSentMs(lead: Leadership, round: number): number | undefined {
  return lead.rounds.findLast((noted) => noted.round <= round)?.sentMs;
}

/**
 * When the newest round was sent that a majority of voters has echoed, by the wall clock; 0 for never in this term, and
 * before the term has committed an entry, as the commit index is not known to be current then (R1). Infinity where this
 * node is a majority by itself. Undefined where no clock was told.
 */
export function confirmedMs(s: RaftState): number | undefined {
  if (s.clock === undefined) return undefined;
  const lead = leadership(s);
  if (lead === undefined || s.commit < lead.firstIndex) return 0;
  const own = s.configs.isVoter ? Infinity : 0;
  const times: number[] = [];
  for (const id of s.configs.voters) {
    times.push(id === s.id ? own : roundSentMs(lead, progressOf(lead, id)?.round ?? 0) ?? 0);
  }
  const sentMs = quorumValue(times);
  return sentMs === 0 ? 0 : sentMs + s.clock.skewMs;
}
