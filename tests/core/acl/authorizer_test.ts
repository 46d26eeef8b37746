import { assert, assertEquals, assertThrows } from "@std/assert";
import { Authorizer } from "../../../src/core/acl/authorizer.ts";
import {
  BUILTIN_POLICIES,
  nodeIdentityRules,
  recoveryRules,
  serviceIdentityRules,
} from "../../../src/core/acl/builtin.ts";
import {
  type Access,
  ANONYMOUS_ACCESSOR,
  deniedText,
  NAMED_RESOURCES,
  type Need,
  needs,
  needsAllOf,
  needsOf,
  PLAIN_RESOURCES,
} from "../../../src/core/acl/resource.ts";
import { parseRules, RulesError } from "../../../src/core/acl/rules.ts";

const of = (text: string, standard: "allow" | "deny" = "deny") => new Authorizer("a", parseRules(text), standard);
const WANTED = ["read", "list", "write"] as const;
/** What each access includes. */
const INCLUDED: Readonly<Record<Access, readonly Access[]>> = {
  deny: [],
  read: ["read"],
  list: ["read", "list"],
  write: ["read", "list", "write"],
};

for (const resource of PLAIN_RESOURCES) {
  Deno.test(`the rule of ${resource} allows what it says`, () => {
    for (const policy of ["deny", "read", "write"] as const) {
      const texts = [`${resource} = "${policy}"`, JSON.stringify({ [resource]: policy })];
      for (const may of texts.map((text) => of(text))) {
        for (const access of WANTED) {
          assertEquals(may.allows({ resource, access }), INCLUDED[policy].includes(access), `${policy} ${access}`);
        }
        for (const other of PLAIN_RESOURCES) if (other !== resource) assert(!may.allows(needs(other, "read")), other);
        for (const other of NAMED_RESOURCES) assert(!may.allows(needsOf(other, "read", "x")), other);
      }
    }
    assertThrows(() => parseRules(`${resource} = "list"`), RulesError, `Invalid ${resource} policy`);
    assertEquals(of("", "allow").allows(needs(resource, "write")), resource !== "acl");
  });
}

for (const resource of NAMED_RESOURCES) {
  Deno.test(`the rules of ${resource} allow what they say: the exact name first, then the longest prefix`, () => {
    for (
      const policy of resource === "key"
        ? (["deny", "read", "list", "write"] as const)
        : (["deny", "read", "write"] as const)
    ) {
      const texts = [
        `${resource} "web" { policy = "${policy}" }`,
        JSON.stringify({ [resource]: { web: { policy } } }),
        JSON.stringify({ [resource]: [{ web: [{ policy }] }] }),
      ];
      for (const may of texts.map((text) => of(text))) {
        for (const access of WANTED) {
          assertEquals(may.allows(needsOf(resource, access, "web")), INCLUDED[policy].includes(access));
          assert(!may.allows(needsOf(resource, access, "web2")));
          assert(!may.allows(needsOf(resource, access, "")));
        }
      }
    }
    const nested = of(`
      ${resource}_prefix "" { policy = "read" }
      ${resource}_prefix "a" { policy = "write" }
      ${resource}_prefix "ab" { policy = "deny" }
      ${resource} "ab" { policy = "read" }
      ${resource} "abc" { policy = "write" }`);
    const found = ["", "x", "a", "ac", "ab", "abc", "abd"].map((name) =>
      WANTED.filter((access) => access !== "list" && nested.allows(needsOf(resource, access, name))).join("+")
    );
    assertEquals(found, ["read", "read", "read+write", "read+write", "read", "read+write", ""]);
    for (const other of NAMED_RESOURCES) if (other !== resource) assert(!nested.allows(needsOf(other, "read", "a")));
    if (resource !== "key") {
      assertThrows(() => parseRules(`${resource} "a" { policy = "list" }`), RulesError, "expected policy to be one of");
    }
  });

  Deno.test(`whoever is to do something with all of ${resource} needs a rule for all, and none against it`, () => {
    const all: Need = needsAllOf(resource, "read");
    assert(of(`${resource}_prefix "" { policy = "read" }`).allows(all));
    assert(!of(`${resource} "" { policy = "read" }`).allows(all));
    assert(!of(`${resource}_prefix "a" { policy = "write" }`).allows(all));
    assert(!of(`${resource}_prefix "" { policy = "write" } ${resource} "x" { policy = "deny" }`).allows(all));
    assert(of("", "allow").allows(all));
    assert(!of(`${resource} "x" { policy = "deny" }`, "allow").allows(all));
  });
}

Deno.test("a tree of keys can be written where no rule below it says otherwise", () => {
  const tree = (name: string): Need => ({ resource: "key", access: "write", name, isTree: true });
  const may = of(
    `key_prefix "a/" { policy = "write" } key_prefix "a/b/" { policy = "read" } key "a/c" { policy = "write" }`,
  );
  assertEquals(["a/", "a/c", "a/b", "a/b/", "a", ""].map((name) => may.allows(tree(name))), [
    false,
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("rules of several policies for one name: deny first, then write, list and read", () => {
  const merged = (...policies: Access[]) =>
    new Authorizer("a", policies.flatMap((policy) => parseRules(`key "k" { policy = "${policy}" }`)), "allow");
  const granted = (may: Authorizer) => WANTED.filter((access) => may.allows(needsOf("key", access, "k")));
  assertEquals(granted(merged("read", "write")), ["read", "list", "write"]);
  assertEquals(granted(merged("list", "read")), ["read", "list"]);
  assertEquals(granted(merged("write", "deny", "read")), []);
});

Deno.test("names of nodes and services are compared in either case, keys and events as they are", () => {
  const may = of(
    `node "Web" { policy = "write" } service_prefix "Api" { policy = "read" } key "K" { policy = "read" }`,
  );
  assert(may.allows(needsOf("node", "write", "wEB")));
  assert(may.allows(needsOf("service", "read", "API-1")));
  assert(!may.allows(needsOf("key", "read", "k")));
});

Deno.test("who may do everything is known for it", () => {
  const [management, reader] = BUILTIN_POLICIES.map(({ rules }) => of(rules));
  assert(management.isUnlimited);
  assert(!reader.isUnlimited);
  assert(reader.allows(needs("acl", "read")) && !reader.allows(needs("acl", "write")));
  assert(!of("", "allow").isUnlimited, "the lists themselves are not for everybody");
  assert(!of(`${BUILTIN_POLICIES[0].rules} key "secret" { policy = "deny" }`).isUnlimited);
});

Deno.test("identities allow what an instance of a service and an agent do", () => {
  const service = of(serviceIdentityRules("web"));
  const asked: Need[] = [
    needsOf("service", "write", "web"),
    needsOf("service", "write", "web-sidecar-proxy"),
    needsOf("service", "read", "db"),
    needsOf("node", "read", "n"),
  ];
  assertEquals(service.lacking(asked), undefined);
  assertEquals(service.lacking([needsOf("service", "write", "db")])?.name, "db");
  assert(service.lacking([needsOf("node", "write", "n")]));
  const node = of(nodeIdentityRules("n1"));
  assertEquals(node.lacking([needsOf("node", "write", "n1"), needsOf("service", "read", "web")]), undefined);
  assert(node.lacking([needsOf("node", "write", "n2")]) && node.lacking([needsOf("service", "write", "web")]));
  assertEquals(
    of(recoveryRules("n1")).lacking([needsOf("agent", "write", "n1"), needsOf("node", "read", "x")]),
    undefined,
  );
});

Deno.test("denials are told in Consul's words", () => {
  assertEquals(
    deniedText("1-2", needsOf("key", "write", "foo")),
    `Permission denied: token with AccessorID '1-2' lacks permission 'key:write' on "foo"`,
  );
  assertEquals(
    deniedText(ANONYMOUS_ACCESSOR, needs("acl", "read")),
    "Permission denied: anonymous token lacks permission 'acl:read'. " +
      "The anonymous token is used implicitly when a request does not specify a token.",
  );
});

Deno.test("what is no rule is refused by what was expected", () => {
  const cases: [text: string, expected: string][] = [
    [`kee "a" { policy = "read" }`, `unknown resource "kee": expected one of acl, agent, agent_prefix`],
    [`key "a" { policy = "admin" }`, `Invalid key policy: "a": expected policy to be one of deny, read, list, write`],
    [`key "a" { police = "read" }`, "unknown field police"],
    [`key "a" { policy = "read" sentinel { code = "x" } }`, "sentinel belongs to Consul Enterprise"],
    [`key = "read"`, `expected a name and a block after key`],
    [`namespace "a" { policy = "read" }`, "namespace belongs to Consul Enterprise"],
    [`service "a" { policy = "read" intentions = "maybe" }`, "invalid intentions"],
    [`operator = true`, `Invalid operator policy`],
    [`key "a" {`, `line 1: expected "}"`],
    [`[1]`, "expected a key"],
    ["a".repeat(70_000), "longer than 65536 characters"],
  ];
  for (const [text, expected] of cases) assertThrows(() => parseRules(text), RulesError, expected);
  assertEquals(parseRules(" \n"), []);
  assertEquals(parseRules(`service "a" { policy = "read" intentions = "write" }`)[0].access, "read");
});
