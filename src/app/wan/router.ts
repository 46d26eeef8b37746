/**
 * The way from this server to those of other datacenters: which there are, by the pool of all; who is asked; and what becomes of
 * a request when a link is cut (core/wan/datacenters.ts).
 *
 * - A server that does not take a connection is passed by, and the next one asked. What was sent and not answered is not sent
 *   again (X2), unless it is a read.
 * - While the other datacenter has no leader, as during an election, a request is held for {@linkcode HOLD_MS} at most.
 * - Where requests wait, their server is asked now and then whether it is there. One that is not ends what waits for it, so
 *   that a cut link is told within seconds, to blocking queries, too.
 * @module
 */
import { jitter, pause } from "../../base/worker/backoff.ts";
import { joinAddress } from "../../base/codec/address.ts";
import { distance } from "../../core/serf/coordinate.ts";
import { byDistance, Datacenters, type WanServer } from "../../core/wan/datacenters.ts";
import type { Coordinate, MemberRecord } from "../../drivers/membership/api.ts";
import type { PoolClient } from "../../drivers/membership/client.ts";
import type { Forwarded, PeerMessage } from "../../drivers/replica/api.ts";
import type { CrossingOptions, Elsewhere } from "../database/operation.ts";
import { BusyError, OperationError } from "../database/errors.ts";
import { NO_PATH } from "../database/operations.ts";
import { type ReplicaClient, ReplicaError } from "../database/replica_client.ts";

/** Consul's words for a datacenter none of whose servers can be reached. */
const UNREACHABLE = "Remote DC has no server currently reachable";
/** While no server answers that knows a leader, a request is held for so long, with these pauses. */
const HOLD_MS = 7000;
const HOLD_PAUSE_MS = 100;
const HOLD_PAUSE_MS_MAX = 1600;
/** A read that a server has left unanswered goes to the next one, if there is one to be found in this time. */
const REPEAT_MS = 1000;
/** A server that requests wait for is asked so often whether it is there, and has so long to say so. */
const ASK_MS = 2000;
const THERE_MS = 2500;

/** A datacenter with the coordinates of its servers in the pool of all. */
export interface DatacenterMap {
  readonly name: string;
  readonly servers: readonly { readonly name: string; readonly coordinate: Coordinate | undefined }[];
}

/** Surroundings of a router. */
export interface WanRouterParts {
  readonly datacenter: string;
  /** This server's name in the pool of all datacenters. */
  readonly name: string;
  readonly pool: Pick<PoolClient, "members" | "onEvent" | "call">;
  readonly replica: Pick<ReplicaClient, "call">;
  log(line: string): void;
}

/** Hands requests on to other datacenters. */
export class WanRouter implements Elsewhere {
  readonly #parts: WanRouterParts;
  readonly #datacenters: Datacenters;
  /** Resolves when the members of the pool are known. */
  #known: Promise<void>;
  /** Calls under way, by address. */
  readonly #waiting = new Map<
    string,
    { readonly datacenter: string; calls: number; timer: ReturnType<typeof setTimeout> }
  >();
  /** Datacenters all of whose servers are being asked whether they are there. */
  readonly #asked = new Set<string>();
  #isReading = false;
  #isStale = false;

  /** Follows the pool from now on. */
  constructor(parts: WanRouterParts) {
    this.#parts = parts;
    this.#datacenters = new Datacenters(parts.datacenter);
    this.#known = this.#read();
    parts.pool.onEvent((event) => {
      if ("members" in event) this.#known = this.#read();
    });
  }

  /** Takes the members of the pool; once more where they have changed meanwhile. */
  async #read(): Promise<void> {
    this.#isStale = true;
    if (this.#isReading) return await this.#known;
    this.#isReading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const members = await this.#parts.pool.members();
        this.#datacenters.setServers(members.flatMap(serverOf));
      }
    } catch {
      // there is no such pool: its port was taken
    } finally {
      this.#isReading = false;
    }
  }

  /** Names of all known datacenters. */
  get names(): readonly string[] {
    return this.#datacenters.names;
  }

  /** All datacenters with the coordinates of their servers, by distance, this one first. */
  async map(): Promise<readonly DatacenterMap[]> {
    await this.#known;
    const { pool, datacenter, name } = this.#parts;
    const coordinates = await pool.call("coordinates", {}).catch((): Record<string, Coordinate> => ({}));
    const own = coordinates[name];
    const servers = (of: string) => this.#datacenters.serversOf(of);
    const secondsTo = (of: string) =>
      servers(of).flatMap((one) => own && coordinates[one.name] ? [distance(own, coordinates[one.name])] : []);
    return byDistance(this.names, datacenter, secondsTo).map((of) => ({
      name: of,
      servers: servers(of).map((one) => ({ name: one.name, coordinate: coordinates[one.name] })),
    }));
  }

  async forward(
    datacenter: string,
    call: PeerMessage,
    { timeoutMs, over, isRepeatable = false }: CrossingOptions,
  ): Promise<Forwarded> {
    await this.#known;
    if (!this.#datacenters.begin(datacenter)) {
      throw new BusyError(`too many requests to datacenter "${datacenter}" are under way: try again later`);
    }
    const from = this.#parts.datacenter;
    const head = { ...call.head, params: { ...Object(call.head.params), from } };
    try {
      return await this.#hold({ datacenter, call: { ...call, head }, timeoutMs, over, isRepeatable });
    } finally {
      this.#datacenters.end(datacenter);
    }
  }

  /** The answer of a server that knows a leader, or after a while the last one's that knows none. */
  async #hold(request: Request): Promise<Forwarded> {
    const isGone = new AbortController();
    request.over?.then(() => isGone.abort());
    const holdUntilMs = performance.now() + Math.min(request.timeoutMs, HOLD_MS);
    for (let pauseMs = HOLD_PAUSE_MS;; pauseMs = Math.min(pauseMs * 2, HOLD_PAUSE_MS_MAX)) {
      const forwarded = await this.#askEach(request, holdUntilMs);
      const isLast = isGone.signal.aborted || performance.now() + pauseMs > holdUntilMs;
      if (!mayAskAgain(forwarded, request) || isLast) return forwarded;
      await pause(jitter(pauseMs), isGone.signal);
    }
  }

  /** Asks one server after the other until one knows a leader. */
  async #askEach(request: Request, holdUntilMs: number): Promise<Forwarded> {
    const { datacenter, isRepeatable } = request;
    let untilMs = holdUntilMs;
    const tried = new Set<string>();
    let leaderless: Forwarded | undefined;
    let why = "";
    while (tried.size === 0 || performance.now() < untilMs) {
      const step = this.#datacenters.next(datacenter, tried, performance.now());
      if (step.k === "unknown") throw new OperationError(NO_PATH);
      if (step.k !== "ask") break;
      tried.add(step.addr);
      try {
        const forwarded = await this.#ask(step.addr, request);
        if (!mayAskAgain(forwarded, request)) return forwarded;
        leaderless = forwarded;
      } catch (error) {
        if (!(error instanceof ReplicaError)) throw error;
        const isRepeated = error.code === "unknown" && isRepeatable;
        if (error.code !== "not_sent" && !isRepeated) throw error;
        if (isRepeated) untilMs = Math.max(untilMs, performance.now() + REPEAT_MS); // it has waited, others may be well
        why = `: ${error.message}`;
      }
    }
    if (leaderless) return leaderless;
    throw new OperationError(`${UNREACHABLE}${why}`);
  }

  async #ask(addr: string, { datacenter, call, timeoutMs, over }: Request): Promise<Forwarded> {
    this.#await(addr, datacenter);
    try {
      // The body moves away, and the next server may need it.
      const copy = { ...call, body: call.body.slice() };
      const params = { call: copy, timeoutMs, retries: 0, to: addr, datacenter };
      const forwarded = await this.#parts.replica.call("forward", params, { over, transfer: [copy.body.buffer] });
      this.#datacenters.reached(addr);
      return forwarded;
    } catch (error) {
      const code = error instanceof ReplicaError ? error.code : "";
      if (code === "not_sent") this.#datacenters.unreached(addr, performance.now());
      else if (code === "remote") this.#datacenters.reached(addr);
      else this.#isThere(datacenter, addr); // one slow request says nothing of the server
      throw error;
    } finally {
      this.#release(addr);
    }
  }

  /** While calls wait for a server, it is asked whether it is there. */
  #await(addr: string, datacenter: string): void {
    const known = this.#waiting.get(addr);
    if (known) {
      known.calls++;
      return;
    }
    const timer = setTimeout(() => this.#askWhetherThere(addr), ASK_MS);
    this.#waiting.set(addr, { datacenter, calls: 1, timer });
  }

  #release(addr: string): void {
    const waiting = this.#waiting.get(addr);
    if (!waiting || --waiting.calls > 0) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(addr);
  }

  async #askWhetherThere(addr: string): Promise<void> {
    const waiting = this.#waiting.get(addr);
    if (!waiting) return;
    const { datacenter } = waiting;
    if (!await this.#isThere(datacenter, addr)) {
      this.#parts.log(`a server of datacenter "${datacenter}" does not answer any more: ${addr}`);
      this.#askOthers(datacenter, addr);
    }
    if (this.#waiting.get(addr) === waiting) {
      waiting.timer = setTimeout(() => this.#askWhetherThere(addr), ASK_MS);
    }
  }

  async #isThere(datacenter: string, addr: string): Promise<boolean> {
    const params = { datacenter, addr, timeoutMs: THERE_MS };
    const isThere = await this.#parts.replica.call("isThere", params).catch(() => true); // this node stops
    if (isThere) this.#datacenters.reached(addr);
    else this.#datacenters.unreached(addr, performance.now());
    return isThere;
  }

  /** Where one server has gone quiet the whole datacenter may have: no request is to find that out for each of them. */
  #askOthers(datacenter: string, quiet: string): void {
    if (this.#asked.has(datacenter)) return;
    this.#asked.add(datacenter);
    const others = this.#datacenters.serversOf(datacenter).filter(({ addr, isAlive }) => isAlive && addr !== quiet);
    Promise.all(others.map(({ addr }) => this.#isThere(datacenter, addr))).finally(() =>
      this.#asked.delete(datacenter)
    );
  }
}

/** One request on its way. */
interface Request {
  readonly datacenter: string;
  readonly call: PeerMessage;
  readonly timeoutMs: number;
  readonly over: Promise<void> | undefined;
  readonly isRepeatable: boolean;
}

/** Whether another server, or the same one soon, may do better: nobody leads there, or the leader died over a read. */
function mayAskAgain({ answer: { head } }: Forwarded, { isRepeatable }: Request): boolean {
  const { k, code } = Object(head.failure);
  return head.leaderless === true || isRepeatable && k === "forward" && code === "unknown";
}

/** A member as a server that can be asked; none where its tags do not say where. */
function serverOf({ name, addr, status, tags }: MemberRecord): WanServer[] {
  const { role, dc = "", port = "" } = tags;
  if (role !== "consul" || dc === "" || !/^\d{1,5}$/.test(port)) return [];
  // Who has left for good is no path any more.
  if (status === "left") return [];
  return [{ name, datacenter: dc, addr: joinAddress(addr, Number(port)), isAlive: status === "alive" }];
}
