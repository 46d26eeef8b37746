/**
 * Linearizable reads: what confirms them, and that a lease is looked at again behind the read.
 */
import { AnswerBudget } from "../../../src/base/shared/answer_budget.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { readLinearizably, type ReadParts } from "../../../src/app/database/linearizable.ts";
import { newCounters } from "../../../src/app/database/counters.ts";
import { readClocks, RemoteClock } from "../../../src/base/worker/clock.ts";
import { type Lease, NO_LEASE } from "../../../src/base/shared/lease.ts";
import { NODE_STATE_BYTES, NodeState } from "../../../src/base/shared/node_state.ts";

const RESULT = { ref: 1, results: "[]" };

/** A leader in term 3 that has applied what it committed; its confirmations are noted. */
function leader({ hasLease = true } = {}): ReadParts & { readonly asked: boolean[]; readonly lease: Lease } {
  const state = new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES));
  const { ms, wallMs } = readClocks();
  const lease = { endMs: ms + 60_000, skewMs: wallMs - ms };
  state.term = 3;
  state.commit = state.applied = 7;
  if (hasLease) state.lease = lease;
  const clock = new RemoteClock();
  clock.heard(0);
  const asked: boolean[] = [];
  const confirmRead = (_timeoutMs: number, { byRound } = { byRound: true }) => {
    asked.push(byRound);
    return Promise.resolve({ byLease: false });
  };
  return { state, counters: newCounters(), answers: new AnswerBudget(), replica: { clock, confirmRead }, asked, lease };
}

/** Reads once more with each call; `act` happens while the transaction is open. */
function reader(act: () => void = () => {}): { readonly run: () => Promise<typeof RESULT>; count: number } {
  const reader = {
    count: 0,
    run: () => {
      reader.count++;
      act();
      return Promise.resolve(RESULT);
    },
  };
  return reader;
}

Deno.test("readLinearizably() asks nobody while a lease holds", async () => {
  const services = leader();
  const { run } = reader();
  assertEquals(await readLinearizably(services, 1000, run), RESULT);
  assertEquals([services.asked, services.counters.reads_by_lease], [[], 1]);
});

Deno.test("readLinearizably() asks the replica without a lease, before its clock is known, and while the database lags", async () => {
  const lagging = leader();
  lagging.state.applied = 6;
  const strange = leader();
  const unknown = { ...strange, replica: { ...strange.replica, clock: new RemoteClock() } };
  for (const services of [leader({ hasLease: false }), unknown, lagging]) {
    const { run } = reader();
    await readLinearizably(services, 1000, run);
    assertEquals([services.asked, services.counters.reads_by_lease], [[false], 0]);
  }
});

/** A leader of its third term, without a lease, that has applied an entry of that term. */
function current(): ReturnType<typeof leader> {
  const services = leader({ hasLease: false });
  services.state.role = "leader";
  services.state.appliedTerm = 3;
  return services;
}

Deno.test("readLinearizably() reads while a round confirms the leader, and gives nothing before", async () => {
  const services = current();
  const confirmed = Promise.withResolvers<{ byLease: boolean }>();
  const asked = { ...services, replica: { ...services.replica, confirmRead: () => confirmed.promise } };
  const reads = reader();
  let given: unknown;
  const reading = readLinearizably(asked, 1000, reads.run).then((result) => given = result);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([reads.count, given], [1, undefined]);
  confirmed.resolve({ byLease: false });
  assertEquals([await reading, reads.count], [RESULT, 1]);
});

Deno.test("readLinearizably() reads behind the confirmation where the leader may not show all yet", async () => {
  for (
    const lags of [
      { applied: 6 },
      { appliedTerm: 2 }, // nothing of its own term is applied: an older leader may have committed more
      { role: "follower" as const },
    ]
  ) {
    const services = current();
    Object.assign(services.state, lags);
    const order: string[] = [];
    const replica = {
      ...services.replica,
      confirmRead: () => Promise.resolve({ byLease: false }).finally(() => void order.push("confirmed")),
    };
    await readLinearizably({ ...services, replica }, 1000, reader(() => order.push("read")).run);
    assertEquals(order, ["confirmed", "read"], JSON.stringify(lags));
  }
});

Deno.test("readLinearizably() reads again when another node may have led between the read and its confirmation", async () => {
  const services = current();
  const reads = reader();
  const confirmRead = () => {
    services.state.term += 2; // lost, and won again
    return Promise.resolve({ byLease: false });
  };
  const again = { ...services, replica: { ...services.replica, confirmRead } };
  assertEquals([await readLinearizably(again, 1000, reads.run), reads.count], [RESULT, 2]);
});

Deno.test("readLinearizably() throws away what it has read when this node does not lead, whether that comes or fails later", async () => {
  for (const isBroken of [false, true]) {
    const services = current();
    const read = Promise.withResolvers<typeof RESULT>();
    const confirmRead = () => Promise.reject(new Error("not leader"));
    const replica = { ...services.replica, confirmRead };
    const failing = readLinearizably({ ...services, replica }, 1000, () => read.promise);
    await assertRejects(() => failing, Error, "not leader");
    if (isBroken) read.reject(new Error("too many reads"));
    else read.resolve(RESULT);
  }
});

Deno.test("readLinearizably() tells of a read that failed before its round had ended, behind the round", async () => {
  const services = current();
  const confirmed = Promise.withResolvers<{ byLease: boolean }>();
  const replica = { ...services.replica, confirmRead: () => confirmed.promise };
  const failing = readLinearizably({ ...services, replica }, 1000, () => Promise.reject(new Error("too many reads")));
  // A turn of the event loop in which a failure that nobody has taken would end the process.
  await new Promise((resolve) => setTimeout(resolve));
  confirmed.resolve({ byLease: false });
  await assertRejects(() => failing, Error, "too many reads");
});

Deno.test("readLinearizably() asks nobody where this node is the only voter, and shows all", async () => {
  const services = current();
  services.state.confirmedMs = Infinity;
  assertEquals(await readLinearizably(services, 1000, reader().run), RESULT);
  assertEquals(services.asked, []);
  services.state.applied = 6;
  await readLinearizably(services, 1000, reader().run);
  assertEquals(services.asked, [false]);
});

Deno.test("readLinearizably() throws results away whose lease was gone behind them, and reads again after a round", async () => {
  const ends: ((services: ReturnType<typeof leader>) => void)[] = [
    ({ state }) => state.lease = NO_LEASE,
    ({ state, lease }) => state.lease = { ...lease, endMs: performance.now() - 1 },
    ({ state, lease }) => state.lease = { ...lease, skewMs: lease.skewMs - 1000 }, // the machine was suspended
    ({ state }) => state.term++, // lost, and won again
  ];
  for (const end of ends) {
    const services = leader();
    const reads = reader(() => end(services));
    assertEquals(await readLinearizably(services, 1000, reads.run), RESULT);
    assertEquals([services.asked, reads.count, services.counters.leases_lost], [[true], 2, 1]);
  }
});

Deno.test("readLinearizably() gives nothing when the round behind a lost lease fails", async () => {
  const services = leader();
  const { run } = reader(() => services.state.lease = NO_LEASE);
  const failing = {
    ...services,
    replica: { ...services.replica, confirmRead: () => Promise.reject(new Error("not leader")) },
  };
  await assertRejects(() => readLinearizably(failing, 1000, run), Error, "not leader");
});

Deno.test("RemoteClock is never behind the clock that it stands for, and trusts the fastest message", () => {
  const clock = new RemoteClock();
  assertEquals(clock.read().ms, Infinity);
  clock.heard(900);
  clock.heard(500);
  clock.heard(700);
  const before = performance.now();
  const { ms } = clock.read();
  assertEquals(ms >= before + 500 && ms <= performance.now() + 500, true);
});
