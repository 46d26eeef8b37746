/**
 * A network in virtual time for the cores of gossip: every datagram and every stream takes its time or is lost, by a
 * seed, and nothing waits for a real clock.
 * @module
 */
import type { Effect } from "../../../src/core/swim/effect.ts";
import type { Endpoint } from "../../../src/core/swim/endpoint.ts";
import type { Swim } from "../../../src/core/swim/swim.ts";
import type { ExchangeResult } from "../../../src/core/swim/swim_state.ts";
import { Random } from "../random.ts";

/** How the network is. Milliseconds. */
export interface Conditions {
  /** Share of datagrams that are lost. */
  readonly loss: number;
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  /** Whether streams get through at all. */
  readonly streams: boolean;
}

const CALM: Conditions = { loss: 0, latencyMinMs: 0.2, latencyMaxMs: 1, streams: true };

/** A core with an address. */
export interface VirtualNode<E> {
  readonly address: string;
  readonly swim: Swim<E>;
  /** Takes nothing any more. */
  isDown: boolean;
  /** Neither sends nor receives until then, while its timers run on (the anomaly of the Lifeguard paper, §V). */
  blockedUntilMs: number;
  packets: number;
  bytes: number;
  /** When its next tick is in the agenda. */
  tickMs: number;
}

interface Appointment {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

/** Address of the nth node. */
export function addressOf(index: number): Uint8Array {
  return Uint8Array.of(10, index >>> 16 & 0xff, index >>> 8 & 0xff, index & 0xff);
}

/** The network. `E` is what the cores tell. */
export class VirtualNetwork<E> {
  readonly random: Random;
  readonly #agenda: Appointment[] = [];
  readonly #nodes = new Map<string, VirtualNode<E>>();
  #order = 0;
  nowMs = 0;
  conditions = CALM;
  /** Which side of a partition an address is on; all the same: none. */
  sideOf: (address: string) => number = () => 0;
  /** Called for each datagram that leaves. */
  onPacket: (from: VirtualNode<E>, to: Endpoint, bytes: Uint8Array) => void = () => {};
  /** Called for what a core tells, and for its lines. */
  onEvent: (node: VirtualNode<E>, event: E) => void = () => {};
  onLog: (node: VirtualNode<E>, text: string) => void = () => {};

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** All nodes. */
  get nodes(): VirtualNode<E>[] {
    return [...this.#nodes.values()];
  }

  /** Random numbers for a core. */
  fraction = (): number => this.random.u32() / 0x1_0000_0000;

  /** Puts a core at an address; it is made with a way out for its effects. Another one there is gone. */
  add(address: string, make: (emit: (effect: Effect<E>) => void) => Swim<E>): VirtualNode<E> {
    const outbox: Effect<E>[] = [];
    const swim = make((effect) => void outbox.push(effect));
    const node: VirtualNode<E> = {
      address,
      swim,
      isDown: false,
      blockedUntilMs: 0,
      packets: 0,
      bytes: 0,
      tickMs: Infinity,
    };
    const older = this.#nodes.get(address);
    if (older) older.isDown = true;
    this.#nodes.set(address, node);
    this.#outboxes.set(node, outbox);
    return node;
  }

  readonly #outboxes = new Map<VirtualNode<E>, Effect<E>[]>();

  /** A turn of a core, now. */
  turn(node: VirtualNode<E>, action: (swim: Swim<E>, nowMs: number) => void): void {
    action(node.swim, this.nowMs);
    const outbox = this.#outboxes.get(node) ?? [];
    for (let at = 0; at < outbox.length; at++) this.#carryOut(node, outbox[at]);
    outbox.length = 0;
    this.#arm(node);
  }

  #carryOut(node: VirtualNode<E>, effect: Effect<E>): void {
    if (effect.k === "packet") this.#when(node, () => this.#send(node, effect.to, effect.bytes));
    else if (effect.k === "exchange") this.#exchange(node, effect);
    else if (effect.k === "event") this.onEvent(node, effect.event);
    else this.onLog(node, effect.text);
  }

  #arm(node: VirtualNode<E>): void {
    const dueMs = node.swim.nextMs ?? Infinity;
    if (dueMs >= node.tickMs || dueMs === Infinity) return;
    node.tickMs = dueMs;
    this.#at(dueMs, () => {
      if (node.tickMs !== dueMs) return;
      node.tickMs = Infinity;
      if (!node.isDown) this.turn(node, (swim, nowMs) => swim.tick(nowMs));
    });
  }

  /** Acts when the node is not blocked, unless it is down by then. */
  #when(node: VirtualNode<E>, act: () => void): void {
    if (node.isDown) return;
    if (node.blockedUntilMs > this.nowMs) this.#at(node.blockedUntilMs, () => this.#when(node, act));
    else act();
  }

  #latency(): number {
    const { latencyMinMs, latencyMaxMs } = this.conditions;
    return latencyMinMs + this.fraction() * (latencyMaxMs - latencyMinMs);
  }

  #reaches(from: string, to: string): boolean {
    return this.sideOf(from) === this.sideOf(to);
  }

  #send(node: VirtualNode<E>, to: Endpoint, bytes: Uint8Array): void {
    node.packets++;
    node.bytes += bytes.length;
    this.onPacket(node, to, bytes);
    if (this.fraction() < this.conditions.loss || !this.#reaches(node.address, to.host)) return;
    const from = { host: node.address, port: node.swim.state.options.port };
    this.#at(this.nowMs + this.#latency(), () => {
      const target = this.#nodes.get(to.host);
      if (target) this.#when(target, () => this.turn(target, (swim, nowMs) => swim.receive(bytes, from, nowMs)));
    });
  }

  #exchange(node: VirtualNode<E>, { ref, to, request, timeoutMs }: Extract<Effect<E>, { k: "exchange" }>): void {
    let isDone = false;
    const report = (result: ExchangeResult) => {
      if (isDone) return;
      isDone = true;
      this.#when(node, () => this.turn(node, (swim, nowMs) => swim.exchangeDone(ref, result, nowMs)));
    };
    this.#at(this.nowMs + timeoutMs, () => report({ type: "failed", error: "no answer" }));
    if (!this.conditions.streams || !this.#reaches(node.address, to.host)) return;
    this.#at(this.nowMs + 2 * this.#latency(), () => {
      const target = this.#nodes.get(to.host);
      if (!target || target.isDown) return report({ type: "failed", error: "refused", isRefused: true });
      this.#when(target, () =>
        this.turn(target, (swim, nowMs) => {
          const message = swim.decoder("request").push(request);
          const reply = message && swim.answer(message, nowMs);
          if (message) swim.absorb(message, nowMs);
          const answer = reply && node.swim.decoder("reply").push(reply);
          this.#at(this.nowMs + this.#latency(), () => report(answer ?? { type: "failed", error: "closed" }));
        }));
    });
  }

  /** Calls `act` at a time. */
  #at(atMs: number, act: () => void): void {
    const heap = this.#agenda;
    const one = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, act };
    let at = heap.length;
    heap.push(one);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(one, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = one;
  }

  #next(): Appointment | undefined {
    const heap = this.#agenda;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || last === top) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }

  /** Lets time pass, until `isDone` or the end. Returns whether it was done. */
  run(ms: number, isDone: () => boolean = () => false): boolean {
    const endMs = this.nowMs + ms;
    while (this.#agenda.length > 0 && this.#agenda[0].atMs <= endMs) {
      const next = this.#next();
      if (!next) break;
      this.nowMs = next.atMs;
      next.act();
      if (isDone()) return true;
    }
    this.nowMs = endMs;
    return isDone();
  }

  /** Calls `act` after a while. */
  after(ms: number, act: () => void): void {
    this.#at(this.nowMs + ms, act);
  }
}

function isBefore(a: Appointment, b: Appointment): boolean {
  return a.atMs < b.atMs || a.atMs === b.atMs && a.order < b.order;
}
