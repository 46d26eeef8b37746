/**
 * Serf's rules (G5.1 to G5.13) on pools in virtual time: events, queries, keys, conflicts, leaving, coming back.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import { CoordinateClient, distance, ORIGIN } from "../../../src/core/serf/coordinate.ts";
import { encodeKeyText } from "../../../src/core/swim/key_text.ts";
import type { KeyTally } from "../../../src/core/serf/internal_query.ts";
import { NO_BYTES } from "../../../src/core/swim/msgpack.ts";
import { Pattern } from "../../../src/base/codec/pattern.ts";
import type { QueryParams } from "../../../src/core/serf/query.ts";
import { decodeTags, encodeTags } from "../../../src/core/serf/message.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  encodeSnapshotLine,
  isCompactionDue,
} from "../../../src/core/serf/snapshot.ts";
import { openPacket } from "../../../src/core/swim/packet.ts";
import { TYPE } from "../../../src/core/swim/message.ts";
import { SERF } from "../../../src/core/serf/message.ts";
import { refusedTags } from "../swim/dialect.ts";
import { bytesOf, hex } from "../swim/hex.ts";
import { type PoolMember, VirtualPool } from "../../harness/gossip/virtual_pool.ts";

const utf8 = new TextEncoder();
const everyone: Omit<QueryParams, "name"> = {
  payload: NO_BYTES,
  nodes: [],
  tags: new Map(),
  wantAck: true,
  relayFactor: 0,
  timeoutMs: 1000,
};

function eventsOf(member: PoolMember, type: string): string[] {
  return member.events.flatMap((event) =>
    event.type !== type ? [] : event.type === "user" ? [event.name] : "member" in event ? [event.member.name] : []
  );
}

/** Asks from the first member; everybody answers with its own name. */
function ask(pool: VirtualPool, params: QueryParams): { acks: string[]; responses: string[] } {
  const heard = { acks: new Array<string>(), responses: new Array<string>(), done: false };
  const earlier = pool.network.onEvent;
  pool.network.onEvent = (node, event) => {
    earlier(node, event);
    const member = pool.members.find((one) => one.node === node);
    if (event.type === "query" && member) {
      pool.network.after(
        1,
        () => pool.turn(member, (serf, nowMs) => serf.respond(event.query.ref, utf8.encode(member.name), nowMs)),
      );
    }
  };
  pool.turn(pool.members[0], (serf, nowMs) =>
    serf.query(params, {
      onAck: (from) => heard.acks.push(from),
      onResponse: (from, payload) => heard.responses.push(`${from}:${new TextDecoder().decode(payload)}`),
      onDone: () => heard.done = true,
    }, nowMs));
  assert(pool.network.run(10_000, () => heard.done));
  pool.network.onEvent = earlier;
  return { acks: heard.acks.toSorted(), responses: heard.responses.toSorted() };
}

function keys(pool: VirtualPool, operation: "install" | "use" | "remove" | "list", key?: Uint8Array): KeyTally {
  const outcome: KeyTally[] = [];
  pool.turn(
    pool.members[0],
    (serf, nowMs) => serf.keys(operation, { key, relayFactor: 0, onDone: (tally) => outcome.push(tally) }, nowMs),
  );
  assert(pool.network.run(10_000, () => outcome.length > 0));
  return outcome[0];
}

Deno.test("an event is told once by everybody, whatever is lost (K18)", () => {
  const pool = VirtualPool.formed(8);
  pool.network.conditions = { ...pool.network.conditions, loss: 0.3 };
  for (const [at, member] of pool.members.entries()) {
    pool.turn(
      member,
      (serf, nowMs) => serf.fireEvent({ name: `e${at}`, payload: utf8.encode("x"), coalesce: true }, nowMs),
    );
  }
  pool.network.run(40_000);
  for (const member of pool.members) {
    assertEquals(eventsOf(member, "user").toSorted(), pool.members.map((_, at) => `e${at}`), member.name);
  }
  assertThrows(
    () =>
      pool.turn(
        pool.members[0],
        (serf, nowMs) => serf.fireEvent({ name: "big", payload: new Uint8Array(510), coalesce: true }, nowMs),
      ),
    Error,
    "exceeds",
  );
});

Deno.test("an event of before a join is replayed or not, as the newcomer wants (K19)", () => {
  for (const isIgnored of [false, true]) {
    const pool = VirtualPool.formed(2);
    pool.turn(
      pool.members[0],
      (serf, nowMs) => serf.fireEvent({ name: "old", payload: NO_BYTES, coalesce: false }, nowMs),
    );
    pool.network.run(5000);
    const late = pool.start("late", 9);
    late.serf.state.ignoresOldEvents = isIgnored;
    pool.join(late, pool.members[0]);
    late.serf.state.ignoresOldEvents = false;
    pool.network.run(20_000);
    assertEquals(eventsOf(late, "user"), isIgnored ? [] : ["old"]);
    pool.turn(
      pool.members[1],
      (serf, nowMs) => serf.fireEvent({ name: "new", payload: NO_BYTES, coalesce: false }, nowMs),
    );
    pool.network.run(20_000);
    assertEquals(eventsOf(late, "user"), isIgnored ? ["new"] : ["old", "new"]);
  }
});

Deno.test("a query is acked and answered by everybody, by name, by tag, and once even when relayed (K20, K21)", () => {
  const pool = new VirtualPool();
  for (const [at, role] of ["web", "db", "web"].entries()) {
    const member = pool.start(`n${at + 1}`, at + 1, { tags: new Map([["role", role]]) });
    if (at > 0) pool.join(member, pool.members[0]);
  }
  pool.network.run(3000);
  const names = ["n1", "n2", "n3"];
  assertEquals(ask(pool, { ...everyone, name: "q" }), {
    acks: names,
    responses: names.map((name) => `${name}:${name}`),
  });
  assertEquals(ask(pool, { ...everyone, name: "q", relayFactor: 2 }).responses.length, 3);
  assertEquals(ask(pool, { ...everyone, name: "q", nodes: ["n2", "n9"], wantAck: false }), {
    acks: [],
    responses: ["n2:n2"],
  });
  assertEquals(ask(pool, { ...everyone, name: "q", tags: new Map([["role", "^w.b$"]]) }).acks, ["n1", "n3"]);
  assertEquals(ask(pool, { ...everyone, name: "q", tags: new Map([["role", "x"]]) }).acks, []);
  const { members: [first] } = pool;
  assertThrows(
    () =>
      pool.turn(
        first,
        (serf, nowMs) =>
          serf.query({ ...everyone, name: "_serf_x" }, { onAck() {}, onResponse() {}, onDone() {} }, nowMs),
      ),
    Error,
    "prefix",
  );
  assertThrows(
    () =>
      pool.turn(first, (serf, nowMs) =>
        serf.query({ ...everyone, name: "q", payload: new Uint8Array(1024) }, {
          onAck() {},
          onResponse() {},
          onDone() {},
        }, nowMs)),
    Error,
    "exceeds limit",
  );
});

Deno.test("a query whose answers are lost on the way is still answered by way of others (K21)", () => {
  const pool = VirtualPool.formed(4);
  const [asker, lonely] = pool.members;
  pool.network.onPacket = (node, to) => {
    if (node === lonely.node && to.host === asker.node.address) {
      pool.network.conditions = { ...pool.network.conditions, loss: 1 };
    } else pool.network.conditions = { ...pool.network.conditions, loss: 0 };
  };
  assert(!ask(pool, { ...everyone, name: "q" }).responses.includes("n2:n2"));
  assert(ask(pool, { ...everyone, name: "q", relayFactor: 2 }).responses.includes("n2:n2"));
});

Deno.test("patterns match as RE2 does, and in linear time", () => {
  const cases: [string, string, boolean][] = [
    ["web", "a web server", true],
    ["^web$", "a web", false],
    ["^(web|db)-\\d+$", "db-12", true],
    ["[^a-c]x{2,3}", "dxx", true],
    ["(?i)WEB", "web", true],
    ["\\bfoo\\b", "a foo b", true],
    ["\\bfoo\\b", "afoo", false],
    ["", "", true],
    ["a.c", "a\nc", false],
    ["(?:ab)*$", "xabab", true],
    ["(a+)+$b", "a".repeat(500), false],
    ["(x+x+)+y", "x".repeat(500), false],
  ];
  for (const [pattern, text, expected] of cases) assertEquals(new Pattern(pattern).matches(text), expected, pattern);
  for (const pattern of ["(", ")", "[a", "*", "a{9999}", "((a{1000}){1000})", "\\", "(?=x)", "(".repeat(200)]) {
    assertThrows(() => new Pattern(pattern), DecodeError, undefined, pattern);
  }
  const atoms = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "(a|b)", "\\d", "^", "$", "a*", "b+", "(ab)?", "a{1,2}");
  const texts = fc.string({ unit: fc.constantFrom("a", "b", "1", " "), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(atoms, { maxLength: 6 }), texts, (parts, text) => {
      const pattern = parts.join("");
      assertEquals(new Pattern(pattern).matches(text), new RegExp(pattern).test(text), `${pattern} on "${text}"`);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("keys are installed, used, removed and listed on all members; traffic goes on (K25)", () => {
  const first = new Uint8Array(32).fill(1);
  const second = new Uint8Array(16).fill(2);
  const pool = VirtualPool.formed(3, { keys: [first] });
  for (const operation of ["install", "use"] as const) {
    const { members, responses, failures } = keys(pool, operation, second);
    assertEquals([members, responses, failures], [3, 3, 0], operation);
  }
  const listed = keys(pool, "list");
  assertEquals([...listed.keys].toSorted(), [[encodeKeyText(first), 3], [encodeKeyText(second), 3]].toSorted());
  assertEquals([...listed.primaryKeys], [[encodeKeyText(second), 3]]);
  assertEquals(keys(pool, "remove", second).failures, 3, "the primary");
  assertEquals(keys(pool, "remove", first).failures, 0);
  assertEquals([...keys(pool, "list").keys], [[encodeKeyText(second), 3]]);
  pool.network.run(20_000);
  for (const member of pool.members) assertEquals(member.serf.state.count("alive"), 3);
  assertEquals(eventsOf(pool.members[0], "keyring").length, 0);
  assertEquals(pool.members[0].events.filter(({ type }) => type === "keyring").length, 3);
  const open = VirtualPool.formed(2);
  assertEquals(keys(open, "list").failures, 2, "no encryption");
});

Deno.test("encrypted pools of all key sizes form; another key, none, or another label stays out (K23, K28)", () => {
  for (const size of [16, 24, 32]) {
    const key = new Uint8Array(size).fill(7);
    const pool = VirtualPool.formed(2, { keys: [key], label: "blue", compression: true });
    const strangers = [
      pool.start("wrong", 11, { keys: [new Uint8Array(size).fill(8)], label: "blue" }),
      pool.start("open", 12, { label: "blue" }),
      pool.start("green", 13, { keys: [key], label: "green" }),
      pool.start("none", 14, { keys: [key] }),
    ];
    for (const stranger of strangers) {
      let error: unknown;
      try {
        error = pool.join(stranger, pool.members[0]);
      } catch (fault) {
        error = fault; // the virtual network has no driver that would turn it into an answer
      }
      assert(error !== undefined, stranger.name);
      assertEquals(stranger.serf.state.members.size, 1);
    }
    for (const member of pool.members.slice(0, 2)) assertEquals(member.serf.state.members.size, 2);
  }
});

Deno.test("a node that leaves is left, not failed, and comes back under its name (K10, K11)", () => {
  const pool = VirtualPool.formed(3);
  const [us, , leaver] = pool.members;
  let isGone = false;
  pool.turn(leaver, (serf, nowMs) => serf.leave(nowMs, () => isGone = true));
  assert(pool.network.run(12_000, () => isGone));
  leaver.node.isDown = true;
  for (const member of pool.members.slice(0, 2)) assertEquals(VirtualPool.statusOf(member, "n3"), "left");
  assertEquals(eventsOf(us, "member-failed"), []);
  assert(leaver.events.some(({ type }) => type === "leaving"));
  const again = pool.start("n3", 3);
  pool.join(again, us);
  assert(
    pool.network.run(5000, () => pool.members.slice(0, 2).every((one) => VirtualPool.statusOf(one, "n3") === "alive")),
  );
});

Deno.test("nobody in a small pool takes a node that leaves for failed, whomever gossip passes by", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const pool = VirtualPool.formed(3 + seed % 4, {}, seed);
    const leaver = pool.members[1];
    const others = pool.members.filter((one) => one !== leaver);
    let isGone = false;
    pool.turn(leaver, (serf, nowMs) => serf.leave(nowMs, () => isGone = true));
    assert(pool.network.run(12_000, () => isGone));
    leaver.node.isDown = true;
    assert(
      pool.network.run(30_000, () => others.every((one) => VirtualPool.statusOf(one, "n2") === "left")),
      `seed ${seed}: ${others.map((one) => VirtualPool.statusOf(one, "n2"))}`,
    );
    for (const one of others) assertEquals(eventsOf(one, "member-failed"), [], `seed ${seed}`);
  }
});

Deno.test("a prune reaches everybody in a small pool with dead nodes, which gossip counts among its neighbours", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const pool = VirtualPool.formed(4, { config: { reconnectIntervalMs: 3_600_000 } }, seed);
    const [us, other, ...dead] = pool.members;
    for (const one of dead) one.node.isDown = true;
    const haveFailed = (one: typeof us) => dead.every(({ name }) => VirtualPool.statusOf(one, name) === "failed");
    assert(pool.network.run(60_000, () => haveFailed(us) && haveFailed(other)));
    for (const { name } of dead) {
      pool.turn(us, (serf, nowMs) => serf.forceLeave({ node: name, prune: true }, nowMs, () => {}));
    }
    assert(
      pool.network.run(5000, () => other.serf.state.members.size === 2),
      `seed ${seed}: ${dead.map(({ name }) => VirtualPool.statusOf(other, name))}`,
    );
  }
});

Deno.test("a prune counts whatever time push/pulls have given to the member that left meanwhile", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const pool = VirtualPool.formed(5, {}, seed);
    const dead = pool.members[4];
    const others = pool.members.slice(0, 4);
    const us = others[0];
    dead.node.isDown = true;
    const are = (status: string) => others.every((one) => VirtualPool.statusOf(one, dead.name) === status);
    assert(pool.network.run(60_000, () => are("failed")));
    pool.turn(us, (serf, nowMs) => serf.forceLeave({ node: dead.name, prune: false }, nowMs, () => {}));
    assert(pool.network.run(60_000, () => are("left")));
    pool.network.run(seed * 10_000);
    pool.turn(us, (serf, nowMs) => serf.forceLeave({ node: dead.name, prune: true }, nowMs, () => {}));
    const times = others.map((one) => one.serf.state.members.get(dead.name)?.statusLTime);
    assert(pool.network.run(5000, () => others.every((one) => one.serf.state.members.size === 4)), `${seed}: ${times}`);
  }
});

Deno.test("a node that dies is failed and comes back by the others' reconnecting (K10, K34)", () => {
  const pool = VirtualPool.formed(3, { config: { reconnectIntervalMs: 2000 } });
  const [us, other, third] = pool.members;
  third.node.isDown = true;
  assert(
    pool.network.run(
      20_000,
      () => VirtualPool.statusOf(us, "n3") === "failed" && VirtualPool.statusOf(other, "n3") === "failed",
    ),
  );
  const again = pool.start("n3", 3);
  const isBack = () => [us, other].every((one) => VirtualPool.statusOf(one, "n3") === "alive");
  assert(pool.network.run(30_000, () => isBack() && again.serf.state.count("alive") === 3));
  assert((us.serf.state.net.table.get("n3")?.incarnation ?? 0) >= 2);
});

Deno.test("failed and left members are forgotten after their time, and at once by a prune (K35)", () => {
  const config = {
    reapIntervalMs: 1000,
    reconnectTimeoutMs: 30_000,
    tombstoneTimeoutMs: 20_000,
    reconnectIntervalMs: 1e9,
  };
  const swim = { gossipToTheDeadMs: 0 }; // what is told twice is told to the living
  const pool = VirtualPool.formed(5, { config, swim });
  const [us, , third, fourth, fifth] = pool.members;
  for (const member of [third, fourth, fifth]) member.node.isDown = true;
  assert(
    pool.network.run(40_000, () => ["n3", "n4", "n5"].every((name) => VirtualPool.statusOf(us, name) === "failed")),
  );
  pool.turn(us, (serf, nowMs) => serf.forceLeave({ node: "n4", prune: false }, nowMs, () => {}));
  pool.turn(us, (serf, nowMs) => serf.forceLeave({ node: "n5", prune: true }, nowMs, () => {}));
  pool.network.run(1000);
  for (const member of pool.members.slice(0, 2)) {
    assertEquals(
      [VirtualPool.statusOf(member, "n4"), VirtualPool.statusOf(member, "n5")],
      ["left", undefined],
      member.name,
    );
  }
  pool.network.run(35_000);
  for (const member of pool.members.slice(0, 2)) {
    assertEquals([...member.serf.state.members.keys()].toSorted(), ["n1", "n2"]);
  }
  assertEquals(eventsOf(us, "member-reap").toSorted(), ["n3", "n4", "n5"]);
});

Deno.test("a forced leave of a live node is refuted", () => {
  const pool = VirtualPool.formed(3);
  pool.turn(pool.members[0], (serf, nowMs) => serf.forceLeave({ node: "n2", prune: false }, nowMs, () => {}));
  pool.network.run(10_000);
  for (const member of pool.members) assertEquals(VirtualPool.statusOf(member, "n2"), "alive", member.name);
});

Deno.test("tags are told to all; too many are refused here (K17)", () => {
  const pool = VirtualPool.formed(4);
  pool.turn(pool.members[0], (serf, nowMs) => serf.setTags(new Map([["role", "db"], ["ä", "ö"]]), nowMs, () => {}));
  pool.network.run(3000);
  for (const member of pool.members) assertEquals(member.serf.state.members.get("n1")?.tags.get("ä"), "ö");
  assertEquals(eventsOf(pool.members[1], "member-update"), ["n1"]);
  assertThrows(
    () => pool.turn(pool.members[0], (serf, nowMs) => serf.setTags(new Map([["x", "y".repeat(510)]]), nowMs, () => {})),
    Error,
    "512",
  );
  assertEquals(hex(encodeTags(new Map())), "ff80");
  assertEquals([...decodeTags(utf8.encode("web"))], [["role", "web"]]);
  assertEquals([...decodeTags(bytesOf("ff82a4726f6c65a3776562a26463a3646331"))], [["role", "web"], ["dc", "dc1"]]);
});

Deno.test("of two nodes with one name the one with the fewer votes is to go (K22)", () => {
  const pool = VirtualPool.formed(4);
  const twin = pool.start("n2", 20);
  pool.join(twin, pool.members[0]);
  pool.network.run(20_000);
  assert(twin.events.some((event) => event.type === "fatal"));
  assert(!pool.members[1].events.some((event) => event.type === "fatal"));
  for (const member of pool.members.slice(0, 4)) {
    assertEquals(hex(member.serf.state.members.get("n2")?.addr ?? NO_BYTES), "0a000002", member.name);
  }
});

Deno.test("who is not let in is in no list, and the join says why", () => {
  const admission = {
    refuse: ({ name, tags }: { name: string; tags: ReadonlyMap<string, string> }, own: ReadonlyMap<string, string>) =>
      tags.get("dc") === own.get("dc") ? undefined : `Member '${name}' part of wrong datacenter`,
    isSame: () => false,
  };
  const pool = VirtualPool.formed(2, { tags: new Map([["dc", "a"]]), admission });
  const stranger = pool.start("s", 9, { tags: new Map([["dc", "b"]]), admission });
  assert(pool.join(stranger, pool.members[0])?.includes("wrong datacenter"));
  pool.network.run(10_000);
  for (const member of pool.members.slice(0, 2)) assertEquals(member.serf.state.members.size, 2);
  assertEquals(stranger.serf.state.members.size, 1);
});

Deno.test("a partition heals: both sides agree again", () => {
  const pool = VirtualPool.formed(8, { config: { reconnectIntervalMs: 2000 } });
  pool.network.sideOf = (address) => Number(address.split(".")[3]) <= 3 ? 1 : 2;
  assert(
    pool.network.run(
      60_000,
      () => pool.members[0].serf.state.count("failed") === 5 && pool.members[7].serf.state.count("failed") === 3,
    ),
  );
  pool.network.sideOf = () => 0;
  assert(pool.network.run(60_000, () => pool.members.every(({ serf }) => serf.state.count("alive") === 8)));
});

Deno.test("coordinates come to tell the round trip", () => {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const places = [[0, 0], [30, 0], [0, 40], [60, 60]];
  const clients = places.map(() => new CoordinateClient(random));
  const rtt = (a: number, b: number) =>
    0.002 + Math.hypot(places[a][0] - places[b][0], places[a][1] - places[b][1]) / 1000;
  for (let round = 0; round < 2000; round++) {
    const a = Math.floor(random() * 4);
    const b = (a + 1 + Math.floor(random() * 3)) % 4;
    assert(clients[a].update(String(b), clients[b].own, rtt(a, b)));
  }
  for (let a = 0; a < 4; a++) {
    for (let b = 0; b < a; b++) {
      const estimate = distance(clients[a].own, clients[b].own);
      assert(Math.abs(estimate - rtt(a, b)) < 0.3 * rtt(a, b) + 0.003, `${estimate} for ${rtt(a, b)}`);
    }
  }
  assert(!clients[0].update("x", { ...ORIGIN, vec: [1] }, 0.1));
  assert(!clients[0].update("x", { ...ORIGIN, error: NaN }, 0.1));
  assert(!clients[0].update("x", ORIGIN, -1) && !clients[0].update("x", ORIGIN, 11));
});

Deno.test("a snapshot is read back; a torn line, rubbish and a leave are as they should be (K36)", () => {
  const clocks = { member: 7n, event: 2n ** 64n - 1n, query: 0n };
  const snapshot = { alive: new Map([["a b", "1.2.3.4:1"], ["n2", "[::1]:7946"]]), clocks };
  const text = encodeSnapshot(snapshot);
  const keep = { rejoinAfterLeave: false };
  assertEquals(decodeSnapshot(text, keep), snapshot);
  const serfs =
    "alive: n1 127.0.0.2:7946\nclock: 4\n# x\ncoordinate: {}\nrubbish\nalive: n3 127.0.0.3:7946\nnot-alive: n1\nalive: n4 127.";
  assertEquals([...decodeSnapshot(serfs, keep).alive], [["n3", "127.0.0.3:7946"]]);
  const left = text + encodeSnapshotLine({ k: "leave" });
  assertEquals(decodeSnapshot(left, keep).alive.size, 0);
  assertEquals(decodeSnapshot(left, { rejoinAfterLeave: true }), snapshot);
  assertEquals([isCompactionDue(128 * 1024, 1), isCompactionDue(128 * 1024 + 1, 1), isCompactionDue(200_000, 1000)], [
    false,
    true,
    false,
  ]);
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (rubbish) => {
    decodeSnapshot(`${rubbish}\n`, keep);
  }));
});

Deno.test("no datagram is longer than 1405 bytes, and none has a text or bytes that old peers refuse (K29, K40)", () => {
  const plain = { compression: false, cipher: undefined, label: NO_BYTES };
  for (const options of [{}, { keys: [new Uint8Array(32)], label: "a label of some length" }]) {
    const tags = new Map([["a", "x".repeat(200)], ["ü", "y".repeat(40)]]);
    const pool = VirtualPool.formed(30, { ...options, tags });
    let longest = 0;
    const refused: string[] = [];
    const check = (message: Uint8Array): void => {
      const [type, subtype] = message;
      refused.push(...refusedTags(message, type === TYPE.user ? 2 : 1)); // of a relay, the head
      assert(type !== TYPE.user || subtype <= SERF.relay);
    };
    pool.network.onPacket = (_, to, bytes) => {
      longest = Math.max(longest, bytes.length);
      if (!("keys" in options)) {
        openPacket(bytes, plain).messages.forEach((message) => message.length > 2 && check(message));
      }
      assert(to.port > 0);
    };
    for (const [at, member] of pool.members.entries()) {
      pool.turn(
        member,
        (serf, nowMs) => serf.fireEvent({ name: `e${at}`, payload: new Uint8Array(400), coalesce: false }, nowMs),
      );
      pool.turn(member, (serf, nowMs) => serf.setTags(new Map([["b", "z".repeat(480)]]), nowMs, () => {}));
    }
    pool.members[3].node.isDown = true;
    ask(pool, { ...everyone, name: "q", relayFactor: 3 });
    pool.network.run(30_000);
    assert(longest > 1000 && longest <= 1405, String(longest));
    assertEquals(refused, []);
  }
});
