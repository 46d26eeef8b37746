/**
 * `GET /cluster/live`: a picture of the cluster, sent again whenever it changes; and `GET /console/whoami`: what the caller may do.
 * Muster's own, for its console and for anybody else who looks at a cluster.
 * @module
 */
import { parseCredentials } from "../../app/users/credentials.ts";
import { isPermission, type Permission, PERMISSIONS } from "../../app/users/permission.ts";
import type { Users } from "../../app/users/users.ts";
import {
  ForwardError,
  NoLeaderError,
  OperationError,
  RefusedError,
  RemoteFailure,
  TooManyWaitError,
} from "../../app/database/errors.ts";
import type { LivePicture } from "../../app/picture/live_picture.ts";
import type { Access } from "../../app/acl/access.ts";
import { type Need, needs, needsOf } from "../../core/acl/resource.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { laterText } from "../http/route.ts";
import { streamed } from "./changes.ts";
import { clientOf, deniedError, expectAllowed, type LeaderParts } from "./leadership.ts";
import { json } from "./nodes.ts";

/** Dependencies of these endpoints. */
export interface ClusterLiveParts extends LeaderParts {
  readonly picture: LivePicture;
}

/** Errors that end the stream with their text; others are faults of this program. */
const TOLD = [
  ForwardError,
  HttpError,
  NoLeaderError,
  OperationError,
  RefusedError,
  RemoteFailure,
  TooManyWaitError,
];

/** `GET /cluster/live`, `?follow=false`, `?format=sse`. */
export function handleClusterLive(request: HttpRequest, parts: ClusterLiveParts): HttpResponse {
  const wanted = [needs("operator", "read")];
  const isOnce = request.params.get("follow") === "false";
  return streamed(request, async function* (isSse, over) {
    try {
      for await (const text of parts.picture.follow(clientOf(request), over)) {
        await expectAllowed(parts, request, wanted);
        if (text === undefined) yield isSse ? ":\n\n" : "\n";
        else yield isSse ? `event: picture\ndata: ${text}\n\n` : `${text}\n`;
        if (isOnce) return;
      }
    } catch (error) {
      if (!(error instanceof Error) || !TOLD.some((kind) => error instanceof kind)) throw error;
      const text = JSON.stringify({ error: error.message });
      yield isSse ? `event: error\ndata: ${text}\n\n` : `${text}\n`;
    }
  });
}

/** Dependencies of `/console/whoami`. */
export interface WhoamiParts {
  readonly users: Users | undefined;
  readonly access: Access | undefined;
  readonly options: {
    readonly nodeId: string;
    readonly programVersion: string;
    readonly agent?: { readonly isServer: boolean; readonly datacenter: string; readonly nodeName: string };
  };
}

/** Who asks, and what they may do. */
interface Caller {
  /** `everybody` where nobody has to sign in. */
  readonly kind: "everybody" | "nobody" | "user" | "token" | "anonymous";
  readonly name: string;
  readonly permissions: readonly Permission[];
}

const ALL: readonly Permission[] = Object.keys(PERMISSIONS).filter(isPermission);

/** `GET /console/whoami`. It is below the page's own path, where browsers send the credentials that the page was opened with. */
export async function handleWhoami(request: HttpRequest, parts: WhoamiParts): Promise<HttpResponse> {
  const { users, access, options: { nodeId, programVersion, agent } } = parts;
  return json({
    ...await callerOf(request, parts),
    // Users of the cluster have tokens; most show the token itself.
    sign_in: [...(users ? ["user"] : []), ...(access ? ["token"] : []), ...(access && !users ? ["user"] : [])],
    node: { id: nodeId, name: agent?.nodeName ?? nodeId, version: programVersion },
    agent: agent ? { server: agent.isServer, datacenter: agent.datacenter } : null,
  }, request);
}

async function callerOf(request: HttpRequest, { users, access }: WhoamiParts): Promise<Caller> {
  const credentials = parseCredentials(request.authorization);
  const name = credentials?.kind === "password" ? credentials.username : "";
  if (access && !(users && await access.isUser(request.authorization))) {
    const token = credentials && await access.resolve(request);
    if (credentials?.kind === "password" && !token) {
      return { kind: "nobody", name: "", permissions: await ofToken({ ...request, authorization: "" }, access) };
    }
    const kind = token?.user !== undefined ? "user" : credentials ? "token" : "anonymous";
    return { kind, name: token?.user ?? "", permissions: await ofToken(request, access) };
  }
  if (!users) return { kind: "everybody", name: "", permissions: ALL };
  const verdict = await users.check([], request, { mustBeKnown: true });
  if (verdict.k === "later") throw new HttpError(429, laterText(verdict), { retryAfter: verdict.seconds });
  const shown = verdict.k === "allowed" ? request : { authorization: "", address: request.address };
  const permissions: Permission[] = [];
  for (const one of ALL) if ((await users.check([one], shown)).k === "allowed") permissions.push(one);
  return { kind: verdict.k === "allowed" ? "user" : "nobody", name, permissions };
}

/**
 * What a token needs for each permission. Rules about names, such as a prefix of keys, are not for all of them: what such a
 * rule may allow is told as allowed, and what it does not is refused when it is tried.
 */
const OF_TOKENS: Partial<Record<Permission, Need>> = {
  "execute": needs("sql", "write"),
  "query": needs("sql", "read"),
  "load": needs("acl", "write"),
  "backup": needs("acl", "write"),
  "snapshot": needs("operator", "write"),
  "remove": needs("operator", "write"),
  "status": needs("operator", "read"),
  "leader-ops": needs("operator", "write"),
  "agent-write": needsOf("agent", "write", ""),
  "operator-read": needs("operator", "read"),
  "operator-write": needs("operator", "write"),
  "keyring": needs("keyring", "write"),
};

async function ofToken(request: HttpRequest, access: Access): Promise<Permission[]> {
  try {
    const may = await access.authorizerOf(request);
    return ALL.filter((one) => {
      const need = OF_TOKENS[one];
      return need === undefined || may.allows(need);
    });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { why } = error;
    if (why.k === "denied" || why.k === "gone") throw deniedError(why);
    if (why.k === "unknown") throw new HttpError(401, "");
    throw why.k === "later" ? new HttpError(429, laterText(why), { retryAfter: why.seconds }) : error;
  }
}
