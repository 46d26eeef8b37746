/**
 * What access control asks of operations: what each of them needs, and what a token may see of its result. With it off
 * (no `acl.enabled`) there is no guard, and nothing of this is looked at. Types only.
 * @module
 */
import type { Authorizer } from "./authorizer.ts";
import type { Need } from "./resource.ts";

/** What is needed: all of these; of those in a list, one. */
export type Needs = readonly (Need | readonly Need[])[];

/** Reads rows of the cluster's own tables, for needs that depend on what is there. */
export type ReadRows = (
  sql: string,
  positional: readonly string[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** The rules of one operation. */
export interface OperationAcl<Params, Result> {
  /** What the token of a client needs. */
  needs(params: Params, read: ReadRows): Needs | Promise<Needs>;
  /** The result with what the token may see; missing: all of it. */
  seen?(result: Result, may: Authorizer, params: Params): Result;
  /** Whether a server may ask it in the name of clients that it has checked itself. @default {false} */
  readonly isForServers?: boolean;
}

/** What a client shows of who it is. */
export interface Credentials {
  /** Value of the header `Authorization`; empty for none. */
  readonly authorization: string;
  /** Address of the client; empty where it is not known. */
  readonly address: string;
}

/** Checks the tokens of clients. */
export interface AccessGuard {
  /** Whether credentials are those of a user of the auth file, whose permissions decide. */
  isUser(authorization: string): Promise<boolean>;
  /**
   * Lets those on that have what is needed.
   * @throws {RefusedError} For the others.
   */
  expect(needs: Needs, shown: Credentials): Promise<void>;
  /**
   * What whoever shows this may do.
   * @throws {RefusedError} When it is the secret of no token, and the password of no user.
   */
  authorizerOf(shown: Credentials): Promise<Authorizer>;
  readonly read: ReadRows;
}
