/**
 * A route: which requests it takes, who may send them, and what answers. The APIs are tables of routes, so that no path is
 * without its permission. Everything that both do with a route is here.
 * @module
 */
import type { Permission } from "../../app/users/permission.ts";
import type { AccessGuard } from "../../core/acl/guard.ts";
import type { Users } from "../../app/users/users.ts";
import type { Verdict } from "../../app/users/verdict.ts";
import type { HttpResponse } from "./problem.ts";
import type { HttpRequest } from "./request.ts";

/** Answers one kind of request. */
export type Handler<Parts> = (
  request: HttpRequest,
  parts: Parts,
  /** The path behind the route's, percent-decoded. */
  rest: string,
) => HttpResponse | Promise<HttpResponse>;

/** A route of an API whose handlers work with `Parts`. */
export interface Route<Parts> {
  readonly path: string;
  /** Whether longer paths match, too. */
  readonly isPrefix: boolean;
  /** Empty for any. */
  readonly methods: readonly string[];
  /** Permissions that such a request needs, all of them; empty for none. */
  readonly permissions: readonly Permission[];
  /** Whether the body may have any size, and is handed over as it comes. @default {false} */
  readonly isStream?: boolean;
  readonly handler: Handler<Parts>;
}

/** Why a request is not answered. */
export type Refusal = Exclude<Verdict, { k: "allowed" }>;

/** Dependencies of checking a request. */
export interface GuardParts {
  /** Absent where everybody may do everything (no `-auth`). */
  readonly users: Users | undefined;
  /** Absent where access control is off; with it, the permissions are for users of the auth file alone. */
  readonly access?: AccessGuard | undefined;
  readonly counters: { auth_ok: number; auth_fail: number };
}

/** The first route that takes a path. */
export function routeOf<R extends Pick<Route<never>, "path" | "isPrefix">>(
  routes: readonly R[],
  path: string,
): R | undefined {
  return routes.find((route) => route.isPrefix ? path.startsWith(route.path) : path === route.path);
}

/** Why a request may not be answered; undefined where it may, at once where everybody may do everything. */
export function refusalOf(
  { permissions }: Pick<Route<never>, "permissions">,
  request: HttpRequest,
  { users, counters, access }: GuardParts,
): Promise<Refusal | undefined> | undefined {
  if (users && access) {
    return access.isUser(request.authorization).then((isUser) =>
      isUser ? checked(users, permissions, request, { counters, mustBeKnown: true }) : undefined
    );
  }
  if (users) return checked(users, permissions, request, { counters, mustBeKnown: false });
  if (permissions.length > 0) counters.auth_ok++;
  return undefined;
}

async function checked(
  users: Users,
  permissions: readonly Permission[],
  request: HttpRequest,
  { counters, mustBeKnown }: { counters: GuardParts["counters"]; mustBeKnown: boolean },
): Promise<Refusal | undefined> {
  const verdict = await users.check(permissions, request, { mustBeKnown });
  if (verdict.k !== "allowed") {
    counters.auth_fail++;
    return verdict;
  }
  if (permissions.length > 0) counters.auth_ok++;
  return undefined;
}

/** The text for a client that has tried too often. */
export function laterText({ seconds }: Extract<Verdict, { k: "later" }>): string {
  return `too many failed logins: try again in ${seconds} s`;
}
