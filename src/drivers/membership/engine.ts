/**
 * Drives the core of gossip: gives it the time, datagrams and what streams bring, and carries out what it wants. One turn
 * of the core at a time; nothing in a turn waits, so that a ping is answered in the turn in which it came.
 * @module
 */
import type { Effect } from "../../core/swim/effect.ts";
import type { Endpoint } from "../../core/swim/endpoint.ts";
import { Serf } from "../../core/serf/serf.ts";
import type { SerfEvent, SerfOptions } from "../../core/serf/state.ts";
import type { ExchangeResult } from "../../core/swim/swim_state.ts";
import type { LimitedLog } from "../../base/worker/log_limit.ts";

/** Largest datagram. */
const DATAGRAM_BYTES_MAX = 65_536;
/** Longest wait of a timer: `setTimeout` takes no more than 2^31 ms. */
const WAIT_MS_MAX = 3_600_000;
/** Datagrams handed to the system and not yet taken; more are lost, as the network may lose them. */
const SENDS_MAX = 4096;

/** Surroundings. */
export interface EngineParts {
  readonly socket: Deno.DatagramConn;
  readonly log: LimitedLog;
  onEvent(event: SerfEvent): void;
  /** Told at the end of each turn. */
  onTurn(): void;
  /** Dials, sends, reads one answer. */
  exchange(to: Endpoint, request: Uint8Array, timeoutMs: number): Promise<ExchangeResult>;
}

/** The core of one node, running. */
export class Engine {
  readonly serf: Serf;
  readonly #parts: EngineParts;
  readonly #outbox: Effect<SerfEvent>[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = Infinity;
  #isSettling = false;
  #isClosed = false;
  #sending = 0;
  #reading: Promise<void> = Promise.resolve();
  /** A socket bound to IPv6 reaches IPv4 by mapped addresses alone. */
  readonly #isIpv6: boolean;
  /** Datagrams in and out. */
  readonly packets = { received: 0, sent: 0, unsent: 0 };

  /** @throws {TagsError} When the tags are too large. */
  constructor(options: Omit<SerfOptions, "swim"> & { swim: Omit<SerfOptions["swim"], "emit"> }, parts: EngineParts) {
    this.#parts = parts;
    const { addr } = parts.socket;
    this.#isIpv6 = addr.transport === "udp" && addr.hostname.includes(":");
    this.serf = new Serf({ ...options, swim: { ...options.swim, emit: (effect) => void this.#outbox.push(effect) } });
  }

  /** Begins to live, and to read datagrams. */
  start(): void {
    this.turn((serf, nowMs) => serf.start(nowMs));
    this.#reading = this.#read();
  }

  /** One turn of the core; what it wants done is done when it is over. */
  turn<T>(action: (serf: Serf, nowMs: number) => T): T {
    try {
      return action(this.serf, performance.now());
    } finally {
      this.#settle();
    }
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_BYTES_MAX);
    while (!this.#isClosed) {
      try {
        const [datagram, from] = await this.#parts.socket.receive(buffer);
        this.packets.received++;
        if (from.transport === "udp") this.#receive(datagram, { host: from.hostname, port: from.port });
      } catch (error) {
        if (this.#isClosed) return;
        this.#parts.log.write("warn", `receiving failed: ${error}`, performance.now());
        await new Promise((resolve) => setTimeout(resolve, 10)); // an error of the system may be there for a while
      }
    }
  }

  #receive(datagram: Uint8Array, from: Endpoint): void {
    this.turn(({ state: { swim } }, nowMs) => {
      if ((swim.nextMs ?? Infinity) <= nowMs) swim.tick(nowMs); // a flood holds up no timer
      swim.receive(datagram, from, nowMs);
    });
  }

  #settle(): void {
    if (this.#isSettling) return; // a listener of an event has begun a turn: its effects follow
    this.#isSettling = true;
    try {
      for (let at = 0; at < this.#outbox.length && !this.#isClosed; at++) this.#carryOut(this.#outbox[at]);
    } finally {
      this.#outbox.length = 0;
      this.#isSettling = false;
    }
    this.#arm();
    this.#parts.onTurn();
  }

  #carryOut(effect: Effect<SerfEvent>): void {
    switch (effect.k) {
      case "packet":
        return this.#send(effect.to, effect.bytes);
      case "exchange": {
        const { ref, to, request, timeoutMs } = effect;
        const report = (result: ExchangeResult) =>
          this.turn(({ state }, nowMs) => state.swim.exchangeDone(ref, result, nowMs));
        this.#parts.exchange(to, request, timeoutMs).then(report);
        return;
      }
      case "log":
        return this.#parts.log.write(effect.level, effect.text, performance.now());
      case "event":
        return this.#parts.onEvent(effect.event);
    }
  }

  #send({ host, port }: Endpoint, bytes: Uint8Array): void {
    if (port === 0) return;
    if (this.#sending >= SENDS_MAX) {
      this.packets.unsent++;
      return;
    }
    this.#sending++;
    const hostname = this.#isIpv6 && !host.includes(":") ? `::ffff:${host}` : host;
    this.#parts.socket.send(bytes, { transport: "udp", hostname, port }).then(
      () => void this.packets.sent++,
      () => void this.packets.unsent++, // no route, a buffer full, a closed port: as if the network had lost it
    ).finally(() => this.#sending--);
  }

  #arm(): void {
    const nextMs = this.#isClosed ? Infinity : this.serf.state.swim.nextMs ?? Infinity;
    if (nextMs === this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = nextMs;
    if (nextMs === Infinity) return;
    const waitMs = Math.min(WAIT_MS_MAX, Math.max(0, Math.ceil(nextMs - performance.now())));
    this.#timer = setTimeout(() => {
      this.#timerMs = Infinity;
      this.turn(({ state: { swim } }, nowMs) => swim.tick(nowMs));
    }, waitMs);
  }

  /** Stops at once; resolves when the port is free. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    try {
      this.#parts.socket.close();
    } catch {
      // closed before
    }
    await this.#reading;
  }
}
