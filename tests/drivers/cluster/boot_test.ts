/** Ways into a cluster with a cluster that the test plays: which one the flags and the data lead to, and what is told. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { ReplicaOptions } from "../../../src/drivers/replica/api.ts";
import type { LeaderRecord } from "../../../src/drivers/discovery/api.ts";
import { boot } from "../../../src/drivers/cluster/boot.ts";
import { type BootParts, ClusteringError, entryAddresses } from "../../../src/drivers/cluster/boot_parts.ts";
import type { Probed } from "../../../src/drivers/cluster/probed.ts";

type Calls = string[];

const OPTIONS = {
  nodeId: "1",
  advertisedAddr: "h:2",
  apiUrl: "http://h:1",
  isVoter: true,
  join: [],
  joinAttempts: 2,
  joinIntervalMs: 1,
  bootstrapExpect: 0,
  bootstrapAlone: false,
  bootstrapTimeoutMs: 60_000,
  rejoin: [],
  discovery: undefined,
} satisfies Partial<ReplicaOptions>;

/** What surrounds the boot. */
interface World {
  readonly options?: Partial<ReplicaOptions>;
  readonly members?: number;
  readonly isAlone?: boolean;
  readonly isOut?: boolean;
  /** This node's commit indices, one by one, of which the leader has 7; at -1 it hears no leader any more. @default {[7]} */
  readonly commits?: readonly number[];
  /** Answers to joins, one by one; the last one stays. */
  readonly joins?: readonly ({ joined: string } | { reasons: string[] })[];
  readonly probes?: readonly Probed["state"][];
  /** Answers of the discovery Worker by method; an Error is a failure. */
  readonly discovery?: Readonly<Record<string, readonly unknown[]>>;
  /** Settled after so many questions. @default {as soon as something was done} */
  readonly settledAfter?: number;
}

/** Boots; what was done and what was told. */
async function booted(world: World): Promise<{ calls: Calls; log: string[] }> {
  const calls: Calls = [];
  const log: string[] = [];
  const next = <T>(list: readonly T[]): () => T => {
    let at = 0;
    return () => list[Math.min(at++, list.length - 1)];
  };
  const join = next(world.joins ?? [{ joined: "a:2" }]);
  const probe = next(world.probes ?? ["idle"]);
  const answers = new Map(Object.entries(world.discovery ?? {}).map(([name, list]) => [name, next(list)]));
  const placed = Promise.withResolvers<void>();
  const commit = next(world.commits ?? [7]);
  let isSettled = false;
  let isBooted = false;
  let asked = 0;
  const commitNow = () => {
    const index = commit();
    if (index < 0) [isSettled, asked] = [false, -Infinity];
    return index;
  };
  const cluster = {
    ready: ["1"],
    bootstrapAlone: () => {
      calls.push("bootstrapAlone");
      isSettled = true;
      return Promise.resolve();
    },
    joinOnce: (addrs: readonly string[]) => {
      calls.push(`join ${addrs}`);
      const outcome = join();
      isSettled ||= "joined" in outcome;
      return Promise.resolve(outcome);
    },
    probe: (addrs: readonly string[]) => {
      calls.push(`probe ${addrs}`);
      return Promise.resolve(addrs.map((addr) => ({ addr, state: probe(), why: "refused" })));
    },
    notify: (probed: readonly Probed[]) => {
      calls.push(`notify ${probed.map(({ addr }) => addr)}`);
      isSettled = calls.filter((call) => call.startsWith("notify")).length > 1;
      return Promise.resolve(probed);
    },
  };
  const discovery = {
    call: (method: string, params: { record?: LeaderRecord }) => {
      calls.push(`${method}${params.record ? ` ${params.record.addr}` : ""}`);
      const answer = answers.get(method)?.();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
  const parts = {
    options: { ...OPTIONS, ...world.options },
    cluster,
    discovery: world.discovery && discovery,
    pool: { serverAddrs: () => Promise.resolve(["p:1"]) },
    membership: () => {
      const members = Array.from(
        { length: world.members ?? 0 },
        (_, at) => ({ id: `${at + (world.isAlone ? 1 : 2)}` }),
      );
      return { config: { members }, commit: isBooted ? commitNow() : 0 };
    },
    removal: { isOutOf: () => world.isOut ?? false, placed: placed.resolve },
    leaderCommit: () => Promise.resolve(7),
    settled: () => isSettled ||= ++asked > (world.settledAfter ?? Infinity),
    signal: new AbortController().signal,
    log: (line: string) => log.push(line),
  };
  const booting = boot(parts as unknown as BootParts);
  isBooted = true;
  await booting;
  await placed.promise;
  return { calls, log };
}

Deno.test("a new node alone starts a cluster, unless it is no voter or expects others", async () => {
  const { calls, log } = await booted({});
  assertEquals([calls, log], [["bootstrapAlone"], ["no cluster to join: starting one of this node alone"]]);
  assertEquals((await booted({ options: { bootstrapAlone: true, join: ["a:1"] } })).log, [
    "starting a cluster of this node alone, as -bootstrap says",
  ]);
  await assertRejects(() => booted({ options: { isVoter: false } }), ClusteringError, "new non-voting node");
  await assertRejects(() => booted({ options: { bootstrapExpect: 3 } }), ClusteringError, "-bootstrap-expect 3 needs");
});

Deno.test("a new node joins through the addresses that it is given, as often as it may", async () => {
  const options = { join: ["127.0.0.1:1"] };
  const second = await booted({ options, joins: [{ reasons: ["no leader"] }, { joined: "127.0.0.1:1" }] });
  assertEquals(second.calls, ["join 127.0.0.1:1", "join 127.0.0.1:1"]);
  assertEquals(second.log, [
    "failed to join cluster (attempt 1 of 2): no leader",
    "successfully joined cluster at 127.0.0.1:1",
  ]);
  const refused = () => booted({ options, joins: [{ reasons: ["no leader"] }] });
  await assertRejects(refused, ClusteringError, "failed to join cluster");
  const { calls, log } = await booted({ options: { rejoin: ["b:1"] } });
  assertEquals([calls, log[0]], [
    ["join b:1"],
    "this node's data were set aside as damaged: it joins the cluster again, through b:1",
  ]);
});

Deno.test("an address that serves HTTP is no address to join", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("x"));
  try {
    const join = [`127.0.0.1:${server.addr.port}`];
    await assertRejects(() => booted({ options: { join } }), ClusteringError, "appears to be serving HTTP");
  } finally {
    await server.shutdown();
  }
});

Deno.test("a node of a cluster resumes: it says where it is until its leader is known, and joins nothing else", async () => {
  const { calls, log } = await booted({ members: 3, options: { join: ["127.0.0.1:1"], bootstrapExpect: 3 } });
  assertEquals(calls, ["join 127.0.0.1:1"]);
  assertEquals(log, [
    "this node is part of a cluster already: join, bootstrap and discovery flags matter only if it was removed from it",
  ]);
  const waiting = await booted({ members: 3, joins: [{ reasons: ["a:1: refused"] }], settledAfter: 40 });
  assertEquals(waiting.log, ["waiting for a leader of this node's cluster (a:1: refused)"]);
  const alone = () => booted({ members: 1, isAlone: true, options: { join: ["127.0.0.1:1"] } });
  await assertRejects(alone, ClusteringError, "node is the only node in a single-node cluster");
});

Deno.test("a node that was removed while it was down asks to be taken in again, also where it has heard a leader first", async () => {
  const options = { join: ["127.0.0.1:1"], bootstrapExpect: 3 };
  const stays = await booted({ members: 3, options, settledAfter: 1, commits: [5, 6, 7] });
  assertEquals(stays.calls, []);
  const removed = await booted({ members: 3, options, settledAfter: 1, commits: [5, 6, -1, 7] });
  assertEquals(removed.calls, ["join 127.0.0.1:1"]);
  const left = await booted({ members: 3, isOut: true, joins: [{ reasons: [] }], settledAfter: 40 });
  assertEquals(left.log.length, 1);
  assertStringIncludes(left.log[0], "this node was removed from its cluster; to take it in again");
});

Deno.test("nodes that expect each other look for a cluster first, and tell each other that they are ready otherwise", async () => {
  const options = { bootstrapExpect: 2, join: ["127.0.0.1:1", "127.0.0.1:3"] };
  const found = await booted({ options, probes: ["idle", "member"], joins: [{ joined: "127.0.0.1:3" }] });
  assertEquals(found.calls, ["probe 127.0.0.1:1,127.0.0.1:3", "join 127.0.0.1:3"]);
  const told = await booted({ options, settledAfter: 60 });
  assertEquals(told.calls.slice(0, 2), [
    "probe 127.0.0.1:1,127.0.0.1:3",
    "notify 127.0.0.1:1,127.0.0.1:3",
  ]);
  assertEquals(told.log[0], "1 of 2 nodes known (1), waiting for 127.0.0.1:1 (refused), 127.0.0.1:3 (refused)");
  const late = () => booted({ options: { ...options, bootstrapTimeoutMs: 0 }, settledAfter: 1000 });
  await assertRejects(late, ClusteringError, "boot timeout");
  const replica = await booted({
    options: { isVoter: false, discovery: { kind: "addresses", deadAfterMs: 0 } },
    discovery: { addresses: [new Error("no answer"), ["127.0.0.1:1"]] },
    probes: ["silent", "member"],
  });
  assertEquals(replica.log, [
    "waiting for addresses of nodes: no answer",
    "waiting for a cluster to join, waiting for 127.0.0.1:1 (refused)",
    "successfully joined cluster at a:2",
  ]);
});

const FOUND = { record: { id: "2", apiAddr: "", addr: "b:2" }, revision: "7", claimed: false };
const REGISTER = { discovery: { kind: "register", deadAfterMs: 1 } } as const;

Deno.test("the first to create the key starts the cluster; others join through it, or replace a record that is dead", async () => {
  assertEquals(await booted({ options: REGISTER, discovery: { read: [null], claim: [true] } }), {
    calls: ["read", "claim h:2", "bootstrapAlone"],
    log: ["no leader was registered: this node starts the cluster"],
  });
  const lost = await booted({
    options: REGISTER,
    discovery: { read: [null, FOUND], claim: [false] },
    probes: ["member"],
  });
  assertEquals(lost.calls, ["read", "claim h:2", "read", "probe b:2", "join b:2"]);
  const claimed = await booted({ options: REGISTER, discovery: { read: [{ ...FOUND, claimed: true }] } });
  assertEquals(claimed.log, ["an earlier claim of this node was taken: this node starts the cluster"]);

  const dead = await booted({
    options: REGISTER,
    discovery: { read: [new Error("no answer"), FOUND], replace: [true] },
    probes: ["idle"],
  });
  assertEquals(dead.calls, ["read", "read", "probe b:2", "read", "probe b:2", "replace h:2", "bootstrapAlone"]);
  assertEquals(dead.log, [
    "discovery failed, trying again: no answer",
    'waiting for the registered leader "2" at b:2 (refused); unless it reports within 0.001 s, this node takes its place',
    'the registered leader "2" at b:2 was dead for 0.001 s (refused), its record is replaced: this node starts the cluster',
  ]);
});

Deno.test("a registered leader that keeps silent is waited for, and a read replica starts no cluster", async () => {
  const silent = await booted({ options: REGISTER, discovery: { read: [FOUND] }, probes: ["silent", "member"] });
  assertEquals(silent.log, [
    'waiting for the registered leader "2" at b:2 (refused)',
    "successfully joined cluster at a:2",
  ]);
  const full = await booted({
    options: REGISTER,
    discovery: { read: [FOUND] },
    probes: ["member"],
    joins: [{ reasons: ["no leader"] }, { joined: "b:2" }],
  });
  assertEquals(full.log[0], 'waiting for the cluster of node "2" to take this node in (no leader)');
  const replica = await booted({
    options: { ...REGISTER, isVoter: false },
    discovery: { read: [null, FOUND] },
    probes: ["member"],
  });
  assertEquals(
    replica.log[0],
    "no leader is registered yet; waiting for a voter, as this node is a read replica",
  );
});

Deno.test("entryAddresses() gives the addresses of the flags, of the pool, or of discovery", async () => {
  const of = (kind: "addresses" | "register" | "pool" | undefined, answer: unknown) =>
    entryAddresses({
      options: { join: ["a:1"], discovery: kind && { kind, deadAfterMs: 0 } },
      discovery: { call: () => Promise.resolve(answer) },
      pool: { serverAddrs: () => Promise.resolve(["p:1"]) },
    } as unknown as BootParts);
  assertEquals(await of(undefined, null), ["a:1"]);
  assertEquals(await of("pool", null), ["a:1", "p:1"]);
  assertEquals(await of("addresses", ["d:1"]), ["d:1"]);
  assertEquals(await of("register", FOUND), ["b:2"]);
  assertEquals(await of("register", null), []);
});
