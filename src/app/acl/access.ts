/**
 * Checks tokens against access control: what a request needs (core/acl), and what its token allows.
 *
 * - A request without a token is that of the anonymous one. A user of the auth file is none of a token: the permissions
 *   of the file decide, and no rule does.
 * - A server knows tokens by its own database. One that does not lead may be behind: before it refuses, it asks the
 *   leader, so that a token can be used anywhere as soon as it is made. What was taken from a token, a follower hears with
 *   the log.
 * - A client agent asks a server, and believes the answer for `token_ttl`; before it refuses, it asks again. While no
 *   server answers, `down_policy` decides.
 * - A password is that of a user of the cluster when it is no secret of a token: as long as that user's token is there, it is
 *   as good as the secret. Servers verify it, and limit wrong ones by the client's address (app/users/passwords.ts).
 * - Only digests of secrets are kept, here as in the database. Answers are kept by the digest: nobody gets what another
 *   token was answered.
 * @module
 */
import { Authorizer } from "../../core/acl/authorizer.ts";
import { BUILTIN_POLICIES, recoveryRules } from "../../core/acl/builtin.ts";
import { deniedText, type Need } from "../../core/acl/resource.ts";
import { parseRules, type Rule } from "../../core/acl/rules.ts";
import { ANONYMOUS_SECRET } from "../../core/catalog/acl_schema.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { AccessGuard, Credentials, Needs, ReadRows } from "../../core/acl/guard.ts";
import { ForwardError, NoLeaderError, RefusedError, unwrapped } from "../database/errors.ts";
import { bearer, parseCredentials } from "../users/credentials.ts";
import { Attempts } from "../users/attempts.ts";
import { ROUNDS } from "../users/password.ts";
import { keyedDigests, Passwords } from "../users/passwords.ts";
import type { Users } from "../users/users.ts";
import type { AclSettings, AgentTokens } from "./settings.ts";
import { resolvedOf, type ResolvedToken } from "./stored.ts";

type Rows = readonly (readonly Readonly<Record<string, unknown>>[])[];

/** Dependencies of checks. */
export interface AccessParts {
  readonly settings: AclSettings;
  readonly tokens: AgentTokens;
  readonly nodeName: string;
  readonly datacenter: string;
  /** Absent where there is no auth file. */
  readonly users: Pick<Users, "isOwn"> | undefined;
  /** In a server: its own database. */
  readonly local: {
    /** The rows of a token, by its digest. */
    token(digest: string): Promise<Rows>;
    /** The same of the token of a user, and the hash of the password. */
    user(name: string): Promise<Rows>;
    rows: ReadRows;
    isLeader(): boolean;
  } | undefined;
  /** Asks a server, or the leader, what a token comes to; undefined: there is none. Rejects where nobody answers. */
  ask(shown: Credentials, ofLeader: boolean): Promise<ResolvedToken | undefined>;
  log(line: string, level?: LogLevel): void;
  /** Wall clock, ms since 1970. @default {Date.now} */
  readonly nowMs?: () => number;
  /** Rounds of hashing that a wrong password takes. @default {ROUNDS} */
  readonly work?: number;
}

/** Tokens that are remembered, in either form. */
const KNOWN_MAX = 2048;
/** An answer that is so new is not asked for again before a refusal. */
const FRESH_MS = 1000;

const UNLIMITED = parseRules(BUILTIN_POLICIES[0].rules);

/** What a server told of a token. */
interface Known {
  readonly token: ResolvedToken;
  readonly atMs: number;
}

/** The SHA-256 of a secret, as the cluster keeps it. */
export async function digestOf(secret: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret))).toHex();
}

/** The secret in credentials; empty for none. A client that knows passwords alone shows it as one, whatever the name. */
export function secretIn(authorization: string): string {
  const credentials = parseCredentials(authorization);
  if (!credentials) return "";
  return credentials.kind === "token" ? credentials.token : credentials.password;
}

/** The header for a token; empty for none. */
export function authorizationOf(secret: string): string {
  return secret === "" ? "" : bearer(secret);
}

/** A token of this node itself, as credentials. */
export function ownCredentials(secret: string): Credentials {
  return { authorization: authorizationOf(secret), address: "" };
}

/** The name and the password in credentials that may be a user's. */
function passwordIn(authorization: string): { readonly username: string; readonly password: string } | undefined {
  const credentials = parseCredentials(authorization);
  return credentials?.kind === "password" && credentials.username !== "" ? credentials : undefined;
}

/** The access control of one node. */
export class Access implements AccessGuard {
  readonly settings: AclSettings;
  readonly tokens: AgentTokens;
  readonly #parts: AccessParts;
  readonly #nowMs: () => number;
  /** By the text of what a token comes to. */
  readonly #authorizers = new Map<string, Authorizer>();
  /** In a client agent, by digest. */
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<Known | undefined>>();
  readonly #passwords = new Passwords({
    digest: keyedDigests(),
    attempts: new Attempts(),
    nowMs: () => performance.now(),
  });
  readonly #recovery: Authorizer;
  readonly #user = new Authorizer("", UNLIMITED, "allow");

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.settings = parts.settings;
    this.tokens = parts.tokens;
    this.#nowMs = parts.nowMs ?? Date.now;
    this.#recovery = new Authorizer(
      `agent-recovery:${parts.nodeName}`,
      parseRules(recoveryRules(parts.nodeName)),
      "deny",
    );
  }

  /** See {@linkcode secretIn}. */
  secretIn(authorization: string): string {
    return secretIn(authorization);
  }

  async isUser(authorization: string): Promise<boolean> {
    return await this.#parts.users?.isOwn(authorization) ?? false;
  }

  readonly read: ReadRows = async (sql, positional) => await this.#parts.local?.rows(sql, positional) ?? [];

  async expect(all: Needs, shown: Credentials): Promise<void> {
    const needs = this.settings.listsKeys ? all : all.filter((need) => !("isForLists" in need));
    if (needs.length === 0) return;
    const may = await this.authorizerOf(shown);
    const lacking = lackingOf(may, needs);
    if (!lacking) return;
    const now = await this.#fresh(shown).catch(() => undefined);
    if (now && !lackingOf(now, needs)) return;
    throw new RefusedError({ k: "denied", text: deniedText(may.accessor, lacking) });
  }

  async authorizerOf(shown: Credentials): Promise<Authorizer> {
    const { authorization } = shown;
    const secret = secretIn(authorization);
    if (authorization !== "" && await this.isUser(authorization)) return this.#user;
    const recovery = this.tokens.of("agent_recovery");
    if (secret !== "" && recovery !== "" && await digestOf(secret) === await digestOf(recovery)) return this.#recovery;
    const token = await this.resolve(shown);
    if (!token) throw new RefusedError({ k: passwordIn(authorization) ? "unknown" : "gone" });
    return this.#compiled(token);
  }

  /**
   * What a token comes to; undefined where there is none.
   * @throws {RefusedError} After too many wrong passwords.
   */
  async resolve(shown: Credentials): Promise<ResolvedToken | undefined> {
    if (!this.#parts.local) return await this.#remembered(shown);
    return await this.resolveHere(shown) ?? (await unlessDown(this.#ofLeader(shown)));
  }

  /** The same by the database of this node alone. */
  async resolveHere(shown: Credentials): Promise<ResolvedToken | undefined> {
    const secret = secretIn(shown.authorization);
    const isAnonymous = secret === "";
    const rows = await this.#parts.local?.token(isAnonymous ? ANONYMOUS_SECRET : await digestOf(secret));
    return rows && (this.#resolved(rows, isAnonymous) ?? await this.#ofUser(shown));
  }

  #resolved(rows: Rows, isAnonymous: boolean): ResolvedToken | undefined {
    const { settings: { defaultPolicy: standard }, datacenter } = this.#parts;
    return resolvedOf(rows, { isAnonymous, standard, datacenter, nowMs: this.#nowMs() });
  }

  /** What the token of a user comes to whose password is shown. */
  async #ofUser({ authorization, address }: Credentials): Promise<ResolvedToken | undefined> {
    const { local, work = ROUNDS } = this.#parts;
    const shown = passwordIn(authorization);
    if (!shown || !local) return undefined;
    const rows = await local.user(shown.username);
    const stored = rows[0]?.[0]?.password;
    const verdict = await this.#passwords.verify(
      { ...shown, address },
      { stored: stored === undefined ? undefined : String(stored), work },
    );
    if (typeof verdict === "object") throw new RefusedError({ k: "later", ...verdict });
    return verdict === "right" ? this.#resolved(rows, false) : undefined;
  }

  /** By the leader, where this is a server that does not lead. */
  async #ofLeader(shown: Credentials): Promise<ResolvedToken | undefined> {
    const { local, ask } = this.#parts;
    return local?.isLeader() ? undefined : await ask(this.#handedOn(shown), true);
  }

  /** What another node is asked with: the secret, or a name and a password. */
  #handedOn({ authorization, address }: Credentials): Credentials {
    return {
      authorization: passwordIn(authorization) ? authorization : authorizationOf(secretIn(authorization)),
      address,
    };
  }

  /** By which a client agent remembers what it was told. */
  async #keyOf({ authorization }: Credentials): Promise<string> {
    return await digestOf(passwordIn(authorization) ? authorization : secretIn(authorization));
  }

  /** What whoever shows this may do by a newer answer; undefined where there is none to be had. */
  async #fresh(shown: Credentials): Promise<Authorizer | undefined> {
    if (this.#parts.local) {
      const token = await this.#ofLeader(shown);
      return token && this.#compiled(token);
    }
    const digest = await this.#keyOf(shown);
    const known = this.#known.get(digest);
    if (known && this.#nowMs() - known.atMs < FRESH_MS) return undefined;
    const found = await this.#ask(digest, shown);
    return found && this.#compiled(found.token);
  }

  /** In a client agent: by what a server told, not long ago. */
  async #remembered(shown: Credentials): Promise<ResolvedToken | undefined> {
    const digest = await this.#keyOf(shown);
    const { settings: { tokenTtlMs, downPolicy }, log } = this.#parts;
    const known = this.#known.get(digest);
    const isRunning = known !== undefined && !this.#isOver(known.token);
    if (isRunning && this.#nowMs() - known.atMs < tokenTtlMs) return known.token;
    if (isRunning && downPolicy === "async-cache") {
      this.#ask(digest, shown).catch((error) => log(`a token could not be looked up: ${messageOf(error)}`, "warn"));
      return known.token;
    }
    try {
      return (await this.#ask(digest, shown))?.token;
    } catch (error) {
      const failure = unwrapped(error);
      if (!(failure instanceof ForwardError || failure instanceof NoLeaderError)) throw error;
      log(`no server says what a token allows, down_policy ${downPolicy} decides: ${messageOf(failure)}`, "warn");
      if (downPolicy === "allow") return { accessor: "", rules: [], standard: "allow", expiresMs: 0 };
      if (downPolicy !== "deny" && isRunning) return known.token;
      return { accessor: known?.token.accessor ?? "", rules: [], standard: "deny", expiresMs: 0 };
    }
  }

  #isOver({ expiresMs }: ResolvedToken): boolean {
    return expiresMs > 0 && expiresMs <= this.#nowMs();
  }

  /** Asks a server once for all that ask for the same. */
  async #ask(digest: string, shown: Credentials): Promise<Known | undefined> {
    const asking = this.#asking.get(digest) ?? this.#askAlone(digest, shown);
    this.#asking.set(digest, asking);
    return await asking.finally(() => this.#asking.delete(digest));
  }

  async #askAlone(digest: string, shown: Credentials): Promise<Known | undefined> {
    const token = await this.#parts.ask(this.#handedOn(shown), false);
    this.#known.delete(digest);
    if (!token) return undefined;
    const known = { token, atMs: this.#nowMs() };
    this.#known.set(digest, known);
    dropOldest(this.#known);
    return known;
  }

  #compiled(token: ResolvedToken): Authorizer {
    const { accessor, rules, standard } = token;
    const key = JSON.stringify([accessor, standard, rules]);
    const known = this.#authorizers.get(key);
    if (known) return known;
    const made = new Authorizer(accessor, ...this.#rulesOf(token));
    this.#authorizers.set(key, made);
    dropOldest(this.#authorizers);
    return made;
  }

  /** A policy of another version that cannot be read may have denied something: its tokens may do nothing. */
  #rulesOf(
    { accessor, rules, standard }: ResolvedToken,
  ): [rules: readonly Rule[], standard: ResolvedToken["standard"]] {
    try {
      return [rules.flatMap(parseRules), standard];
    } catch (error) {
      this.#parts.log(`a policy of token ${accessor} cannot be read, it allows nothing: ${messageOf(error)}`, "error");
      return [[], "deny"];
    }
  }
}

/** Nothing where nobody can be asked. @throws {RefusedError} Which is an answer. */
async function unlessDown(asking: Promise<ResolvedToken | undefined>): Promise<ResolvedToken | undefined> {
  try {
    return await asking;
  } catch (error) {
    const failure = unwrapped(error);
    if (failure instanceof RefusedError) throw failure;
    return undefined;
  }
}

function dropOldest(known: Map<string, unknown>): void {
  if (known.size <= KNOWN_MAX) return;
  for (const oldest of known.keys()) return void known.delete(oldest);
}

/** The first need that is not met; of those of which one is enough, the last. */
export function lackingOf(may: Authorizer, needs: Needs): Need | undefined {
  for (const need of needs) {
    if ("resource" in need) {
      if (!may.allows(need)) return need;
    } else if (!need.some((one) => may.allows(one))) return need.at(-1);
  }
  return undefined;
}
