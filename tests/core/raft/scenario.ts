/**
 * A language for scripts about the core, in the manner of etcd's data-driven tests: every message, write and tick is
 * moved by hand, and every effect is printed.
 *
 *   cluster a b c             voters that hold the first configuration, durable and committed
 *   node a [log=1,1,2] [term=2] [vote=a] [commit=1] [applied=1] [voters=a,b] [learners=c] [nonvoters=d] [storage=disk-a]
 *                             one node; entry 1 is the configuration
 *   fresh d                   a node with nothing
 *   set electionTicks=10 …    options of nodes made later; electionTicks=10 heartbeatTicks=2 unless set
 *   recall                    nodes made later ask after a start what they promised, and tell it (recall.ts)
 *   promise 1000              nodes made later promise leaders so much (R10); after a crash they keep to it
 *   time 100 [a b …]          the clocks of all machines go on by so many ms, or of these
 *   suspend a 100             the machine of a stands still, and its monotonic clock with it
 *   elect a                   ticks, delivers and writes until a leads and has committed; prints only the end
 *   tick a [n]                n ticks, one by one
 *   deliver a [b] [n]         the (n) messages for a (from b)
 *   drop a [b]                loses them instead
 *   repeat a b                delivers the last message from b to a once more
 *   disk a [n]                the (n) oldest writes of a become durable
 *   stabilize [a b …]         delivers and writes until nothing moves, among these nodes
 *   quiet                     as stabilize, without output
 *   gather a … drain a        what a is told in between is one turn
 *   crash a                   loses what is not durable, and starts again
 *   image a … restore a       a copy of what the disk of a holds; a starts again with the copy
 *   status a, progress a, log a
 *   propose a x yy | read a | add a d [nonvoter] | promote a d | remove a b | readdress a b addr [storage]
 *   compact a 3 | snapshot a b (what a has applied arrives at b) | sent a b 3 | sent a b failed
 *   transfer a [b] | bootstrap a b c (first one does it) | storage a full | linkdown a b
 *   inject a kind key=value … a message out of nowhere; ids as index/term, entries=index/term,…
 *                             with voters=a,b the first entry is a configuration
 *
 * Timeouts are electionTicks, plus one for b, two for c, and so on.
 * @module
 */
import { InvariantError } from "../../../src/invariant.ts";
import { decodeConfig, encodeConfig } from "../../../src/core/raft/configuration.ts";
import type {
  BootState,
  ConfigChange,
  Core,
  Effects,
  Input,
  LeaseOptions,
  Options,
} from "../../../src/core/raft/effects.ts";
import type {
  Config,
  Entry,
  EntryId,
  HardState,
  Mark,
  Member,
  Message,
  OutgoingMessage,
} from "../../../src/core/raft/message.ts";
import { createCore, DEFAULT_OPTIONS } from "../../../src/core/raft/raft.ts";

type Write = NonNullable<Effects["persist"]>;

interface ScriptNode {
  readonly id: string;
  core: Core;
  /** In memory and on disk. */
  log: Entry[];
  disk: Entry[];
  hard: HardState;
  commit: number;
  applied: number;
  readonly storageId: string;
  writes: Write[];
  gated: { m: OutgoingMessage; after: number }[];
  lease: LeaseOptions | undefined;
  clock: { ms: number; wallMs: number };
  /** End of its lease, as printed last. */
  leaseEndMs: number;
}

/** Runs the commands of one script. */
export class Scenario {
  readonly #nodes = new Map<string, ScriptNode>();
  #flying: Message[] = [];
  #options: Options = { ...DEFAULT_OPTIONS, electionTicks: 10, heartbeatTicks: 2 };
  #promiseMs = 0;
  #output: string[] = [];
  #delivered = new Map<string, Message>();
  /** The content of snapshots, by their last index. */
  readonly #snapshots = new Map<number, Entry[]>();
  readonly #images = new Map<string, ScriptNode>();
  #ref = 0;
  #gathering: string | undefined;

  /** Runs one command and returns what it prints. */
  run(line: string): string {
    this.#output = [];
    const [name, ...args] = line.trim().split(/\s+/);
    try {
      this.#command(name, args);
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.#output.push(`stops: ${error.message}`);
    }
    return this.#output.length > 0 ? this.#output.join("\n") : "ok";
  }

  #command(name: string, args: string[]): void {
    const [id, second, third] = args;
    switch (name) {
      case "set":
        this.#options = { ...this.#options, ...Object.fromEntries(args.map((arg) => numberPair(arg))) };
        return;
      case "recall":
        this.#options = { ...this.#options, recall: true };
        return;
      case "image":
        this.#images.set(id, { ...this.#node(id), disk: this.#node(id).disk.slice() });
        return;
      case "restore":
        return this.#restore(this.#images.get(id));
      case "promise":
        this.#promiseMs = Number(id);
        return;
      case "time":
        for (const node of this.#nodes.values()) {
          if (args.length > 1 && !args.includes(node.id, 1)) continue;
          this.#pass(node, { ms: Number(id), wallMs: Number(id) });
        }
        return;
      case "suspend":
        return this.#pass(this.#node(id), { ms: 0, wallMs: Number(second) });
      case "cluster":
        for (const each of args) this.#make(each, { voters: args.join(",") });
        return;
      case "node":
        return this.#make(id, Object.fromEntries(args.slice(1).map((arg) => pair(arg))));
      case "fresh":
        return this.#make(id, undefined);
      case "elect":
        return this.#elect(this.#node(id));
      case "tick":
        for (let count = Number(second ?? 1); count > 0; count--) this.#step(this.#node(id), { k: "tick" });
        return;
      case "deliver":
        return this.#deliver(id, args.slice(1));
      case "drop":
        this.#flying = this.#flying.filter((m) => m.to !== id || (second !== undefined && m.from !== second));
        return;
      case "repeat":
        return this.#receive(this.#delivered.get(`${second}>${id}`));
      case "disk":
        for (let count = Number(second ?? Infinity); count > 0 && this.#node(id).writes.length > 0; count--) {
          this.#written(this.#node(id));
        }
        return;
      case "stabilize":
        return this.#stabilize(args);
      case "quiet":
        this.#stabilize(args);
        this.#output = [];
        return;
      case "gather":
        this.#gathering = id;
        return;
      case "drain":
        this.#gathering = undefined;
        return this.#carryOut(this.#node(id), this.#node(id).core.drain());
      case "crash":
        return this.#crash(this.#node(id));
      case "status":
        return this.#status(this.#node(id));
      case "progress":
        return this.#progress(this.#node(id));
      case "log":
        this.#print(id, showLog(this.#node(id).log));
        return;
      case "inject":
        return this.#inject(id, second, args.slice(2));
      default:
        return this.#request(
          name,
          this.#node(id),
          [second, third, ...args.slice(3)].filter((arg) => arg !== undefined),
        );
    }
  }

  #request(name: string, node: ScriptNode, args: string[]): void {
    const ref = ++this.#ref;
    const [id, second, third] = args;
    const change = (change: ConfigChange): void => this.#step(node, { k: "reconfigure", ref, change });
    switch (name) {
      case "propose": {
        const items = args.map((text, at) => ({ ref: ref + at, body: new TextEncoder().encode(text) }));
        this.#ref += items.length - 1;
        return this.#step(node, { k: "propose", items });
      }
      case "read":
        return this.#step(node, { k: "read", ref });
      case "add":
        return change({ k: "add", member: member(id, second === "nonvoter" ? "nonvoter" : "learner", third) });
      case "promote":
        return change({ k: "promote", id });
      case "remove":
        return change({ k: "remove", id });
      case "readdress":
        return change({ k: "readdress", id, addr: second, storageId: third ?? `disk-${id}` });
      case "transfer":
        return this.#step(node, { k: "transfer", ref, ...(id !== undefined && { to: id }) });
      case "storage":
        return this.#step(node, { k: "storage", state: id === "full" ? "full" : "ok" });
      case "compact":
        return this.#step(node, { k: "compacted", index: Number(id) });
      case "snapshot":
        return this.#snapshot(node, this.#node(id));
      case "sent":
        return this.#step(node, { k: "snapshotSent", peer: id, index: second === "failed" ? null : Number(second) });
      case "linkdown":
        return this.#step(node, { k: "linkDown", peer: id });
      case "tellcommit":
        return this.#step(node, { k: "tellCommit", peer: id });
      case "refused":
        return this.#step(node, { k: "refused", peer: id });
      case "bootstrap": {
        const members = [node.id, ...args].map((voter) => member(voter, "voter"));
        return this.#step(node, { k: "bootstrap", ref, config: { at: 1, clusterId: "test", members } });
      }
      default:
        throw new Error(`Cannot run the command "${name}"`);
    }
  }

  /** A copy of all that `from` has applied arrives at `to`. */
  #snapshot(from: ScriptNode, to: ScriptNode): void {
    const prefix = from.log.slice(0, from.core.status().applied);
    const base = prefix[prefix.length - 1];
    const entry = prefix.findLast(({ kind }) => kind === "config") ?? prefix[0];
    this.#snapshots.set(base.index, prefix);
    const config = decodeConfig(entry.body, entry.index);
    this.#step(to, { k: "snapshotReceived", base: { index: base.index, term: base.term }, config });
  }

  #node(id: string): ScriptNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`Cannot find the node "${id}"`);
    return node;
  }

  /** Time passes, by the clocks of one machine. */
  #pass(node: ScriptNode, by: { readonly ms: number; readonly wallMs: number }): void {
    node.clock = { ms: node.clock.ms + by.ms, wallMs: node.clock.wallMs + by.wallMs };
    this.#step(node);
  }

  #print(id: string, text: string): void {
    this.#output.push(`${id}: ${text}`);
  }

  #make(id: string, facts: Record<string, string> | undefined): void {
    const terms = facts === undefined ? [] : (facts.log ?? "1").split(",").map(Number);
    const members = [
      ...(facts?.voters ?? "").split(",").filter((each) => each !== "").map((each) => member(each, "voter")),
      ...(facts?.learners ?? "").split(",").filter((each) => each !== "").map((each) => member(each, "learner")),
      ...(facts?.nonvoters ?? "").split(",").filter((each) => each !== "").map((each) => member(each, "nonvoter")),
    ].sort((a, b) => (a.id < b.id ? -1 : 1));
    const config: Config = { at: 1, clusterId: "test", members };
    const log = terms.map((term, at): Entry => {
      const index = at + 1;
      if (index === 1) return { index, term, kind: "config", body: encodeConfig(config) };
      return { index, term, kind: "command", body: new Uint8Array(1) };
    });
    const hard = { term: Number(facts?.term ?? terms.at(-1) ?? 0), vote: facts?.vote ?? null };
    const commit = Number(facts?.commit ?? Math.min(1, log.length));
    const applied = Number(facts?.applied ?? commit);
    const storageId = facts?.storage ?? `disk-${id}`;
    const lease = this.#promiseMs > 0 ? { promiseMs: this.#promiseMs, quietMs: 0 } : undefined;
    const time = { lease, clock: { ms: 0, wallMs: 0 }, leaseEndMs: 0 };
    this.#boot({ id, storageId, log: [], disk: log, hard, commit, applied, writes: [], gated: [], ...time });
  }

  #boot(facts: Omit<ScriptNode, "core">): void {
    const log = facts.disk.slice();
    const offset = facts.id.charCodeAt(0) - 97;
    const boot = bootState(facts, log);
    const core = createCore(boot, { ...this.#options, lease: facts.lease }, { u32: () => offset });
    const node: ScriptNode = { ...facts, core, log, writes: [], gated: [] };
    this.#nodes.set(facts.id, node);
    this.#step(node);
  }

  #crash(node: ScriptNode): void {
    this.#print(node.id, `loses ${node.writes.length} writes`);
    const lease = node.lease && { ...node.lease, quietMs: node.lease.promiseMs };
    this.#boot({ ...node, commit: Math.max(node.commit, node.applied), lease, leaseEndMs: 0 });
  }

  #restore(image: ScriptNode | undefined): void {
    if (image === undefined) throw new Error("Cannot restore a node without an image");
    this.#boot({ ...image, disk: image.disk.slice() });
  }

  #step(node: ScriptNode, input?: Input): void {
    const dropped = node.core.status().dropped;
    if (node.lease !== undefined) node.core.step({ k: "clock", now: node.clock });
    if (input !== undefined) node.core.step(input);
    if (node.core.status().dropped > dropped) this.#print(node.id, "drops it");
    if (this.#gathering !== node.id) this.#carryOut(node, node.core.drain());
  }

  #carryOut(node: ScriptNode, effects: Effects): void {
    const { persist, send, apply, reads, proposals, answers, role, config, commit, needSnapshot } = effects;
    const print = (text: string): void => this.#print(node.id, text);
    if (role !== undefined) print(`${role.role} of term ${role.term}, leader ${role.leader ?? "none"} (${role.why})`);
    if (persist !== undefined) {
      if (persist.install !== undefined) node.log = [...(this.#snapshots.get(persist.install.base.index) ?? [])];
      if (persist.truncateFrom !== undefined) node.log.length = persist.truncateFrom - 1;
      node.log.push(...persist.append);
      node.writes.push(persist);
      print(showWrite(persist));
    }
    for (const { ref, id, why } of proposals) print(`proposal ${ref} ${id === null ? why : `at ${show(id)}`}`);
    for (const { ref, index, why } of reads) print(`read ${ref} ${index === null ? why : `at ${index}`}`);
    for (const { ref, id, why } of answers) print(`request ${ref} ${id === null ? why : `at ${show(id)}`}`);
    if (config !== undefined) print(showConfig(config));
    if (commit !== undefined) print(`commit ${commit}`);
    for (const peer of needSnapshot) print(`needs a snapshot for ${peer}`);
    const leaseEndMs = effects.lease?.endMs ?? 0;
    if (leaseEndMs !== node.leaseEndMs) print(leaseEndMs === 0 ? "no lease" : `lease until ${leaseEndMs}`);
    node.leaseEndMs = leaseEndMs;
    if (apply !== undefined) {
      print(`apply ${apply.from}..${apply.to}`);
      node.core.step({ k: "applied", index: apply.to });
    }
    for (const { m, after } of send) {
      print(`-> ${m.to} ${showMessage(m)}${after > 0 ? `, after write ${after}` : ""}`);
      if (after === 0) this.#emit(node, m);
      else node.gated.push({ m, after });
    }
  }

  #emit(node: ScriptNode, m: OutgoingMessage): void {
    if (m.k !== "appendRange") {
      this.#flying.push(m);
    } else if (m.epoch === node.core.status().epoch) {
      const { k: _, last, epoch: __, ...header } = m;
      this.#flying.push({ k: "appendEntries", ...header, entries: node.log.slice(m.prev.index, last) });
    }
  }

  #written(node: ScriptNode): void {
    const write = node.writes.shift();
    if (write === undefined) return;
    if (write.install !== undefined) node.disk = [...(this.#snapshots.get(write.install.base.index) ?? [])];
    if (write.truncateFrom !== undefined) node.disk.length = write.truncateFrom - 1;
    node.disk.push(...write.append);
    node.hard = write.hard ?? node.hard;
    node.commit = Math.max(node.commit, write.commit);
    this.#print(node.id, `write ${write.ticket} is durable`);
    for (const { m, after } of node.gated) if (after <= write.ticket) this.#emit(node, m);
    node.gated = node.gated.filter(({ after }) => after > write.ticket);
    this.#step(node, { k: "persisted", ticket: write.ticket });
  }

  #deliver(to: string, args: readonly string[]): void {
    const from = args.find((arg) => !/^\d+$/.test(arg));
    const limit = Number(args.find((arg) => /^\d+$/.test(arg)) ?? Infinity);
    const chosen = this.#flying.filter((m) => m.to === to && (from === undefined || m.from === from)).slice(0, limit);
    this.#flying = this.#flying.filter((m) => !chosen.includes(m));
    for (const m of chosen) this.#receive(m);
  }

  #receive(m: Message | undefined): void {
    if (m === undefined) throw new Error("Cannot deliver a message that was not sent");
    this.#delivered.set(`${m.from}>${m.to}`, m);
    if (!this.#nodes.has(m.to)) return;
    this.#print(m.to, `<- ${m.from} ${showMessage(m)}`);
    const promise = this.#nodes.get(m.from)?.lease;
    const isReply = m.k === "appendReply" || m.k === "heartbeatReply";
    this.#step(this.#node(m.to), { k: "message", m: isReply ? { ...m, promiseMs: promise?.promiseMs } : m });
  }

  #stabilize(ids: readonly string[]): void {
    const isIn = (id: string): boolean => this.#nodes.has(id) && (ids.length === 0 || ids.includes(id));
    for (let moves = 0; moves < 1000; moves++) {
      const m = this.#flying.find((m) => isIn(m.to) && isIn(m.from));
      const busy = [...this.#nodes.values()].find((node) => isIn(node.id) && node.writes.length > 0);
      if (m !== undefined) {
        this.#flying = this.#flying.filter((other) => other !== m);
        this.#receive(m);
      } else if (busy !== undefined) {
        this.#written(busy);
      } else {
        return;
      }
    }
    throw new Error("Cannot stabilize: messages do not end");
  }

  #elect(node: ScriptNode): void {
    for (let ticks = 0; ticks < 100 && node.core.status().role !== "leader"; ticks++) {
      this.#step(node, { k: "tick" });
      this.#stabilize([]);
    }
    for (let ticks = 0; ticks < 4; ticks++) {
      this.#step(node, { k: "tick" });
      this.#stabilize([]);
    }
    this.#output = [];
    this.#status(node);
  }

  #status(node: ScriptNode): void {
    const { role, term, vote, leader, last, commit, durable, epoch } = node.core.status();
    const facts = `vote ${vote ?? "none"}, leader ${leader ?? "none"}, last ${show(last)}`;
    this.#print(node.id, `${role} of term ${term}, ${facts}, commit ${commit}, durable ${durable}, epoch ${epoch}`);
  }

  #progress(node: ScriptNode): void {
    for (const { id, state, match, next, inflight } of node.core.status().progress) {
      this.#print(node.id, `${id} ${state}, match ${match}, next ${next}, in flight ${inflight}`);
    }
  }

  #inject(to: string, kind: string, args: readonly string[]): void {
    const fields = Object.fromEntries(args.map((arg) => pair(arg)));
    const id = (text: string | undefined): EntryId => {
      const [index, term] = (text ?? "0/0").split("/").map(Number);
      return { index, term };
    };
    const entries = (fields.entries ?? "").split(",").filter((each) => each !== "")
      .map((each): Entry => ({ ...id(each), kind: "command", body: new Uint8Array(1) }));
    if (fields.voters !== undefined) {
      const members = fields.voters.split(",").map((voter) => member(voter, "voter"));
      entries[0] = { ...entries[0], kind: "config", body: encodeConfig({ at: 0, clusterId: "test", members }) };
    }
    const m = {
      k: kind,
      from: fields.from,
      to: fields.to ?? to,
      term: Number(fields.term),
      last: id(fields.last),
      prev: id(fields.prev),
      hint: id(fields.hint),
      entries,
      index: Number(fields.index ?? 0),
      commit: kind === "heartbeat" ? id(fields.commit) : Number(fields.commit ?? 0),
      round: Number(fields.round ?? 0),
      at: Number(fields.at ?? 0),
      granted: fields.granted === "yes",
      ok: fields.ok === "yes",
      transfer: fields.transfer === "yes",
      promiseMs: Number(fields.promise ?? 0),
    };
    // The script may build what no correct node sends, which is the point.
    this.#step(this.#node(to), { k: "message", m: m as Message });
  }
}

function bootState(
  { id, storageId, disk, hard, commit, applied }: Omit<ScriptNode, "core">,
  log: readonly Entry[],
): BootState {
  const terms: { first: number; term: number }[] = [];
  for (const { index, term } of disk) if (terms.at(-1)?.term !== term) terms.push({ first: index, term });
  const configs = disk.filter((entry) => entry.kind === "config").map((entry) => decodeConfig(entry.body, entry.index));
  return {
    id,
    storageId,
    hard,
    base: { index: 0, term: 0 },
    last: { index: disk.length, term: disk.at(-1)?.term ?? 0 },
    terms,
    bytesOf: (index) => log[index - 1].body.length,
    configs,
    commit,
    applied,
  };
}

function member(id: string, role: Member["role"], storageId = `disk-${id}`): Member {
  return { id, storageId, addr: `${id}:1`, role };
}

function pair(arg: string): [string, string] {
  const at = arg.indexOf("=");
  return [arg.slice(0, at), arg.slice(at + 1)];
}

function numberPair(arg: string): [string, number] {
  const [key, value] = pair(arg);
  return [key, Number(value)];
}

function show({ index, term }: EntryId): string {
  return `${index}/${term}`;
}

function showLog(entries: readonly Entry[]): string {
  return `log ${entries.map((entry) => `${show(entry)}${entry.kind === "config" ? "c" : ""}`).join(" ")}`;
}

function showConfig({ at, members }: Config): string {
  return `configuration at ${at}: ${
    members.map(({ id, role }) => role === "voter" ? id : `${id} (${role})`).join(" ")
  }`;
}

function showWrite({ ticket, hard, install, truncateFrom, append, commit }: Write): string {
  const parts = [
    install && `install the snapshot of ${show(install.base)}`,
    hard && `term ${hard.term} vote ${hard.vote ?? "none"}`,
    truncateFrom !== undefined && `truncate from ${truncateFrom}`,
    append.length > 0 && `append ${append.map((entry) => `${show(entry)} ${entry.kind}`).join(", ")}`,
    `commit ${commit}`,
  ];
  return `write ${ticket}: ${parts.filter((part) => typeof part === "string").join("; ")}`;
}

function showMessage(m: Message | OutgoingMessage): string {
  const head = `${m.k} term ${m.term}`;
  switch (m.k) {
    case "preVote":
      return `${head} last ${show(m.last)}`;
    case "requestVote":
      return `${head} last ${show(m.last)}${m.transfer ? " transfer" : ""}`;
    case "preVoteReply":
    case "requestVoteReply":
      return `${head} ${m.granted ? "granted" : "refused"}`;
    case "appendEntries": {
      const entries = m.entries.map((entry) => show(entry)).join(" ") || "nothing";
      return `${head} prev ${show(m.prev)} entries ${entries} commit ${m.commit} round ${m.round}`;
    }
    case "appendRange": {
      const range = m.last > m.prev.index ? `${m.prev.index + 1}..${m.last}` : "nothing";
      return `${head} prev ${show(m.prev)} range ${range} commit ${m.commit} round ${m.round}`;
    }
    case "appendReply":
      return m.ok
        ? `${head} matches ${m.index} round ${m.round}`
        : `${head} rejects ${m.index}, hint ${show(m.hint)} round ${m.round}`;
    case "heartbeat":
      return `${head} commit ${show(m.commit)} round ${m.round}`;
    case "heartbeatReply":
      return `${head} round ${m.round}`;
    case "timeoutNow":
    case "recall":
      return head;
    case "marks":
      return `${head}${m.isAnswer ? " answer" : ""}${m.marks.map(showMark).join("")}`;
    case "removedNotice":
      return `${head} at ${m.at}`;
  }
}

function showMark({ storageId, term, vote, entry }: Mark): string {
  return ` ${storageId}: term ${term} vote ${vote ?? "none"} holds ${entry.index}/${entry.term}`;
}
