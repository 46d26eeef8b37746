/**
 * The operations about data that nodes ask of each other: statements in, results out. Statements travel as the command of
 * a log entry does (core/sql/command.ts), results as whoever ran the SQL rendered them.
 *
 * The node that gets statements splits them itself: what they are is not taken from another node's word.
 * @module
 */
import type { ActiveSpan } from "../traces/active_span.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import { finite, flag, oneOf, optional, otherwise, record, text, whole } from "../../base/codec/shape.ts";
import type { Counters } from "./counters.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import {
  type BoundStatement,
  decodeCommand,
  encodeCommand,
  isEncoded,
  type Statements,
} from "../../core/sql/command.ts";
import { LOAD_PART_BYTES_MAX, type LoadStep } from "../../core/sql/load_step.ts";
import { PLAIN_RENDERING, renderBits, renderFlags } from "../../core/sql/render_options.ts";
import { countedBytes, PART_LENGTH } from "../../core/sql/result_text.ts";
import { splitStatements, type SqlPart } from "../../core/sql/statement.ts";
import { needs } from "../../core/acl/resource.ts";
import { sqlNeeds } from "../../core/acl/sql_needs.ts";
import type { Permission } from "../users/permission.ts";
import type { OperationAcl } from "../../core/acl/guard.ts";
import { checkStatements, mayAllRead } from "./allowed.ts";
import { type Answer, type Database, type DataRequest, LEVELS } from "./database.ts";
import {
  BusyError,
  ForwardError,
  NoLeaderError,
  NotLeaderError,
  QueueWaitError,
  RequestError,
  unwrapped,
} from "./errors.ts";
import { HeldAnswer, takeText } from "./held_answer.ts";
import { type DoLoadStep, limitOfStep } from "./loader.ts";
import { type Asker, type Codec, type Implementations, jsonCodec, NOTHING, type OperationTable } from "./operation.ts";
import { type Runner, takeRoom } from "./operations.ts";
import type { ReplicaClient } from "./replica_client.ts";
import type { WriteQueue } from "./write_queue.ts";

/** Statements that are to be written together, in the name of no client. */
export interface Batch {
  readonly statements: readonly BoundStatement[];
  readonly transaction: boolean;
}

/** A write for the queue. */
export interface Enqueued {
  readonly statements: readonly BoundStatement[];
  /** Whether all of them take effect or none. */
  readonly transaction: boolean;
  /** Whether to wait until it is written. */
  readonly waits: boolean;
  /** Longest wait. */
  readonly timeoutMs: number;
  /** Whether it is taken while no leader is known. */
  readonly takesLeaderless: boolean;
}

/** The operations about data. */
export interface DataOperations {
  /** Runs writes. */
  readonly execute: { readonly params: DataRequest; readonly result: Answer };
  /** Runs reads. */
  readonly query: { readonly params: DataRequest; readonly result: Answer };
  /** Runs reads and writes. */
  readonly request: { readonly params: DataRequest; readonly result: Answer };
  /** Runs the SQL text of a dump. */
  readonly loadText: { readonly params: DataRequest; readonly result: Answer };
  /** Does a step of loading a database file. */
  readonly loadStep: { readonly params: LoadStep; readonly result: void };
  /** Writes a batch of another node's queue. */
  readonly batch: { readonly params: Batch; readonly result: { readonly hasFailed: boolean } };
  /** Puts a write into the queue of the node that gets it; the result is its sequence number. */
  readonly enqueue: { readonly params: Enqueued; readonly result: bigint };
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a request seldom asks for is left out: small requests are forwarded by the ten thousand. */
const LINEARIZABLE_TIMEOUT_MS = 10_000;
const requestFields = record({
  level: otherwise("weak", oneOf(...LEVELS)),
  render: otherwise(0, whole(63)),
  freshnessMs: otherwise(0, finite),
  isStrict: otherwise(false, flag),
  dbTimeoutMs: otherwise(0, finite),
  timeoutMs: finite,
  linearizableTimeoutMs: otherwise(LINEARIZABLE_TIMEOUT_MS, finite),
});

const REQUEST: Codec<DataRequest> = {
  encode({ statements, transaction, options, level, freshness, dbTimeoutMs, timeoutMs, linearizableTimeoutMs }) {
    const render = renderBits(options);
    const { limitMs: freshnessMs, isStrict } = freshness;
    const value = {
      timeoutMs,
      ...(level === "weak" ? {} : { level }),
      ...(render === 0 ? {} : { render }),
      ...(freshnessMs === 0 ? {} : { freshnessMs }),
      ...(isStrict ? { isStrict } : {}),
      ...(dbTimeoutMs === 0 ? {} : { dbTimeoutMs }),
      ...(linearizableTimeoutMs === LINEARIZABLE_TIMEOUT_MS ? {} : { linearizableTimeoutMs }),
    };
    return { value, body: encodeCommand({ kind: "request", transaction, statements }) };
  },
  decode({ value, body }) {
    const { render, freshnessMs, isStrict, ...limits } = requestFields(value, "the parameters");
    const freshness = { limitMs: freshnessMs, isStrict };
    return { ...decodeStatements(body), options: renderFlags(render), freshness, ...limits };
  },
};

/** The statements of a client's command. @throws {DecodeError} When it is none. */
export function decodeStatements(body: Uint8Array): Batch {
  const { statements, transaction, kind, isSystem } = decodeCommand(body);
  if (kind === "load" || isSystem) throw new DecodeError("Expected the statements of a client");
  return { statements: statements.map(split), transaction };
}

/** What splits a text remembers it: a text alone gets the same parts each time, and what is known of them. */
function split(statement: BoundStatement): BoundStatement {
  const { parts } = statement;
  const own = parts.length === 1 ? splitStatements(parts[0].sql) : parts.flatMap(({ sql }) => splitStatements(sql));
  return { ...statement, parts: own };
}

const answerFields = record({ error: optional(text(16 * 1024)), index: optional(whole()) });

/** Reads at the other levels may be for any node. */
function isLeaders({ level }: DataRequest): boolean {
  return level !== "none" && level !== "auto";
}

/** A read through the log. */
function isStrong({ level }: DataRequest): boolean {
  return level === "strong";
}

/** Results, counted at both ends while they are long. */
function answerCodec(answers: AnswerBudget, limits: { readonly mayWrite?: boolean }): Codec<Answer> {
  return {
    encode({ results, error, index }) {
      const value = { error, index };
      if (typeof results === "string") return { value, body: encoder.encode(results) };
      const held = new HeldAnswer(results, answers, countedBytes(results));
      return { value, body: held.whole(), held };
    },
    decode({ value, body }) {
      const { error, index } = answerFields(value, "the result");
      const facts = { ...(error === undefined ? {} : { error }), ...(index === undefined ? {} : { index }) };
      if (body.length < PART_LENGTH) return { results: decoder.decode(body), ...facts };
      takeRoom(body.length, answers, limits);
      return { results: [ownBytes(body)], ...facts };
    },
  };
}

/** Bytes with a buffer that can be given back. */
function ownBytes({ buffer, byteOffset, length }: Uint8Array): Uint8Array<ArrayBuffer> {
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, length)
    : new Uint8Array(buffer, byteOffset, length).slice();
}

const LOAD_ID_LENGTH_MAX = 64;
const stepFields = record({ k: oneOf("part", "install", "drop"), id: text(LOAD_ID_LENGTH_MAX), number: whole() });

const STEP: Codec<LoadStep> = {
  encode(step) {
    const { k, id } = step;
    const number = k === "part" ? step.at : k === "install" ? step.size : 0;
    return { value: { k, id, number }, body: k === "part" ? step.bytes.slice() : NO_BYTES }; // it moves, and the loader goes on with its own
  },
  decode({ value, body }) {
    const { k, id, number } = stepFields(value, "the step of a load");
    if (body.length > LOAD_PART_BYTES_MAX) {
      throw new DecodeError(`Expected at most ${LOAD_PART_BYTES_MAX} bytes of a file`);
    }
    if (k === "install") return { k, id, size: number };
    return k === "drop" ? { k, id } : { k, id, at: number, bytes: body };
  },
};

const BATCH: Codec<Batch> = {
  encode: ({ statements, transaction }) => ({
    value: {},
    body: encodeCommand({ kind: "execute", transaction, statements }),
  }),
  decode: ({ body }) => decodeStatements(body),
};

const enqueuedFields = record({ waits: flag, timeoutMs: finite, takesLeaderless: flag });

const ENQUEUED: Codec<Enqueued> = {
  encode: ({ statements, transaction, ...value }) => ({
    value,
    body: encodeCommand({ kind: "execute", transaction, statements }),
  }),
  decode: ({ value, body }) => ({ ...decodeStatements(body), ...enqueuedFields(value, "the parameters") }),
};

const failedFields = record({ hasFailed: flag });
const sequenceFields = record({ sequence: text(20) });

/** The sequence number of a queued write: 64 bits, which JSON's numbers do not hold. */
const SEQUENCE: Codec<bigint> = {
  encode: (sequence) => ({ value: { sequence: String(sequence) }, body: NO_BYTES }),
  decode({ value }) {
    const { sequence } = sequenceFields(value, "the result");
    if (!/^\d+$/.test(sequence)) throw new DecodeError("Expected a sequence number");
    return BigInt(sequence);
  },
};

/** The parts of statements, those that were encoded elsewhere, too. */
function* partsOf(statements: Statements): Iterable<SqlPart> {
  const all = isEncoded(statements) ? decodeCommand(statements.command.slice()).statements : statements;
  for (const { parts } of all) yield* parts;
}

/** What a request with SQL needs. */
function needsOfSql(access: (request: DataRequest) => "read" | "write"): OperationAcl<DataRequest, Answer> {
  return { needs: (request) => sqlNeeds(access(request), partsOf(request.statements)) };
}

const READING = needsOfSql(() => "read");
const WRITING = needsOfSql(() => "write");

/** The operations about data, and how they travel. */
export function dataOperations(answers: AnswerBudget): OperationTable<DataOperations> {
  const always = () => true;
  const data = (
    permissions: readonly Permission[],
    acl: OperationAcl<DataRequest, Answer>,
    limits: { mayWrite?: boolean },
    isProposal: (request: DataRequest) => boolean = always,
    isForLeader: (request: DataRequest) => boolean = always,
  ) => ({
    permissions,
    acl,
    ...limits,
    isForLeader,
    isProposal,
    params: REQUEST,
    result: answerCodec(answers, limits),
  });
  const mayWrite = true;
  return {
    execute: data(["execute"], WRITING, { mayWrite }),
    query: data(["query"], READING, {}, isStrong, isLeaders),
    request: data(
      ["execute", "query"],
      needsOfSql(({ statements }) => mayAllRead(statements) ? "read" : "write"),
      { mayWrite },
      (request) => isStrong(request) || !mayAllRead(request.statements),
      isLeaders,
    ),
    loadText: data(["load"], WRITING, { mayWrite }),
    // A file may have views that show tables of the cluster.
    loadStep: {
      permissions: ["load"],
      acl: { needs: () => [needs("acl", "write")] },
      mayWrite,
      freesBody: true,
      params: STEP,
      result: NOTHING,
    },
    // Of many clients, each of which was allowed to on its own node.
    batch: {
      permissions: ["execute"],
      acl: { needs: () => [needs("sql", "write")], isForServers: true },
      isForNodes: true,
      mayWrite,
      isForLeader: always,
      isProposal: always,
      params: BATCH,
      result: jsonCodec(failedFields),
    },
    enqueue: {
      permissions: ["execute"],
      acl: { needs: ({ statements }) => sqlNeeds("write", partsOf(statements)) },
      mayWrite,
      params: ENQUEUED,
      result: SEQUENCE,
    },
  };
}

/** Longest wait for a batch to be written. */
const BATCH_MS = 30_000;

/** What the operations about data work with. */
export interface DataParts {
  readonly database: Pick<Database, "execute" | "query" | "request" | "load">;
  readonly answers: AnswerBudget;
  readonly replica: Pick<ReplicaClient, "leader">;
  readonly queue: Pick<WriteQueue, "put" | "written">;
  readonly counters: Pick<Counters, "done">;
}

/** Does the operations about data on this node. */
export function dataImplementations(parts: DataParts): Implementations<DataOperations> {
  const { database } = parts;
  return {
    execute: (request, { whenOver, span }) => database.execute(traced(request, span), whenOver),
    query: (request, { whenOver, span }) => database.query(traced(request, span), whenOver),
    request: (request, { whenOver, span }) => database.request(traced(request, span), whenOver),
    loadText: (request, { whenOver, span }) => database.execute(traced(request, span), whenOver),
    loadStep: async (step) => {
      await database.load(step, limitOfStep(step));
      if (step.k === "install") parts.counters.done.store.num_loads++;
    },
    batch: (batch) => writeHere(parts, batch),
    enqueue: (write) => enqueue(parts, write),
  };
}

function traced(request: DataRequest, span: ActiveSpan | undefined): DataRequest {
  return span ? { ...request, span } : request;
}

async function writeHere({ database, answers }: DataParts, batch: Batch): Promise<{ hasFailed: boolean }> {
  const limits = { dbTimeoutMs: 0, timeoutMs: BATCH_MS, linearizableTimeoutMs: BATCH_MS };
  const freshness = { limitMs: 0, isStrict: false };
  const request: DataRequest = { ...batch, options: PLAIN_RENDERING, level: "weak", freshness, ...limits };
  const { results, error } = await database.execute(request);
  const text = takeText(results, answers);
  return { hasFailed: error !== undefined || text.includes(`"error":`) };
}

async function enqueue(
  { replica, queue }: DataParts,
  { statements, transaction, waits, timeoutMs, takesLeaderless }: Enqueued,
): Promise<bigint> {
  if (!takesLeaderless && !replica.leader) throw new NoLeaderError();
  const sequence = queue.put(checkStatements(statements), { transaction });
  if (waits && !await queue.written(sequence, timeoutMs)) throw new QueueWaitError();
  return sequence;
}

/** Writes a batch of this node's queue, here while this node leads, and through the leader otherwise. */
export async function writeBatch(
  runner: Runner<DataOperations>,
  statements: readonly BoundStatement[],
  { transaction }: { readonly transaction: boolean },
): Promise<{ readonly hasFailed: boolean }> {
  try {
    return (await runner.run("batch", { statements, transaction }, { by: { k: "node" }, timeoutMs: BATCH_MS })).result;
  } catch (thrown) {
    const error = unwrapped(thrown);
    if (!(error instanceof ForwardError)) throw error;
    const isUnknown = error.code === "unknown";
    throw new RequestError(error.message, isUnknown ? "unknown" : "none", { leaderless: !isUnknown });
  }
}

/** Does the steps of loading a file, in the name of `by`. */
export function loadSteps(runner: Runner<DataOperations>, by: Asker): DoLoadStep {
  return async (step) => {
    try {
      await runner.run("loadStep", step, { by, timeoutMs: limitOfStep(step) });
    } catch (thrown) {
      const error = unwrapped(thrown);
      const isLeaderless = error instanceof NotLeaderError || error instanceof NoLeaderError;
      if (isLeaderless) throw new BusyError(error.message); // soon another one leads
      if (!(error instanceof ForwardError)) throw error;
      throw new RequestError(error.message, error.code === "unknown" ? "unknown" : "none");
    }
  };
}
