/**
 * Lease reads (R10, dissertation §6.4.1): for a while after a majority has answered, the leader knows that
 * nobody else can have been elected, and need not ask again. An option, as it trusts clocks; without it nothing happens
 * here but that the clock is noted (rounds.ts).
 *
 * The promise. A node that has heard a leader votes for nobody for `promiseMs` of its own monotonic clock, itself
 * included; only the leader's own hand-over (T3) lifts that. Ticks would not do: a driver makes up missed ones in bursts.
 * A restart forgets whom it heard, so a node that may have promised in an earlier process is as bound for `quietMs` after
 * its start. Nodes without the option promise nothing, and say so: their answers count for no lease.
 *
 * The lease. For each voter: the time at which the round was sent that it has echoed last, plus what that voter promises,
 * less the drift of clocks and a margin; then what a majority reaches, the leader included, by the configuration now in
 * force.
 *
 * Why nobody else commits while it holds. The first leader of a later term was elected by a majority, of this configuration
 * or of the one before it (as an entry of this term is committed, its log has it: R1, M2). That majority shares a node with
 * the one behind the lease: not this leader, which has not voted since; so one that promised, after the round was sent, and
 * voted when its promise was over, thus after the lease. Or the vote was for a hand-over: of this leader, which has no lease
 * in this term from the moment it sent `timeoutNow` (T5); an older leader's is for a term that is over.
 *
 * The only voter campaigns at once, even with a promise: that configuration cannot have elected another node.
 *
 * Clocks may differ in pace by {@linkcode DRIFT}. A machine that was suspended is noticed by its wall clock, if that is
 * right afterwards (rpc/lease.ts); then all rounds are forgotten, and fresh ones have to be answered.
 * @module
 */
import { areTogether, type ClockReading, CLOCKS_APART_MS_MAX, type Lease, NO_LEASE } from "../../base/shared/lease.ts";
import type { NodeId } from "./message.ts";
import { quorumValue } from "./quorum.ts";
import { progressOf } from "./replication.ts";
import { roundSentMs } from "./rounds.ts";
import { isDiskInTrouble, type Leadership, leadership, type RaftState } from "./state.ts";

/** No clock runs faster than another one by more than this share. */
const DRIFT = 0.1;
/** Twice what clocks of one machine may be apart unnoticed, before the round and after it, and some for timers. */
const MARGIN_MS = 2 * CLOCKS_APART_MS_MAX + 10;

/** The clocks of this machine now; comes before everything else that a turn steps. */
export function onClock(s: RaftState, now: ClockReading): void {
  const { lease } = s.options;
  if (s.clock === undefined) {
    if (lease !== undefined) s.boundUntilMs = now.ms + lease.quietMs;
  } else if (areTogether(now, s.clock.skewMs)) {
    s.clock.ms = Math.max(s.clock.ms, now.ms);
    return;
  } else {
    const lead = leadership(s);
    if (lead !== undefined) lead.rounds = [];
  }
  s.clock = { ms: now.ms, skewMs: now.wallMs - now.ms };
}

/** Promises the leader that was just heard to vote for nobody for a while. */
export function promise(s: RaftState): void {
  const { lease } = s.options;
  if (lease === undefined || s.clock === undefined) return;
  s.boundUntilMs = Math.max(s.boundUntilMs, s.clock.ms + lease.promiseMs);
}

/** Whether a promise keeps this node from voting, for itself or others. */
export function isBound(s: RaftState): boolean {
  return s.options.lease !== undefined && (s.clock === undefined || s.clock.ms < s.boundUntilMs);
}

/** The lease as it is now. */
export function currentLease(s: RaftState): Lease {
  const lead = leadership(s);
  const { lease } = s.options;
  if (lead === undefined || lease === undefined || s.clock === undefined) return NO_LEASE;
  if (lead.isHandedOver || s.commit < lead.firstIndex || isDiskInTrouble(s)) return NO_LEASE;
  const own: Promised = { sentMs: s.clock.ms, promiseMs: s.configs.isVoter ? lease.promiseMs : 0 };
  const ends: number[] = [];
  for (const id of s.configs.voters) {
    const { sentMs, promiseMs } = id === s.id ? own : promiseTo(lead, id);
    // No more than this node itself promises: whoever says more may have been misunderstood.
    ends.push(promiseMs === 0 ? 0 : sentMs + worthMs(Math.min(promiseMs, lease.promiseMs)));
  }
  return { endMs: quorumValue(ends), skewMs: s.clock.skewMs };
}

/** A voter's promise, 0 for none, and the time when the round that it answered was sent. */
interface Promised {
  readonly sentMs: number;
  readonly promiseMs: number;
}

function promiseTo(lead: Leadership, id: NodeId): Promised {
  const peer = progressOf(lead, id);
  const sentMs = peer && roundSentMs(lead, peer.round);
  return sentMs === undefined ? { sentMs: 0, promiseMs: 0 } : { sentMs, promiseMs: peer?.promiseMs ?? 0 };
}

/** The duration of a promise that a node with another clock can rely on. */
function worthMs(promiseMs: number): number {
  return promiseMs * (1 - DRIFT) - MARGIN_MS;
}
