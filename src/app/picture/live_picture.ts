/**
 * The picture of the cluster, kept up to date for as long as somebody looks at it.
 *
 * - However many look, a node asks the others once a second; at rest it asks nobody.
 * - A picture is sent when it differs from the one before, so that a cluster at rest costs its viewers nothing.
 * - A client agent has no picture of its own. It asks a server for each viewer, by the viewer's credentials.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { pause } from "../../base/worker/backoff.ts";
import { distance } from "../../core/serf/coordinate.ts";
import type { Member } from "../../core/raft/message.ts";
import type { Coordinate } from "../../drivers/membership/api.ts";
import type { Agent } from "../agent/agent.ts";
import { TooManyWaitError } from "../database/errors.ts";
import type { Asker } from "../database/operation.ts";
import type { Runner } from "../database/operations.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { Heard, NodeFacts } from "./heard.ts";
import { type Picture, pictureOf } from "./picture.ts";
import type { PictureOperations } from "./picture_operations.ts";

/** What it works with. */
export interface LivePictureParts {
  readonly replica: Pick<ReplicaClient, "leader" | "leaderSinceMs" | "members">;
  readonly agent: Agent | undefined;
  readonly options: { readonly nodeId: string };
  log(line: string): void;
  /** To be asked once the node has operations. */
  operations(): Runner<PictureOperations>;
}

/** Those who look at a time. */
const VIEWERS_MAX = 500;
const LOOK_MS = 1000;
/** A node that takes longer is unreachable. */
const ANSWER_MS = 1500;
/** Distances change slowly, and are of no use between many nodes. */
const DISTANCES_MS = 10_000;
const DISTANCES_NODES_MAX = 12;
/** A round trip is the shortest of so many: the longer ones waited for something. */
const ROUND_TRIPS = 8;
/** After so long without news a viewer is told that there is none, so that both ends know of each other. */
const QUIET_MS = 15_000;

/** The picture as this node sees it. */
export class LivePicture {
  readonly #parts: LivePictureParts;
  readonly #viewers = new Set<() => void>();
  readonly #roundTrips = new Map<string, number[]>();
  #latest: { readonly picture: Picture; readonly text: string; readonly atMs: number } | undefined;
  #distances: { readonly atMs: number; readonly list: Picture["distances"] } = { atMs: -Infinity, list: [] };
  #looking: Promise<Picture> | undefined;
  #isFollowed = false;

  constructor(parts: LivePictureParts) {
    this.#parts = parts;
  }

  /** Those who look. */
  get viewers(): number {
    return this.#viewers.size;
  }

  /** The picture, not older than a look at the cluster. */
  async picture(): Promise<Picture> {
    const latest = this.#latest;
    if (latest && performance.now() - latest.atMs < LOOK_MS) return latest.picture;
    return await (this.#looking ??= this.#look().finally(() => this.#looking = undefined));
  }

  /**
   * Each picture that differs from the one before, as JSON, until `over` resolves; undefined when there was none for a while.
   * @throws {TooManyWaitError} When as many look as may.
   */
  async *follow(by: Asker, over: Promise<void>): AsyncGenerator<string | undefined> {
    if (this.#viewers.size >= VIEWERS_MAX) {
      throw new TooManyWaitError(`${VIEWERS_MAX} clients follow the cluster on this node: ask another one`);
    }
    const ended = new AbortController();
    let wake = () => {};
    const woken = () => wake();
    over.then(() => (ended.abort(), wake()));
    this.#viewers.add(woken);
    try {
      const isClient = this.#parts.agent?.options.isServer === false;
      yield* isClient ? this.#relayed(by, ended.signal) : this.#own(ended.signal, (call) => wake = call);
    } finally {
      this.#viewers.delete(woken);
    }
  }

  async *#own(ended: AbortSignal, onWake: (call: () => void) => void): AsyncGenerator<string | undefined> {
    await this.picture();
    this.#keepLooking();
    let shown: string | undefined;
    while (!ended.aborted) {
      const text = this.#latest?.text;
      if (text !== undefined && text !== shown) {
        shown = text;
        yield text;
        continue;
      }
      const news = Promise.withResolvers<void>();
      const quiet = setTimeout(news.resolve, QUIET_MS);
      onWake(news.resolve);
      await news.promise;
      clearTimeout(quiet);
      if (!ended.aborted && this.#latest?.text === shown) yield undefined;
    }
  }

  async *#relayed(by: Asker, ended: AbortSignal): AsyncGenerator<string | undefined> {
    let shown: string | undefined;
    let toldMs = performance.now();
    while (!ended.aborted) {
      const { result } = await this.#parts.operations().run("picture", {}, { by, timeoutMs: 5000, retries: 0 });
      // The server that was asked is not this node, which is none of the cluster's.
      const text = JSON.stringify({ ...Object(JSON.parse(result.text)), askedId: "" });
      if (text !== shown || performance.now() - toldMs > QUIET_MS) {
        yield text === shown ? undefined : text;
        shown = text;
        toldMs = performance.now();
      }
      await pause(2 * LOOK_MS, ended);
    }
  }

  /** Looks again and again while there are viewers. */
  async #keepLooking(): Promise<void> {
    if (this.#isFollowed) return;
    this.#isFollowed = true;
    try {
      while (this.#viewers.size > 0) {
        await pause(LOOK_MS);
        await this.#look();
      }
    } catch (error) {
      // Nobody waits for this, and the node must not end by it; the next viewer begins anew.
      this.#parts.log(`the picture of the cluster cannot be made: ${messageOf(error)}`);
    } finally {
      this.#isFollowed = false;
    }
  }

  async #look(): Promise<Picture> {
    const { replica, options: { nodeId }, agent } = this.#parts;
    const heard = await Promise.all(replica.members.map((member) => this.#hear(member)));
    const picture = pictureOf({
      askedId: nodeId,
      datacenter: agent?.options.datacenter ?? "",
      leaderId: replica.leader?.id ?? "",
      leaderSinceMs: replica.leaderSinceMs,
      heard,
      distances: await this.#distancesOf(heard),
      nowMs: Date.now(),
    }, this.#latest?.picture);
    const text = JSON.stringify(picture);
    const isNew = text !== this.#latest?.text;
    this.#latest = { picture, text, atMs: performance.now() };
    if (isNew) { for (const wake of this.#viewers) wake(); }
    return picture;
  }

  /** What a server says of itself. */
  async #hear({ id, addr, role }: Member): Promise<Heard> {
    const base = { id, addr, isVoter: role === "voter" };
    const isOwn = id === this.#parts.options.nodeId;
    const startedMs = performance.now();
    try {
      const { result } = await this.#parts.operations().run("nodeFacts", {}, {
        by: { k: "node" },
        timeoutMs: ANSWER_MS,
        retries: 0,
        ...(isOwn ? {} : { to: addr }),
      });
      const tookMs = performance.now() - startedMs;
      if (isOwn) return { ...base, facts: result, clockAheadMs: 0 };
      return { ...base, facts: result, roundTripMs: this.#shortest(id, tookMs), clockAheadMs: aheadOf(result, tookMs) };
    } catch (error) {
      const text = messageOf(error);
      // While a cluster is upgraded, some nodes know of no such question (operations.ts).
      return { ...base, error: text, isOlder: text.includes('found "nodeFacts"'), clockAheadMs: 0 };
    }
  }

  #shortest(id: string, tookMs: number): number {
    const last = [tookMs, ...this.#roundTrips.get(id) ?? []].slice(0, ROUND_TRIPS);
    this.#roundTrips.set(id, last);
    return Math.min(...last);
  }

  async #distancesOf(heard: readonly Heard[]): Promise<Picture["distances"]> {
    const { agent } = this.#parts;
    if (!agent || heard.length > DISTANCES_NODES_MAX || performance.now() - this.#distances.atMs < DISTANCES_MS) {
      return this.#distances.list;
    }
    const none: Readonly<Record<string, Coordinate>> = {};
    const coordinates = await agent.pool.call("coordinates", {}).catch(() => none);
    const known = heard.flatMap(({ id, facts }) => {
      const coordinate = facts && coordinates[facts.name];
      return coordinate ? [{ id, coordinate }] : [];
    });
    const list = known.flatMap((a, at) =>
      known.slice(at + 1).map((b) => ({ a: a.id, b: b.id, ms: milliseconds(distance(a.coordinate, b.coordinate)) }))
    );
    this.#distances = { atMs: performance.now(), list };
    return list;
  }
}

/** Two digits are as exact as an estimate is. */
function milliseconds(seconds: number): number {
  return Number((seconds * 1000).toPrecision(2));
}

/** How far a clock is ahead, as far as the way there and back does not explain it. */
function aheadOf({ nowMs }: NodeFacts, tookMs: number): number {
  const ahead = nowMs - (Date.now() - tookMs / 2);
  return Math.sign(ahead) * Math.max(0, Math.abs(ahead) - tookMs / 2);
}
