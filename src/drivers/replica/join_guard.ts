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
  readonly cluster: { answer(method: string, head: Rpc["head"]): Promise<RpcAnswer> | undefined };
  /** The HTTP Workers. */
  readonly http: { mayJoin(shown: { authorization: string; isVoter: boolean }): Promise<boolean> };
}

/** Answers a membership call if it may be answered; undefined for a method that is not one. */
export function answerMembership(
  { method, head }: Rpc,
  { options, cluster, http }: JoinGuardParts,
): Promise<RpcAnswer> | undefined {
  if (!options.checksJoins || method !== "join" && method !== "notify") return cluster.answer(method, head);
  return refuseStrangers(head, http).then(() =>
    cluster.answer(method, head) ?? Promise.reject(new RemoteError(method))
  );
}

async function refuseStrangers(head: Rpc["head"], http: JoinGuardParts["http"]): Promise<void> {
  const isVoter = head.role !== "nonvoter";
  const authorization = head.authorization === undefined ? "" : textField(head, "authorization");
  if (await http.mayJoin({ authorization, isVoter })) return;
  const hint = authorization === "" ? " (did you forget to set -join-as?)" : "";
  throw new RemoteError(`unauthorized to join as ${isVoter ? "a voter" : "a non-voter"}${hint}`);
}
