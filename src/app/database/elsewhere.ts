/**
 * Operations for another datacenter. What is asked travels as an operation of a name of its own, so that a server of a
 * version that knows no other datacenters refuses it by that name rather than answer for the wrong one:
 *
 *     client agent ── elsewhere ──▶ a server of its datacenter ── elsewhere, from ──▶ a server of the other ──▶ its leader
 *
 * The server of the other datacenter does it as if its own client had asked: with the client's credentials, which it checks
 * against its own users.
 * @module
 */
import { optional, record, type Shape, text } from "../../base/codec/shape.ts";
import type { Forwarded, PeerMessage } from "../../drivers/replica/api.ts";
import type { Asker } from "./operation.ts";

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
