/**
 * All metrics that a node can have: those of a server that leads, with an agent, a certificate and a peer. The replica and
 * the pool answer as such a node's do.
 */
import { allFamilies } from "../../../src/api/metrics/prometheus.ts";
import { Activity, ACTIVITY_BYTES } from "../../../src/base/shared/activity.ts";
import type { Family } from "../../../src/core/metrics/family.ts";
import type { CoreStatus } from "../../../src/core/raft/effects.ts";
import type { MemberRecord } from "../../../src/drivers/membership/api.ts";
import { LocalNode } from "../../harness/local_node.ts";

const VERSIONS = { protocolMin: 1, protocolMax: 5, protocolCur: 2, delegateMin: 2, delegateMax: 5, delegateCur: 4 };

function member(id: string, tags: Record<string, string>, status: MemberRecord["status"] = "alive"): MemberRecord {
  return { name: `n${id}`, addr: "10.0.0.1", port: 8301, tags: { id, ...tags }, status, ...VERSIONS };
}

/** Members of its pool: two servers, of which one failed, and a client. */
export const MEMBERS = [
  member("1", { role: "consul" }),
  member("2", { role: "consul" }, "failed"),
  member("3", { role: "node" }),
];

/** Such a node. */
export function leadingServer(): LocalNode {
  const node = new LocalNode();
  const members = ["1", "2"].map((id) => ({ id, addr: `h${id}:2`, role: "voter" }));
  const core: Partial<CoreStatus> = {
    id: "1",
    leader: "1",
    term: 1,
    last: { index: 9, term: 1 },
    progress: [{ id: "2", match: 9, ticksSinceHeard: 1 }] as unknown as CoreStatus["progress"],
    config: { members } as unknown as CoreStatus["config"],
  };
  Object.assign(node.replica, {
    counters: () => ({
      store: { last_index: 9, servers: 2, voters: 2, leader_changes: 1, num_snapshots_sent: 0, num_restores: 0 },
      log: { bytes: 16_777_216, segments: 1 },
      contact_ms: { "2": 50 },
    }),
    status: () => ({ core, contacts: { "2": 50 } }),
  });
  Object.assign(node.pool, { members: () => MEMBERS, stats: () => ({ health_score: "0", dropped: "3" }) });
  Object.assign(node.services, { tracer: { exported: 2, dropped: 1, begin: () => undefined } });
  node.services.expiry.http = "2027-01-01T00:00:00Z";
  return node;
}

const UPLOADS = {
  num_uploads_ok: 3,
  num_uploads_fail: 0,
  num_uploads_skipped: 1,
  num_uploads_skipped_id: 0,
  num_removed: 0,
  total_upload_bytes: 4096,
  last_upload_bytes: 1024,
};

/** Its metrics, with requests, a writer and automatic backups: each has something to show. */
export async function exposed(node: LocalNode): Promise<Family[]> {
  const { services } = node;
  services.requests.of("GET", "/readyz").answered(200, 1);
  services.requests.noteRefused(408);
  const activity = new Activity(new SharedArrayBuffer(8 + ACTIVITY_BYTES), 8);
  const uploader = { status: () => Promise.resolve({ uploader: UPLOADS }) };
  return await allFamilies({ ...services, activity, uploader });
}
