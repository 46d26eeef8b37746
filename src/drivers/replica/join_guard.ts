/**
 * Checks whether a node may join, or bootstrap with others, if there are users (Q17.1.4). It must show the credentials
 * of a user with the permission `join`, or `join-read-only` for a non-voter. The HTTP Workers, which have the users,
 * answer this.
 * @module
 */
import type { RpcAnswer } from "../transport/rpc.ts";
import { RemoteError } from "../transport/rpc.ts";
import { type Rpc, textField } from "../transport/wire.ts";

/** The part that answers. */
export interface JoinGuardParts {
  readonly options: { readonly checksJoins: boolean };
  /** Answers membership calls. */
  readonly cluster: { answer(method: string, head: Record<string, unknown>): Promise<RpcAnswer> | undefined };
  /** Answers requests of the HTTP API. */
  readonly http: { answerCall(rpc: Rpc, over: Promise<void>): Promise<RpcAnswer> };
}

const OK = 200;

/** Answers a membership call if it may be answered; undefined for a method that is not one. */
export function answerMembership(
  rpc: Rpc,
  { options, cluster, http }: JoinGuardParts,
  over: Promise<void>,
): Promise<RpcAnswer> | undefined {
  const { method, head } = rpc;
  if (!options.checksJoins || method !== "join" && method !== "notify") return cluster.answer(method, head);
  return refuseStrangers(rpc, http, over).then(() => cluster.answer(method, head) ?? http.answerCall(rpc, over));
}

async function refuseStrangers(rpc: Rpc, http: JoinGuardParts["http"], over: Promise<void>): Promise<void> {
  const target = rpc.head.role === "nonvoter" ? "/join-read-only" : "/join";
  const authorization = rpc.head.authorization === undefined ? "" : textField(rpc.head, "authorization");
  const head = { method: "POST", target, contentType: "", authorization, address: "" };
  const { head: { status } } = await http.answerCall({ ...rpc, method: "http", head, body: new Uint8Array(0) }, over);
  if (status === OK) return;
  const hint = authorization === "" ? " (did you forget to set -join-as?)" : "";
  throw new RemoteError(`unauthorized to join as ${target === "/join" ? "a voter" : "a non-voter"}${hint}`);
}
