/**
 * Membership: how nodes enter a cluster, form one, leave it, and what they ask each other (Q15.1 to Q15.10). Every
 * method here is a call over the cluster port; the ones that change the configuration run on the leader, the others
 * answer where they arrive.
 *
 * Forming a cluster (Q15.4): each node tells every address in its list who it is (`notify`). A node that has heard from
 * as many as are expected takes the lowest ids among them and asks each to promise that it belongs to no other cluster
 * (`promise`), all of which must agree, before it writes the first configuration. The cluster id is a digest of the
 * members, so that two nodes that bootstrap the same set write the same bytes (M11), and two different sets that share
 * a member cannot both be promised.
 * @module
 */
import { RefusedError } from "../../core/raft/proposal.ts";
import { NotSentError, RemoteError, type RpcAnswer, type RpcClient } from "../transport/rpc.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import type { ConfigChange, Core } from "../../core/raft/effects.ts";
import { sortedConfig } from "../../core/raft/configuration.ts";
import type { Config, Member, NodeId } from "../../core/raft/message.ts";
import type { LeaderInfo, NodeInfo, ReplicaOptions } from "../replica/api.ts";
import { pause } from "../../base/worker/backoff.ts";
import { decodeClusterName, type Named, refuseOtherName } from "./cluster_name.ts";
import { refuseNamesake } from "./namesake.ts";
import type { Probed } from "./probed.ts";
import { withTimeout } from "../../base/worker/with_timeout.ts";
import { numberField, textField } from "../transport/wire.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** A promise to belong to one cluster alone holds this long without word from it. */
export const PROMISE_MS = 15_000;
/** A node that notified counts this long. */
export const NOTIFY_MS = 20_000;
/** Limit of one call between nodes that changes no data. */
export const CALL_TIMEOUT_MS = 5_000;

/** The Raft core as the cluster uses it, through its driver. */
export interface Consensus {
  /** The core's picture of itself. */
  status(): ReturnType<Core["status"]>;
  /** Changes one member. */
  reconfigure(change: ConfigChange): Promise<void>;
  /** Hands leadership over. */
  transfer(to?: NodeId): Promise<void>;
  /** Gives a new node its first configuration. */
  bootstrap(config: Config): Promise<void>;
}

/** Surroundings. */
export interface ClusterParts {
  readonly options: ReplicaOptions;
  readonly replica: Consensus;
  readonly rpc: RpcClient;
  /** Random per process. */
  readonly incarnation: string;
  /** Ticks of an election timeout. */
  readonly electionTicks: number;
  /** A member's current address; it may have moved since the configuration was written. */
  addrOf(id: NodeId): string | undefined;
  /** The leader as known here. */
  leader(): LeaderInfo | null;
  log(line: string): void;
}

/** Limit of connecting, and again of the answer, when it is asked whether a node is there. */
const PROBE_TIMEOUT_MS = 2000;
const EMPTY = new Uint8Array(0);

/** Membership calls of one node. */
export class Cluster {
  readonly #options: ReplicaOptions;
  readonly #replica: Consensus;
  readonly #rpc: RpcClient;
  readonly #parts: ClusterParts;
  readonly #leader: () => LeaderInfo | null;
  readonly #log: (line: string) => void;
  readonly #notified = new Map<string, { member: Member; untilMs: number }>();
  #promise: { clusterId: string; holders: Set<string>; untilMs: number } | undefined;
  #bootstrapping = false;
  /** Counters of this node as leader for `/debug/vars`, with rqlite's names. */
  readonly counters = { num_join_req: 0, num_joins: 0, num_ignored_joins: 0, num_removed_before_joins: 0 };
  #membershipChange: Promise<unknown> = Promise.resolve();

  constructor(parts: ClusterParts) {
    this.#options = parts.options;
    this.#replica = parts.replica;
    this.#rpc = parts.rpc;
    this.#parts = parts;
    this.#leader = parts.leader;
    this.#log = parts.log;
  }

  get #config(): Config {
    return this.#replica.status().config;
  }

  /** This node as a member. */
  get self(): Member {
    const { nodeId, storageId, advertisedAddr, isVoter } = this.#options;
    return { id: nodeId, storageId, addr: advertisedAddr, role: isVoter ? "voter" : "nonvoter" };
  }

  /** The same with its credentials and the name of its cluster, for who is to take it in. */
  get #joining(): Record<string, unknown> {
    const { joinAuthorization, clusterName } = this.#options;
    return { ...this.self, authorization: joinAuthorization, ...(clusterName !== "" && { clusterName }) };
  }

  /** Answers a membership call; undefined for a method that is not one. */
  answer(method: string, head: Record<string, unknown>): Promise<RpcAnswer> | undefined {
    switch (method) {
      case "join":
        return this.#onJoin(decodeMember(head), decodeClusterName(head));
      case "notify":
        return this.#onNotify(decodeMember(head), {
          clusterName: decodeClusterName(head),
          expected: head.expect === undefined ? undefined : numberField(head, "expect"),
        });
      case "promise":
        return Promise.resolve(this.#onPromise(textField(head, "clusterId"), textField(head, "by")));
      case "release":
        return Promise.resolve(this.#onRelease(textField(head, "clusterId"), textField(head, "by")));
      case "remove":
        return this.remove(textField(head, "id")).then((removed) => ({ head: { removed }, body: EMPTY }));
      case "meta":
        return Promise.resolve({
          head: {
            id: this.#options.nodeId,
            apiUrl: this.#options.apiUrl,
            version: this.#options.version,
            clusterId: this.#config.clusterId,
            storageId: this.#options.storageId,
            incarnation: this.#parts.incarnation,
            commit: this.#replica.status().commit,
          },
          body: EMPTY,
        });
      default:
        return undefined;
    }
  }

  #refuseFollower(): void {
    if (this.#replica.status().role !== "leader") {
      const leader = this.#leader();
      throw new RemoteError(leader ? "not leader" : "no leader", { leader: leader?.addr ?? "" });
    }
  }

  /**
   * A member is at another address now, as gossip tells: the leader finds it there and says so in the configuration.
   * @throws {RemoteError} When this node does not lead, or another node answers there.
   */
  async readdress(id: string, addr: string): Promise<void> {
    this.#refuseFollower();
    const known = this.#member(id);
    if (!known || known.addr === addr) return;
    await this.#enter({ ...known, addr });
  }

  #member(id: NodeId): Member | undefined {
    return this.#config.members.find((member) => member.id === id);
  }

  /** One change of membership at a time: each sees the configuration that the one before left. */
  #serialised<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#membershipChange.then(work, work);
    this.#membershipChange = next.catch(() => {});
    return next;
  }

  async #onJoin(member: Member, clusterName: string): Promise<RpcAnswer> {
    this.counters.num_join_req++;
    this.#refuseFollower();
    const isMember = this.#member(member.id)?.storageId === member.storageId;
    if (!isMember) this.#refuseOtherName({ id: member.id, clusterName });
    await this.#enter(member);
    return { head: {}, body: EMPTY };
  }

  /** Takes a node in, or at another address, if it is there and its id is free for it. */
  async #enter(member: Member): Promise<void> {
    const found = await this.#refuseUnreachable(member);
    const checked = await this.#refuseNamesake(member, found);
    await this.#serialised(async () => {
      this.#refuseFollower();
      const known = this.#member(member.id);
      // Two may have asked at once: the second one meets the first.
      if (known?.storageId !== checked?.storageId || known?.addr !== checked?.addr) {
        await this.#refuseNamesake(member, found);
      }
      await this.#admit(member);
    });
  }

  /** @returns The member that has the id, which is not alive elsewhere; undefined where there is none. */
  async #refuseNamesake({ id, storageId }: Member, found: Probed): Promise<Member | undefined> {
    const known = this.#member(id);
    if (!known) return undefined;
    await refuseNamesake({ known, storageId, found }, {
      addrOf: this.#parts.addrOf,
      probe: (addrs) => this.probe(addrs),
      isHeard: (member) => {
        const { progress } = this.#replica.status();
        return progress.some((peer) => peer.id === member && peer.ticksSinceHeard < this.#parts.electionTicks);
      },
    });
    return known;
  }

  /** A node that cannot be reached under the address that it gives would be a member that never hears anything. */
  async #refuseUnreachable({ id, storageId, addr }: Member): Promise<Probed> {
    const [probed] = await this.probe([addr]);
    const { state, id: found, why } = probed;
    if (found === id && (probed.storageId ?? storageId) === storageId) return probed;
    if (found === id) throw new RemoteError(`the leader finds a node "${id}" with another data directory at ${addr}`);
    const reason = found === undefined
      ? `node "${id}" cannot be reached at ${addr} from the leader: ${state === "nobody" ? why : `${state}, ${why}`}`
      : `the leader finds node "${found}", not "${id}", at ${addr}`;
    throw new RemoteError(`${reason}; check -raft-adv-addr of node "${id}"`);
  }

  /** Q15.3; an address taken by another id is freed, as that node cannot be there any more. */
  async #admit(member: Member): Promise<void> {
    const known = this.#member(member.id);
    if (known && known.storageId === member.storageId) {
      if (known.addr === member.addr) {
        this.counters.num_ignored_joins++;
        this.#log(`node "${member.id}" at ${member.addr} already member of cluster, ignoring join request`);
        return;
      }
      await this.#free(member);
      await this.#change({ k: "readdress", id: member.id, storageId: member.storageId, addr: member.addr });
      this.#log(`node "${member.id}" moved from ${known.addr} to ${member.addr}`);
      return;
    }
    if (known) {
      this.#log(
        `node "${member.id}" lost its data directory (storage ${known.storageId} is now ${member.storageId}): it starts anew`,
      );
      await this.#removeMember(known);
      this.counters.num_removed_before_joins++;
    }
    await this.#free(member);
    const role = member.role === "voter" ? "learner" : "nonvoter";
    await this.#change({ k: "add", member: { ...member, role } });
    this.counters.num_joins++;
    this.#log(
      `node with ID ${member.id}, at ${member.addr}, joined successfully as ${
        member.role === "voter" ? "voter" : "non-voter"
      }`,
    );
  }

  async #free(member: Member): Promise<void> {
    const holder = this.#config.members.find(({ id, addr }) => addr === member.addr && id !== member.id);
    if (!holder) return;
    this.#log(`node "${holder.id}" is removed: node "${member.id}" is at its address ${member.addr} now`);
    await this.#removeMember(holder);
  }

  async #removeMember(member: Member): Promise<void> {
    if (member.id === this.#options.nodeId) {
      throw new RemoteError(`Cannot replace node "${member.id}": it is this leader`);
    }
    await this.#change({ k: "remove", id: member.id });
  }

  /** A change of the configuration, waiting for its turn for a while. */
  async #change(change: ConfigChange): Promise<void> {
    const deadline = performance.now() + CALL_TIMEOUT_MS;
    for (;;) {
      try {
        return await withTimeout(
          this.#replica.reconfigure(change),
          CALL_TIMEOUT_MS,
          "the change was not committed in time: is a quorum up?",
        );
      } catch (error) {
        const waits = error instanceof RefusedError && (error.why === "config_pending" || error.why === "not_ready");
        if (!waits || performance.now() > deadline) throw error;
        await pause(20);
      }
    }
  }

  /**
   * Takes a server out; an unknown id is no error (Q13.4).
   * @throws {RemoteError} When this node does not lead, or the last voter would go.
   */
  async remove(id: string): Promise<boolean> {
    this.#refuseFollower();
    return await this.#serialised(async () => {
      const member = this.#member(id);
      if (!member) return false;
      const voters = this.#config.members.filter(({ role }) => role === "voter");
      if (member.role === "voter" && voters.length === 1) {
        throw new RemoteError(`need at least one voter in configuration: node "${id}" is the last`);
      }
      if (id === this.#options.nodeId) {
        await this.#replica.transfer();
        await this.#untilOtherLeader();
        const leader = this.#leader();
        if (!leader) throw new RemoteError("no leader");
        await this.#rpc.call(leader.addr, "remove", { id }, { timeoutMs: CALL_TIMEOUT_MS * 2 });
      } else {
        await this.#change({ k: "remove", id });
      }
      this.#log(`node "${id}" was removed from the cluster`);
      return true;
    });
  }

  async #untilOtherLeader(): Promise<void> {
    for (let waited = 0; waited < CALL_TIMEOUT_MS; waited += 20) {
      const leader = this.#leader();
      if (leader && leader.id !== this.#options.nodeId) return;
      await pause(20);
    }
  }

  #refuseOtherName(other: Named): void {
    refuseOtherName({ id: this.#options.nodeId, clusterName: this.#options.clusterName }, other);
  }

  /** @param expected Nodes that `member` expects; undefined from older versions. */
  async #onNotify(
    member: Member,
    { clusterName, expected }: { clusterName: string; expected: number | undefined },
  ): Promise<RpcAnswer> {
    const nothing = { head: {}, body: EMPTY };
    const expect = this.#options.bootstrapExpect;
    if (expect === 0 || this.#config.members.length > 0 || this.#leader() !== null) return nothing;
    const now = performance.now();
    this.#refuseOtherName({ id: member.id, clusterName });
    this.#requireAgreement(member, expected, now);
    if (!this.#notified.has(member.id)) {
      this.#log(`node "${member.id}" at ${member.addr} is ready to form a cluster of ${expect}`);
    }
    this.#notified.set(member.id, { member: { ...member, role: "voter" }, untilMs: now + NOTIFY_MS });
    for (const [id, { untilMs }] of this.#notified) if (untilMs < now) this.#notified.delete(id);
    if (this.#notified.size >= expect) await this.#bootstrapWith([...this.#notified.values()].map((one) => one.member));
    return nothing;
  }

  /** Nodes that would form different clusters, or could not be told apart in one, form none. */
  #requireAgreement({ id, storageId, addr }: Member, expected: number | undefined, now: number): void {
    const expect = this.#options.bootstrapExpect;
    if (expected !== undefined && expected !== expect) {
      throw new RemoteError(
        `it was started with -bootstrap-expect ${expect}, not ${expected}: start all nodes with the same number`,
      );
    }
    const notified = this.#notified.get(id);
    const known = id === this.#options.nodeId
      ? this.self
      : notified && notified.untilMs > now
      ? notified.member
      : undefined;
    if (!known || known.storageId === storageId) return;
    throw new RemoteError(
      `the nodes at ${known.addr} and ${addr} both have the id "${id}": give each its own -node-id`,
    );
  }

  /** Ids of the nodes that are known to be ready to form a cluster; this one is. */
  get ready(): string[] {
    return [...new Set([...this.#notified.keys(), this.#options.nodeId])].sort();
  }

  async #bootstrapWith(candidates: readonly Member[]): Promise<void> {
    const sorted = sortedConfig({ at: 0, clusterId: "", members: candidates }).members;
    const members = sorted.slice(0, this.#options.bootstrapExpect);
    if (this.#bootstrapping || !members.some(({ id }) => id === this.#options.nodeId)) return;
    this.#bootstrapping = true;
    try {
      const config: Config = { at: 1, clusterId: await clusterIdOf(members), members };
      await this.#collectPromises(config);
      this.#log(`reached expected bootstrap count of ${members.length}, starting cluster bootstrap`);
      await this.#replica.bootstrap(config);
    } catch (error) {
      this.#log(`the bootstrap waits for the next round: ${messageOf(error)}`);
    } finally {
      this.#bootstrapping = false;
    }
  }

  /** All members or none: where one refuses, the others get their word back, so that another set can form at once. */
  async #collectPromises({ clusterId, members }: Config): Promise<void> {
    const head = { clusterId, by: this.#options.nodeId };
    const ask = (member: Member, method: "promise" | "release") =>
      member.id === this.#options.nodeId
        ? method === "promise" ? this.#onPromise(clusterId, head.by) : this.#onRelease(clusterId, head.by)
        : this.#rpc.call(member.addr, method, head, { timeoutMs: CALL_TIMEOUT_MS });
    const outcomes = await Promise.allSettled(members.map(async (member) => await ask(member, "promise")));
    const refusal = outcomes.find((outcome) => outcome.status === "rejected");
    if (!refusal) return;
    await Promise.allSettled(members.map(async (member) => await ask(member, "release")));
    throw refusal.reason;
  }

  #onPromise(clusterId: string, by: string): RpcAnswer {
    const mine = this.#config.clusterId;
    if (mine !== "" && mine !== clusterId) {
      throw new RemoteError(`node "${this.#options.nodeId}" belongs to cluster ${mine}`);
    }
    const now = performance.now();
    if (this.#promise && this.#promise.untilMs > now && this.#promise.clusterId !== clusterId) {
      throw new RemoteError(`node "${this.#options.nodeId}" is about to become part of another cluster`);
    }
    const holders = this.#promise?.clusterId === clusterId ? this.#promise.holders : new Set<string>();
    this.#promise = { clusterId, holders: holders.add(by), untilMs: now + PROMISE_MS };
    return { head: {}, body: EMPTY };
  }

  /** Takes the promise back once all that hold it have given it up: another holder may have bootstrapped by it. */
  #onRelease(clusterId: string, by: string): RpcAnswer {
    if (this.#promise?.clusterId === clusterId) {
      this.#promise.holders.delete(by);
      if (this.#promise.holders.size === 0) this.#promise = undefined;
    }
    return { head: {}, body: EMPTY };
  }

  /** Whether a stream of cluster `clusterId` may reach this node; undefined, or why not. */
  foreign(clusterId: string): string | undefined {
    const promised = this.#promise && this.#promise.untilMs > performance.now() ? this.#promise.clusterId : "";
    const mine = this.#config.clusterId || promised;
    if (mine === "" || clusterId === "" || mine === clusterId) return undefined;
    return `node "${this.#options.nodeId}" belongs to another cluster (${mine}, not ${clusterId})`;
  }

  /** A cluster of this node alone. */
  async bootstrapAlone(): Promise<void> {
    const members: Member[] = [{ ...this.self, role: "voter" }];
    await this.#replica.bootstrap({ at: 1, clusterId: await clusterIdOf(members), members });
  }

  /**
   * Asks the nodes at `addrs` in turn to be taken in, following the way to the leader.
   * @returns The address that took this node in, or the reasons why none did.
   */
  async joinOnce(addrs: readonly string[]): Promise<{ joined: string } | { reasons: string[] }> {
    const reasons: string[] = [];
    for (const addr of addrs) {
      let target = addr;
      for (let hops = 0; hops <= 10; hops++) {
        try {
          await this.#rpc.call(target, "join", this.#joining, { timeoutMs: CALL_TIMEOUT_MS * 3 });
          return { joined: target };
        } catch (error) {
          const next = error instanceof RemoteError ? error.head.leader : undefined;
          if (typeof next === "string" && next !== "" && next !== target && hops < 10) {
            target = next;
            continue;
          }
          reasons.push(`${target}: ${messageOf(error)}`);
          break;
        }
      }
    }
    return { reasons };
  }

  /** Asks the nodes at `addrs`, all at once, whether they are part of a cluster. */
  async probe(addrs: readonly string[]): Promise<Probed[]> {
    return await Promise.all(addrs.map(async (addr): Promise<Probed> => {
      try {
        const { head } = await this.#rpc.call(addr, "meta", {}, { timeoutMs: PROBE_TIMEOUT_MS });
        const { storageId, incarnation } = head;
        const who = {
          addr,
          id: textField(head, "id"),
          ...(typeof storageId === "string" && { storageId }),
          ...(typeof incarnation === "string" && { process: incarnation }),
        };
        return textField(head, "clusterId") === ""
          ? { ...who, state: "idle", why: "it is in no cluster itself" }
          : { ...who, state: "member", why: "" };
      } catch (error) {
        const message = messageOf(error);
        const why = message.replace(`Cannot reach ${addr}: `, "").replace(/ \(os error \d+\)$/, "");
        const isNobody = error instanceof NotSentError && !error.reached;
        return { addr, state: error instanceof RemoteError ? "member" : isNobody ? "nobody" : "silent", why };
      }
    }));
  }

  /**
   * Tells the nodes that were found idle that this one is ready.
   * @returns Those that could not be told, or had not been found.
   */
  async notify(probed: readonly Probed[]): Promise<Probed[]> {
    const awaited = await Promise.all(probed.map(async (one): Promise<Probed | undefined> => {
      if (one.state !== "idle") return one;
      try {
        const head = { ...this.#joining, expect: this.#options.bootstrapExpect };
        await this.#rpc.call(one.addr, "notify", head, { timeoutMs: CALL_TIMEOUT_MS });
        return undefined;
      } catch (error) {
        return { ...one, state: "silent", why: messageOf(error) };
      }
    }));
    return awaited.filter((one) => one !== undefined);
  }

  /** All servers, each asked now what it says of itself (Q13.1). */
  async nodes(timeoutMs: number): Promise<NodeInfo[]> {
    const leader = this.#leader();
    return await Promise.all(this.#config.members.map(async (member): Promise<NodeInfo> => {
      const base = { id: member.id, addr: member.addr, voter: member.role === "voter" };
      const started = performance.now();
      try {
        const meta = member.id === this.#options.nodeId
          ? { apiUrl: this.#options.apiUrl, version: this.#options.version }
          : (await this.#rpc.call(member.addr, "meta", {}, { timeoutMs })).head;
        const found = "id" in meta ? textField(meta, "id") : member.id;
        if (found !== member.id) throw new Error(`node ${JSON.stringify(found)} answers there`);
        return {
          ...base,
          apiAddr: textField(meta, "apiUrl"),
          version: textField(meta, "version"),
          reachable: true,
          leader: leader?.id === member.id,
          time: (performance.now() - started) / 1000,
        };
      } catch (error) {
        return {
          ...base,
          version: "",
          reachable: false,
          leader: false,
          error: messageOf(error),
        };
      }
    }));
  }
}

function decodeMember(head: Record<string, unknown>): Member {
  const role = textField(head, "role");
  if (role !== "voter" && role !== "nonvoter") throw new DecodeError(`Expected role "voter" or "nonvoter"`);
  const member: Member = {
    id: textField(head, "id"),
    storageId: textField(head, "storageId"),
    addr: textField(head, "addr"),
    role,
  };
  if (member.id === "" || member.id.length > 256 || member.addr.length > 256) {
    throw new DecodeError("Expected a node id and address of 1 to 256 characters");
  }
  return member;
}

/** Names a cluster by its first members; one that is recovered also by the cluster that it was. */
export async function clusterIdOf(members: readonly Member[], before?: string): Promise<string> {
  const places = members.map(({ id, storageId, addr }) => [id, storageId, addr]);
  const text = JSON.stringify(before === undefined ? places : [before, places]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return digest.subarray(0, 16).toHex();
}
