/**
 * Removes a node from its cluster when it shuts down, so that the others do not count on its vote.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import type { LeaderInfo } from "../replica/api.ts";
import { CALL_TIMEOUT_MS, type Cluster } from "./cluster.ts";
import type { RpcClient } from "../transport/rpc.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** It tries so often, waiting so long for a leader each time; all in all so long. */
const ATTEMPTS = 5;
const LEADER_MS = 1000;
const RETRY_MS = 250;
const ALL_MS = 8000;

/** Surroundings. */
export interface LeavingParts {
  readonly nodeId: string;
  readonly cluster: Cluster;
  readonly rpc: RpcClient;
  leader(): LeaderInfo | null;
  log(line: string): void;
}

/** Has the leader take this node out; why that failed, after all attempts. */
export async function leaveCluster(parts: LeavingParts): Promise<Error | undefined> {
  let why = "";
  const deadline = performance.now() + ALL_MS;
  for (let attempt = 0; attempt < ATTEMPTS && performance.now() < deadline; attempt++) {
    if (attempt > 0) await pause(RETRY_MS);
    try {
      await removeSelf(parts);
      return undefined;
    } catch (error) {
      why = messageOf(error);
      parts.log(`leaving the cluster failed (attempt ${attempt + 1} of ${ATTEMPTS}): ${why}`);
    }
  }
  return new Error(
    `this node could not leave the cluster: ${why}. It is still a member; remove it on another node: ` +
      `curl -XDELETE http://NODE/remove -d '{"id":"${parts.nodeId}"}'`,
  );
}

async function removeSelf({ nodeId, cluster, rpc, leader }: LeavingParts): Promise<void> {
  for (let waited = 0; !leader() && waited < LEADER_MS; waited += 20) await pause(20);
  const found = leader();
  if (!found) throw new Error("no leader is known");
  if (found.id === nodeId) await cluster.remove(nodeId);
  else await rpc.call(found.addr, "remove", { id: nodeId }, { timeoutMs: CALL_TIMEOUT_MS });
}
