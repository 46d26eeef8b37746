/**
 * Finds a new node's cluster through one key of Consul or etcd (Q16.1): the first node to create the key bootstraps the
 * cluster, all others join through the address in it.
 *
 * The key outlives a cluster that is destroyed, and then leads nowhere. A record is taken for dead, and replaced by
 * compare-and-set, when for the whole of `dead_after` nobody at its address is part of a cluster and nobody wrote the
 * key: a leader writes it every 10 s, so a cluster that lives, but cannot be reached from here, is not replaced. A node
 * that answers as part of a cluster without a leader, or takes the connection and keeps silent, is never taken for dead.
 * @module
 */
import type { Found, LeaderRecord } from "../discovery/api.ts";
import { jitter } from "../../base/worker/backoff.ts";
import { type BootParts, untilSettled, untilSettledFor } from "./boot_parts.ts";
import type { Discovery } from "./discovery.ts";
import { Progress } from "./progress.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const ROUND_MS_FIRST = 500;
const ROUND_MS_MAX = 4000;

/** Resolves when this node knows the leader of its cluster; waits for ever. */
export async function registerLoop(parts: BootParts): Promise<void> {
  if (!parts.discovery) return;
  const loop = new RegisterLoop(parts, parts.discovery);
  for (let waitMs = ROUND_MS_FIRST; !parts.signal.aborted; waitMs = Math.min(waitMs * 1.5, ROUND_MS_MAX)) {
    if (parts.settled() || await loop.round()) return await untilSettled(parts);
    await untilSettledFor(parts, jitter(waitMs));
  }
}

class RegisterLoop {
  readonly #parts: BootParts;
  readonly #discovery: Discovery;
  readonly #progress: Progress;
  readonly #self: LeaderRecord;
  /** A revision at whose address nobody was found, and since when. */
  #dead: { revision: string; sinceMs: number } | undefined;

  constructor(parts: BootParts, discovery: Discovery) {
    this.#parts = parts;
    this.#discovery = discovery;
    this.#progress = new Progress(parts.log);
    const { nodeId, apiUrl, advertisedAddr } = parts.options;
    this.#self = { id: nodeId, apiAddr: apiUrl, addr: advertisedAddr };
  }

  /** One attempt; whether this node is part of a cluster now. */
  async round(): Promise<boolean> {
    try {
      const found = await this.#discovery.call("read", {});
      if (!found) return await this.#claim();
      if (found.claimed) return await this.#start("an earlier claim of this node was taken");
      return await this.#join(found);
    } catch (error) {
      this.#progress.say(`discovery failed, trying again: ${messageOf(error)}`);
      return false;
    }
  }

  async #claim(): Promise<boolean> {
    if (!this.#parts.options.isVoter) {
      this.#progress.say("no leader is registered yet; waiting for a voter, as this node is a read replica");
      return false;
    }
    if (await this.#discovery.call("claim", { record: this.#self })) {
      return await this.#start("no leader was registered");
    }
    const found = await this.#discovery.call("read", {});
    return found !== null && await this.#join(found);
  }

  async #start(why: string): Promise<boolean> {
    this.#parts.log(`${why}: this node starts the cluster`);
    await this.#parts.cluster.bootstrapAlone();
    return true;
  }

  async #join(found: Found): Promise<boolean> {
    const { id, addr } = found.record;
    const { cluster, log } = this.#parts;
    const [{ state, why }] = await cluster.probe([addr]);
    if (state === "member") {
      this.#dead = undefined;
      const outcome = await cluster.joinOnce([addr]);
      if ("joined" in outcome) {
        log(`successfully joined cluster at ${outcome.joined}`);
        return true;
      }
      this.#progress.say(
        `waiting for the cluster of node "${id}" to take this node in (${outcome.reasons.join("; ")})`,
      );
      return false;
    }
    if (state === "silent") {
      this.#dead = undefined;
      this.#progress.say(`waiting for the registered leader "${id}" at ${addr} (${why})`);
      return false;
    }
    return await this.#bury(found, why);
  }

  /** Nobody is there: after the grace time, this node takes the place. */
  async #bury({ record: { id, addr }, revision }: Found, why: string): Promise<boolean> {
    const { isVoter, discovery } = this.#parts.options;
    const deadAfterMs = discovery?.deadAfterMs ?? 0;
    const now = performance.now();
    if (this.#dead?.revision !== revision) this.#dead = { revision, sinceMs: now };
    const mayReplace = isVoter && deadAfterMs > 0;
    const text = `waiting for the registered leader "${id}" at ${addr} (${why})`;
    if (!mayReplace || now - this.#dead.sinceMs < deadAfterMs) {
      const then = mayReplace ? `; unless it reports within ${deadAfterMs / 1000} s, this node takes its place` : "";
      this.#progress.say(`${text}${then}`);
      return false;
    }
    this.#dead = undefined;
    if (!(await this.#discovery.call("replace", { record: this.#self, revision }))) return false;
    return await this.#start(
      `the registered leader "${id}" at ${addr} was dead for ${deadAfterMs / 1000} s (${why}), its record is replaced`,
    );
  }
}
