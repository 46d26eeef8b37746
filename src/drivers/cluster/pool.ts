/**
 * The gossip pool as Raft uses it (C9.6, C9.7). It gives the addresses of servers for joining or bootstrapping a
 * cluster and the new address of a server that moved; the leader removes a server that left or came back as a client. A failed server stays a
 * member: only an operator or a reaping flag removes it.
 *
 * Gossip is advice. A node that answers at an address must prove its id and disk before a Raft message counts (B2), so
 * wrong information here costs a connection and nothing else.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { Caller } from "../../base/worker/channel.ts";
import type {
  FromMembership,
  MemberRecord,
  MembershipEvent,
  MembershipMethods,
  ToMembership,
} from "../membership/api.ts";
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { Member, NodeId } from "../../core/raft/message.ts";
import { Progress } from "./progress.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Membership and configuration are compared this often, besides at each event. */
const COMPARE_MS = 2000;
const LOOKS_PER_REFRESH = 10;

/** Surroundings. */
export interface PoolParts {
  readonly port: MessagePort;
  readonly nodeId: NodeId;
  readonly bootstrapExpect: number;
  status(): CoreStatus;
  /** Takes a member out; on the leader. */
  remove(id: NodeId): Promise<boolean>;
  /** Changes a member's address; on the leader. */
  readdress(id: NodeId, addr: string): Promise<void>;
  /** Servers may be elsewhere than before. */
  onMoved(): void;
  log(line: string): void;
}

/** The servers of the pool. */
export class Pool {
  readonly #parts: PoolParts;
  readonly #progress: Progress;
  readonly #membership: Caller<MembershipMethods>;
  #servers: readonly MemberRecord[] = [];
  /** Members that are up and no servers, by their ids: one of them may have been a server before. */
  #clients: ReadonlyMap<string, MemberRecord> = new Map();
  /** Ids of members that the pool has forgotten: failed or gone for longer than the reconnect timeout. */
  readonly #reaped = new Set<string>();
  readonly #timer: ReturnType<typeof setInterval>;
  #looks = 0;
  #isBusy = false;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#progress = new Progress(parts.log);
    this.#membership = new Caller(parts.port, { callee: "the pool" });
    parts.port.onmessage = ({ data }: MessageEvent<FromMembership>) => {
      if (data.k === "answer") this.#membership.settle(data);
      else if (data.k === "event") this.#onEvent(data.event);
    };
    this.#timer = setInterval(() => this.#look(), COMPARE_MS);
    this.#refresh();
  }

  #onEvent(event: MembershipEvent): void {
    if (!("members" in event)) return;
    if (event.type === "member-reap") { for (const { tags } of event.members) this.#reaped.add(tags.id ?? ""); }
    this.#refresh();
  }

  /** Cluster addresses of the servers that are up, this one included. */
  async serverAddrs(): Promise<string[]> {
    await this.#refresh();
    return this.#servers.filter(({ status }) => status === "alive").map(addrOf);
  }

  /** The node's address according to gossip, or undefined if unknown. */
  addrOf(id: NodeId): string | undefined {
    const found = this.#servers.find(({ tags, status }) => tags.id === id && status === "alive");
    return found && addrOf(found);
  }

  /** Hands a connection that begins like gossip to the membership Worker. */
  handOver(remote: string, port: MessagePort): void {
    const message: ToMembership = { k: "stream", remote, port };
    this.#parts.port.postMessage(message, [port]);
  }

  /** The pool tells of every change, so a leader that waits for something need not ask for all members each time. */
  async #look(): Promise<void> {
    if (++this.#looks % LOOKS_PER_REFRESH === 0) await this.#refresh();
    else if (this.#parts.status().role === "leader") await this.#amend();
  }

  async #refresh(): Promise<void> {
    const members = await this.#membership.call("members", {}); // cannot fail
    const before = this.#servers.map((member) => `${member.tags.id} ${member.status} ${addrOf(member)}`).join();
    this.#servers = members.filter(({ tags }) => tags.role === "consul" && tags.id !== undefined);
    const others = members.filter(({ tags, status }) => tags.role !== "consul" && status === "alive");
    this.#clients = new Map(others.map((member) => [member.tags.id ?? "", member]));
    if (this.#servers.map((member) => `${member.tags.id} ${member.status} ${addrOf(member)}`).join() !== before) {
      this.#parts.onMoved();
    }
    this.#warnOfExpect();
    if (this.#parts.status().role === "leader") await this.#amend();
  }

  /** All first servers have to expect the same number (C9.7). */
  #warnOfExpect(): void {
    const { bootstrapExpect, nodeId } = this.#parts;
    if (bootstrapExpect === 0 || this.#parts.status().config.members.length > 0) return;
    const other = this.#servers.find(({ tags, status }) =>
      status === "alive" && tags.id !== nodeId && tags.expect !== undefined && tags.expect !== String(bootstrapExpect)
    );
    if (!other) return;
    const text = `Member ${other.name} has a conflicting expect value. All nodes should expect the same number.`;
    this.#progress.say(`${text} (${other.tags.expect}, not ${bootstrapExpect})`);
  }

  /** The leader brings the configuration into line with the pool, one member at a time. */
  async #amend(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (const member of this.#parts.status().config.members) await this.#amendMember(member);
    } catch (error) {
      this.#progress.say(`a change of membership waits: ${messageOf(error)}`);
    } finally {
      this.#isBusy = false;
    }
  }

  /** The leader's own address included: it may have been elected at its new one before anybody wrote that down. */
  async #amendMember({ id, addr }: Member): Promise<void> {
    const known = this.#servers.filter(({ tags }) => tags.id === id);
    const now = known.find(({ status }) => status === "alive");
    if (now && addrOf(now) !== addr) await this.#parts.readdress(id, addrOf(now));
    if (now || id === this.#parts.nodeId) return;
    const client = this.#clients.get(id);
    const hasLeft = known.some(({ status }) => status === "left") || known.length === 0 && this.#reaped.has(id);
    if (!client && !hasLeft) return;
    const why = client ? "has come back as a client" : "has left the pool";
    this.#parts.log(`server "${(client ?? known[0])?.name ?? "?"}" (${id}) ${why}: it is removed from the cluster`);
    await this.#parts.remove(id);
    this.#reaped.delete(id);
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
  }
}

/** The address at which a server accepts Raft connections. */
function addrOf({ addr, port, tags }: MemberRecord): string {
  return joinAddress(addr, /^\d{1,5}$/.test(tags.port ?? "") ? Number(tags.port) : port);
}
