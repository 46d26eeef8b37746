/**
 * Linearizable reads on the leader (R1 to R11): a read index is confirmed and applied before the transaction is opened
 * (R7), or, where all that this leader knows to be committed is applied already, while it runs (R11): the results wait for
 * the confirmation, of the same term, and are thrown away without it. Nobody is asked where this node is the only voter (R9).
 *
 * It is confirmed by a round of heartbeats, or, with `-raft-lease-reads`, by the leader's lease (R10; raft/lease.ts).
 * The lease lies in memory that this Worker shares with the replica, so no other node is asked. It is checked twice.
 * When the request arrives, the lease guarantees that everything acknowledged before is in this node's committed log.
 * When the results arrive, thus after the transaction was opened, the lease of the same term must still hold. Then the
 * results were the newest state at the time of the read, however long this process was suspended in between. Otherwise
 * the results are discarded, and the read is repeated after a round.
 * @module
 */
import type { ReadResult } from "../../core/sql/exchange.ts";
import { leaseHolds } from "../../base/shared/lease.ts";
import { dropResults } from "./held_answer.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { Counters } from "./counters.ts";
import type { ReplicaClient } from "./replica_client.ts";

/** Dependencies of linearizable reads. */
export interface ReadParts {
  readonly state: NodeState;
  readonly counters: Pick<Counters, "reads_by_lease" | "leases_lost">;
  readonly answers: AnswerBudget;
  readonly replica: Pick<ReplicaClient, "confirmRead" | "clock">;
}

/**
 * Runs a read linearizably.
 * @param timeoutMs Longest wait for the confirmation.
 * @param run Opens a transaction and reads; undefined when its time is up.
 * @throws {import("./replica_client.ts").ReplicaError} When this node does not lead, or cannot confirm it in time.
 */
export async function readLinearizably(
  parts: ReadParts,
  timeoutMs: number,
  run: () => Promise<ReadResult | undefined>,
): Promise<ReadResult | undefined> {
  const { state, counters, replica, answers } = parts;
  const { term } = state;
  if (showsAll(state, term) && state.confirmedMs === Infinity) return await run();
  if (!isCovered(parts) && showsAll(state, term)) return await readAhead(parts, { term, timeoutMs, run });
  const { byLease } = isCovered(parts) ? { byLease: true } : await replica.confirmRead(timeoutMs, { byRound: false });
  const result = await run();
  if (!byLease || result === undefined || result.writes) return result;
  if (hasLease(parts) && state.term === term) {
    counters.reads_by_lease++;
    return result;
  }
  counters.leases_lost++;
  dropResults(result.results, answers);
  await replica.confirmRead(timeoutMs, { byRound: true });
  return await run();
}

/** Reads while a round confirms that nobody else has led since before. */
async function readAhead(
  { state, replica, answers }: ReadParts,
  { term, timeoutMs, run }: {
    /** The term that was looked at. */
    readonly term: number;
    readonly timeoutMs: number;
    run(): Promise<ReadResult | undefined>;
  },
): Promise<ReadResult | undefined> {
  const reading = run();
  reading.catch(ignore); // it may fail while nobody waits for it yet
  try {
    await replica.confirmRead(timeoutMs, BY_ROUND);
  } catch (error) {
    discard(reading, answers);
    throw error;
  }
  if (state.term === term) return await reading;
  // Another node may have led in between, and what it acknowledged may be missing.
  discard(reading, answers);
  return await run();
}

const BY_ROUND = { byRound: true };
const ignore = () => {};

function discard(reading: Promise<ReadResult | undefined>, answers: AnswerBudget): void {
  reading.then((result) => result && dropResults(result.results, answers), ignore);
}

/**
 * Whether the database has everything that was acknowledged so far, if this node leads in `term` from now on (R11). The replica may
 * change the state meanwhile: what is applied is read before what is committed, and the term before all.
 */
function showsAll({ isLeader, appliedTerm, applied, commit }: NodeState, term: number): boolean {
  return isLeader && appliedTerm === term && applied >= commit;
}

/** Whether a lease holds, and all that it vouches for is applied. In this order: what is acknowledged later is no matter. */
function isCovered(parts: ReadParts): boolean {
  return hasLease(parts) && parts.state.applied >= parts.state.commit;
}

function hasLease({ state, replica }: ReadParts): boolean {
  return leaseHolds(state.lease, replica.clock.read());
}
