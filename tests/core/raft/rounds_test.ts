/**
 * When a majority last confirmed a leader: counted from the sending of the round that it has echoed.
 */
import { assert, assertEquals } from "@std/assert";
import type { Core, Input } from "../../../src/core/raft/effects.ts";
import type { Member, OutgoingMessage } from "../../../src/core/raft/message.ts";
import { createCore, DEFAULT_OPTIONS } from "../../../src/core/raft/raft.ts";

const NOTHING = { index: 0, term: 0 };
/** The wall clock is ahead of the monotonic one by so much. */
const SKEW_MS = 1_000_000;

/** A node "a" whose disk is fast and whose clock is set by hand. */
class Node {
  readonly core: Core;
  nowMs = 1000;
  skewMs = SKEW_MS;
  confirmedMs: number | undefined;
  sent: OutgoingMessage[] = [];

  constructor(ids: readonly string[]) {
    const boot = { hard: { term: 0, vote: null }, base: NOTHING, last: NOTHING, terms: [], configs: [] };
    this.core = createCore({ id: "a", ...boot, bytesOf: () => 0, commit: 0, applied: 0 }, DEFAULT_OPTIONS, {
      u32: () => 0,
    });
    const members = ids.map((id): Member => ({ id, storageId: id, addr: `${id}:1`, role: "voter" }));
    this.step({ k: "bootstrap", ref: 1, config: { at: 1, clusterId: "c", members } });
  }

  /** Steps an input as a driver does, at the clock's time. */
  step(...inputs: Input[]): void {
    this.core.step({ k: "clock", now: { ms: this.nowMs, wallMs: this.nowMs + this.skewMs } });
    for (const input of inputs) this.core.step(input);
    for (let isBusy = true; isBusy;) {
      const { persist, apply, send, confirmedMs } = this.core.drain();
      this.confirmedMs = confirmedMs;
      this.sent.push(...send.map(({ m }) => m));
      if (persist) this.core.step({ k: "persisted", ticket: persist.ticket });
      if (apply) this.core.step({ k: "applied", index: apply.to });
      isBusy = persist !== undefined || apply !== undefined;
    }
  }

  /** Ticks until something like `k` was sent; the clock goes on by 50 ms each time. */
  tickUntil<K extends OutgoingMessage["k"]>(k: K): Extract<OutgoingMessage, { k: K }> {
    this.sent = [];
    for (let ticks = 0; ticks < 100; ticks++) {
      const found = this.sent.find((m): m is Extract<OutgoingMessage, { k: K }> => m.k === k);
      if (found) return found;
      this.nowMs += 50;
      this.step({ k: "tick" });
    }
    throw new Error(`nothing like ${k} was sent`);
  }

  /** Wins an election with the vote of "b". */
  lead(): void {
    this.tickUntil("preVote");
    this.hear({ k: "preVoteReply", term: this.core.status().term + 1, granted: true });
    this.hear({ k: "requestVoteReply", term: this.core.status().term, granted: true });
    assertEquals(this.core.status().role, "leader");
  }

  /** A message of "b". */
  hear(m: { k: "preVoteReply" | "requestVoteReply"; term: number; granted: true }): void {
    this.step({ k: "message", m: { ...m, from: "b", to: "a" } });
  }

  /** "b" holds everything, and echoes a round. */
  accept(round: number): void {
    const { last, term } = this.core.status();
    const reply = { k: "appendReply", from: "b", to: "a", term, ok: true, index: last.index, hint: NOTHING } as const;
    this.step({ k: "message", m: { ...reply, round } });
  }

  /** "b" echoes a round. */
  echo(round: number): void {
    const { term } = this.core.status();
    this.step({ k: "message", m: { k: "heartbeatReply", from: "b", to: "a", term, round } });
  }
}

/** The next round of heartbeats, and when it was sent by the wall clock. */
function nextRound(node: Node): { round: number; sentMs: number } {
  const heartbeat = node.tickUntil("heartbeat");
  return { round: heartbeat.round, sentMs: node.nowMs + SKEW_MS };
}

Deno.test("a leader is confirmed as of the sending of the round that a majority has echoed, not of its receipt", () => {
  const node = new Node(["a", "b", "c"]);
  assertEquals(node.confirmedMs, 0, "it does not lead");
  node.lead();
  const first = nextRound(node);
  node.echo(first.round);
  assertEquals(node.confirmedMs, 0, "nothing of its term is committed");
  node.accept(first.round);
  assertEquals(node.confirmedMs, first.sentMs);

  const second = nextRound(node);
  assert(second.round > first.round);
  assertEquals(node.confirmedMs, first.sentMs);
  node.nowMs += 10_000; // the process was suspended: what it finds in its buffers is old
  node.echo(second.round);
  assertEquals(node.confirmedMs, second.sentMs);
  const third = nextRound(node);
  node.echo(third.round);
  assertEquals(node.confirmedMs, third.sentMs);
  node.step({ k: "message", m: { k: "heartbeatReply", from: "c", to: "a", term: 7, round: third.round } });
  assertEquals(node.confirmedMs, 0, "it does not lead any more");
});

Deno.test("a leader whose machine was suspended is confirmed by fresh rounds alone", () => {
  const node = new Node(["a", "b", "c"]);
  node.lead();
  const first = nextRound(node);
  node.accept(first.round);
  assertEquals(node.confirmedMs, first.sentMs);
  node.skewMs += 5000; // the monotonic clock stood still
  node.echo(first.round);
  assertEquals(node.confirmedMs, 0);
  const second = nextRound(node);
  node.echo(second.round);
  assertEquals(node.confirmedMs, second.sentMs + 5000);
});

Deno.test("a leader that is a majority by itself needs nobody", () => {
  const node = new Node(["a"]);
  node.step({ k: "tick" });
  assertEquals([node.core.status().role, node.confirmedMs], ["leader", Infinity]);
});

Deno.test("nothing is sent before the tick that restTicks names, and a node at rest wakes up seldom", () => {
  const node = new Node(["a", "b"]);
  /** How often a node wakes up until something is sent, and the ticks that pass. */
  const wakeUps = (): { count: number; ticks: number } => {
    node.sent = [];
    for (let count = 1, ticks = 0;; count++) {
      const { restTicks } = node.core;
      for (let at = 1; at < restTicks; at++) node.step({ k: "tick" });
      assertEquals(node.sent, []);
      node.step({ k: "tick" });
      ticks += restTicks;
      if (node.sent.length > 0) return { count, ticks };
    }
  };
  const { electionTicks, heartbeatTicks } = DEFAULT_OPTIONS;
  assert(wakeUps().ticks >= electionTicks, "a follower campaigns then");
  node.lead();
  node.accept(nextRound(node).round);
  node.accept(nextRound(node).round);
  for (let round = 0; round < 3; round++) {
    node.echo(nextRound(node).round);
    const { count, ticks } = wakeUps();
    assert(count <= 2 && ticks === 2 * heartbeatTicks, `${count} wake-ups in ${ticks} ticks`);
  }
});

Deno.test("a leader at rest sends half as many heartbeats, one with a peer that lacks something all (L12)", () => {
  const node = new Node(["a", "b"]);
  const ticksUntilHeartbeat = (): number => {
    const { nowMs } = node;
    nextRound(node);
    return (node.nowMs - nowMs) / 50;
  };
  node.lead();
  nextRound(node);
  assertEquals(ticksUntilHeartbeat(), DEFAULT_OPTIONS.heartbeatTicks, "b has not acknowledged anything");
  node.accept(nextRound(node).round);
  node.accept(nextRound(node).round);
  nextRound(node);
  assertEquals(ticksUntilHeartbeat(), 2 * DEFAULT_OPTIONS.heartbeatTicks);
  node.step({ k: "propose", items: [{ ref: 9, body: new Uint8Array(8) }] });
  assertEquals(ticksUntilHeartbeat(), DEFAULT_OPTIONS.heartbeatTicks, "b lacks an entry");
});
