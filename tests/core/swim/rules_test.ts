/**
 * The rules G4.2 to G4.9 one by one, on a single node whose neighbours are played by the test.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  ACCUSATION,
  type Accusation,
  ACK,
  ALIVE,
  type Alive,
  encodePing,
  INDIRECT_PING,
  NACK,
  PING,
  STATE,
  TYPE,
} from "../../../src/core/swim/message.ts";
import { decode, encodeMessage, NO_BYTES } from "../../../src/core/swim/msgpack.ts";
import { openPacket, type Wrapping } from "../../../src/core/swim/packet.ts";
import { pushPullIntervalMs } from "../../../src/core/swim/spread.ts";
import { SWIM_PROFILES } from "../../../src/core/swim/profile.ts";
import { suspicionBounds, suspicionMs } from "../../../src/core/swim/suspicion.ts";
import { transmitLimit } from "../../../src/core/swim/broadcast.ts";
import { incompatibility } from "../../../src/core/swim/version.ts";
import { JOIN, LEAVE, SERF } from "../../../src/core/serf/message.ts";
import { addressOf } from "../../harness/gossip/virtual_network.ts";
import { bytesOf, hex } from "./hex.ts";
import { type PoolMember, VirtualPool } from "../../harness/gossip/virtual_pool.ts";

const VSN = bytesOf("010502020505");
const plain: Wrapping = { compression: false, cipher: undefined, label: NO_BYTES };
const FROM = { host: "10.0.0.9", port: 7946 };

/** One real node, "us", and messages put before it by hand. */
class Bench {
  readonly pool = new VirtualPool();
  readonly us: PoolMember;
  readonly sent: { readonly to: string; readonly message: Uint8Array }[] = [];

  constructor(options: Parameters<VirtualPool["start"]>[2] = {}) {
    this.us = this.pool.start("us", 1, options);
    this.pool.network.onPacket = (_, to, bytes) => {
      for (const message of openPacket(bytes, plain).messages) this.sent.push({ to: `${to.host}:${to.port}`, message });
    };
  }

  give(message: Uint8Array): void {
    this.pool.network.turn(this.us.node, (swim, nowMs) => swim.receive(message, FROM, nowMs));
  }

  alive(alive: Partial<Alive>): void {
    const whole = {
      incarnation: 1,
      node: "x",
      addr: addressOf(5),
      port: 7946,
      meta: bytesOf("ff80"),
      vsn: VSN,
      ...alive,
    };
    this.give(encodeMessage(TYPE.alive, ALIVE, whole));
  }

  accuse(type: number, accusation: Partial<Accusation>): void {
    this.give(encodeMessage(type, ACCUSATION, { incarnation: 1, node: "x", from: "y", ...accusation }));
  }

  intent(kind: "join" | "leave", ltime: bigint, node: string, prune = false): void {
    const message = kind === "join"
      ? encodeMessage(SERF.join, JOIN, { ltime, node })
      : encodeMessage(SERF.leave, LEAVE, { ltime, node, prune });
    this.give(Uint8Array.of(TYPE.user, ...message));
  }

  run(ms: number): void {
    this.pool.network.run(ms);
  }

  status(name = "x"): string | undefined {
    return VirtualPool.statusOf(this.us, name);
  }

  node(name = "x") {
    const node = this.us.serf.state.net.table.get(name);
    if (!node) throw new Error(`no node ${name}`);
    return node;
  }

  types(): string[] {
    return this.us.events.map((event) => event.type);
  }

  /** Messages of a type that left, with their bodies. */
  out<T>(type: number, read: (message: Uint8Array) => T): T[] {
    return this.sent.filter(({ message }) => message[0] === type).map(({ message }) => read(message));
  }

  get ownIncarnation(): number {
    return this.us.serf.state.net.incarnation;
  }
}

const readAlive = (message: Uint8Array) => decode(ALIVE, message, 1);

Deno.test("alive: a new node is a member, an older incarnation changes nothing and is not sent on (K13, K14)", () => {
  const bench = new Bench();
  bench.alive({ incarnation: 3 });
  assertEquals([bench.status(), bench.node().incarnation], ["alive", 3]);
  bench.run(1000);
  bench.sent.length = 0;
  bench.alive({ incarnation: 2, meta: bytesOf("ff81a161a162") });
  bench.alive({ incarnation: 3, meta: bytesOf("ff81a161a162") });
  bench.run(150);
  assertEquals([bench.node().incarnation, bench.out(TYPE.alive, readAlive)], [3, []]);
  bench.alive({ incarnation: 4, meta: bytesOf("ff81a161a162") });
  assertEquals(bench.types(), ["member-join", "member-join", "member-update"]);
  bench.alive({ node: "zero", incarnation: 0 });
  assertEquals(bench.status("zero"), undefined);
});

Deno.test("alive: bytes of others are sent on as they came, a v4-mapped address included (K16)", () => {
  const bench = new Bench();
  bench.alive({}); // somebody to send to
  const mapped = bytesOf("00000000000000000000ffff0a000063");
  bench.alive({ node: "m", addr: mapped, meta: bytesOf("ff82a162a163a161a164") });
  bench.run(300);
  const [sent] = bench.out(TYPE.alive, readAlive).filter(({ node }) => node === "m");
  assertEquals([hex(sent.addr), hex(sent.meta), hex(sent.vsn)], [hex(mapped), "ff82a162a163a161a164", hex(VSN)]);
  const own = bench.out(TYPE.alive, readAlive).filter(({ node }) => node === "us");
  assert(own.length > 0 && own.every(({ addr }) => addr.length === 4));
});

Deno.test("alive: another address is a conflict while alive or dead, and taken after a leave (K15)", () => {
  const bench = new Bench();
  bench.alive({ incarnation: 5 });
  bench.alive({ incarnation: 9, addr: addressOf(6) });
  assertEquals([hex(bench.node().addr), bench.node().incarnation], [hex(addressOf(5)), 5]);
  assert(bench.us.log.some((line) => line.includes("Conflicting address")));
  bench.accuse(TYPE.dead, { incarnation: 5 });
  bench.alive({ incarnation: 9, addr: addressOf(6) });
  assertEquals(bench.status(), "failed");
  const left = new Bench();
  left.alive({ incarnation: 5 });
  left.intent("leave", 5n, "x");
  left.accuse(TYPE.dead, { incarnation: 5, from: "x" });
  assertEquals(left.status(), "left");
  left.alive({ incarnation: 2, addr: addressOf(6) });
  assertEquals([left.status(), hex(left.node().addr), left.node().incarnation], ["alive", hex(addressOf(6)), 2]);
});

Deno.test("alive: a dead name may move once the reclaim time is over", () => {
  const bench = new Bench({ swim: { deadNodeReclaimMs: 5000 } });
  bench.alive({});
  bench.accuse(TYPE.dead, {});
  bench.alive({ incarnation: 9, addr: addressOf(6) });
  assertEquals(bench.status(), "failed");
  bench.run(5001);
  bench.alive({ incarnation: 1, addr: addressOf(6) });
  assertEquals(bench.status(), "alive");
});

Deno.test("alive: versions that make no sense, no port, no name", () => {
  const bench = new Bench();
  for (const vsn of ["000502020505", "010002020505", "050102020505", "0105020205"]) bench.alive({ vsn: bytesOf(vsn) });
  bench.alive({ node: "" });
  assertEquals(bench.us.serf.state.members.size, 1);
  bench.alive({ port: 0 });
  assertEquals(bench.node().port, 7946);
});

Deno.test("refute: suspect, dead and alive about ourselves are answered with a higher incarnation (K13)", () => {
  const bench = new Bench();
  bench.alive({});
  bench.run(2000);
  const answer = () => {
    bench.sent.length = 0;
    bench.run(300);
    return bench.out(TYPE.alive, readAlive).filter(({ node }) => node === "us").map(({ incarnation }) => incarnation);
  };
  bench.accuse(TYPE.suspect, { node: "us", incarnation: 1 });
  assert(answer().includes(2));
  bench.accuse(TYPE.dead, { node: "us", incarnation: 10 });
  assert(answer().includes(11));
  bench.accuse(TYPE.dead, { node: "us", incarnation: 11, from: "us" });
  assert(answer().includes(12), "a forged leave");
  const own = { node: "us", addr: addressOf(1), incarnation: 12 };
  bench.alive(own);
  assertEquals(bench.ownIncarnation, 12, "the same: nothing");
  bench.alive({ ...own, meta: bytesOf("ff81a161a162") });
  assert(answer().includes(13), "other tags");
  bench.alive({ ...own, incarnation: 50 });
  assert(answer().includes(51), "a higher incarnation");
  bench.alive({ ...own, incarnation: 3, meta: bytesOf("ff81a161a162") });
  bench.accuse(TYPE.suspect, { node: "us", incarnation: 3 });
  assertEquals(bench.ownIncarnation, 51, "older ones: nothing");
});

Deno.test("suspect: confirmations shorten the time, the first accuser is none; refuted by a higher incarnation", () => {
  const config = SWIM_PROFILES.local;
  assertEquals(suspicionBounds(config, 2), { minMs: 3000, maxMs: 18_000, wanted: 0, refusedMs: 3000 });
  assertEquals(suspicionBounds(config, 3), { minMs: 3000, maxMs: 18_000, wanted: 1, refusedMs: 3000 });
  assertEquals(suspicionBounds({ ...config, lifeguard: false }, 100).wanted, 0);
  assertEquals(suspicionBounds({ ...config, suspicionMult: 4 }, 100), {
    minMs: 8000,
    maxMs: 48_000,
    wanted: 2,
    refusedMs: 4000,
  });
  assertEquals([0, 1, 2].map((count) => suspicionMs(count, { minMs: 8000, maxMs: 48_000, wanted: 2 })), [
    48_000,
    22_762,
    8000,
  ]);
  const bench = new Bench({ swim: { probeIntervalMs: 1_000_000, suspicionMult: 1 / 100 } });
  for (const [at, node] of ["x", "y", "z"].entries()) bench.alive({ node, addr: addressOf(5 + at) });
  bench.accuse(TYPE.suspect, { from: "y" });
  assertEquals([bench.node().state, bench.status()], [1, "alive"]);
  bench.alive({ incarnation: 2 });
  assertEquals(bench.node().state, 0);
  bench.accuse(TYPE.suspect, { from: "y", incarnation: 2 });
  bench.run(1_000_000 / 100 + 100);
  assertEquals(bench.status(), "failed");
});

Deno.test("suspect: three nodes, one confirmation, dead in 3 s as observed on real ones (G4.4)", () => {
  const bench = new Bench({ swim: { probeIntervalMs: 1000 } });
  bench.alive({});
  bench.alive({ node: "y", addr: addressOf(6), incarnation: 1 });
  bench.accuse(TYPE.suspect, { from: "y" });
  bench.accuse(TYPE.suspect, { from: "y" });
  bench.run(2900);
  assertEquals(bench.node().state, 1);
  bench.accuse(TYPE.suspect, { from: "us2" });
  bench.run(200);
  assertEquals(bench.node().state, 2);
});

Deno.test("dead and intents: failed without an intent, left with one before, leaving when the intent came first (K12)", () => {
  const bench = new Bench();
  bench.alive({});
  bench.accuse(TYPE.dead, { from: "x" });
  assertEquals(bench.status(), "failed");
  bench.intent("leave", 4n, "x");
  assertEquals(bench.status(), "left", "a forced leave");
  bench.alive({ node: "b", addr: addressOf(6) });
  bench.intent("leave", 5n, "b");
  assertEquals(bench.status("b"), "leaving");
  bench.intent("join", 5n, "b");
  assertEquals(bench.status("b"), "leaving", "no newer than the leave");
  bench.intent("join", 6n, "b");
  assertEquals(bench.status("b"), "alive");
  bench.intent("leave", 7n, "b");
  bench.accuse(TYPE.dead, { node: "b", from: "b" });
  assertEquals(bench.status("b"), "left");
  bench.intent("leave", 9n, "c");
  bench.alive({ node: "c", addr: addressOf(7) });
  assertEquals(bench.status("c"), "leaving");
  assertEquals(bench.types().slice(1), [
    "member-join",
    "member-failed",
    "member-leave",
    "member-join",
    "member-leave",
    "member-join",
  ]);
});

Deno.test("a leave intent about ourselves is answered with a join intent of a later time", () => {
  const bench = new Bench();
  bench.alive({});
  bench.run(1000);
  bench.sent.length = 0;
  bench.intent("leave", 100n, "us");
  bench.run(300);
  const joins = bench.out(TYPE.user, (message) => message).filter((message) => message[1] === SERF.join);
  assertEquals(decode(JOIN, joins[0], 2), { ltime: 101n, node: "us" });
  assertEquals(bench.status("us"), "alive");
});

Deno.test("Lamport times above 2^53 are kept and sent on exactly (K39)", () => {
  const bench = new Bench();
  bench.alive({});
  bench.run(1000);
  const ltime = 2n ** 63n + 5n;
  bench.intent("join", ltime, "x");
  assertEquals(bench.us.serf.state.members.get("x")?.statusLTime, ltime);
  assertEquals(bench.us.serf.state.clock.time, ltime + 1n);
  bench.sent.length = 0;
  bench.run(150);
  assertEquals(
    hex(bench.sent[0].message),
    hex(Uint8Array.of(TYPE.user, ...encodeMessage(SERF.join, JOIN, { ltime, node: "x" }))),
  );
});

Deno.test("ping: answered to its source, or to where it came from; not when another node is meant (K4, K5)", () => {
  const bench = new Bench();
  bench.give(
    bytesOf(
      "0085a44e6f6465a27573a55365714e6f01aa536f7572636541646472a47f000003aa536f757263654e6f6465a26e32aa536f75726365506f7274cd1f0a",
    ),
  );
  assertEquals([bench.sent[0].to, decode(ACK, bench.sent[0].message, 1).seqNo], ["127.0.0.3:7946", 1]);
  const none = { sourceAddr: NO_BYTES, sourcePort: 0, sourceNode: "" };
  bench.give(encodePing({ seqNo: 7, node: "", ...none }));
  assertEquals([bench.sent.at(-1)?.to, bench.out(TYPE.ack, (message) => decode(ACK, message, 1).seqNo)], [
    "10.0.0.9:7946",
    [1, 7],
  ]);
  const count = bench.sent.length;
  bench.give(encodePing({ seqNo: 8, node: "other", ...none }));
  assertEquals(bench.sent.length, count);
});

Deno.test("indirect ping: the ack is handed on without payload, a nack after the timeout when asked for (K32)", () => {
  const bench = new Bench();
  const request = {
    seqNo: 77,
    target: addressOf(5),
    port: 7946,
    node: "x",
    nack: true,
    sourceAddr: addressOf(9),
    sourcePort: 1,
    sourceNode: "r",
  };
  bench.give(encodeMessage(TYPE.indirectPing, INDIRECT_PING, request));
  const [ping] = bench.out(TYPE.ping, (message) => decode(PING, message, 1));
  assertEquals([bench.sent[0].to, ping.node], ["10.0.0.5:7946", "x"]);
  bench.give(encodeMessage(TYPE.ack, ACK, { seqNo: ping.seqNo, payload: bytesOf("01020304") }));
  assertEquals([bench.sent.at(-1)?.to, bench.out(TYPE.ack, (message) => decode(ACK, message, 1))], ["10.0.0.9:1", [{
    seqNo: 77,
    payload: NO_BYTES,
  }]]);
  bench.give(encodeMessage(TYPE.indirectPing, INDIRECT_PING, { ...request, seqNo: 78 }));
  bench.give(encodeMessage(TYPE.indirectPing, INDIRECT_PING, { ...request, seqNo: 79, nack: false }));
  bench.run(199);
  assertEquals(bench.out(TYPE.nack, () => 1).length, 0);
  bench.run(2);
  assertEquals(bench.out(TYPE.nack, (message) => decode(NACK, message, 1).seqNo), [78]);
});

Deno.test("a probe that fails: indirect pings with the same number, a stream, then suspicion; health recovers (K33)", () => {
  const pool = VirtualPool.formed(4, { swim: { indirectChecks: 2 } });
  const [us, target] = pool.members;
  target.node.isDown = true;
  const seen: { type: number; seqNo: number; atMs: number }[] = [];
  pool.network.onPacket = (node, to, bytes) => {
    if (node !== us.node) return;
    for (const message of openPacket(bytes, plain).messages) {
      if (message[0] === TYPE.ping && to.host === target.node.address) {
        seen.push({ type: 0, seqNo: decode(PING, message, 1).seqNo, atMs: pool.network.nowMs });
      }
      if (message[0] === TYPE.indirectPing) {
        seen.push({ type: 1, seqNo: decode(INDIRECT_PING, message, 1).seqNo, atMs: pool.network.nowMs });
      }
    }
  };
  assert(pool.network.run(10_000, () => us.serf.state.net.table.get("n2")?.state === 1));
  const indirect = seen.filter(({ type }) => type === 1);
  const [{ seqNo }] = indirect;
  assertEquals(indirect.map((one) => one.seqNo), [seqNo, seqNo]);
  const ping = seen.find((one) => one.type === 0 && one.seqNo === seqNo); // others are pings for other nodes
  assertEquals(Math.round(indirect[0].atMs - (ping?.atMs ?? 0)), 200);
  assert(
    pool.network.run(
      20_000,
      () => pool.members.every((one) => one === target || VirtualPool.statusOf(one, "n2") === "failed"),
    ),
  );
  pool.network.run(20_000);
  assertEquals(us.serf.state.net.awareness.score, 0);
});

Deno.test("a suspect whose address refuses streams has the time of a restart, without confirmations; one that restarts is alive", () => {
  const config = { probeIntervalMs: 1000, probeTimeoutMs: 500, suspicionMult: 4 };
  const timeOf = (refusing: boolean, backAfterMs = Infinity) => {
    const pool = VirtualPool.formed(12, { swim: config });
    const [, target, ...others] = pool.members;
    target.node.isDown = true;
    pool.network.conditions = { ...pool.network.conditions, streams: refusing };
    const suspicionOf = (one: typeof target) => one.serf.state.net.suspicions.get("n2");
    const accuser = () => others.find((one) => suspicionOf(one)?.isRefused === refusing);
    assert(pool.network.run(20_000, () => accuser() !== undefined));
    const us = accuser() ?? others[0];
    const sinceMs = suspicionOf(us)?.startedMs ?? 0;
    if (backAfterMs < Infinity) {
      pool.network.run(backAfterMs);
      target.node.isDown = false;
    }
    const state = () => us.serf.state.net.table.get("n2")?.state;
    pool.network.run(60_000, () => state() !== STATE.suspect);
    return { state: state(), ms: pool.network.nowMs - sinceMs };
  };
  const refused = timeOf(true);
  assertEquals(refused.state, STATE.dead);
  assert(refused.ms <= 4001, `${refused.ms} ms`);
  assert(timeOf(false).ms >= 4310, "4 * log10(12) s at the least");
  assertEquals(timeOf(true, 2000).state, STATE.alive);
});

Deno.test("UDP blocked, streams open: nobody is suspected (K6)", () => {
  const pool = VirtualPool.formed(2);
  const [us, other] = pool.members;
  pool.network.conditions = { ...pool.network.conditions, loss: 1 };
  pool.network.run(30_000);
  assertEquals([us.serf.state.net.table.get("n2")?.state, other.serf.state.net.table.get("n1")?.state], [0, 0]);
  assert(us.log.some((line) => line.includes("over TCP but UDP probes failed")));
  assert(!us.log.some((line) => line.includes("Suspect")));
});

Deno.test("transmits: exactly 2 in a pool of two, at most 4 in a larger one (K31)", () => {
  assertEquals([1, 2, 8, 9, 10, 99, 100].map((nodes) => transmitLimit(2, nodes)), [2, 2, 2, 2, 4, 4, 6]);
  for (const [size, expected] of [[2, 2], [12, 4]]) {
    const pool = VirtualPool.formed(size);
    let count = 0;
    const [us] = pool.members;
    pool.network.onPacket = (node, _, bytes) => {
      if (node === us.node) {
        count += openPacket(bytes, plain).messages.filter((message) =>
          message[0] === TYPE.user && message[1] === SERF.userEvent
        ).length;
      }
    };
    pool.turn(us, (serf, nowMs) => serf.fireEvent({ name: "e", payload: NO_BYTES, coalesce: false }, nowMs));
    pool.network.run(5000);
    assertEquals(count, expected);
  }
});

Deno.test("push/pull comes less often in larger pools; versions must agree", () => {
  assertEquals([1, 32, 33, 64, 65, 1000].map((nodes) => pushPullIntervalMs(1, nodes)), [1, 1, 2, 2, 3, 6]);
  const node = (name: string, vsn: string, state: 0 | 2 = 0) => ({
    name,
    addr: addressOf(1),
    port: 1,
    meta: NO_BYTES,
    incarnation: 1,
    state,
    vsn: bytesOf(vsn),
  });
  assertEquals(incompatibility([], [node("a", "010502020505"), node("b", "010502020504")]), undefined);
  assert(incompatibility([], [node("a", "010502020505"), node("b", "010502000000")])?.includes("delegate"));
  assert(
    incompatibility([], [node("a", "010502020505"), node("b", "000000000000", 2)])?.includes(
      "'b' protocol version (0) is incompatible",
    ),
  );
});
