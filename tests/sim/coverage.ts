/**
 * Coverage marks: how often a run came into situations that are rare and dangerous. A simulation that never meets one
 * proves nothing about it, so the sample of CI has to reach them all (sim_test.ts). Everything is told from outside:
 * from messages, effects and disks, never from the inside of a core.
 * @module
 */
import type { Effects, Refusal } from "../../src/core/raft/effects.ts";
import type {
  Config,
  Entry,
  EntryId,
  Index,
  Message,
  NodeId,
  OutgoingMessage,
  Term,
} from "../../src/core/raft/message.ts";
import type { Disk, Write } from "./disk.ts";

/** Every mark. */
export const MARKS = [
  "conflict longer than one term",
  "config rolled back by truncation",
  "write in flight overwritten",
  "older term committed by a newer entry",
  "committed before it was on the leader's own disk",
  "leader stepped down by CheckQuorum",
  "leader stepped down by a hung disk",
  "leader deposed by a higher term",
  "candidate refused by a majority",
  "early campaign after a refused connection",
  "vote refused for a shorter log",
  "pre-vote refused for a live leader",
  "leadership transferred",
  "transfer timed out",
  "proposal refused during a transfer",
  "proposal refused by a full queue",
  "read refused at step-down",
  "read refused by a full queue",
  "log probed backwards",
  "append behind the commit index",
  "message of an older term",
  "message of an earlier process dropped",
  "message for a replaced disk dropped",
  "node told of its removal",
  "learner promoted",
  "voter removed",
  "change refused while another is open",
  "change refused before a commit of the term",
  "promotion refused for a lagging learner",
  "member replaced with an empty disk",
  "torn write dropped at crash",
  "vote lost at crash",
  "write kept and never acknowledged at crash",
  "applied entries lost at crash",
  "leader crashed",
  "restart from a cut log",
  "peer needs a snapshot",
  "snapshot installed",
  "snapshot of an older term installed",
  "snapshot in the place of uncommitted entries",
  "crash while a snapshot was being installed",
  "torn tail cut",
  "sectors torn at power loss",
  "names lost at power loss",
  "log out of space",
  "proposal refused by a full disk",
  "start refused by a full disk",
  "start failed by its disk",
  "start on a spare segment",
  "node ended by a failed write",
  "node ended by a failed sync",
  "node killed while it started",
  "disk stuck until the restart",
  "node stopped by damage at its start",
  "node stopped by damage while it ran",
  "damage found by reading the log again",
  "misdirected write found at a start",
  "misdirected write found while the node ran",
  "old disk restored",
  "restored old disk noticed",
  "restored old disk brought up to date",
  "node stopped by damage was wiped and caught up",
  "last batch sealed",
  "leader stood still",
  "inputs piled up while a node stood still",
  "stamp older than the one before",
  "real state machine",
  "read ran ahead of its round",
  "read served by a lease",
  "lease ran out under a read",
  "restarted node kept its promise",
  "machine suspended with a lease",
] as const;

/** Name of a mark. */
export type Mark = typeof MARKS[number];

/** The part of a node that coverage looks at. */
export interface Observed {
  /** Its id. */
  readonly id: NodeId;
  /** Its log in memory. */
  readonly log: readonly Entry[];
  /** Its disk. */
  readonly disk: Disk;
  /** Configuration in force. */
  readonly config: Config;
  /** Last commit index reported. */
  readonly commit: Index;
  /** Last index of its state machine. */
  readonly applied: Index;
  /** Last role reported. */
  readonly role: Effects["role"];
}

const ROLE_MARKS: ReadonlyMap<string, Mark> = new Map([
  ["a majority of voters is not heard", "leader stepped down by CheckQuorum"],
  ["the disk does not answer", "leader stepped down by a hung disk"],
  ["a majority refused its vote", "candidate refused by a majority"],
]);

type RefusalMarks = { readonly [why in Refusal]?: Mark };

const READ_MARKS: RefusalMarks = {
  leadership_lost: "read refused at step-down",
  queue_full: "read refused by a full queue",
};

const PROPOSAL_MARKS: RefusalMarks = {
  transferring: "proposal refused during a transfer",
  queue_full: "proposal refused by a full queue",
  storage_full: "proposal refused by a full disk",
};

const ANSWER_MARKS: RefusalMarks = {
  config_pending: "change refused while another is open",
  not_ready: "change refused before a commit of the term",
  not_caught_up: "promotion refused for a lagging learner",
  transfer_timeout: "transfer timed out",
};

/** Counts the marks of one run. */
export class Coverage {
  readonly #counts = new Map<Mark, number>();
  /** Candidates whose log was behind the asked node's, as "asked candidate term". */
  readonly #shorter = new Set<string>();
  /** Term in which a node campaigns because its leader hands over. */
  readonly #handedOver = new Map<NodeId, Term>();

  /** How often each mark was reached; those never reached are missing. */
  get counts(): ReadonlyMap<Mark, number> {
    return this.#counts;
  }

  /** Counts a mark. */
  hit(mark: Mark): void {
    this.#counts.set(mark, (this.#counts.get(mark) ?? 0) + 1);
  }

  /** A message arrives at a node that runs. */
  delivered(node: Observed, m: Message): void {
    if (m.term < (node.role?.term ?? 0)) this.hit("message of an older term");
    if (m.k === "appendEntries" && m.prev.index + m.entries.length < node.commit) {
      this.hit("append behind the commit index");
    } else if (m.k === "requestVote" && isBehind(m.last, node.log)) {
      this.#shorter.add(`${node.id} ${m.from} ${m.term}`);
    }
  }

  /** A node drained its core and is about to carry `effects` out. */
  drained(node: Observed, effects: Effects): void {
    const { persist, role, config, commit } = effects;
    if (persist?.truncateFrom !== undefined) this.#truncated(node, persist.truncateFrom);
    if (persist?.install !== undefined) this.#installed(node, persist.install.base);
    if (effects.needSnapshot.length > 0) this.hit("peer needs a snapshot");
    if (role !== undefined) this.#changedRole(node, role);
    if (config !== undefined && (role ?? node.role)?.role === "leader") this.#reconfigured(node, config);
    if (commit !== undefined && role === undefined && node.role?.role === "leader") this.#committed(node, effects);
    // Asking for the length first: most turns have none of them, and this is among the hottest places.
    if (effects.reads.length > 0) this.#refused(effects.reads, READ_MARKS);
    if (effects.proposals.length > 0) this.#refused(effects.proposals, PROPOSAL_MARKS);
    if (effects.answers.length > 0) this.#refused(effects.answers, ANSWER_MARKS);
    if (effects.send.length > 0) { for (const { m } of effects.send) this.#sent(node, m); }
  }

  #refused(answers: readonly { readonly why?: Refusal }[], marks: RefusalMarks): void {
    for (const { why } of answers) {
      const mark = why && marks[why];
      if (mark !== undefined) this.hit(mark);
    }
  }

  #truncated(node: Observed, from: Index): void {
    const removed = node.log.slice(from - 1);
    const first = removed[0]?.term;
    if (removed.some(({ term }) => term !== first)) this.hit("conflict longer than one term");
    if (removed.some(({ kind }) => kind === "config")) this.hit("config rolled back by truncation");
    if (node.disk.pending.some(({ append }) => append.some(({ index }) => index >= from))) {
      this.hit("write in flight overwritten");
    }
  }

  #installed(node: Observed, base: EntryId): void {
    this.hit("snapshot installed");
    if (base.term < (node.role?.term ?? 0)) this.hit("snapshot of an older term installed");
    if (node.log.length > node.commit) this.hit("snapshot in the place of uncommitted entries");
  }

  #changedRole(node: Observed, role: NonNullable<Effects["role"]>): void {
    const mark = ROLE_MARKS.get(role.why);
    if (mark !== undefined) this.hit(mark);
    if (role.why.endsWith("is without this node")) this.hit("node told of its removal");
    const wasLeader = node.role?.role === "leader";
    if (wasLeader && role.role === "follower" && role.why.endsWith("higher term")) {
      this.hit("leader deposed by a higher term");
    }
    const silence = /^no leader was heard for (\d+) ticks$/.exec(role.why);
    if (silence !== null && Number(silence[1]) < ELECTION_TICKS) this.hit("early campaign after a refused connection");
    if (role.role === "candidate" && role.why.endsWith("hands over")) this.#handedOver.set(node.id, role.term);
    if (role.role === "leader" && this.#handedOver.get(node.id) === role.term) this.hit("leadership transferred");
  }

  #reconfigured(node: Observed, config: Config): void {
    const voters = config.members.filter((member) => member.role === "voter").length;
    const before = node.config.members.filter((member) => member.role === "voter").length;
    if (voters > before) this.hit("learner promoted");
    else if (voters < before) this.hit("voter removed");
  }

  #committed(node: Observed, { commit = 0, persist }: Effects): void {
    if (commit > node.disk.entries.length) this.hit("committed before it was on the leader's own disk");
    const term = node.role?.term;
    const first = node.log[node.commit];
    // The founders' configuration, at index 1, is of an older term in every run.
    if (node.commit > 0 && persist === undefined && first !== undefined && first.term !== term) {
      this.hit("older term committed by a newer entry");
    }
  }

  #sent(node: Observed, m: OutgoingMessage): void {
    if (m.k === "requestVoteReply" && !m.granted) {
      if (this.#shorter.has(`${node.id} ${m.to} ${m.term}`)) this.hit("vote refused for a shorter log");
    } else if (m.k === "preVoteReply" && !m.granted) {
      if (typeof node.role?.leader === "string") this.hit("pre-vote refused for a live leader");
    } else if (m.k === "appendReply" && !m.ok && m.hint.index < m.index) {
      this.hit("log probed backwards");
    }
  }

  /** Power was lost: what became of the files. */
  lostPower(loss: { lostSectors: number; keptSectors: number; lostNames: number }): void {
    if (loss.lostSectors > 0 && loss.keptSectors > 0) this.hit("sectors torn at power loss");
    if (loss.lostNames > 0) this.hit("names lost at power loss");
  }

  /** A node's process ended; `kept` of its writes under way reached the disk. */
  crashed(node: Observed, pending: readonly Write[], kept: number): void {
    if (kept < pending.length) this.hit("torn write dropped at crash");
    if (kept > 0) this.hit("write kept and never acknowledged at crash");
    if (pending.slice(kept).some(({ hard }) => typeof hard?.vote === "string")) this.hit("vote lost at crash");
    if (pending.slice(kept).some(({ install }) => install !== undefined)) {
      this.hit("crash while a snapshot was being installed");
    }
    if (node.role?.role === "leader") this.hit("leader crashed");
    if (node.disk.base.index > 0) this.hit("restart from a cut log");
  }
}

/** Ticks of silence that no campaign precedes, unless the leader is known to be gone. */
const ELECTION_TICKS = 20;

function isBehind(last: { readonly index: Index; readonly term: Term }, log: readonly Entry[]): boolean {
  const own = log.at(-1);
  if (own === undefined) return false;
  return last.term < own.term || (last.term === own.term && last.index < own.index);
}
