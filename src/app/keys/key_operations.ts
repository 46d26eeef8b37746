/**
 * The operations about keys and sessions that agents ask of servers, and servers of the leader (C7.4 to C7.6, C10).
 *
 * Operations on keys are one command of the log, with their conditions: they are done in one place in the order of all
 * writes, or not at all.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { anyObject, finite, listOf, oneOf, record, type Shape, text, variants, whole } from "../../base/codec/shape.ts";
import { type CatalogWrite, guard } from "../../core/catalog/catalog.ts";
import { KV_VERBS, type KvOp } from "../../core/catalog/kv.ts";
import { NOW } from "../../core/catalog/catalog.ts";
import { needsOf } from "../../core/acl/resource.ts";
import { needOfKv, needsOfSession, needsOfTxn } from "../acl/write_needs.ts";
import type { OperationAcl, ReadRows } from "../../core/acl/guard.ts";
import { type BoundStatement, encodeCommand } from "../../core/sql/command.ts";
import { decodeStatements } from "../database/data_operations.ts";
import { OperationError } from "../database/errors.ts";
import {
  type Implementations,
  jsonCodec,
  jsonOperation,
  type Operation,
  type OperationTable,
} from "../database/operation.ts";
import type { Agent } from "../agent/agent.ts";
import type { Permission } from "../users/permission.ts";
import type { Catalog, CatalogRow } from "../agent/catalog.ts";
import {
  checkFields,
  expectToLead,
  nodeFields,
  plainName,
  readOperation,
  serviceFields,
} from "../agent/catalog_operations.ts";
import { type KvQuery, kvQuery, type SessionQuery, sessionQuery } from "../agent/catalog_query.ts";
import {
  type CatalogFound,
  type CatalogReadParts,
  type CatalogReadRequest,
  readCatalog,
} from "../agent/catalog_read.ts";
import { whileInConflict } from "../agent/registration.ts";
import { applyTxn, ROW_VERBS, type TxnOp, type TxnOutcome } from "./txn.ts";
import type { KeyTimers } from "./key_timers.ts";
import type { SessionTimers } from "./session_timers.ts";

/** Operations in one command. */
export const OPS_MAX = 128;
/** Characters of a key. */
export const KEY_CHARS_MAX = 4096;
/** Bytes of a value, whatever an agent allows. */
const VALUE_BYTES_MAX = 64 * 1024 * 1024;

/** A session to be. */
export interface NewSession {
  readonly name: string;
  readonly node: string;
  readonly lockDelayMs: number;
  readonly behavior: "release" | "delete";
  /** Go's text; empty: it ends with its node or a check alone. */
  readonly ttl: string;
  readonly nodeChecks: readonly string[];
  readonly serviceChecks: readonly string[];
}

/** These operations. */
export interface KeyOperations {
  readonly kvRead: { readonly params: CatalogReadRequest<KvQuery>; readonly result: CatalogFound<KvQuery> };
  readonly kvApply: { readonly params: { readonly ops: readonly KvOp[] }; readonly result: TxnOutcome };
  /** Operations that are not on keys alone. */
  readonly txnApply: { readonly params: { readonly ops: readonly TxnOp[] }; readonly result: TxnOutcome };
  /** The same where SQL is among them. */
  readonly sqlTxnApply: { readonly params: { readonly ops: readonly TxnOp[] }; readonly result: TxnOutcome };
  readonly sessionRead: {
    readonly params: CatalogReadRequest<SessionQuery>;
    readonly result: CatalogFound<SessionQuery>;
  };
  readonly sessionCreate: { readonly params: NewSession; readonly result: { readonly id: string } };
  readonly sessionDestroy: { readonly params: { readonly id: string }; readonly result: { readonly isDone: true } };
  /** The session, whose time begins anew; none where there is no such session. */
  readonly sessionRenew: {
    readonly params: { readonly id: string };
    readonly result: { readonly rows: readonly CatalogRow[] };
  };
}

const base64: Shape<Uint8Array> = (value, where) => {
  const found = text(VALUE_BYTES_MAX * 4 / 3)(value, where);
  try {
    return Uint8Array.fromBase64(found);
  } catch {
    throw new DecodeError(`Expected ${where} to be base64`);
  }
};

/** A whole number of 64 bits without a sign, as text. */
const unsigned: Shape<bigint> = (value, where) => {
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) return BigInt.asUintN(64, BigInt(value));
  throw new DecodeError(`Expected ${where} to be a whole number as text`);
};

const kvOp: Shape<KvOp> = record({
  verb: oneOf(...KV_VERBS),
  key: text(KEY_CHARS_MAX),
  value: base64,
  flags: unsigned,
  index: unsigned,
  session: plainName,
});
const opsFields = record({ ops: listOf(kvOp, OPS_MAX) });
const rowFields = { verb: oneOf(...ROW_VERBS), index: unsigned };
/** A client's statement, as a command of his would hold it. */
const clientStatement: Shape<BoundStatement> = (value, where) => {
  const [statement, ...others] = decodeStatements(base64(value, where)).statements;
  if (statement && others.length === 0) return statement;
  throw new DecodeError(`Expected ${where} to be one statement`);
};

const txnOp: Shape<TxnOp> = variants<TxnOp>({
  kv: record({ k: oneOf("kv"), op: kvOp }),
  node: record({ k: oneOf("node"), ...rowFields, node: nodeFields }),
  service: record({ k: oneOf("service"), ...rowFields, node: plainName, service: serviceFields }),
  check: record({ k: oneOf("check"), ...rowFields, node: plainName, check: checkFields }),
  session: record({ k: oneOf("session"), id: plainName }),
  sql: record({ k: oneOf("sql"), statement: clientStatement }),
});
const txnFields = record({ ops: listOf(txnOp, OPS_MAX) });
const rows = listOf<CatalogRow>(anyObject, 1_000_000);
const outcome: Shape<TxnOutcome> = variants<TxnOutcome>({
  done: record({ k: oneOf("done"), results: listOf(record({ at: whole(), rows }), OPS_MAX) }),
  conflict: record({ k: oneOf("conflict"), at: whole(), reason: text(KEY_CHARS_MAX * 4) }),
});
const newSession: Shape<NewSession> = record({
  name: plainName,
  node: plainName,
  lockDelayMs: finite,
  behavior: oneOf("release", "delete"),
  ttl: plainName,
  nodeChecks: listOf(plainName, OPS_MAX),
  serviceChecks: listOf(plainName, OPS_MAX),
});
const byId = record({ id: plainName });

/** What JSON holds of a value with whole numbers of 64 bits, bytes and statements. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, one) => {
      if (typeof one === "bigint") return String(one);
      if (one instanceof Uint8Array) return one.toBase64();
      return isStatement(one)
        ? encodeCommand({ kind: "request", transaction: true, statements: [one] }).toBase64()
        : one;
    }),
  );
}

function isStatement(value: unknown): value is BoundStatement {
  return typeof value === "object" && value !== null && "parts" in value && "positional" in value;
}

/** Operations in one entry of the log. */
function applying<Ops>(
  permissions: readonly Permission[],
  ops: Shape<{ readonly ops: readonly Ops[] }>,
  acl: OperationAcl<{ readonly ops: readonly Ops[] }, TxnOutcome>,
): Operation<{ readonly ops: readonly Ops[] }, TxnOutcome> {
  return {
    permissions,
    acl,
    isForLeader: () => true,
    mayWrite: true,
    params: {
      encode: (params) => ({ value: plain(params), body: new Uint8Array() }),
      decode: ({ value }) => ops(value, "the message"),
    },
    result: jsonCodec(outcome),
  };
}

const OF_TXN = {
  needs: ({ ops }: { readonly ops: readonly TxnOp[] }, read: ReadRows) => needsOfTxn(ops, read),
};
const OF_SESSION = { needs: ({ id }: { readonly id: string }, read: ReadRows) => needsOfSession(id, read) };

/** These operations, and how they travel. */
export const KEY_OPERATIONS: OperationTable<KeyOperations> = {
  kvRead: readOperation("kv-read", kvQuery),
  kvApply: applying(["kv-write"], opsFields, { needs: ({ ops }) => ops.map(needOfKv) }),
  txnApply: applying(["kv-write", "catalog-write", "session-write"], txnFields, OF_TXN),
  sqlTxnApply: applying(["kv-write", "catalog-write", "session-write", "query", "execute"], txnFields, OF_TXN),
  sessionRead: readOperation("session-read", sessionQuery),
  sessionCreate: jsonOperation(["session-write"], newSession, byId, {
    needs: ({ node }) => [needsOf("session", "write", node)],
  }),
  sessionDestroy: jsonOperation(["session-write"], byId, record({ isDone: (): true => true }), OF_SESSION),
  sessionRenew: jsonOperation(["session-write"], byId, record({ rows }), OF_SESSION),
};

/** What these operations work with. */
export interface KeyParts extends CatalogReadParts {
  readonly agent: Agent | undefined;
  readonly timers: SessionTimers;
  readonly keyTimers: KeyTimers;
}

/** Does these operations on this node. */
export function keyImplementations(parts: KeyParts): Implementations<KeyOperations> {
  const { catalog, timers, keyTimers } = parts;
  const most = () => parts.agent?.options.queryTimeMs.most ?? 0;
  const applied = async (datacenter: string, ops: readonly TxnOp[]): Promise<TxnOutcome> => {
    const outcome = await applyTxn(catalog, datacenter, ops);
    if (ops.some((op) => op.k === "kv" && op.op.verb === "expire")) keyTimers.look();
    return outcome;
  };
  return {
    kvRead: (request, { whenOver }) =>
      readCatalog(parts, { ...request, waitMs: Math.min(request.waitMs, most()) }, whenOver),
    async kvApply({ ops }) {
      expectToLead(parts);
      return await applied("", ops.map((op) => ({ k: "kv", op })));
    },
    async txnApply({ ops }) {
      expectToLead(parts);
      return await applied(parts.agent?.options.datacenter ?? "", ops);
    },
    async sqlTxnApply({ ops }) {
      expectToLead(parts);
      return await applied(parts.agent?.options.datacenter ?? "", ops);
    },
    sessionRead: (request, { whenOver }) =>
      readCatalog(parts, { ...request, waitMs: Math.min(request.waitMs, most()) }, whenOver),
    async sessionCreate(session) {
      expectToLead(parts);
      const id = crypto.randomUUID();
      await whileInConflict(() => createSession(catalog, id, session));
      timers.renew(id, parseDuration(session.ttl) ?? 0);
      return { id };
    },
    async sessionDestroy({ id }) {
      expectToLead(parts);
      await catalog.write([endOfSession(id)]);
      timers.forget(id);
      return { isDone: true };
    },
    async sessionRenew({ id }) {
      expectToLead(parts);
      const { rows: [found] } = await catalog.read([{
        sql: "SELECT * FROM _muster_sessions WHERE id = ?",
        positional: [id],
      }]);
      for (const { ttl } of found) timers.renew(id, parseDuration(String(ttl)) ?? 0);
      return { rows: found };
    },
  };
}

/** The write that ends a session; what follows from that, the tables know. */
export function endOfSession(id: string): CatalogWrite {
  return { sql: "DELETE FROM _muster_sessions WHERE id = ?", positional: [id] };
}

/** @throws {OperationError} When its node, or a check, is not there or not well. */
async function createSession(catalog: Catalog, id: string, session: NewSession): Promise<void> {
  const { name, node, lockDelayMs, behavior, ttl, nodeChecks, serviceChecks } = session;
  const checks = [...new Set([...nodeChecks, ...serviceChecks])];
  const { rows: [[known], states] } = await catalog.read([
    { sql: "SELECT name FROM _muster_nodes WHERE name = ?", positional: [node] },
    { sql: "SELECT id, status FROM _muster_checks WHERE node = ?", positional: [node] },
  ]);
  if (!known) throw new OperationError("Missing node registration");
  const byId = new Map(states.map(({ id, status }) => [String(id), String(status)]));
  for (const check of checks) {
    if (!byId.has(check)) throw new OperationError(`Missing check '${check}' registration`);
    if (byId.get(check) === "critical") throw new OperationError(`Check '${check}' is in critical state`);
  }
  await catalog.write([
    guard("EXISTS(SELECT 1 FROM _muster_nodes WHERE name = ?)", [node]),
    ...checks.map((check) =>
      guard("EXISTS(SELECT 1 FROM _muster_checks WHERE node = ? AND id = ? AND status <> 'critical')", [node, check])
    ),
    {
      sql: `INSERT INTO _muster_sessions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ${NOW}, ${NOW})`,
      positional: [
        id,
        name,
        String(known.name),
        BigInt(Math.round(lockDelayMs)),
        behavior,
        ttl,
        JSON.stringify(nodeChecks),
        JSON.stringify(serviceChecks),
      ],
    },
    ...checks.map((check) => ({
      sql: "INSERT INTO _muster_session_checks VALUES(?, ?, ?)",
      positional: [id, node, check],
    })),
  ]);
}
