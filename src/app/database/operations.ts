/**
 * Does operations where they can be done: on this node; where only the leader can, on the leader; for a client agent, which
 * keeps no data, on a server. And does those that other nodes ask of this one.
 *
 * - An operation goes at most one hop from a server, to the leader. A client agent's goes to any server, which may itself
 *   ask the leader (`relayed`).
 * - A node that asks for a client hands on the client's credentials, and the node that does it checks them against its own
 *   users. Only some operations may be asked by a node for itself ({@linkcode Operation.isForNodes}).
 * - With access control, the node that does an operation checks the client's token as well, and leaves out of the result
 *   what it may not see: after the wait of a read that waits, by the rules that hold then. What another node asks for
 *   itself is done as for a client without a token.
 * - An operation for another datacenter goes there through a server of this one (operation.ts).
 * - A failure on another node is thrown here as a {@linkcode RemoteFailure} of the error that was thrown there; that it
 *   could not be asked, or did not answer, as a {@linkcode ForwardError}.
 * - What arrives is decoded before anything is done with it. An answer that cannot be decoded leaves the outcome unknown.
 *
 *     call    { operation, by, relayed?, timeoutMs, retries, params } and bytes
 *     answer  { servedBy, leaderless?, result or failure } and bytes
 * @module
 */
import { InvariantError } from "../../invariant.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import { movedWith } from "../../base/codec/packed.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { finite, flag, oneOf, optional, record, type Shape, text, variants, whole } from "../../base/codec/shape.ts";
import { type AnswerBudget, ANSWERS_BYTES_MAX } from "../../base/shared/answer_budget.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { PART_LENGTH } from "../../core/sql/result_text.ts";
import type { Forward, Forwarded, PeerMessage } from "../../drivers/replica/api.ts";
import type { Users } from "../users/users.ts";
import { type ActiveSpan, spanOver } from "../traces/active_span.ts";
import type { Tracer } from "../traces/tracer.ts";
import type { AccessGuard, Credentials } from "../../core/acl/guard.ts";
import { type Counters, countServed } from "./counters.ts";
import {
  BusyError,
  FORWARD_CODES,
  ForwardError,
  NoLeaderError,
  NotLeaderError,
  OperationError,
  RefusedError,
  RemoteFailure,
  RequestError,
} from "./errors.ts";
import { decodeFailure, encodeFailure, isLeaderless } from "./failure.ts";
import { HeldAnswer } from "./held_answer.ts";
import {
  type Asker,
  type CrossingOptions,
  ELSEWHERE,
  type Elsewhere,
  type ElsewhereParams,
  elsewhereParams,
  handedOn,
  type Implementations,
  isRepeatable,
  type Operation,
  type OperationTable,
  type OperationTypes,
  type WhenOver,
} from "./operation.ts";
import { type ReplicaClient, ReplicaError } from "./replica_client.ts";

/** Dependencies of all operations. */
export interface OperationsParts {
  readonly replica: Pick<ReplicaClient, "call" | "leader">;
  readonly state: Pick<NodeState, "isLeader">;
  readonly answers: AnswerBudget;
  readonly counters: Pick<Counters, "forwarded" | "served" | "leader_not_found" | "auth_ok" | "auth_fail" | "done">;
  /** Absent where everybody may do everything. */
  readonly users: Users | undefined;
  /** Absent where access control is off. */
  readonly access?: AccessGuard | undefined;
  readonly options: {
    readonly nodeId: string;
    /** Advertised HTTP address. */
    readonly advertisedAddr: string;
    /** Present in an agent; one that is no server keeps no data. */
    readonly agent?: { readonly isServer: boolean; readonly datacenter: string };
  };
  /** Present where traces go to a collector. */
  readonly tracer?: Pick<Tracer, "continued"> | undefined;
  /** The way to other datacenters, on a server that is in their pool. */
  readonly elsewhere?: Elsewhere | undefined;
  log(line: string, level?: LogLevel): void;
}

/** How an operation is to be done. */
export interface RunOptions {
  readonly by: Asker;
  /** Longest wait for another node. */
  readonly timeoutMs: number;
  /** Further attempts when it certainly did not arrive there. @default {2} */
  readonly retries?: number;
  /** Resolves when nobody waits for the result any more. */
  readonly whenOver?: WhenOver | undefined;
  /** Whether another node is told then, and need not finish. @default {false} */
  readonly isCancelable?: boolean;
  /** Whether a server that does not lead throws a {@linkcode NotLeaderError} instead of asking the leader. @default {false} */
  readonly isOnlyHere?: boolean;
  /** Cluster address of the node that is to do it, whatever this one can. */
  readonly to?: string;
  /** Datacenter in which it is to be done; empty: that of this node. @default {that of this node} */
  readonly datacenter?: string | undefined;
  /** Present where it is traced. */
  readonly span?: ActiveSpan | undefined;
}

/** A result, and where it comes from. */
export interface Done<Result> {
  readonly result: Result;
  /** HTTP address of the node that did it. */
  readonly servedBy: string;
  /** Its cluster address, for {@linkcode RunOptions.to}; empty for this node. */
  readonly from: string;
}

/** What does operations of the table `M`. */
export interface Runner<M extends OperationTypes<M>> {
  /**
   * Does an operation, here or elsewhere.
   * @throws {RemoteFailure} When it failed elsewhere; when it failed here, what was thrown.
   * @throws {NoLeaderError} When only the leader can do it, and none is known.
   * @throws {ForwardError} When another node could not be asked, or did not answer.
   */
  run<K extends keyof M & string>(
    name: K,
    params: M[K]["params"],
    options: RunOptions,
  ): Promise<Done<M[K]["result"]>>;
}

/** An answer for another node; a long one is counted until it has left. */
export interface ServedAnswer {
  readonly answer: PeerMessage;
  readonly held?: HeldAnswer;
}

const RETRIES = 2;
/** Longest wait for what the leader has committed, before a refusal. */
const CATCH_UP_MS = 2000;
/** A client agent waits so much longer than the server that asks another datacenter for it, which knows more. */
const RELAY_MARGIN_MS = 2000;
/** Consul's words for a datacenter that nobody knows. */
export const NO_PATH = "No path to datacenter";
/** Attempts of a node that asks for another one. */
const RETRIES_MAX = 1000;
const AUTHORIZATION_LENGTH_MAX = 64 * 1024;
const NO_BYTES: Uint8Array = new Uint8Array(0);

const asIs = (value: unknown) => value;
const asker: Shape<Asker> = variants<Asker>({
  client: record({ k: oneOf("client"), authorization: text(AUTHORIZATION_LENGTH_MAX), address: text(64) }),
  node: record({ k: oneOf("node") }),
});
const callHead = record({
  operation: text(64),
  by: asker,
  relayed: optional(flag),
  timeoutMs: finite,
  retries: whole(RETRIES_MAX),
  params: asIs,
});
const answerHead = record({
  servedBy: text(1024),
  leaderless: optional(flag),
  failure: optional(decodeFailure),
  result: asIs,
});

/** A call, as it was decoded. */
type Call = ReturnType<typeof callHead>;

/** A call of another node, with its span where it is traced here. */
interface Served extends PeerMessage {
  readonly span?: ActiveSpan;
}

/** All operations of a node. */
export class Operations<M extends OperationTypes<M>> implements Runner<M> {
  readonly #parts: OperationsParts;
  readonly #table: OperationTable<M>;
  readonly #implementations: Implementations<M>;

  constructor(parts: OperationsParts, table: OperationTable<M>, implementations: Implementations<M>) {
    this.#parts = parts;
    this.#table = table;
    this.#implementations = implementations;
  }

  async run<K extends keyof M & string>(
    name: K,
    params: M[K]["params"],
    options: RunOptions,
  ): Promise<Done<M[K]["result"]>> {
    const { access, options: { agent } } = this.#parts;
    const { by } = options;
    const { datacenter = "" } = options;
    const isElsewhere = datacenter !== "" && datacenter !== agent?.datacenter; // which decides by its own tokens
    if (!access || by.k !== "client" || agent?.isServer === false || isElsewhere) {
      return await this.#run(name, params, options);
    }
    // A server checks what it hands on as well: the leader may have been started without access control.
    await this.#expectAllowed(access, name, { params, shown: by });
    const done = await this.#run(name, params, options);
    const { acl } = this.#table[name];
    if (!acl.seen) return done;
    return { ...done, result: acl.seen(done.result, await access.authorizerOf(by), params) };
  }

  /**
   * Lets those on whose token allows an operation. What it needs depends on what is there, and a node that does not lead
   * may be behind: before it refuses, it catches up.
   * @throws {RefusedError} For the others.
   */
  async #expectAllowed<K extends keyof M & string>(
    access: AccessGuard,
    name: K,
    { params, shown }: { readonly params: M[K]["params"]; readonly shown: Credentials },
  ): Promise<void> {
    const { acl } = this.#table[name];
    const check = async () => await access.expect(await acl.needs(params, access.read), shown);
    try {
      return await check();
    } catch (error) {
      const { state, replica } = this.#parts;
      if (!(error instanceof RefusedError) || state.isLeader) throw error;
      const behind = await replica.call("caughtUp", { timeoutMs: CATCH_UP_MS }).catch((reason) => ({ error: reason }));
      if (behind.error !== undefined) throw error;
    }
    await check();
  }

  async #run<K extends keyof M & string>(
    name: K,
    params: M[K]["params"],
    options: RunOptions,
  ): Promise<Done<M[K]["result"]>> {
    const { state, replica: { leader }, options: { advertisedAddr, agent } } = this.#parts;
    const { isForLeader, isProposal } = this.#table[name];
    const { datacenter = "" } = options;
    if (datacenter !== "" && datacenter !== agent?.datacenter) return await this.#askElsewhere(name, params, options);
    if (options.to !== undefined || agent?.isServer === false) return await this.#ask(name, params, options);
    const isProposed = !state.isLeader && isProposal?.(params);
    if (isProposed || !state.isLeader && isForLeader?.(params)) {
      if (options.isOnlyHere) throw new NotLeaderError();
      if (!isProposed || !leader?.takesProposals) return await this.#ask(name, params, options);
    }
    try {
      const result = await this.#implementations[name](params, options);
      if (isProposed) this.#parts.counters.forwarded++;
      // The leader has given the write its place.
      const servedBy = isProposed && leader ? leader.apiUrl.replace(/^\w+:\/\//, "") : "";
      return { result, servedBy: servedBy || advertisedAddr, from: "" };
    } catch (error) {
      if (!(error instanceof NotLeaderError) || options.isOnlyHere) throw error;
      return await this.#ask(name, params, options);
    }
  }

  /** Has another node do it. */
  async #ask<K extends keyof M & string>(
    name: K,
    params: M[K]["params"],
    { by, timeoutMs, retries = RETRIES, whenOver, isCancelable = false, to, span: asking }: RunOptions,
  ): Promise<Done<M[K]["result"]>> {
    const operation = this.#table[name];
    const { value, body } = operation.params.encode(params);
    const head = {
      operation: name,
      by,
      ...(this.#parts.options.agent?.isServer === false ? { relayed: true } : {}),
      timeoutMs,
      retries: Math.min(Math.max(0, retries), RETRIES_MAX),
      params: value,
    };
    const over = isCancelable ? whenOver?.() : undefined;
    const span = asking?.child("forward", "client").set("muster.operation", name);
    const call = { head, body, trace: span?.traceparent };
    return decoded(operation, await spanOver(span, () => this.#forward({ call, timeoutMs, retries, to }, over)));
  }

  /** Has another datacenter do it. */
  async #askElsewhere<K extends keyof M & string>(
    name: K,
    params: M[K]["params"],
    { by, timeoutMs, retries = RETRIES, whenOver, isCancelable = false, datacenter = "", span: asking }: RunOptions,
  ): Promise<Done<M[K]["result"]>> {
    const operation = this.#table[name];
    const { value, body } = operation.params.encode(params);
    const inner: ElsewhereParams = { datacenter, operation: name, params: value };
    const limits = { timeoutMs, retries: Math.min(Math.max(0, retries), RETRIES_MAX) };
    const head = { operation: ELSEWHERE, by: handedOn(by), ...limits, params: inner };
    const over = isCancelable ? whenOver?.() : undefined;
    const isServer = this.#parts.options.agent?.isServer !== false;
    const span = asking?.child("forward", "client").set("muster.operation", name).set("muster.datacenter", datacenter);
    const call = { head, body, trace: span?.traceparent };
    const forwarding = () =>
      isServer
        ? this.#cross(datacenter, call, { timeoutMs, over, isRepeatable: isRepeatable(name) })
        : this.#forward({ call, timeoutMs: timeoutMs + RELAY_MARGIN_MS, retries }, over);
    return decoded(operation, await spanOver(span, forwarding));
  }

  /** Sends a call to a server of another datacenter. */
  async #cross(datacenter: string, call: PeerMessage, limits: CrossingOptions): Promise<Forwarded> {
    const { elsewhere, counters } = this.#parts;
    if (!elsewhere) throw new OperationError(NO_PATH);
    counters.forwarded++;
    try {
      return await elsewhere.forward(datacenter, call, limits);
    } catch (error) {
      throw asForwardError(error);
    }
  }

  /**
   * Sends a call, whose body must not be used any more.
   * @throws {NoLeaderError | ForwardError} When there is no answer.
   */
  async #forward(forward: Forward, over?: Promise<void>): Promise<Forwarded> {
    const { replica, counters, options: { nodeId, agent } } = this.#parts;
    try {
      const isForLeader = forward.to === undefined && agent?.isServer !== false;
      if (isForLeader && (!replica.leader || replica.leader.id === nodeId)) throw new NoLeaderError();
      counters.forwarded++;
      return await replica.call("forward", forward, { over, transfer: movedWith(forward.call.body) });
    } catch (error) {
      const isLeaderless = error instanceof NoLeaderError ||
        error instanceof ReplicaError && error.code === "no_leader";
      if (isLeaderless) counters.leader_not_found++;
      throw isLeaderless ? new NoLeaderError() : asForwardError(error);
    }
  }

  /** Does an operation that another node asks for; never rejects. Nobody waits for the answer when it is `over`. */
  async serve(message: PeerMessage, over: Promise<void>): Promise<ServedAnswer> {
    this.#parts.counters.served++;
    const span = message.trace === undefined ? undefined : this.#parts.tracer?.continued("serve", message.trace);
    const served = span ? { ...message, span, trace: span.traceparent } : message;
    try {
      const call = callHead(message.head, "the call");
      span?.set("muster.operation", call.operation);
      return await spanOver(
        span,
        () =>
          call.operation === ELSEWHERE
            ? this.#serveElsewhere(call, served, over)
            : this.#serveNamed(call, served, over),
      );
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #serveNamed(call: Call, message: Served, over: Promise<void>): Promise<ServedAnswer> {
    const name = call.operation;
    if (!this.#isName(name)) {
      throw new DecodeError(`Expected an operation that this version knows, found "${name}": upgrade this node`);
    }
    const refusal = await this.#refusal(this.#table[name], call.by);
    if (refusal) throw refusal;
    countServed(this.#parts.counters.done, name);
    return await this.#serveCall(name, { call, message, over });
  }

  /** Does what another datacenter asks for, or hands on to one what a client agent of this one does. */
  async #serveElsewhere(call: Call, message: Served, over: Promise<void>): Promise<ServedAnswer> {
    const { datacenter, from, operation, params } = elsewhereParams(call.params, "the parameters");
    const own = this.#parts.options.agent?.datacenter;
    if (datacenter === own) {
      // A server of the other datacenter asks as a client agent does: only here is it known who leads.
      return await this.#serveNamed({ ...call, operation, params, relayed: true }, message, over);
    }
    if (from !== undefined) {
      throw new OperationError(`a server of datacenter "${own}" was asked for "${datacenter}": its address has moved`);
    }
    const limits = { timeoutMs: call.timeoutMs, over, isRepeatable: isRepeatable(operation) };
    const { head, body, trace } = message;
    const { answer } = await this.#cross(datacenter, { head, body, trace }, limits);
    const known = this.#isName(operation) ? this.#table[operation] : {};
    return this.#handedOn(answer, known);
  }

  #isName(name: string): name is keyof M & string {
    return Object.hasOwn(this.#table, name);
  }

  async #serveCall<K extends keyof M & string>(
    name: K,
    { call, message, over }: { call: Call; message: Served; over: Promise<void> },
  ): Promise<ServedAnswer> {
    const { params, result, acl } = this.#table[name];
    const decoded = params.decode({ value: call.params, body: message.body });
    try {
      const circumstances = { by: call.by, whenOver: () => over, span: message.span };
      // What client agents and other datacenters ask is relayed: they are trusted with nothing.
      const isTrusted = call.by.k === "node" && acl.isForServers && !call.relayed;
      const access = isTrusted ? undefined : this.#parts.access;
      const shown = call.by.k === "client" ? call.by : NOTHING_SHOWN;
      if (access) await this.#expectAllowed(access, name, { params: decoded, shown });
      const all = await this.#implementations[name](decoded, circumstances);
      const found = access && acl.seen ? acl.seen(all, await access.authorizerOf(shown), decoded) : all;
      const { value, body, held } = result.encode(found);
      const answer = { head: { servedBy: this.#parts.options.advertisedAddr, result: value }, body };
      return held ? { answer, held } : { answer };
    } catch (error) {
      if (!(error instanceof NotLeaderError) || !call.relayed) throw error;
      return await this.#passOn(name, call, message, over);
    } finally {
      if (this.#table[name].freesBody) freeBuffer(message.body);
    }
  }

  /** Has the leader do what a client agent asked this server for; the answer goes on as it is. */
  async #passOn(
    name: keyof M & string,
    call: Call,
    { body, trace }: PeerMessage,
    over: Promise<void>,
  ): Promise<ServedAnswer> {
    const { relayed: _, ...head } = call;
    const { timeoutMs, retries } = call;
    const { answer } = await this.#forward({ call: { head, body, trace }, timeoutMs, retries }, over);
    return this.#handedOn(answer, this.#table[name]);
  }

  /** Another node's answer for a third one, counted while it is long. */
  #handedOn(answer: PeerMessage, limits: { readonly mayWrite?: boolean }): ServedAnswer {
    const bytes = answer.body.length;
    if (bytes < PART_LENGTH) return { answer };
    takeRoom(bytes, this.#parts.answers, limits);
    return { answer, held: new HeldAnswer([], this.#parts.answers, bytes) };
  }

  async #refusal(
    { permissions, isForNodes }: Pick<Operation<never, never>, "permissions" | "isForNodes">,
    by: Asker,
  ): Promise<RefusedError | undefined> {
    const { users, counters, access } = this.#parts;
    if (!users || by.k === "node" && isForNodes) return undefined;
    if (access && by.k === "client" && !await access.isUser(by.authorization)) return undefined; // a token's rules decide
    const mustBeKnown = access !== undefined;
    const verdict = by.k === "node" ? STRANGER : await users.check(permissions, by, { mustBeKnown });
    if (verdict.k === "allowed") {
      counters.auth_ok++;
      return undefined;
    }
    counters.auth_fail++;
    return new RefusedError(verdict);
  }

  #failed(error: unknown): ServedAnswer {
    if (error instanceof InvariantError) throw error; // nobody may go on
    const isExpected = error instanceof DecodeError;
    const failure = encodeFailure(isExpected ? new OperationError(error.message) : error);
    if (!failure) this.#parts.log(`an operation failed unexpectedly: ${error instanceof Error ? error.stack : error}`);
    const head = {
      servedBy: this.#parts.options.advertisedAddr,
      ...(isLeaderless(error) ? { leaderless: true } : {}),
      failure: failure ?? { k: "failed", message: messageOf(error) },
    };
    return { answer: { head, body: NO_BYTES } };
  }
}

/** Of a node that asks for itself. */
const NOTHING_SHOWN: Credentials = { authorization: "", address: "" };
/** A node that asks for itself what only clients may ask. */
const STRANGER = { k: "unknown" } as const;

/**
 * Takes the answer of another node apart.
 * @throws {RemoteFailure} When it is a failure.
 * @throws {ForwardError} When it is no answer.
 */
function decoded<Result>(
  { result }: Pick<Operation<never, Result>, "result">,
  { answer, from }: Forwarded,
): Done<Result> {
  let head: ReturnType<typeof answerHead>;
  try {
    head = answerHead(answer.head, "the answer");
    if (!head.failure) {
      return { result: result.decode({ value: head.result, body: answer.body }), servedBy: head.servedBy, from };
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new ForwardError(`the answer of ${from} cannot be read: ${error.message}`, "unknown");
  }
  throw new RemoteFailure(head.failure, head.servedBy);
}

function asForwardError(error: unknown): unknown {
  if (!(error instanceof ReplicaError)) return error;
  const code = FORWARD_CODES.find((one) => one === error.code) ?? "failed";
  return new ForwardError(error.message, code);
}

/**
 * Counts a long answer of another node, which is here already.
 * @throws {BusyError} When that of a read has no room beside those on their way.
 * @throws {RequestError} When that of a write has none: what it did is not known.
 */
export function takeRoom(bytes: number, answers: AnswerBudget, { mayWrite }: { mayWrite?: boolean }): void {
  if (answers.take(bytes, ANSWERS_BYTES_MAX)) return;
  const why = `too many large answers are on their way to clients (${ANSWERS_BYTES_MAX} bytes at a time)`;
  if (!mayWrite) throw new BusyError(`${why}: try again later, or read less at a time with LIMIT`);
  throw new RequestError(`${why}, and the one of the leader has no room: the write may have taken effect`, "unknown");
}
