/**
 * A node that has moved is followed (src/core/swim/membership_rules.ts): a claim of the same name and the same unique tag from
 * another address counts once the old address does not answer, and not before.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { formatIp } from "../../../src/base/codec/ip.ts";
import { applyAlive, applyDead, applySuspect, ownAlive } from "../../../src/core/swim/membership_rules.ts";
import { decodeSnapshot, encodeSnapshotLine } from "../../../src/core/serf/snapshot.ts";
import { admissionOf } from "../../../src/drivers/membership/admission.ts";
import { type PoolMember, VirtualPool } from "../../harness/gossip/virtual_pool.ts";

const MEMBERS = 4;
const OLD = "10.0.0.2";
const NEW = "10.0.0.20";

/** A member as an agent is one: its id is the tag by which it is known again. */
function start(pool: VirtualPool, name: string, index: number, id: string | undefined): PoolMember {
  const tags = new Map(id === undefined ? [] : [["id", id]]);
  return pool.start(name, index, {
    tags,
    admission: admissionOf({ uniqueTag: "id" }),
    resolveConflicts: false,
    config: { reconnectIntervalMs: 600_000 },
  });
}

function formed(seed = 1): { pool: VirtualPool; old: PoolMember; others: readonly PoolMember[] } {
  const pool = new VirtualPool(seed);
  for (let index = 1; index <= MEMBERS; index++) {
    const member = start(pool, `n${index}`, index, `id-${index}`);
    if (index > 1) pool.join(member, pool.members[0]);
  }
  assert(pool.network.run(60_000, () => pool.members.every(({ serf }) => serf.state.count("alive") === MEMBERS)));
  pool.network.run(3000);
  const [first, old, ...rest] = pool.members;
  return { pool, old, others: [first, ...rest] };
}

/** The address and the state in which `member` sees n2. */
function seen({ serf }: PoolMember): [string, string] {
  const found = serf.state.members.get("n2");
  return found ? [formatIp(found.addr), found.status] : ["", "none"];
}

function told(member: PoolMember, type: string): number {
  return member.events.filter((event) => event.type === type && "member" in event && event.member.name === "n2").length;
}

Deno.test("a claim of the same name and id is a conflict as long as the old address answers", () => {
  const { pool, old, others } = formed();
  const moved = start(pool, "n2", 20, "id-2");
  pool.join(moved, pool.members[0]);
  pool.network.run(30_000);
  for (const member of [...others, old]) {
    assertEquals(seen(member), [OLD, "alive"], member.name);
    assertEquals([told(member, "member-update"), told(member, "member-failed")], [0, 0], member.name);
  }
  for (const { name, log } of others) assert(log.some((line) => line.includes("Conflicting address")), name);
});

Deno.test("a node that moved is followed as soon as its old address is suspected, as an update", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { pool, old, others } = formed(seed);
    const moved = start(pool, "n2", 20, "id-2");
    pool.join(moved, pool.members[0]);
    pool.network.run(3000);
    old.node.isDown = true;
    assert(pool.network.run(20_000, () => others.every((member) => seen(member)[0] === NEW)), `seed ${seed}`);
    pool.network.run(20_000);
    for (const member of [...others, moved]) assertEquals(seen(member), [NEW, "alive"], `${member.name}, seed ${seed}`);
    for (const member of others) {
      assert(member.log.includes("EventMemberUpdate: n2"), member.name);
      assertEquals(
        [told(member, "member-update") > 0, told(member, "member-failed"), told(member, "member-join")],
        [true, 0, 1], // the join of the beginning
        `${member.name}, seed ${seed}`,
      );
    }
  }
});

Deno.test("the suspicion itself brings the move: no time passes between", () => {
  const { pool, others: [first] } = formed();
  pool.join(start(pool, "n2", 20, "id-2"), first);
  pool.network.run(3000);
  assertEquals(seen(first), [OLD, "alive"]);
  const { net } = first.serf.state;
  const incarnation = net.table.get("n2")?.incarnation ?? 0;
  pool.turn(first, () => applySuspect(net, { incarnation, node: "n2", from: "n3" }));
  assertEquals(seen(first), [NEW, "alive"]);
  assertEquals(net.suspicions.size, 0);
});

Deno.test("one that comes after the suspicion, or after the failure, is followed as well", () => {
  for (const [waitMs, isFailed] of [[20_000, true], [0, false]] as const) {
    const { pool, old, others } = formed();
    old.node.isDown = true;
    const isDue = () => others.some(({ serf }) => serf.state.net.suspicions.has("n2"));
    assert(pool.network.run(20_000, isDue));
    pool.network.run(waitMs);
    assertEquals(seen(others[0])[1] === "failed", isFailed);
    const moved = start(pool, "n2", 20, "id-2");
    pool.join(moved, pool.members[0]);
    assert(pool.network.run(20_000, () => others.every((member) => seen(member).join() === `${NEW},alive`)));
  }
});

Deno.test("accusations of the old incarnation are refuted by the node at its new address", () => {
  for (const accuse of [applySuspect, applyDead]) {
    const { pool, old, others } = formed();
    const [first] = others;
    // the old one has spoken often: its incarnation is higher than that of the new process
    for (let word = 0; word < 5; word++) {
      pool.turn(
        old,
        (serf, nowMs) => serf.setTags(new Map([["id", "id-2"], ["word", String(word)]]), nowMs, () => {}),
      );
      pool.network.run(3000);
    }
    const incarnation = first.serf.state.net.table.get("n2")?.incarnation ?? 0;
    assert(incarnation >= 5);
    const moved = start(pool, "n2", 20, "id-2");
    pool.join(moved, first);
    old.node.isDown = true;
    assert(pool.network.run(30_000, () => others.every((member) => seen(member)[0] === NEW)));
    pool.turn(first, ({ state: { net } }) => accuse(net, { incarnation, node: "n2", from: "n3" }));
    pool.network.run(20_000);
    for (const member of [...others, moved]) {
      assertEquals(seen(member), [NEW, "alive"], `${member.name}, ${accuse.name}`);
      assert((member.serf.state.net.table.get("n2")?.incarnation ?? 0) > incarnation, member.name);
    }
  }
});

Deno.test("another node of the name, with another id or none, is never followed", () => {
  for (const id of ["id-9", undefined]) {
    const { pool, old, others } = formed();
    const other = start(pool, "n2", 20, id);
    pool.join(other, pool.members[0]);
    pool.network.run(3000);
    old.node.isDown = true;
    assert(pool.network.run(60_000, () => others.every((member) => seen(member)[1] === "failed")), id);
    for (const member of others) {
      assertEquals(seen(member), [OLD, "failed"], `${member.name}, ${id}`);
      assertEquals(member.serf.state.net.moves.size, 0);
    }
    pool.network.run(30_000); // SWIM has forgotten the dead one by then: the name is free, for a member that joins
    for (const member of others) {
      assertEquals([told(member, "member-update"), told(member, "member-failed")], [0, 1], member.name);
    }
  }
});

Deno.test("nodes without a tag to know them by, or in a pool without the rule, are never followed", () => {
  for (const admission of [admissionOf({ uniqueTag: "id" }), admissionOf({}), undefined]) {
    const pool = VirtualPool.formed(3, {
      admission,
      resolveConflicts: false,
      config: { reconnectIntervalMs: 600_000 },
    });
    const [first, old, third] = pool.members;
    pool.join(pool.start("n2", 20, { admission, resolveConflicts: false }), first);
    pool.network.run(3000);
    old.node.isDown = true;
    assert(pool.network.run(60_000, () => [first, third].every((member) => seen(member)[1] === "failed")));
    for (const member of [first, third]) {
      assertEquals(seen(member), [OLD, "failed"], member.name);
      assertEquals(told(member, "member-update"), 0, member.name);
    }
  }
});

Deno.test("what is remembered of a node that moved is its new address", () => {
  const { pool, old, others: [first] } = formed();
  pool.join(start(pool, "n2", 20, "id-2"), first);
  old.node.isDown = true;
  assert(pool.network.run(20_000, () => seen(first)[0] === NEW));
  let text = "";
  for (const event of first.events) {
    if (event.type !== "member-join" && event.type !== "member-update") continue;
    const { name, addr, port } = event.member;
    text += encodeSnapshotLine({ k: "alive", name, address: `${formatIp(addr)}:${port}` });
  }
  const { alive } = decodeSnapshot(text, { rejoinAfterLeave: false });
  assertEquals(alive.get("n2"), `${NEW}:7946`);
});

Deno.test("late news of the old address is no new move: a false suspicion does not lead back to it", () => {
  const { pool, old, others: [first, ...rest] } = formed();
  const late = ownAlive(old.serf.state.net, old.serf.state.net.self?.incarnation ?? 1);
  const moved = start(pool, "n2", 20, "id-2");
  pool.join(moved, first);
  old.node.isDown = true;
  assert(pool.network.run(20_000, () => [first, ...rest].every((member) => seen(member)[0] === NEW)));
  pool.network.run(5000);
  const { net } = first.serf.state;
  pool.turn(first, () => applyAlive(net, late));
  assertEquals(net.moves.size, 0);
  const incarnation = net.table.get("n2")?.incarnation ?? 0;
  pool.turn(first, () => applySuspect(net, { incarnation, node: "n2", from: "n3" }));
  assertEquals(seen(first)[0], NEW);
  assert(pool.network.run(10_000, () => net.suspicions.size === 0));
  assertEquals(seen(first), [NEW, "alive"]);
});
