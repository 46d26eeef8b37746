/**
 * The database as the clients of any protocol use it: statements in, results out.
 *
 * A write is one log entry. A read at level none or weak goes straight to a reader, unless this leader has to be confirmed
 * first (freshness.ts), one at level linearizable after a quorum has confirmed it, one at level strong through the log. Whoever
 * runs the SQL renders the results.
 *
 * On a node that does not lead, a write is proposed to the leader, where it takes that from this node, and its result is
 * this node's own (drivers/replica/relay.ts). Whatever else needs the leader throws a {@linkcode NotLeaderError} before it
 * does anything: it is then forwarded (operations.ts), or the protocol redirects the client.
 * @module
 */
import { type ActiveSpan, spanOver } from "../traces/active_span.ts";
import type { SlowStatements } from "./slow_statements.ts";
import { renderFailure } from "../../core/sql/failure.ts";
import type { Activity } from "../../base/shared/activity.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { type Command, countOf, type Statements, STEPS_PER_MS } from "../../core/sql/command.ts";
import type { ReadResult } from "../../core/sql/exchange.ts";
import { loadCommand, type LoadStep } from "../../core/sql/load_step.ts";
import { PLAIN_RENDERING, type RenderOptions } from "../../core/sql/render_options.ts";
import type { ResultText } from "../../core/sql/result_text.ts";
import type { Counters } from "./counters.ts";
import { BusyError, LoadError, NotLeaderError, RequestError, TooLargeError } from "./errors.ts";
import { type FreshnessBound, isConfirmedLeader, isFresh } from "./freshness.ts";
import { allowed, mayAllRead } from "./allowed.ts";
import { dropResults } from "./held_answer.ts";
import { readLinearizably } from "./linearizable.ts";
import type { Readers } from "./readers.ts";
import type { WhenOver } from "./operation.ts";
import { type ProposalAsker, type ReplicaClient, ReplicaError } from "./replica_client.ts";

/** Read consistency; `auto` is weak on a voter and none elsewhere. */
export type Level = typeof LEVELS[number];

/** All levels. */
export const LEVELS = ["none", "weak", "linearizable", "strong", "auto"] as const;

/** Statements with how they are to be run. */
export interface DataRequest {
  readonly statements: Statements;
  /** Whether all of them take effect or none, and see one state. */
  readonly transaction: boolean;
  /** How the results are written. */
  readonly options: RenderOptions;
  readonly level: Level;
  /** How old what is read at level none may be. */
  readonly freshness: FreshnessBound;
  /** Limit of the database's work, in ms; 0: the node's own. */
  readonly dbTimeoutMs: number;
  /** Longest wait for a write, in ms. */
  readonly timeoutMs: number;
  /** Longest wait for the word of a majority, in ms. */
  readonly linearizableTimeoutMs: number;
  /** Present on the node that does it, where the request is traced. */
  readonly span?: ActiveSpan | undefined;
}

/** The answer to a request. */
export interface Answer {
  /** Text of the JSON array `results`. */
  readonly results: ResultText;
  /** The request failed as a whole. */
  readonly error?: string;
  /** Log index, where the request went through the log. */
  readonly index?: number;
}

/** Dependencies of the database. */
export interface DatabaseParts {
  readonly state: NodeState;
  /** The writer's current activity; undefined if there is no writer. */
  readonly activity: Activity | undefined;
  readonly replica: ReplicaClient;
  readonly readers: Readers;
  readonly answers: AnswerBudget;
  readonly counters: Counters;
  readonly slow: SlowStatements;
  readonly options: {
    readonly isVoter: boolean;
    /** A leader that no majority has answered for so long may have been replaced. */
    readonly heartbeatTimeoutMs: number;
    /** Limit of a read where the request names none, in ms. */
    readonly queryTimeoutMs: number;
  };
}

/**
 * A `db_timeout` ends a write on every node after the steps that stand for it; its result is waited for a little longer,
 * as it says more than that the outcome is unknown.
 */
const WRITE_GRACE_MS = 2000;
/** If an entry runs for longer, later writes are refused: nobody knows how long they would wait. */
const LONG_ENTRY_MS = 1000;

/** A node's database. */
export class Database {
  readonly #parts: DatabaseParts;

  constructor(parts: DatabaseParts) {
    this.#parts = parts;
  }

  /**
   * Runs writes.
   * @throws {NotLeaderError} Elsewhere than on the leader.
   * @throws {BusyError | TooLargeError | RequestError} When it was refused, or its outcome is unknown.
   */
  execute(request: DataRequest, whenOver?: WhenOver): Promise<Answer> {
    return this.#write(request, { kind: "execute", whenOver });
  }

  /**
   * Runs reads.
   * @throws {NotLeaderError} When the level wants the leader, and this node does not lead.
   * @throws {BusyError | RequestError} When it was refused.
   */
  async query(request: DataRequest, whenOver?: WhenOver): Promise<Answer> {
    const statements = allowed(this.#parts.slow.shownIn(request.statements));
    const answer = await this.#read(request, statements, { onlyIfReadOnly: false, whenOver });
    return answer === "writes" ? { results: "[]" } : answer;
  }

  /**
   * Runs reads and writes.
   * @throws {NotLeaderError | BusyError | TooLargeError | RequestError} As the others.
   */
  async request(request: DataRequest, whenOver?: WhenOver): Promise<Answer> {
    const statements = allowed(request.statements);
    const mayBeRead = request.level !== "strong" && mayAllRead(statements);
    const answer = mayBeRead ? await this.#read(request, statements, { onlyIfReadOnly: true, whenOver }) : "writes";
    return answer === "writes" ? await this.#write(request, { kind: "request", whenOver }, statements) : answer;
  }

  /**
   * Does a step of loading a database file.
   * @param timeoutMs Longest wait for it.
   * @throws {NotLeaderError} Elsewhere than on the leader.
   * @throws {BusyError | RequestError} When it was refused, has failed, or its outcome is unknown.
   */
  async load(step: LoadStep, timeoutMs: number): Promise<void> {
    if (!this.#parts.state.isLeader) throw new NotLeaderError();
    const { results, error } = await this.#propose(loadCommand(step), PLAIN_RENDERING, timeoutMs);
    dropResults(results, this.#parts.answers);
    if (error !== undefined) throw new LoadError(error);
  }

  /** Puts statements through the log. */
  async #write(
    request: DataRequest,
    { kind, whenOver }: { readonly kind: Command["kind"]; readonly whenOver: WhenOver | undefined },
    statements = allowed(request.statements),
  ): Promise<Answer> {
    const { state, options, replica } = this.#parts;
    if (!state.isLeader && !replica.leader?.takesProposals) throw new NotLeaderError();
    refuseBehindLong(this.#parts);
    const { transaction, dbTimeoutMs, timeoutMs } = request;
    const readTimeoutMs = dbTimeoutMs > 0 ? dbTimeoutMs : options.queryTimeoutMs;
    const wantedSteps = kind === "query" ? 0 : dbTimeoutMs * STEPS_PER_MS;
    const command: Command = { kind, transaction, statements, readTimeoutMs, wantedSteps };
    const limitMs = dbTimeoutMs > 0 ? Math.min(dbTimeoutMs * 2 + WRITE_GRACE_MS, timeoutMs) : timeoutMs;
    const asker = { whenOver, isOwed: kind !== "query" };
    if (!request.span) return await this.#propose(command, request.options, limitMs, asker);
    const span = request.span.child("write").set("muster.kind", kind);
    return await spanOver(
      span,
      () => this.#propose(command, request.options, limitMs, { ...asker, trace: span.traceparent }),
    );
  }

  /** Puts a command through the log. */
  async #propose(
    command: Command,
    options: RenderOptions,
    limitMs: number,
    asker?: ProposalAsker,
  ): Promise<Answer> {
    const result = await this.#parts.replica.write(command, options, limitMs, asker);
    if (result === undefined) {
      throw new RequestError(`no result within ${limitMs} ms: the write may or may not have taken effect`, "unknown");
    }
    if (result.k === "done") return result.outcome;
    const { code, message } = result.refused;
    switch (code) {
      case "not_leader":
        throw new NotLeaderError();
      case "queue_full":
      case "behind":
      case "storage_full":
        throw new BusyError(message);
      case "too_large":
        throw new TooLargeError(message);
      default:
        throw new RequestError(message, code === "unknown" ? "unknown" : "none");
    }
  }

  async #read(
    request: DataRequest,
    statements: Statements,
    { onlyIfReadOnly, whenOver }: { onlyIfReadOnly: boolean; whenOver: WhenOver | undefined },
  ): Promise<Answer | "writes"> {
    const { state, readers, options } = this.#parts;
    const level = request.level === "auto" ? options.isVoter ? "weak" : "none" : request.level;
    if (level === "strong") return await this.#readThroughLog(request, statements, whenOver);
    if (level !== "none" && !state.isLeader) throw new NotLeaderError();
    const isConfirmed = level === "none"
      ? isFresh(this.#parts, request.freshness)
      : level === "weak" && isConfirmedLeader(this.#parts);
    if (level === "none" && !isConfirmed && !state.isLeader) throw new RequestError("stale read");
    if (!isConfirmed) refuseBehindLong(this.#parts); // it would wait until all that is committed is applied
    const { transaction, dbTimeoutMs } = request;
    const timeoutMs = dbTimeoutMs > 0 ? dbTimeoutMs : options.queryTimeoutMs;
    const { span } = request;
    const read = () =>
      readers.read({ statements, transaction, options: request.options, timeoutMs, onlyIfReadOnly }, whenOver);
    const run = span ? () => spanOver(span.child("read").set("muster.level", level), read) : read;
    const result = await (isConfirmed ? run() : this.#confirmed(level, request, run));
    if (result?.writes) return "writes";
    const { db } = this.#parts.counters.done;
    db.queries += countOf(statements);
    if (transaction) db.query_transactions++;
    return result ?? { results: timedOut(request) };
  }

  /** A read of unknown outcome has changed nothing: the leader that comes next may be asked. */
  async #readThroughLog(
    request: DataRequest,
    statements: Statements,
    whenOver: WhenOver | undefined,
  ): Promise<Answer> {
    try {
      return await this.#write(request, { kind: "query", whenOver }, statements);
    } catch (error) {
      const isUnknown = error instanceof RequestError && error.outcome === "unknown";
      if (isUnknown && !this.#parts.state.isLeader) throw new NotLeaderError();
      throw error;
    }
  }

  /** Reads once this leader is confirmed; where it is not, the levels differ in what the client hears. */
  async #confirmed(
    level: "none" | "weak" | "linearizable",
    { linearizableTimeoutMs, span }: Pick<DataRequest, "linearizableTimeoutMs" | "span">,
    run: () => Promise<ReadResult | undefined>,
  ): Promise<ReadResult | undefined> {
    const parts = span ? { ...this.#parts, replica: confirmingIn(span, this.#parts.replica) } : this.#parts;
    try {
      return await readLinearizably(parts, linearizableTimeoutMs, run);
    } catch (error) {
      if (!(error instanceof ReplicaError)) throw error;
      if (level === "none") throw new RequestError("stale read");
      if (error.code === "not_leader" || error.code === "leadership_lost") throw new NotLeaderError();
      throw new RequestError(error.message);
    }
  }
}

/** The same replica, whose confirmations are spans. */
function confirmingIn(span: ActiveSpan, replica: ReplicaClient): Pick<ReplicaClient, "clock" | "confirmRead"> {
  return {
    clock: replica.clock,
    confirmRead: (timeoutMs, how) => spanOver(span.child("confirm"), () => replica.confirmRead(timeoutMs, how)),
  };
}

/**
 * Refuses what would wait behind an entry that is taking long: that nothing was done, heard at once, is worth more than
 * an outcome that may stay unknown.
 */
function refuseBehindLong({ activity, state }: DatabaseParts): void {
  const work = state.waitingSinceMs > 0 ? activity?.work : undefined;
  const tookMs = work ? Date.now() - work.sinceMs : 0;
  if (!work || tookMs <= LONG_ENTRY_MS) return;
  const { kind, index, sinceMs, steps } = work;
  const what = kind === "vacuum" ? `entry ${index}, a VACUUM,` : `entry ${index}`;
  throw new BusyError(
    `the database has been busy with ${what} since ${new Date(sinceMs).toISOString()} ` +
      `(${formatDuration(tookMs)}, ${steps} steps): nothing was written, try again later`,
  );
}

/** The statement that was stopped carries the error, as if it alone had failed. */
function timedOut({ statements, options: { associative, errors } }: DataRequest): string {
  const one = renderFailure({ message: "query timeout" }, { hasRows: associative, errors });
  return `[${new Array(countOf(statements)).fill(one).join(",")}]`;
}
