/**
 * This Worker's end of the line to the replica and the writer.
 *
 * Everything that arrives within one turn of the event loop leaves in one message, so messages between Workers carry
 * more under load. Reads that wait for a confirmation share one call. Writes are packed and keep numbers of their own:
 * a command goes to the replica while its outcome comes from the writer, many of them in one message.
 *
 * A write that takes long is watched: when its client leaves, what the writer computes for that client alone (a read at
 * level strong, or beside writes) is ended. What is replicated goes on.
 * @module
 */
import { type Call, Callee, Caller, type CallOptions } from "../../base/worker/channel.ts";
import { RemoteClock } from "../../base/worker/clock.ts";
import { type Deadline, Deadlines } from "../../base/worker/deadlines.ts";
import { buffersOf, Packer } from "../../base/codec/packed.ts";
import type {
  FromHttp,
  HttpMethods,
  LeaderInfo,
  PeerMessage,
  Refused,
  ReplicaMethods,
  Served,
  ToHttp,
} from "../../drivers/replica/api.ts";
import type { Member } from "../../core/raft/message.ts";
import type { Span } from "../../core/traces/span.ts";
import { Ticket, TICKET_MAX, type TicketPlace } from "../../base/shared/ticket.ts";
import { Histogram } from "../../base/shared/histogram.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { type Outcome, unpackOutcomes } from "../../core/sql/exchange.ts";
import type { WhenOver } from "./operation.ts";
import { type Command, putCommand } from "../../core/sql/command.ts";
import { dropResults, type HeldAnswer } from "./held_answer.ts";
import type { FromWriterToHttp, MadeWay, Outcomes } from "../../drivers/sqlite/api.ts";
import { renderBits, type RenderOptions } from "../../core/sql/render_options.ts";

/** A write's result, or why there is none. */
export type WriteResult = { readonly k: "done"; readonly outcome: Outcome } | {
  readonly k: "refused";
  readonly refused: Refused;
};

/** The replica refused or failed a call. */
export class ReplicaError extends Error {
  /** Always `ReplicaError`. */
  override readonly name = "ReplicaError";
  /** Machine-readable reason, for example `not_leader`, `no_leader`, `unknown`. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** What the replica asks of this Worker for other nodes. */
export interface Serves {
  /** Does an operation; nobody waits for the answer when it is `over`. */
  serve(call: PeerMessage, over: Promise<void>): Promise<{ answer: PeerMessage; held?: HeldAnswer }>;
  /** Whether a node with these credentials may join. */
  mayJoin(shown: HttpMethods["mayJoin"]["params"]): Promise<boolean>;
}

/** Fewer writes are not worth a transaction and a sync of their own. */
const PORTION_MIN = 64;
/** The client of a write is watched from here on: most are answered before. */
const WATCHED_AFTER_MS = 50;
/** Pause between two looks whether what is computed is for a client that has left. */
const LOOK_MS = 10;

/** A write that waits for its outcome. */
interface Write {
  readonly startedMs: number;
  readonly limit: Deadline;
  readonly resolve: (result: WriteResult | undefined) => void;
  readonly isOwed: boolean;
  /** Undefined once the client is watched, and where nobody can tell. */
  whenOver: WhenOver | undefined;
  hasLeft: boolean;
}

/** Whoever asks for a write. */
export interface ProposalAsker {
  /** The trace that it belongs to, as a traceparent. */
  readonly trace?: string | undefined;
  /** Asked for writes that take long. */
  readonly whenOver?: WhenOver | undefined;
  /** Whether its answer tells of writes. */
  readonly isOwed?: boolean;
}

/** A write on its way to the replica. */
interface ToPropose {
  readonly ref: number;
  readonly render: number;
  readonly trace: string | undefined;
}

/** How a read was confirmed. */
type Confirmation = { readonly byLease: boolean };

/** Reads that wait for one confirmation: those of one turn of the event loop with equal limits. */
interface Reads {
  readonly timeoutMs: number;
  readonly byRound: boolean;
  readonly confirmed: Promise<Confirmation>;
  readonly resolve: (how: Confirmation) => void;
  readonly reject: (error: Error) => void;
}

/** The replica, seen from HTTP. */
export class ReplicaClient {
  /** Called when another file has taken the database's place. */
  onDatabaseReplaced: () => void = () => {};
  /** Called when the cluster's own tables may have changed. */
  onCatalogChanged: () => void = () => {};
  /** Called with the tables that may have changed, while they are watched (Activity). */
  onTablesChanged: (tables: readonly string[]) => void = () => {};
  /** Called when no read is to begin; resolves when none runs, to how long those that were ended had run at most, in ms. */
  onMakeWay: () => Promise<number> = () => Promise.resolve(0);
  /** Called when reads may begin again. */
  onGoOn: () => void = () => {};
  /** Called with spans of writes that are traced. */
  onSpans: (spans: readonly Span[]) => void = () => {};
  /** Called when it becomes known who leads, or unknown. */
  onLeader: () => void = () => {};
  /** Whether the replica answers calls: not on a node whose log waits for room on its disk. @default {always} */
  isOpen: () => boolean = () => true;
  /** The clocks as the replica has them. */
  readonly clock = new RemoteClock();
  /** The leader according to the last message. */
  leader: LeaderInfo | null = null;
  /** When that was heard first, wall clock in ms; 0: not yet. */
  leaderSinceMs = 0;
  /** From the proposal of a write until its result was there; of those that have one. */
  readonly times = new Histogram();
  /** Servers of the configuration in force. */
  members: readonly Member[] = [];
  readonly #replica: MessagePort;
  readonly #caller: Caller<ReplicaMethods>;
  readonly #callee: Callee<HttpMethods>;
  readonly #answers: AnswerBudget;
  /** By number, oldest first. */
  readonly #writes = new Map<number, Write>();
  /** The write whose reads the writer runs. */
  readonly #ticket: Ticket | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  readonly #deadlines = new Deadlines();
  readonly #reads = new Set<Reads>();
  /** Long answers on their way to other nodes. */
  readonly #held = new Map<number, HeldAnswer>();
  #outbox: ToPropose[] = [];
  /** Their commands. */
  readonly #commands = new Packer();
  /** Whether one of those is traced. */
  #hasTraced = false;
  #readOutbox: Reads[] = [];
  /** Reads of those. */
  #readsDue = 0;
  #flushDue = false;
  /** Writes and reads that left together last. */
  #lastFlush = 1;
  /** Writes that came in the last turn of the event loop, and in this one. */
  #lastTurn = 0;
  #thisTurn = 0;
  #nextRef = 1;

  constructor(
    ports: { readonly replica: MessagePort; readonly writer: MessagePort; readonly ticket?: TicketPlace },
    serves: Serves,
    answers: AnswerBudget,
  ) {
    this.#answers = answers;
    this.#ticket = ports.ticket && new Ticket(ports.ticket);
    this.#replica = ports.replica;
    this.#caller = new Caller(ports.replica, {
      callee: "the replica",
      failure: (message, code) => new ReplicaError(message, code),
    });
    this.#callee = new Callee<HttpMethods>(ports.replica, {
      serve: async (message, call) => this.#served(await serves.serve(message, call.over), call),
      mayJoin: (shown) => serves.mayJoin(shown),
    });
    ports.replica.onmessage = ({ data }: MessageEvent<ToHttp>) => this.#onReplica(data);
    ports.writer.onmessage = ({ data }: MessageEvent<FromWriterToHttp>) => this.#onWriter(data, ports.writer);
  }

  /** Writes under way. */
  get pending(): number {
    return this.#writes.size;
  }

  /**
   * Hands a command to the log.
   * @returns undefined when nothing was heard within `timeoutMs`: the outcome is unknown.
   */
  write(
    command: Command,
    options: RenderOptions,
    timeoutMs: number,
    { trace, whenOver, isOwed = false }: ProposalAsker = {},
  ): Promise<WriteResult | undefined> {
    return new Promise((resolve) => {
      const ref = this.#nextRef;
      this.#nextRef = ref % TICKET_MAX + 1;
      this.#commands.add((writer) => putCommand(writer, command));
      const limit = this.#deadlines.start(timeoutMs, () => {
        this.#writes.delete(ref);
        resolve(undefined);
      });
      this.#writes.set(ref, { startedMs: performance.now(), limit, resolve, whenOver, isOwed, hasLeft: false });
      if (this.#ticket) this.#watch ??= setInterval(() => this.#look(), LOOK_MS);
      this.#outbox.push({ ref, render: renderBits(options), trace });
      if (trace !== undefined) this.#hasTraced = true;
      this.#schedule();
      this.#flushPortion();
    });
  }

  /**
   * Resolves when what is committed now, by word of a quorum, is applied here.
   * @param byRound Whether the quorum is to be asked now; otherwise a lease may do, of which the result tells.
   */
  confirmRead(timeoutMs: number, { byRound } = { byRound: true }): Promise<Confirmation> {
    this.#readsDue++;
    for (const reads of this.#readOutbox) { // one, or few
      if (reads.timeoutMs === timeoutMs && reads.byRound === byRound) return reads.confirmed;
    }
    const { promise: confirmed, resolve, reject } = Promise.withResolvers<Confirmation>();
    const limit = this.#deadlines.start(timeoutMs, () => {
      if (this.#reads.delete(reads)) reject(new ReplicaError("timeout waiting for fsm", "failed"));
    });
    const reads: Reads = {
      timeoutMs,
      byRound,
      confirmed,
      resolve: (how) => (this.#deadlines.remove(limit), resolve(how)),
      reject: (error) => (this.#deadlines.remove(limit), reject(error)),
    };
    this.#reads.add(reads);
    this.#readOutbox.push(reads);
    this.#schedule();
    return confirmed;
  }

  /** A lone write leaves at once; others wait for the end of the turn, to leave together, and so does the first after several. */
  #schedule(): void {
    if (this.#flushDue) return;
    if (this.#writes.size + this.#reads.size === 1 && this.#lastFlush === 1) return this.#flush();
    this.#flushDue = true;
    setImmediate(() => {
      this.#flushDue = false;
      this.#lastTurn = this.#thisTurn;
      this.#thisTurn = 0;
      this.#flush();
    });
  }

  /**
   * Has the first half of many writes leave, which is synced and applied while the other half is received: on the only voter, as
   * among several a round more costs more than that gains.
   */
  #flushPortion(): void {
    if (!this.#flushDue) return; // it has left alone
    const isDue = ++this.#thisTurn % Math.max(PORTION_MIN, this.#lastTurn >> 1) === 0;
    if (isDue && this.members.filter(({ role }) => role === "voter").length === 1) this.#flush();
  }

  #flush(): void {
    this.#lastFlush = this.#outbox.length + this.#readsDue;
    if (this.#outbox.length > 0) {
      const items = this.#outbox;
      this.#outbox = [];
      const bodies = this.#commands.take();
      const message: FromHttp = {
        k: "propose",
        refs: items.map(({ ref }) => ref),
        render: items.map(({ render }) => render),
        bodies,
        ...(this.#hasTraced ? { traces: items.map(({ trace }) => trace) } : {}),
      };
      this.#hasTraced = false;
      this.#replica.postMessage(message, buffersOf(bodies));
    }
    if (this.#readOutbox.length > 0) {
      const reads = this.#readOutbox;
      this.#readOutbox = [];
      this.#readsDue = 0;
      this.#confirm(reads);
    }
  }

  /** One call for all: each has its own time limit here. */
  #confirm(reads: readonly Reads[]): void {
    const confirmed = this.#caller.call("confirm", {
      timeoutMs: Math.max(...reads.map(({ timeoutMs }) => timeoutMs)),
      byRound: reads.some(({ byRound }) => byRound),
      nowMs: performance.now(),
    });
    confirmed.then(({ byLease, aheadMs }) => {
      if (aheadMs !== undefined) this.clock.heard(aheadMs);
      for (const read of reads) if (this.#reads.delete(read)) read.resolve({ byLease });
    }, (error) => {
      for (const read of reads) if (this.#reads.delete(read)) read.reject(error);
    });
  }

  /**
   * Asks the replica. An answer that nobody waits for any more need not come, and is a failure if it has not.
   * @throws {ReplicaError} When it refuses or fails, or is not open.
   */
  call<M extends keyof ReplicaMethods>(
    method: M,
    params: ReplicaMethods[M]["params"],
    options?: CallOptions,
  ): Promise<ReplicaMethods[M]["result"]> {
    if (!this.isOpen()) return Promise.reject(new ReplicaError("store not open", "not_open"));
    return this.#caller.call(method, params, options);
  }

  #onWriter(message: FromWriterToHttp, writer: MessagePort): void {
    switch (message.k) {
      case "outcomes":
        return this.#onOutcomes(message);
      case "tablesChanged":
        return this.onTablesChanged(message.tables);
      case "catalogChanged":
        return this.onCatalogChanged();
      case "makeWay":
        return void this.onMakeWay().then((endedMs) => {
          const made: MadeWay = { k: "madeWay", endedMs };
          writer.postMessage(made);
        });
      case "goOn":
        return this.onGoOn();
    }
  }

  #onOutcomes({ outcomes }: Outcomes): void {
    for (const outcome of unpackOutcomes(outcomes)) this.#settle(outcome.ref, { k: "done", outcome });
  }

  #settle(ref: number, result: WriteResult): void {
    const write = this.#writes.get(ref);
    if (!write) {
      if (result.k === "done") dropResults(result.outcome.results, this.#answers); // nobody waits for it
      return;
    }
    this.#writes.delete(ref);
    this.#deadlines.remove(write.limit);
    if (result.k === "done") this.times.observe(performance.now() - write.startedMs);
    write.resolve(result);
  }

  /** Looks for clients that have left, and whether it is for one of them that the writer reads. */
  #look(): void {
    const now = performance.now();
    for (const write of this.#writes.values()) {
      if (now - write.startedMs < WATCHED_AFTER_MS) break; // the others are younger
      write.whenOver?.(write.isOwed).then(() => write.hasLeft = true);
      write.whenOver = undefined;
    }
    const { current = 0 } = this.#ticket ?? {};
    if (this.#writes.get(current)?.hasLeft) this.#ticket?.cancel(current);
    if (this.#writes.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #onReplica(message: ToHttp): void {
    switch (message.k) {
      case "refused":
        for (const refused of message.items) this.#settle(refused.ref, { k: "refused", refused });
        return;
      case "answer":
        return this.#caller.settle(message);
      case "call":
      case "cancel":
        return this.#callee.take(message);
      case "sent":
        this.#held.get(message.held)?.release();
        return void this.#held.delete(message.held);
      case "databaseReplaced":
        return this.onDatabaseReplaced();
      case "leader":
        if (this.leader?.id !== message.leader?.id) this.leaderSinceMs = Date.now();
        this.leader = message.leader;
        return this.onLeader();
      case "members":
        this.members = message.members;
        return;
      case "spans":
        return this.onSpans(message.spans);
    }
  }

  /** An answer for another node; a long one is kept until it has left, and moves instead of being copied. */
  #served({ answer, held }: Awaited<ReturnType<Serves["serve"]>>, { ref, transfer }: Call): Served {
    if (!held) return { answer };
    this.#held.set(ref, held);
    if (answer.body.buffer instanceof ArrayBuffer) transfer.push(answer.body.buffer);
    return { answer, held: ref };
  }
}
