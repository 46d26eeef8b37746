/** The gossip pool as Raft uses it, nodes that are reaped, and a node that leaves: over a pool and a cluster that the test plays. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Callee, type Methods, type ToCallee } from "../../../src/base/worker/channel.ts";
import type { CoreStatus } from "../../../src/core/raft/effects.ts";
import type { Cluster } from "../../../src/drivers/cluster/cluster.ts";
import { leaveCluster } from "../../../src/drivers/cluster/leaving.ts";
import { Pool } from "../../../src/drivers/cluster/pool.ts";
import { Reaper } from "../../../src/drivers/cluster/reaper.ts";
import type { FromMembership, MemberRecord, MembershipMethods } from "../../../src/drivers/membership/api.ts";
import type { RpcClient } from "../../../src/drivers/transport/rpc.ts";
import { until } from "../../harness/processes.ts";

const VERSIONS = { protocolMin: 1, protocolMax: 5, protocolCur: 2, delegateMin: 2, delegateMax: 5, delegateCur: 4 };

function server(id: string, addr: string, status: MemberRecord["status"] = "alive", tags = {}): MemberRecord {
  return { name: `s${id}`, addr, port: 8301, tags: { role: "consul", id, port: "8300", ...tags }, status, ...VERSIONS };
}

/** A part of a core's status. */
function status(
  role: CoreStatus["role"],
  members: readonly [id: string, addr: string, role?: "nonvoter"][],
): CoreStatus {
  const list = members.map(([id, addr, kind = "voter"]) => ({ id, storageId: `d${id}`, addr, role: kind }));
  const progress = list.map(({ id }) => ({ id, ticksSinceHeard: id === "1" ? 0 : 100 }));
  return { role, config: { at: 1, clusterId: "c", members: list }, progress } as unknown as CoreStatus;
}

interface Bench {
  members: readonly MemberRecord[];
  status: CoreStatus;
  readonly done: string[];
  readonly pool: Pool;
  tell(event: Extract<FromMembership, { k: "event" }>["event"]): void;
}

async function withPool(bootstrapExpect: number, work: (bench: Bench) => Promise<void>): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const done: string[] = [];
  const bench = { members: new Array<MemberRecord>(), status: status("follower", []), done };
  const methods = { members: () => bench.members } as unknown as Methods<MembershipMethods>;
  const callee = new Callee<MembershipMethods>(port2, methods);
  port2.onmessage = ({ data }: MessageEvent<ToCallee<MembershipMethods>>) => callee.take(data);
  const pool = new Pool({
    port: port1,
    nodeId: "1",
    bootstrapExpect,
    status: () => bench.status,
    remove: (id) => {
      done.push(`remove ${id}`);
      return Promise.resolve(true);
    },
    readdress: (id, addr) => {
      done.push(`readdress ${id} ${addr}`);
      return addr === "no:8300" ? Promise.reject(new Error("another change is under way")) : Promise.resolve();
    },
    onMoved: () => done.push("moved"),
    log: (line) => done.push(line),
  });
  const tell: Bench["tell"] = (event) => port2.postMessage({ k: "event", event });
  try {
    await work(Object.assign(bench, { pool, tell }));
  } finally {
    pool.close();
    port1.close();
    port2.close();
  }
}

Deno.test("Pool knows the servers that are up, by their cluster port", () =>
  withPool(3, async (bench) => {
    bench.members = [
      server("1", "192.0.2.1"),
      server("2", "2001:db8::2", "alive", { port: "x" }),
      server("3", "192.0.2.3", "failed"),
      { ...server("4", "192.0.2.4"), tags: { role: "node", id: "4" } },
    ];
    assertEquals(await bench.pool.serverAddrs(), ["192.0.2.1:8300", "[2001:db8::2]:8301"]);
    assertEquals(bench.pool.addrOf("2"), "[2001:db8::2]:8301");
    assertEquals([bench.pool.addrOf("3"), bench.pool.addrOf("4")], [undefined, undefined]);
    assertEquals(bench.done, ["moved"], "a follower changes nothing");
    await bench.pool.serverAddrs();
    assertEquals(bench.done, ["moved"], "nobody has moved since");
    bench.members = [
      server("1", "192.0.2.1", "alive", { expect: "3" }),
      server("2", "192.0.2.2", "alive", { expect: "5" }),
    ];
    await bench.pool.serverAddrs();
    assertEquals(
      bench.done[2],
      "Member s2 has a conflicting expect value. All nodes should expect the same number. (5, not 3)",
    );
  }));

Deno.test("the leader gives servers that moved their new address and removes those that left, not those that failed", () =>
  withPool(0, async (bench) => {
    bench.status = status("leader", [["1", "a:8300"], ["2", "b:8300"], ["3", "c:8300"], ["4", "d:8300"], [
      "5",
      "e:8300",
    ]]);
    bench.members = [server("1", "a"), server("2", "x"), server("3", "c", "failed"), server("4", "d", "left")];
    await bench.pool.serverAddrs();
    await until("all is done", () => bench.done.includes("remove 4") || undefined);
    assertEquals(bench.done, [
      "moved",
      "readdress 2 x:8300",
      'server "s4" (4) has left the pool: it is removed from the cluster',
      "remove 4",
    ]);
    // A server that the pool has forgotten is gone, too.
    bench.done.length = 0;
    bench.status = status("leader", [["1", "a:8300"], ["5", "e:8300"]]);
    bench.tell({ type: "member-reap", members: [server("5", "e", "failed")] });
    await until("it is removed", () => bench.done.includes("remove 5") || undefined);
    assertMatch(bench.done.at(-2) ?? "", /^server "\?" \(5\) has left the pool/);
    bench.members = [server("1", "no")];
    await bench.pool.serverAddrs();
    await until(
      "it waits",
      () => bench.done.includes("a change of membership waits: another change is under way") || undefined,
    );
  }));

Deno.test("the leader removes a server that has come back as a client: it votes no more, and is needed for no majority", () =>
  withPool(0, async (bench) => {
    bench.status = status("leader", [["1", "a:8300"], ["2", "b:8300"], ["3", "c:8300"]]);
    const client = (id: string, state: MemberRecord["status"]) => ({
      ...server(id, "c", state),
      tags: { role: "node", id },
    });
    bench.members = [server("1", "a"), server("2", "b"), client("3", "failed")];
    await bench.pool.serverAddrs();
    assertEquals(bench.done, ["moved"], "one that is not there may come back as either");
    bench.members = [server("1", "a"), server("2", "b"), client("3", "alive")];
    await bench.pool.serverAddrs();
    await until("it is removed", () => bench.done.includes("remove 3") || undefined);
    assertEquals(bench.done[1], 'server "s3" (3) has come back as a client: it is removed from the cluster');
  }));

Deno.test("Reaper removes voters and non-voters that were not heard for their time, while this node leads", async () => {
  const removed: string[] = [];
  const log: string[] = [];
  let now = status("follower", [["1", "a"], ["2", "b"], ["3", "c", "nonvoter"], ["4", "d"]]);
  const reaper = new Reaper({
    voterMs: 1000,
    nonVoterMs: 0,
    tickMs: 50,
    status: () => now,
    remove: (id) => {
      removed.push(id);
      return id === "4" ? Promise.reject(new Error("no majority")) : Promise.resolve();
    },
    log: (line) => log.push(line),
  });
  try {
    now = status("leader", [["1", "a"], ["2", "b"], ["3", "c", "nonvoter"], ["4", "d"]]);
    await until("it has looked", () => log.length === 2 || undefined);
    assertEquals(removed, ["2", "4"]);
    assertEquals(log, [
      "successfully reaped voting node 2, not heard for 5 s",
      "reaping voting node 4 failed: no majority",
    ]);
    assertEquals(reaper.reaped, 1);
  } finally {
    reaper.close();
  }
});

Deno.test("leaveCluster() has the leader take this node out, or takes itself out where it leads", async () => {
  const leaving = async (leaderId: string | null, failures = 0) => {
    const calls: string[] = [];
    const fail = () => {
      if (calls.length <= failures) throw new Error("no majority");
    };
    const error = await leaveCluster({
      nodeId: "1",
      cluster: {
        remove: (id: string) => {
          calls.push(`remove ${id}`);
          return Promise.resolve(true);
        },
      } as unknown as Cluster,
      rpc: {
        // deno-lint-ignore require-await -- it may fail
        call: async (addr: string, method: string, head: unknown) => {
          calls.push(`${method} ${JSON.stringify(head)} at ${addr}`);
          fail();
        },
      } as unknown as RpcClient,
      leader: () => leaderId === null ? null : { id: leaderId, addr: "l:2", apiUrl: "" },
      log: (line) => calls.push(line),
    });
    return { calls, error: error?.message };
  };
  assertEquals(await leaving("1"), { calls: ["remove 1"], error: undefined });
  const failed = "leaving the cluster failed (attempt 1 of 5): no majority";
  assertEquals(await leaving("2", 1), {
    calls: ['remove {"id":"1"} at l:2', failed, 'remove {"id":"1"} at l:2'],
    error: undefined,
  });
  const { error } = await leaving("2", Infinity);
  assert(error?.startsWith("this node could not leave the cluster: no majority. It is still a member"));
});
