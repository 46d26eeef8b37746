/**
 * Sees to it that replicas which should hold the same do (A16): about once a second the leader asks every
 * node for the digest of one entry. A node that differs from the majority of voters has other data than they, by damage or
 * a fault of this program, and stops before it can answer anything more. Without a majority there is only the alarm.
 * @module
 */
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { Index, Member, NodeId } from "../../core/raft/message.ts";
import { Progress } from "../cluster/progress.ts";
import type { RpcAnswer, RpcClient } from "../transport/rpc.ts";
import { numberField, type Rpc } from "../transport/wire.ts";
import type { Differing } from "./api.ts";

const COMPARE_MS = 1000;
const CALL_TIMEOUT_MS = 2000;
const EMPTY = new Uint8Array(0);

/** This node's data differ from the majority's: it must stop, with exit code 3. */
export class DivergenceError extends Error {
  /** Always `DivergenceError`. */
  override readonly name = "DivergenceError";
}

/** Surroundings. */
export interface DivergenceParts {
  readonly nodeId: NodeId;
  status(): CoreStatus;
  applied(): Index;
  /** This node's digest after `index`; null where it does not have it. */
  own(index: Index): Promise<number | null>;
  readonly rpc: RpcClient;
  fatal(error: Error): void;
  log(line: string): void;
}

/** Compares digests. */
export class Divergence {
  readonly #parts: DivergenceParts;
  readonly #progress: Progress;
  #dueMs = performance.now() + COMPARE_MS;
  /** The entry to compare next: applied here a while ago, so that the others have it too. */
  #next: Index = 0;
  #compared: Index = 0;
  #isBusy = false;
  #isClosed = false;
  #agreement: { index: Index; nodes: number; at: Date } | undefined;
  #differing: Differing | undefined;

  constructor(parts: DivergenceParts) {
    this.#parts = parts;
    this.#progress = new Progress(parts.log);
  }

  /** For `/status`: the last comparison in which all that answered agreed, and who differs. */
  get status(): { readonly agreement: Record<string, unknown> | null; readonly differing: Differing | null } {
    const last = this.#agreement;
    const agreement = last ? { index: last.index, nodes: last.nodes, at: last.at.toISOString() } : null;
    return { agreement, differing: this.differing };
  }

  /**
   * The replicas that differed when they were last compared: one that stopped because of it is remembered until it is
   * removed, or agrees again.
   */
  get differing(): Differing | null {
    const { role, config: { members } } = this.#parts.status();
    if (!this.#differing || role !== "leader") return null;
    const { index, nodes } = this.#differing;
    const left = nodes.filter((id) => members.some((member) => member.id === id));
    return nodes.length > 0 && left.length === 0 ? null : { index, nodes: left };
  }

  /** To be called every now and then: compares when it is time. */
  look(): void {
    const now = performance.now();
    if (now < this.#dueMs || this.#isClosed) return;
    this.#dueMs = now + COMPARE_MS;
    this.#compare();
  }

  async #compare(): Promise<void> {
    const { status, applied } = this.#parts;
    if (this.#isBusy || status().role !== "leader" || status().config.members.length < 2) return;
    const index = this.#next;
    this.#next = applied();
    if (index <= this.#compared) return;
    this.#isBusy = true;
    this.#compared = index;
    try {
      await this.#compareAt(index, status().config.members);
    } finally {
      this.#isBusy = false;
    }
  }

  async #compareAt(index: Index, members: readonly Member[]): Promise<void> {
    const { nodeId, own, rpc, fatal } = this.#parts;
    const digests = await Promise.all(
      members.map(async (member) => member.id === nodeId ? await own(index) : await this.#ask(member, index)),
    );
    const votes = new Map<number, number>();
    members.forEach(({ role }, at) => {
      const digest = digests[at];
      if (role === "voter" && digest !== null) votes.set(digest, (votes.get(digest) ?? 0) + 1);
    });
    const voters = members.filter(({ role }) => role === "voter").length;
    const [right] = [...votes].find(([, count]) => count * 2 > voters) ?? [];
    const wrong = members.filter((_, at) => digests[at] !== null && digests[at] !== right);
    if (right === undefined) {
      if (votes.size > 1) {
        this.#alarm(index, members, digests);
        this.#differing = { index, nodes: [] };
      }
      return;
    }
    this.#note(index, wrong, members.filter((_, at) => digests[at] === right));
    if (wrong.length === 0) {
      this.#agreement = { index, nodes: digests.filter((digest) => digest !== null).length, at: new Date() };
      return;
    }
    this.#alarm(index, members, digests);
    for (const member of wrong) {
      if (member.id === nodeId) fatal(divergence(nodeId, index));
      else {await rpc.call(member.addr, "diverged", { index, digest: right }, { timeoutMs: CALL_TIMEOUT_MS }).catch(
          () => {},
        );}
    }
  }

  /** Remembers who differs from the majority. */
  #note(index: Index, wrong: readonly Member[], right: readonly Member[]): void {
    const before = this.#differing?.nodes.filter((id) => right.every((member) => member.id !== id)) ?? [];
    const nodes = [...new Set([...before, ...wrong.map(({ id }) => id)])];
    if (nodes.length === 0) this.#differing = undefined;
    else if (wrong.length > 0 || !this.#differing) this.#differing = { index, nodes };
    else this.#differing = { ...this.#differing, nodes };
  }

  /** Another node's digest; null where it has none, or does not answer now. */
  async #ask({ addr }: Member, index: Index): Promise<number | null> {
    try {
      const { head } = await this.#parts.rpc.call(addr, "digest", { index }, { timeoutMs: CALL_TIMEOUT_MS });
      return head.digest === null ? null : numberField(head, "digest");
    } catch {
      return null; // a node that is gone is not one that differs
    }
  }

  /** Answers a call; undefined for one that is not about digests. */
  answer({ method, head }: Rpc, caller: NodeId): Promise<RpcAnswer> | undefined {
    switch (method) {
      case "digest":
        return this.#parts.own(numberField(head, "index")).then((digest) => ({ head: { digest }, body: EMPTY }));
      case "diverged":
        return this.#onTold({ index: numberField(head, "index"), digest: numberField(head, "digest"), caller });
      default:
        return undefined;
    }
  }

  #alarm(index: Index, members: readonly Member[], digests: readonly (number | null)[]): void {
    const list = members.map(({ id }, at) => `${id}: ${digests[at] ?? "unknown"}`).join(", ");
    this.#progress.say(`REPLICAS DIFFER after index ${index}: digests by node ${list}`);
  }

  /** The leader says what the majority has after `index`. */
  async #onTold(told: { index: Index; digest: number; caller: NodeId }): Promise<RpcAnswer> {
    const own = await this.#parts.own(told.index);
    const isLeader = this.#parts.status().leader === told.caller;
    if (isLeader && own !== null && own !== told.digest) this.#parts.fatal(divergence(this.#parts.nodeId, told.index));
    return { head: {}, body: EMPTY };
  }

  /** Compares no more. */
  close(): void {
    this.#isClosed = true;
  }
}

/** Why a node with other data than the majority stops, and what to do. */
export function divergence(nodeId: NodeId, index: Index): DivergenceError {
  return new DivergenceError(
    `the database of node "${nodeId}" differs from that of the majority, as of index ${index}: this node stops. Keep its ` +
      "data directory for analysis; then remove the node, empty the directory and let it join again",
  );
}
