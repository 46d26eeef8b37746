/**
 * Failures of operations as one node tells them to another: each class of error with its facts, so that the node that
 * the client asked reports them as its own. An error of another class was not expected: it travels as its message alone.
 * Pure.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { DecodeError } from "../../base/codec/cursor.ts";
import { flag, oneOf, record, type Shape, text, variants, whole } from "../../base/codec/shape.ts";
import { isPermission, type Permission } from "../users/permission.ts";
import type { Verdict } from "../users/verdict.ts";
import {
  BusyError,
  FORWARD_CODES,
  ForwardError,
  LoadError,
  NoLeaderError,
  NotLeaderError,
  OperationError,
  QueueWaitError,
  RefusedError,
  RequestError,
  TooLargeError,
  TooManyWaitError,
  unwrapped,
} from "./errors.ts";

/** A failure on its way. */
export interface Failure {
  readonly k: string;
  readonly message?: string;
  /** The class's own facts. */
  readonly [fact: string]: unknown;
}

/** Characters of a message; a longer one is cut. */
const MESSAGE_LENGTH_MAX = 16 * 1024;

const message = text(MESSAGE_LENGTH_MAX);
/** Classes that have no fact but their message. */
const PLAIN = {
  busy: BusyError,
  tooLarge: TooLargeError,
  load: LoadError,
  tooManyWait: TooManyWaitError,
  failed: OperationError,
};

/** Why nothing can be done without a leader: another node may know more, or this one soon. */
export function isLeaderless(error: unknown): boolean {
  const failure = unwrapped(error);
  return failure instanceof NoLeaderError || failure instanceof NotLeaderError ||
    failure instanceof ForwardError && failure.code === "not_sent" ||
    failure instanceof RequestError && failure.leaderless;
}

/** Describes an error for another node; undefined where nobody expects it. */
export function encodeFailure(thrown: unknown): Failure | undefined {
  const error = unwrapped(thrown);
  const message = messageOf(error).slice(0, MESSAGE_LENGTH_MAX);
  if (error instanceof RequestError) {
    return { k: "request", message, outcome: error.outcome, leaderless: error.leaderless };
  }
  if (error instanceof NotLeaderError) return { k: "notLeader" };
  if (error instanceof NoLeaderError) return { k: "noLeader" };
  if (error instanceof QueueWaitError) return { k: "queueWait" };
  if (error instanceof RefusedError) return { k: "refused", why: error.why };
  if (error instanceof ForwardError) return { k: "forward", message, code: error.code };
  const plain = Object.entries(PLAIN).find(([, known]) => error instanceof known);
  return plain && { k: plain[0], message };
}

function permission(value: unknown, where: string): Permission {
  if (typeof value === "string" && isPermission(value)) return value;
  throw new DecodeError(`Expected ${where} to be a permission that this version knows`);
}

const verdict = variants<Exclude<Verdict, { k: "allowed" }>>({
  unknown: record({ k: oneOf("unknown") }),
  lacking: record({ k: oneOf("lacking"), username: message, permission }),
  later: record({ k: oneOf("later"), seconds: whole() }),
  denied: record({ k: oneOf("denied"), text: message }),
  gone: record({ k: oneOf("gone") }),
});

/** A shape whose value becomes an error. */
function becoming<T>(shape: Shape<T>, make: (value: T) => Error): Shape<Error> {
  return (value, where) => make(shape(value, where));
}

/**
 * The error that {@linkcode encodeFailure} described.
 * @throws {DecodeError} When it is none.
 */
export const decodeFailure: Shape<Error> = variants<Error>({
  request: becoming(
    record({ k: text(16), message, outcome: oneOf("none", "unknown"), leaderless: flag }),
    ({ message, outcome, leaderless }) => new RequestError(message, outcome, { leaderless }),
  ),
  notLeader: becoming(record({ k: text(16) }), () => new NotLeaderError()),
  noLeader: becoming(record({ k: text(16) }), () => new NoLeaderError()),
  queueWait: becoming(record({ k: text(16) }), () => new QueueWaitError()),
  refused: becoming(record({ k: text(16), why: verdict }), ({ why }) => new RefusedError(why)),
  forward: becoming(
    record({ k: text(16), message, code: oneOf(...FORWARD_CODES) }),
    ({ message, code }) => new ForwardError(message, code),
  ),
  ...Object.fromEntries(
    Object.entries(PLAIN).map(([k, Made]) => [
      k,
      becoming(record({ k: text(16), message }), ({ message }) => new Made(message)),
    ]),
  ),
});
