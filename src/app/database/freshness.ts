/**
 * Decides whether this node may answer a read without asking other nodes, from its own state in shared memory. If it
 * may not, a leader asks a majority first.
 *
 * A process that was suspended goes on in the belief that it still leads, and so does one that is cut off, until an election
 * timeout has passed. What ages meanwhile is the last word of a majority: for a leader it stands in for the contact with the
 * leader that a follower has.
 * @module
 */
import type { NodeState } from "../../base/shared/node_state.ts";

/** The services that it uses. */
export interface Standing {
  readonly state: NodeState;
  readonly options: { readonly heartbeatTimeoutMs: number };
}

/** A bound that a client sets at level none. */
export interface FreshnessBound {
  /** 0 for none. */
  readonly limitMs: number;
  /** Whether what is committed and not applied counts, too. */
  readonly isStrict: boolean;
}

/**
 * Whether a node that believes that it leads does, and shows all that clients were told of: a majority has said so within
 * the time in which nobody else can have been elected; all that was committed before its term is applied, and so is what
 * other nodes may have told their clients of.
 */
export function isConfirmedLeader({ state, options }: Standing): boolean {
  return state.appliedTerm === state.term && state.placedElsewhere <= state.applied &&
    isWithin(state.confirmedMs, options.heartbeatTimeoutMs);
}

/** Whether what this node shows is known to be no older than a client allows. */
export function isFresh({ state }: Pick<Standing, "state">, { limitMs, isStrict }: FreshnessBound): boolean {
  if (limitMs <= 0) return true;
  if (!isWithin(state.isLeader ? state.confirmedMs : state.leaderContactMs, limitMs)) return false;
  return !isStrict || state.applied >= state.commit || isWithin(state.leaderAppendedMs, limitMs);
}

/** Whether `timeMs` of the wall clock, 0 for never and Infinity for always, is near. A time to come tells of a clock that was set. */
function isWithin(timeMs: number, limitMs: number): boolean {
  return timeMs === Infinity || timeMs !== 0 && Math.abs(Date.now() - timeMs) <= limitMs;
}
