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
 * @module
 */
import type { Shape } from "../../base/codec/shape.ts";
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

/** The circumstances of an operation. */
export interface Circumstances {
  readonly by: Asker;
  /** Resolves when nobody waits for the result any more; asked for what takes long. */
  readonly whenOver?: (() => Promise<void>) | undefined;
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
