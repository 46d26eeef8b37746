/**
 * Membership: this node as one of a pool that finds its members, notices who fails, and spreads events and queries by
 * gossip, together with real `serf` and memberlist programs (core/swim/RULES.md, core/serf/RULES.md).
 *
 * It guarantees: nothing that arrives from the network ends it or makes it grow without bound; what it tells of members
 * is in the order in which it came to know it; restarted, it finds its pool again by what it kept in its directory.
 * @module
 */
import { pooledMap } from "@std/async/pool";
import type { SerfEvent } from "../../core/serf/state.ts";
import { pushPull } from "../../core/swim/spread.ts";
import type { KeyOperation } from "../../core/serf/internal_query.ts";
import { decodeKeyText } from "../../core/swim/key_text.ts";
import type { Keyring } from "../../core/swim/keyring.ts";
import { joinAddress } from "../../base/codec/address.ts";
import type { LogLevel } from "../../core/swim/effect.ts";
import type {
  Coordinate,
  Endpoint,
  JoinResult,
  KeyResult,
  KeyText,
  MemberRecord,
  MembershipConfig,
  MembershipEvent,
  QueryAnswer,
  QueryOptions,
} from "./api.ts";
import type { ByteStream } from "../../base/net/byte_stream.ts";
import { Coalescer } from "./coalescer.ts";
import { Engine } from "./engine.ts";
import { type FileReport, KeyringFile, SnapshotFile } from "./files.ts";
import { isOwnAddress, resolveJoinAddress } from "./join_address.ts";
import { LimitedLog } from "../../base/worker/log_limit.ts";
import type { Cipher } from "../../core/swim/cipher.ts";
import { cipherOf, coreOptions } from "./options.ts";
import { keyResultOf, recordOf } from "./record.ts";
import { acceptStreams, bindSockets, type Sockets } from "./sockets.ts";
import { statsOf } from "./stats.ts";
import { StreamService } from "./stream_service.ts";
import { SWIM_PROFILES } from "../../core/swim/profile.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** How long after they have moved the clocks are remembered. */
const CLOCKS_MS = 500;
/** Addresses that are called on at a time. */
const JOINS_AT_A_TIME = 8;

/** The surroundings of a node. */
export interface MembershipParts {
  /** Told of what happens, in its order. It may call back. */
  onEvent?(event: MembershipEvent): void;
  /** Told of the keys when they have changed, the primary first. */
  onKeys?(keys: readonly Uint8Array[]): void;
  log?(line: string, level: LogLevel): void;
}

/** A node in a pool. */
export class Membership {
  readonly #config: MembershipConfig;
  readonly #engine: Engine;
  readonly #streams: StreamService;
  readonly #sockets: Sockets;
  readonly #snapshot: SnapshotFile | undefined;
  readonly #keyringFile: KeyringFile | undefined;
  readonly #coalescer: Coalescer;
  readonly #log: LimitedLog;
  readonly #onKeys: (keys: readonly Uint8Array[]) => void;
  #clocksTimer: ReturnType<typeof setTimeout> | undefined;
  #accepting: Promise<void> = Promise.resolve();
  #isClosed = false;
  #joinsWithoutReplay = 0;

  /**
   * Starts a node; it calls on the members that it remembers.
   * @throws {RangeError} When the configuration cannot be used.
   * @throws {KeyringError} When its keys cannot be.
   * @throws {TagsError} When its tags are too large.
   * @throws {Error} When the address is not free.
   */
  static async start(config: MembershipConfig, parts: MembershipParts = {}): Promise<Membership> {
    if (config.directory !== undefined) Deno.mkdirSync(config.directory, { recursive: true });
    return new Membership(config, await cipherOf(config, (line) => parts.log?.(line, "warn")), parts);
  }

  private constructor(
    config: MembershipConfig,
    cipher: Cipher | undefined,
    { onEvent = () => {}, onKeys = () => {}, log = () => {} }: MembershipParts,
  ) {
    this.#onKeys = onKeys;
    this.#config = config;
    this.#log = new LimitedLog((level, text) => log(text, level));
    const { directory, rejoinAfterLeave = false } = config;
    if (directory !== undefined) {
      this.#snapshot = new SnapshotFile(directory, { rejoinAfterLeave, ...this.#reportOf("snapshot") });
      this.#keyringFile = new KeyringFile(directory, this.#reportOf("keyring"));
    }
    this.#coalescer = new Coalescer({ members: config.coalesceMembers, users: config.coalesceUserEvents }, onEvent);
    const profile = SWIM_PROFILES[config.profile ?? "lan"];
    this.#streams = new StreamService(config.tuning?.streamTimeoutMs ?? profile.streamTimeoutMs);
    this.#sockets = bindSockets(config.bind, config.ownListener ?? true);
    try {
      const { local } = this.#sockets;
      const keepKeys = (keyring: Keyring) => this.#keyringFile?.keep(keyring);
      const surroundings = { local, restored: this.#snapshot?.snapshot.clocks, cipher, keepKeys };
      this.#engine = new Engine(coreOptions(config, surroundings), {
        socket: this.#sockets.udp,
        log: this.#log,
        onEvent: (event) => this.#onEvent(event),
        onTurn: () => this.#watchClocks(),
        exchange: (to, request, timeoutMs) => this.#streams.exchange({ to, request, timeoutMs }),
      });
    } catch (error) {
      this.#closeSockets();
      this.#snapshot?.close();
      throw error;
    }
    this.#streams.engine = this.#engine;
    const known = [...this.#snapshot?.snapshot.alive ?? []].filter(([name]) => name !== config.name);
    this.#engine.start();
    const { tcp } = this.#sockets;
    if (tcp) this.#accepting = acceptStreams(tcp, (stream, remote) => this.serveStream(stream, remote));
    this.#rejoin(known);
  }

  /** Name of this node. */
  get name(): string {
    return this.#config.name;
  }

  /** The address at which this node listens. */
  get local(): Endpoint {
    return this.#sockets.local;
  }

  #onEvent(event: SerfEvent): void {
    switch (event.type) {
      case "query": {
        const { query } = event;
        if (this.#config.tellQueries) this.#coalescer.add({ type: "query", ...query });
        return;
      }
      case "keyring":
        return this.#onKeyring();
      case "leaving":
        return this.#snapshot?.add({ k: "leave" });
      case "user":
      case "fatal":
        return this.#coalescer.add(event);
      default: {
        const member = recordOf(event.member);
        this.#remember(event.type, member);
        this.#coalescer.add({ type: event.type, members: [member] });
      }
    }
  }

  #remember(type: SerfEvent["type"], { name, addr, port }: MemberRecord): void {
    if (type === "member-join" || type === "member-update") {
      this.#snapshot?.add({ k: "alive", name, address: joinAddress(addr, port) });
      if (name !== this.#config.name) this.#keyringFile?.prove();
    }
    if (type === "member-leave" || type === "member-failed") this.#snapshot?.add({ k: "not-alive", name });
  }

  /** Whether the clocks stand elsewhere than remembered. */
  #haveClocksMoved(snapshot: SnapshotFile): boolean {
    const { clock, eventClock, queryClock } = this.#engine.serf.state;
    const { member, event, query } = snapshot.snapshot.clocks;
    return clock.time - 1n !== member || eventClock.time - 1n !== event || queryClock.time - 1n !== query;
  }

  #watchClocks(): void {
    if (!this.#snapshot || this.#isClosed || this.#clocksTimer !== undefined) return;
    if (!this.#haveClocksMoved(this.#snapshot)) return;
    this.#clocksTimer = setTimeout(() => {
      this.#clocksTimer = undefined;
      this.#rememberClocks();
    }, CLOCKS_MS);
  }

  #rememberClocks(): void {
    if (!this.#snapshot || !this.#haveClocksMoved(this.#snapshot)) return;
    const { clock, eventClock, queryClock } = this.#engine.serf.state;
    const clocks = { member: clock.time - 1n, event: eventClock.time - 1n, query: queryClock.time - 1n };
    this.#snapshot.add({ k: "clocks", clocks });
  }

  #onKeyring(): void {
    const keyring = this.#engine.serf.state.cipher?.keyring;
    if (!keyring) return;
    // It takes milliseconds, and a key that was added is used once all members have it.
    import("./aes_gcm.ts").then(({ prepareAesGcm }) => prepareAesGcm(keyring));
    this.#onKeys(keyring.keys);
  }

  #reportOf(file: "snapshot" | "keyring"): FileReport {
    return {
      onError: (error) =>
        this.#log.write(
          "error",
          `the ${file} is not up to date, and is tried again: ${messageOf(error)}`,
          performance.now(),
        ),
      onRecovery: () => this.#log.write("info", `the ${file} is written again`, performance.now()),
    };
  }

  /** Calls on remembered members, in random order, until one answers. */
  async #rejoin(known: [string, string][]): Promise<void> {
    const order = known.map((one) => ({ one, at: Math.random() })).toSorted((a, b) => a.at - b.at);
    for (const { one: [name, address] } of order) {
      if (this.#isClosed) return;
      this.#log.write("info", `Attempting re-join to previously known node: ${name}: ${address}`, performance.now());
      if ((await this.join([address], { replay: true })).others > 0) return;
    }
    if (known.length > 0) this.#log.write("warn", "Failed to re-join any previously known node", performance.now());
  }

  /** Takes a stream that begins like gossip and was accepted elsewhere; owned from now on. */
  serveStream(stream: ByteStream, remote: string): void {
    this.#streams.serve(stream, remote);
  }

  /** Members as this node has heard of them, itself included. */
  members(): MemberRecord[] {
    return [...this.#engine.serf.state.members.values()].map(recordOf);
  }

  /**
   * Exchanges state with each address, and tells the pool when one answered.
   * @param replay Whether user events of before are told, too.
   */
  async join(addresses: readonly string[], { replay = false } = {}): Promise<JoinResult> {
    const errors: string[] = [];
    let joined = 0;
    let others = 0;
    const { advertise, machine } = this.#config;
    const own = { local: this.local, ...(advertise && { advertise }), ...(machine && { machine }) };
    const { state } = this.#engine.serf;
    if (!replay) this.#joinsWithoutReplay++;
    state.ignoresOldEvents = this.#joinsWithoutReplay > 0;
    const call = async (address: string) => {
      try {
        for (const to of await resolveJoinAddress(address, this.local.port)) {
          const error = await new Promise<string | undefined>((resolve) =>
            this.#engine.turn(({ state: { net } }) => pushPull(net, { to, join: true }, resolve))
          );
          if (error === undefined) {
            joined++;
            if (!isOwnAddress(to, own)) others++;
          } else errors.push(`Failed to join ${joinAddress(to.host, to.port)}: ${error}`);
        }
      } catch (error) {
        errors.push(`Failed to join ${address}: ${messageOf(error)}`);
      }
    };
    await Array.fromAsync(pooledMap(JOINS_AT_A_TIME, addresses, call));
    if (!replay) this.#joinsWithoutReplay--;
    state.ignoresOldEvents = this.#joinsWithoutReplay > 0;
    if (joined > 0) this.#engine.turn((serf, nowMs) => serf.joined(nowMs));
    return { joined, others, errors };
  }

  /** Leaves; resolves when the others were told and had time to hear it. The node answers until {@linkcode close}. */
  async leave(): Promise<void> {
    await new Promise<void>((resolve) => this.#engine.turn((serf, nowMs) => serf.leave(nowMs, resolve)));
    this.#snapshot?.flush();
  }

  /**
   * Declares a member left; one that is there objects.
   * @throws {Error} When no member has the name.
   */
  async forceLeave(name: string, { prune = false } = {}): Promise<void> {
    if (!this.#engine.serf.state.members.has(name)) throw new Error(`No node found with name '${name}'`);
    await new Promise<void>((resolve) =>
      this.#engine.turn((serf, nowMs) => serf.forceLeave({ node: name, prune }, nowMs, resolve))
    );
  }

  /**
   * Replaces this node's tags; resolves when that was sent.
   * @throws {TagsError} When they take more than 512 bytes.
   */
  async setTags(tags: Readonly<Record<string, string>>): Promise<void> {
    const map = new Map(Object.entries(tags));
    await new Promise<void>((resolve) => this.#engine.turn((serf, nowMs) => serf.setTags(map, nowMs, resolve)));
  }

  /**
   * Fires a user event; it is told here, too.
   * @throws {UserEventError} When it is too large.
   */
  fireEvent(name: string, payload: Uint8Array, { coalesce = true } = {}): void {
    this.#engine.turn((serf, nowMs) => serf.fireEvent({ name, payload, coalesce }, nowMs));
  }

  /**
   * Asks the pool; resolves when the time for answers is over.
   * @throws {QueryError} When the query is too large, or its name is reserved.
   * @throws {DecodeError} When a pattern cannot be used.
   */
  async query(options: QueryOptions, onAnswer: (answer: QueryAnswer) => void): Promise<void> {
    const { name, payload = new Uint8Array(0), nodes = [], tags = {}, wantAck = false, relayFactor = 0, timeoutMs } =
      options;
    const params = { name, payload, nodes, tags: new Map(Object.entries(tags)), wantAck, relayFactor, timeoutMs };
    await new Promise<void>((resolve) =>
      this.#engine.turn((serf, nowMs) =>
        serf.query(params, {
          onAck: (from) => onAnswer({ type: "ack", from }),
          onResponse: (from, response) => onAnswer({ type: "response", from, payload: response }),
          onDone: resolve,
        }, nowMs)
      )
    );
  }

  /**
   * Answers a query that was told.
   * @throws {QueryError} When it is too late, was answered, or the answer is too large.
   */
  respond(ref: number, payload: Uint8Array): void {
    this.#engine.turn((serf, nowMs) => serf.respond(ref, payload, nowMs));
  }

  /**
   * Installs, uses or removes a key on all members, or lists the keys of all.
   * @throws {KeyringError} When the key is none.
   */
  async keys(
    operation: KeyOperation,
    { key, relayFactor = 0 }: { key?: KeyText; relayFactor?: number } = {},
  ): Promise<KeyResult> {
    const bytes = key === undefined ? undefined : decodeKeyText(key);
    return await new Promise((resolve) =>
      this.#engine.turn((serf, nowMs) =>
        serf.keys(operation, { key: bytes, relayFactor, onDone: (tally) => resolve(keyResultOf(tally)) }, nowMs)
      )
    );
  }

  /** Figures, see {@linkcode statsOf}. */
  stats(): Record<string, string> {
    return statsOf(this.#engine);
  }

  /** All network coordinates that are known, by name. */
  coordinates(): Readonly<Record<string, Coordinate>> {
    const { coordinates, coordinatesOfOthers } = this.#engine.serf.state;
    return { ...Object.fromEntries(coordinatesOfOthers), [this.#config.name]: coordinates.own };
  }

  /** This node's network coordinate, or the last one heard of another. */
  coordinate(name = this.#config.name): Coordinate | undefined {
    const { coordinates, coordinatesOfOthers } = this.#engine.serf.state;
    return name === this.#config.name ? coordinates.own : coordinatesOfOthers.get(name);
  }

  #closeSockets(): void {
    for (const socket of [this.#sockets.tcp, this.#sockets.udp]) {
      try {
        socket?.close();
      } catch {
        // closed before
      }
    }
  }

  /** Ends at once, without leaving; resolves when the port is free. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#clocksTimer);
    this.#rememberClocks();
    const reading = this.#engine.close();
    this.#streams.close();
    this.#closeSockets();
    this.#coalescer.close();
    this.#snapshot?.close();
    this.#keyringFile?.close();
    await Promise.all([reading, this.#accepting]);
  }
}
