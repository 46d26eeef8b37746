/**
 * An operation that one node asks of another: typed parameters, a typed result, and how both travel. A table of operations
 * is for both ends, as a table of methods is for the two ends of a port (base/worker/channel.ts).
 *
 * What travels is a JSON value and bytes. The bytes are statements, a part of a file or rows, as whoever made them
 * encoded them: nothing is encoded twice. What arrives comes from outside; it is decoded against a description
 * (base/codec/shape.ts), and what does not fit is an error that says what was expected.
 *
 * Results have any size that the budget for answers allows ({@linkcode Packet.held}); a file is asked for piece by piece,
 * so that it goes no faster than its receiver takes it.
 *
 * What is for another datacenter travels as an operation of a name of its own, `elsewhere`, so that a server of a version that
 * knows no other datacenters refuses it by that name rather than answer for the wrong one:
 *
 *     client agent ── elsewhere ──▶ a server of its datacenter ── elsewhere, from ──▶ a server of the other ──▶ its leader
 *
 * The server of the other datacenter does it as if its own client had asked: with the client's credentials, which it checks
 * against its own users.
 * @module
 */
import { optional, record, type Shape, text } from "../../base/codec/shape.ts";
import type { Forwarded, PeerMessage } from "../../drivers/replica/api.ts";
import type { ActiveSpan } from "../traces/active_span.ts";
import type { Permission } from "../users/permission.ts";
import type { OperationAcl } from "../../core/acl/guard.ts";
import type { HeldAnswer } from "./held_answer.ts";

/** Parameters or a result, on their way. */
export interface Packet {
  /** A value that JSON can hold. */
  readonly value: unknown;
  readonly body: Uint8Array;
  /** Counts the body among long answers, until it has left. */
  readonly held?: HeldAnswer;
}

/** Who asks. */
export type Asker =
  /** A client, whose credentials the node that does it checks again, against its own users. */
  | { readonly k: "client"; readonly authorization: string; readonly address: string }
  /** The node for itself: it holds all data anyway. */
  | { readonly k: "node" };

/** One way of a value. */
export interface Codec<T> {
  /** The bytes are the caller's. */
  encode(value: T): Packet;
  /** @throws {import("../../base/codec/cursor.ts").DecodeError} When it is something else. */
  decode(packet: Packet): T;
}

/** An operation. */
export interface Operation<Params, Result> {
  /** Permissions that a client needs for it, all of them. */
  readonly permissions: readonly Permission[];
  /** What a token needs for it, and sees of it, where access control is on. */
  readonly acl: OperationAcl<Params, Result>;
  /** Whether a node may ask it for itself. @default {false} */
  readonly isForNodes?: boolean;
  /**
   * Whether only the leader can do it: a node that does not lead then asks without trying, which is quicker.
   * @default {false}
   */
  isForLeader?(params: Params): boolean;
  /**
   * Whether it is an entry of the log: a node that does not lead can propose it to a leader that takes that, and answers
   * from its own database.
   * @default {false}
   */
  isProposal?(params: Params): boolean;
  /** Whether it may change the database, so that its outcome is unknown where its result is lost. @default {false} */
  readonly mayWrite?: boolean;
  /** Whether nothing uses the bytes of the parameters once there is a result, so that they can be freed. @default {false} */
  readonly freesBody?: boolean;
  readonly params: Codec<Params>;
  readonly result: Codec<Result>;
}

/** Parameters and results by name. */
export type OperationTypes<M> = { readonly [K in keyof M]: { readonly params: unknown; readonly result: unknown } };

/** All operations of `M`. */
export type OperationTable<M extends OperationTypes<M>> = {
  readonly [K in keyof M]: Operation<M[K]["params"], M[K]["result"]>;
};

/**
 * Resolves when waiting on is of no use: the client has left, or this node stops. A client that has ended its half of the
 * connection seems to have left; where its answer is owed, as it tells of writes, it gets it all the same.
 */
export type WhenOver = (isOwed?: boolean) => Promise<void>;

/** The circumstances of an operation. */
export interface Circumstances {
  readonly by: Asker;
  /** Resolves when nobody waits for the result any more; asked for what takes long. */
  readonly whenOver?: WhenOver | undefined;
  /** Present where it is traced. */
  readonly span?: ActiveSpan | undefined;
}

/** What does the operations of `M` on this node. Throws a `NotLeaderError`, having done nothing, where only the leader can. */
export type Implementations<M extends OperationTypes<M>> = {
  readonly [K in keyof M]: (
    params: M[K]["params"],
    circumstances: Circumstances,
  ) => M[K]["result"] | Promise<M[K]["result"]>;
};

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** A value without bytes. */
export function jsonCodec<T>(shape: Shape<T>): Codec<T> {
  return {
    encode: (value) => ({ value, body: NO_BYTES }),
    decode: ({ value }) => shape(value, "the message"),
  };
}

/** No value at all. */
export const NOTHING: Codec<void> = {
  encode: () => ({ value: undefined, body: NO_BYTES }),
  decode() {},
};

/** An operation whose parameters and result have no bytes. */
export function jsonOperation<Params, Result>(
  permissions: readonly Permission[],
  params: Shape<Params>,
  result: Shape<Result>,
  acl: OperationAcl<Params, Result>,
): Operation<Params, Result> {
  return { permissions, acl, params: jsonCodec(params), result: jsonCodec(result) };
}

/** Name of the operation that carries another one. */
export const ELSEWHERE = "elsewhere";
const DATACENTER_LENGTH_MAX = 128;

/** The way to other datacenters, on a server. */
export interface Elsewhere {
  /**
   * Has a server of another datacenter do an operation; the head of the call says which.
   * @throws {import("./errors.ts").OperationError} When there is no such datacenter, or no server of it can be reached.
   * @throws {import("./errors.ts").BusyError} When too many requests to it are under way.
   * @throws {import("./errors.ts").ForwardError} When a server was asked and has not answered.
   */
  forward(
    datacenter: string,
    call: PeerMessage,
    options: CrossingOptions,
  ): Promise<Forwarded>;
}

/** How a request goes to another datacenter. */
export interface CrossingOptions {
  readonly timeoutMs: number;
  /** Resolves when nobody waits for the answer any more. */
  readonly over?: Promise<void> | undefined;
  /** Whether it may be sent once more where a server has not answered, as it changes nothing. @default {false} */
  readonly isRepeatable?: boolean;
}

/** Operations that change nothing. */
const READS: ReadonlySet<string> = new Set([
  "catalogRead",
  "configRead",
  "coordinates",
  "datacenters",
  "kvRead",
  "query",
  "queryRead",
  "raftConfiguration",
  "raftHealth",
  "raftPeers",
  "sessionRead",
]);

/** Whether an operation may be done twice without harm. */
export function isRepeatable(operation: string): boolean {
  return READS.has(operation);
}

/** Parameters of {@linkcode ELSEWHERE}. */
export interface ElsewhereParams {
  /** Where it is to be done. */
  readonly datacenter: string;
  /** Datacenter of the server that asks; missing between a client agent and a server of its own. */
  readonly from?: string | undefined;
  readonly operation: string;
  readonly params: unknown;
}

/** Reads them. */
export const elsewhereParams: Shape<ElsewhereParams> = record({
  datacenter: text(DATACENTER_LENGTH_MAX),
  from: optional(text(DATACENTER_LENGTH_MAX)),
  operation: text(64),
  params: (value: unknown) => value,
});

/**
 * The credentials that another datacenter gets to see: those of the client. The one place where they are handed on: what a
 * client shows besides its user and password belongs here.
 */
export function handedOn(by: Asker): Asker {
  return by;
}
