/**
 * Linearizable reads on the leader (R1 to R10): a read index is confirmed, and applied, before the transaction is
 * opened (R7).
 *
 * What confirms it is a round of heartbeats, or, with `-raft-lease-reads`, the leader's lease (R10; raft/lease.ts), which
 * lies in memory that this Worker shares with the replica: then nobody is asked at all. The lease is looked at twice. At
 * the arrival of the request it vouches that everything acknowledged before is in what this node has committed. When the
 * results are here, thus after the transaction was opened, the lease of the same term must still hold: what was read was
 * then the newest state when it was read, however long this process stood still in between. If it does not, the results
 * are thrown away, and the read is made again after a round.
 * @module
 */
import type { ReadResult } from "../../core/sql/exchange.ts";
import { leaseHolds } from "../../base/worker/lease.ts";
import { dropResults } from "./held_answer.ts";
import type { AnswerBudget } from "../../base/worker/answer_budget.ts";
import type { NodeState } from "../../base/worker/node_state.ts";
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

/** Whether a lease holds, and all that it vouches for is applied. In this order: what is acknowledged later is no matter. */
function isCovered(parts: ReadParts): boolean {
  return hasLease(parts) && parts.state.applied >= parts.state.commit;
}

function hasLease({ state, replica }: ReadParts): boolean {
  return leaseHolds(state.lease, replica.clock.read());
}
