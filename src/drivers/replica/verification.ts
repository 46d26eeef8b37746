/**
 * Compares the whole content of all replicas (A17), on demand: each node lets its database come to the same
 * index, takes a view of it there, and hashes that view while writes go on. Unlike the digests that the leader compares
 * each second, this sees a row that was damaged on disk and not touched since. A node that differs from the majority stops.
 * @module
 */
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { Index, Member, NodeId } from "../../core/raft/message.ts";
import { pause } from "../../base/worker/backoff.ts";
import { withTimeout } from "../../base/worker/with_timeout.ts";
import { DatabaseDamageError } from "./damage.ts";
import { divergence } from "./divergence.ts";
import type { Replica } from "./replica.ts";
import { RemoteError, type RpcAnswer, type RpcClient } from "../transport/rpc.ts";
import type { SnapshotClient } from "./snapshot_client.ts";
import { numberField, type Rpc, textField } from "../transport/wire.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Longest wait for the node that compares: hashing all replicas takes seconds per gigabyte. */
export const VERIFY_TIMEOUT_MS = 3_600_000;

/** The database is held at an index for so long at most. */
const HOLD_MS = 5000;
/** Hashing takes seconds per gigabyte. */
const HASH_TIMEOUT_MS = 1_800_000;
/** Under load an index may be past on one node before another hears of it. */
const ATTEMPTS = 5;
/** The rate of writes is looked at for so long, to choose an index that all nodes have still ahead. */
const RATE_MS = 100;
const EMPTY = new Uint8Array(0);

/** Surroundings. */
export interface VerificationParts {
  readonly nodeId: NodeId;
  readonly replica: Replica;
  readonly snapshots: SnapshotClient;
  readonly rpc: RpcClient;
  status(): CoreStatus;
  fatal(error: Error): void;
  log(line: string): void;
}

/** Compares contents. */
export class Verification {
  readonly #parts: VerificationParts;
  /** This node's last result. */
  #own: { readonly index: Index; readonly hash: string } | undefined;
  #isBusy = false;

  constructor(parts: VerificationParts) {
    this.#parts = parts;
  }

  /**
   * Has all nodes hash their content at one index; on the leader.
   * @returns `index`; `equal`, whether all that answered hold the same; `complete`, whether all answered; and `nodes`: each
   * one's hash, or why there is none.
   * @throws {Error} When this node does not lead, no index could be agreed on, or no node could hash its content.
   */
  async run(): Promise<Record<string, unknown>> {
    const { status, log } = this.#parts;
    if (status().role !== "leader") throw new Error("not leader");
    const { members } = status().config;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const index = await this.#chooseIndex(2 << attempt);
      const answers = await Promise.all(members.map((member) => this.#ask(member, index)));
      if (answers.some(({ late }) => late)) continue;
      const nodes = Object.fromEntries(
        members.map(({ id }, at) => [id, answers[at].hash ?? `error: ${answers[at].error}`]),
      );
      const hashes = new Set(answers.flatMap(({ hash }) => hash ?? []));
      if (hashes.size === 0) throw new Error(`no node could hash its content: ${JSON.stringify(nodes)}`);
      const isEqual = hashes.size === 1;
      const [compared, silent] = [true, false].map((has) =>
        members.filter((_, at) => (answers[at].hash !== undefined) === has).map(({ id }) => id).join(", ")
      );
      log(
        `contents compared at index ${index}: ${isEqual ? "equal" : "THEY DIFFER"} on ${compared}` +
          (silent === "" ? "" : `; not compared: ${silent}`),
      );
      if (!isEqual) await this.#stopMinority(index, members, answers.map(({ hash }) => hash));
      return { index, equal: isEqual, complete: silent === "", nodes };
    }
    throw new Error("the nodes could not be held at one index: try again when there are fewer writes");
  }

  /** The last index where nothing is written, one that comes in `ahead` times {@linkcode RATE_MS} where something is. */
  async #chooseIndex(ahead: number): Promise<Index> {
    const { status } = this.#parts;
    const before = status().last.index;
    await pause(RATE_MS);
    const { index } = status().last;
    return index + ahead * (index - before);
  }

  async #ask({ id, addr }: Member, index: Index): Promise<{ hash?: string; error?: string; late?: boolean }> {
    const { nodeId, rpc } = this.#parts;
    try {
      if (id === nodeId) return { hash: await this.#hashAt(index) };
      const { head } = await rpc.call(addr, "contentHash", { index }, { timeoutMs: HASH_TIMEOUT_MS });
      return { hash: textField(head, "hash") };
    } catch (error) {
      const message = messageOf(error);
      return { error: message, late: error instanceof RemoteError && error.head.late === true };
    }
  }

  /** Lets the database come to `index`, views it there, and hashes the view. */
  async #hashAt(index: Index): Promise<string> {
    const { replica, snapshots } = this.#parts;
    if (this.#isBusy) throw new RemoteError("this node is comparing contents already");
    this.#isBusy = true;
    try {
      await snapshots.wakeUp(); // before anything is held up by it
      try {
        if (!replica.hold(index)) throw late();
        await withTimeout(replica.untilApplied(index), HOLD_MS, "late").catch(() => Promise.reject(late()));
        if (await snapshots.view() !== index) throw late();
      } finally {
        replica.release();
      }
      const hash = await snapshots.hash().catch((error) => this.#unreadable(error));
      this.#own = { index, hash };
      return hash;
    } finally {
      this.#isBusy = false;
    }
  }

  #unreadable(error: unknown): never {
    if (error instanceof DatabaseDamageError) this.#parts.fatal(error);
    throw error;
  }

  async #stopMinority(
    index: Index,
    members: readonly Member[],
    hashes: readonly (string | undefined)[],
  ): Promise<void> {
    const { nodeId, rpc, fatal } = this.#parts;
    const votes = new Map<string, number>();
    members.forEach(({ role }, at) => {
      const hash = hashes[at];
      if (role === "voter" && hash !== undefined) votes.set(hash, (votes.get(hash) ?? 0) + 1);
    });
    const voters = members.filter(({ role }) => role === "voter").length;
    const [right] = [...votes].find(([, count]) => count * 2 > voters) ?? [];
    if (right === undefined) return;
    const wrong = members.filter((_, at) => hashes[at] !== undefined && hashes[at] !== right);
    for (const { id, addr } of wrong) {
      if (id === nodeId) fatal(divergence(nodeId, index));
      else await rpc.call(addr, "contentDiffers", { index, hash: right }, { timeoutMs: HOLD_MS }).catch(() => {});
    }
  }

  /** Answers a call; undefined for one that is not about contents. */
  answer({ method, head }: Rpc, caller: NodeId): Promise<RpcAnswer> | undefined {
    switch (method) {
      case "contentHash":
        return this.#hashAt(numberField(head, "index")).then((hash) => ({ head: { hash }, body: EMPTY }));
      case "contentDiffers":
        return this.#onTold({ index: numberField(head, "index"), hash: textField(head, "hash"), caller });
      case "verify":
        return this.run().then((report) => ({ head: { ...report }, body: EMPTY }));
      default:
        return undefined;
    }
  }

  #onTold({ index, hash, caller }: { index: Index; hash: string; caller: NodeId }): Promise<RpcAnswer> {
    const { status, nodeId, fatal } = this.#parts;
    const isOther = this.#own?.index === index && this.#own.hash !== hash;
    if (status().leader === caller && isOther) fatal(divergence(nodeId, index));
    return Promise.resolve({ head: {}, body: EMPTY });
  }
}

function late(): RemoteError {
  return new RemoteError("this node is past that index already, or does not reach it", { late: true });
}
