/** Checks of tokens on a server that leads, one that does not, and a client agent; servers are played. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Access, type AccessParts, authorizationOf, digestOf } from "../../../src/app/acl/access.ts";
import { type AclSettings, agentTokenName, AgentTokens } from "../../../src/app/acl/settings.ts";
import type { ResolvedToken, TokenBody } from "../../../src/app/acl/stored.ts";
import { ForwardError, RefusedError } from "../../../src/app/database/errors.ts";
import { Users } from "../../../src/app/users/users.ts";
import { ANONYMOUS_ACCESSOR, needsOf } from "../../../src/core/acl/resource.ts";
import type { Credentials } from "../../../src/core/acl/guard.ts";
import { hashPassword } from "../../../src/app/users/password.ts";
import { DENY } from "../../harness/acl.ts";

const ROUNDS = 1000;
const KEY = [needsOf("key", "write", "a")];
const ALLOWING = `key "a" { policy = "write" }`;
const resolved = (rules = ALLOWING, more: Partial<ResolvedToken> = {}): ResolvedToken => ({
  accessor: "acc",
  rules: [rules],
  standard: "deny",
  expiresMs: 0,
  ...more,
});

const shown = (authorization: string, address = "10.0.0.1"): Credentials => ({ authorization, address });
const basic = (name: string, password: string) => `Basic ${btoa(`${name}:${password}`)}`;

/** Access control whose server is played. */
class Played {
  nowMs = 1_000_000;
  /** What servers answer; undefined: they do not. */
  answer: (secret: string, ofLeader: boolean) => ResolvedToken | undefined = () => undefined;
  asked = 0;
  readonly access: Access;

  constructor(settings: Partial<AclSettings> = {}, more: Partial<AccessParts> = {}) {
    this.access = new Access({
      settings: { ...DENY, ...settings },
      tokens: new AgentTokens(settings.tokens),
      nodeName: "n",
      datacenter: "dc1",
      users: undefined,
      local: undefined,
      ask: ({ authorization }, ofLeader) => {
        this.asked++;
        return Promise.try(() => this.answer(authorization.replace("Bearer ", ""), ofLeader));
      },
      log() {},
      nowMs: () => this.nowMs,
      work: ROUNDS,
      ...more,
    });
  }

  /** Whether a token may write the key. */
  async may(secret: string): Promise<boolean> {
    try {
      await this.access.expect(KEY, shown(authorizationOf(secret)));
      return true;
    } catch (error) {
      if (error instanceof RefusedError && error.why.k === "denied") return false;
      throw error;
    }
  }
}

const down = (): never => {
  throw new ForwardError("no servers", "no_servers");
};

Deno.test("a client agent asks a server once for each token, and again when its answer is old", async () => {
  const played = new Played({ tokenTtlMs: 30_000 });
  played.answer = (secret) =>
    secret === "s" ? resolved() : secret === "" ? resolved("", { accessor: ANONYMOUS_ACCESSOR }) : undefined;
  assertEquals(await Promise.all([played.may("s"), played.may("s")]), [true, true]);
  assertEquals([await played.may("s"), played.asked], [true, 1]);
  assertEquals([await played.may(""), played.asked], [false, 2], "another token has an answer of its own");
  played.nowMs += 31_000;
  played.answer = () => resolved("");
  assertEquals([await played.may("s"), played.asked], [false, 3]);
  await assertRejects(() => {
    played.answer = () => undefined;
    played.nowMs += 31_000;
    return played.may("s");
  }, RefusedError);
});

Deno.test("a client agent asks again before it refuses: what was given counts at once", async () => {
  const played = new Played();
  played.answer = () => resolved("");
  assertEquals(await played.may("s"), false);
  played.answer = () => resolved();
  assertEquals(await played.may("s"), false, "asked a moment ago");
  played.nowMs += 2000;
  assertEquals(await played.may("s"), true);
});

for (
  const [downPolicy, known, unknown] of [
    ["extend-cache", true, false],
    ["async-cache", true, false],
    ["deny", false, false],
    ["allow", true, true],
  ] as const
) {
  Deno.test(`while no server answers, down_policy ${downPolicy} decides`, async () => {
    const played = new Played({ downPolicy });
    played.answer = () => resolved();
    assert(await played.may("s"));
    played.answer = down;
    assertEquals(await played.may("s"), true, "its answer is new enough");
    played.nowMs += 31_000;
    assertEquals(await played.may("s"), known);
    assertEquals(await played.may("other"), unknown);
  });
}

Deno.test("a token whose time is over counts no more, whoever remembers it", async () => {
  const played = new Played({ downPolicy: "extend-cache" });
  played.answer = () => resolved(ALLOWING, { expiresMs: played.nowMs + 5000 });
  assert(await played.may("s"));
  played.answer = down;
  played.nowMs += 6000;
  assertEquals(await played.may("s"), false);
});

/** The database of a server with one token. */
async function localOf(
  secret: string,
  rules: string,
  expiresMs = 0,
): Promise<NonNullable<AccessParts["local"]> & { isLeading: boolean; readonly users: Map<string, string> }> {
  const digest = await digestOf(secret);
  const body: TokenBody = {
    description: "",
    policies: ["p"],
    roles: [],
    services: [],
    nodes: [],
    isLocal: false,
    createdMs: 0,
    ttl: undefined,
  };
  const policy = { id: "p", name: "p", body: JSON.stringify({ description: "", rules, datacenters: [] }) };
  const elsewhere = {
    id: "q",
    name: "q",
    body: JSON.stringify({ description: "", rules: ALLOWING, datacenters: ["dc2"] }),
  };
  const local = {
    isLeading: true,
    token: (asked: string) =>
      Promise.resolve(
        asked === digest
          ? [[{ accessor: "acc", body: JSON.stringify(body), expires_ms: expiresMs }], [], [policy, elsewhere]]
          : [[], [], []],
      ),
    /** Users, and the hashes of their passwords; each has this token. */
    users: new Map<string, string>(),
    user: async (name: string) => {
      const [[row], ...links] = await local.token(digest);
      const password = local.users.get(name);
      return password === undefined ? [[], [], []] : [[{ ...row, user: name, password }], ...links];
    },
    rows: () => Promise.resolve([]),
    isLeader: () => local.isLeading,
  };
  return local;
}

/** What somebody may do, or why nothing. */
async function verdictOf(access: Access, credentials: Credentials): Promise<string> {
  try {
    return (await access.authorizerOf(credentials)).accessor;
  } catch (error) {
    if (error instanceof RefusedError) return error.why.k;
    throw error;
  }
}

Deno.test("a user of the cluster shows a password in place of the secret; another one counts at once, guesses are limited", async () => {
  const local = await localOf("s", ALLOWING);
  local.users.set("mary", await hashPassword("right", ROUNDS));
  const { access } = new Played({}, { local });
  const ask = (name: string, password: string, address?: string) =>
    verdictOf(access, shown(basic(name, password), address));
  assertEquals([await ask("mary", "right"), await ask("any", "s")], ["acc", "acc"], "the secret goes before");
  assertEquals((await access.resolve(shown(basic("mary", "right"))))?.user, "mary");
  assertEquals((await access.resolve(shown(basic("any", "s"))))?.user, undefined);
  assertEquals([await ask("mary", "wrong"), await ask("nobody", "right")], ["unknown", "unknown"]);
  assertEquals(await verdictOf(access, shown("Bearer wrong")), "gone");
  local.users.set("mary", await hashPassword("new", ROUNDS));
  assertEquals([await ask("mary", "right"), await ask("mary", "new")], ["unknown", "acc"]);
  for (let guess = 0; guess < 18; guess++) assertEquals(await ask("mary", `guess ${guess}`), "unknown");
  assertEquals([await ask("mary", "one more"), await ask("mary", "new")], ["later", "later"]);
  assertEquals(
    [await ask("mary", "new", "10.0.0.2"), await ask("any", "s")],
    ["acc", "acc"],
    "not elsewhere, not a token",
  );
  local.users.delete("mary");
  assertEquals(await ask("mary", "new", "10.0.0.2"), "unknown");
});

Deno.test("a client agent has the servers look at a password, with the client's address, and remembers the answer", async () => {
  const asked: Credentials[] = [];
  let token: ResolvedToken | undefined = resolved(ALLOWING, { user: "mary" });
  const { access } = new Played({}, {
    ask(credentials) {
      asked.push(credentials);
      return Promise.resolve(token);
    },
  });
  const mary = shown(basic("mary", "right"), "10.1.1.1");
  assertEquals([await verdictOf(access, mary), await verdictOf(access, mary)], ["acc", "acc"]);
  assertEquals(asked, [mary]);
  token = undefined;
  assertEquals(await verdictOf(access, shown(basic("mary", "other"))), "unknown", "it is no other password's answer");
  const refused = new Played({}, { ask: () => Promise.reject(new RefusedError({ k: "later", seconds: 5 })) });
  assertEquals(await verdictOf(refused.access, mary), "later");
});

Deno.test("a server knows tokens by its database; one that does not lead asks the leader before it refuses", async () => {
  const local = await localOf("s", "");
  const played = new Played({}, { local });
  played.answer = (_, ofLeader) => ofLeader ? resolved() : undefined;
  assertEquals([await played.may("s"), played.asked], [false, 0], "the leader asks nobody");
  await assertRejects(() => played.may("new"), RefusedError);
  local.isLeading = false;
  assertEquals([await played.may("s"), await played.may("new")], [true, true]);
  played.answer = down;
  assertEquals(await played.may("s"), false);
  await assertRejects(() => played.may("new"), RefusedError);
});

Deno.test("a policy of another datacenter does not count, nor a token after its time", async () => {
  const played = new Played({}, { local: await localOf("s", "", 1_000_500) });
  assertEquals(await played.may("s"), false);
  played.nowMs += 1000;
  await assertRejects(() => played.may("s"), RefusedError);
});

Deno.test("a policy that cannot be read allows nothing, also where everything is allowed by default", async () => {
  const played = new Played({ defaultPolicy: "allow" }, {
    local: await localOf("s", `new_resource "x" { policy = "deny" }`),
  });
  assertEquals(await played.may("s"), false);
  assertEquals(await played.may(""), true);
});

Deno.test("the recovery token of an agent needs no server", async () => {
  const played = new Played({ tokens: { agent_recovery: "rescue" } });
  played.answer = down;
  const may = await played.access.authorizerOf(shown(authorizationOf("rescue")));
  assert(may.allows(needsOf("agent", "write", "n")) && !may.allows(needsOf("agent", "write", "other")));
  assert(!may.allows(needsOf("key", "read", "a")));
});

Deno.test("a user of the auth file is none of a token, whose rules say nothing of it", async () => {
  const users = new Users([
    { username: "bob", password: "pw", token: "bobs-token", permissions: ["query"] },
  ]);
  const played = new Played({}, { local: await localOf("s", ALLOWING), users });
  assertEquals(await played.access.isUser(basic("bob", "wrong")), true, "a wrong password is no token");
  assertEquals(await played.access.isUser("Bearer bobs-token"), true);
  assert((await played.access.authorizerOf(shown("Bearer bobs-token"))).isUnlimited, "his permissions decide");
  assertEquals(await played.access.isUser(basic("any", "s")), false);
  assertEquals((await played.access.authorizerOf(shown(basic("any", "s")))).accessor, "acc");
  assertEquals([await played.access.isUser("Bearer s"), await played.access.isUser("")], [false, false]);
});

Deno.test("an agent's tokens stand in for each other, and have their names of before", () => {
  const tokens = new AgentTokens({ default: "d" });
  assertEquals([tokens.forRequests, tokens.forAgent, tokens.forNames], ["d", "d", "d"]);
  const changed: string[] = [];
  tokens.onChange = (name) => void changed.push(name);
  tokens.set("agent", "a");
  tokens.set("agent", "a");
  tokens.take({ dns: "n" });
  assertEquals([tokens.forRequests, tokens.forAgent, tokens.forNames, changed], ["d", "a", "n", ["agent", "dns"]]);
  assertEquals(tokens.all, { default: "d", agent: "a", dns: "n" });
  assertEquals(["acl_token", "agent_master", "dns", "constructor"].map(agentTokenName), [
    "default",
    "agent_recovery",
    "dns",
    undefined,
  ]);
});
