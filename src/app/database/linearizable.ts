/**
 * Linearizable reads on the leader (spec/raft.md §2.7): a read index is confirmed, and applied, before the transaction is
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
import type { Services } from "../../api/http/request.ts";

/** What of the services it takes. */
export type ReadServices = Pick<Services, "state" | "counters" | "answers"> & {
  readonly replica: Pick<Services["replica"], "confirmRead" | "clock">;
};

/**
 * Runs a read linearizably.
 * @param timeoutMs Longest wait for the confirmation.
 * @param run Opens a transaction and reads; undefined when its time is up.
 * @throws {import("./replica_client.ts").ReplicaError} When this node does not lead, or cannot confirm it in time.
 */
export async function readLinearizably(
  services: ReadServices,
  timeoutMs: number,
  run: () => Promise<ReadResult | undefined>,
): Promise<ReadResult | undefined> {
  const { state, counters, replica, answers } = services;
  const { term } = state;
  const { byLease } = isCovered(services)
    ? { byLease: true }
    : await replica.confirmRead(timeoutMs, { byRound: false });
  const result = await run();
  if (!byLease || result === undefined || result.writes) return result;
  if (hasLease(services) && state.term === term) {
    counters.reads_by_lease++;
    return result;
  }
  counters.leases_lost++;
  dropResults(result.results, answers);
  await replica.confirmRead(timeoutMs, { byRound: true });
  return await run();
}

/** Whether a lease holds, and all that it vouches for is applied. In this order: what is acknowledged later is no matter. */
function isCovered(services: ReadServices): boolean {
  return hasLease(services) && services.state.applied >= services.state.commit;
}

function hasLease({ state, replica }: ReadServices): boolean {
  return leaseHolds(state.lease, replica.clock.read());
}
