/**
 * Users at the door of both APIs: every route of both tables is closed to strangers, and opens by the permission that stands
 * beside it. In process, without a socket.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROUTES as V1_ROUTES } from "../../src/api/consul/router.ts";
import { Params } from "../../src/api/http/params.ts";
import type { HttpResponse } from "../../src/api/http/problem.ts";
import type { HttpRequest } from "../../src/api/http/request.ts";
import { ROUTES } from "../../src/api/rqlite/router.ts";
import { route } from "../../src/api/server/router.ts";
import { basic, bearer } from "../../src/app/users/credentials.ts";
import { PERMISSIONS, permissionsOf } from "../../src/app/users/permission.ts";
import type { User } from "../../src/app/users/user.ts";
import { Users } from "../../src/app/users/users.ts";
import { type FakeServices, fakeServices } from "../harness/services.ts";

const TOKEN = "11111111-2222-3333-4444-555555555555";

function user(username: string, perms: readonly string[], more: Partial<User> = {}): User {
  const permissions = perms.flatMap((word) => permissionsOf(word) ?? []);
  return { username, password: username === "*" ? undefined : "secret", token: undefined, permissions, ...more };
}

/** A request of a client. */
type Sent = Partial<Omit<HttpRequest, "params">> & Pick<HttpRequest, "method" | "target">;

async function withUsers(
  users: readonly User[],
  work: (send: (request: Sent) => Promise<HttpResponse>, services: FakeServices) => Promise<void>,
): Promise<void> {
  const fake = fakeServices({ users: new Users(users) });
  try {
    await work((request) =>
      route({
        contentType: "",
        authorization: "",
        address: "10.0.0.1",
        body: new Uint8Array(0),
        startedMs: 0,
        whenOver: () => Promise.resolve(),
        ...request,
      }, fake.services), fake);
  } finally {
    fake.close();
  }
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"];
/** Routes of rqlite's API, without the root, which an agent answers to health checks. */
const RQLITE_ROUTES = ROUTES.filter(({ path }) => path !== "/");
/** Paths of all routes; a name where one is wanted. */
const PATHS = [
  ...RQLITE_ROUTES.map(({ path }) => path),
  ...V1_ROUTES.map(({ path }) => path.endsWith("/") ? `${path}some-name` : path),
];

Deno.test("every route of both APIs refuses strangers, whatever the method (Q2.2, Q17.1)", () =>
  withUsers([user("bob", ["all"])], async (send, { services }) => {
    for (const target of PATHS) {
      for (const method of METHODS) {
        for (const authorization of ["", basic("bob", "wrong"), "Basic !", "Bearer nobody-has-this-one", "Digest x"]) {
          const { status, body } = await send({ method, target, authorization, address: `10.0.${Math.random()}` });
          assertEquals(status, 401, `${method} ${target} with "${authorization}"`);
          if (!target.startsWith("/v1/")) assertEquals(body, "");
        }
      }
    }
    assertEquals(services.counters.auth_ok, 0);
    assertEquals(services.counters.auth_fail, PATHS.length * METHODS.length * 5);
  }));

Deno.test("every route names its permission, and each permission opens its routes alone", async () => {
  for (const { path, permissions, methods } of [...RQLITE_ROUTES, ...V1_ROUTES]) {
    assert(permissions.length > 0, path);
    const isShared = V1_ROUTES.filter((one) => one.path === path).length > 1; // by routes for other methods
    const target = path.endsWith("/") && path.startsWith("/v1/") ? `${path}some-name` : path;
    const others = Object.keys(PERMISSIONS).filter((name) =>
      !permissionsOf(name)?.some((one) => permissions.includes(one))
    );
    await withUsers([user("able", permissions), user("other", others)], async (send) => {
      // No route takes PATCH but those that take any: the permission is checked before.
      const method = isShared ? methods[0] : "PATCH";
      if (path !== "/debug/vars" && !isShared) {
        const able = await send({ method, target, authorization: basic("able", "secret") });
        assertEquals(able.status, 405, target);
      }
      const other = await send({ method, target, authorization: basic("other", "secret") });
      assertEquals(other.status, target.startsWith("/v1/") ? 403 : 401, target);
    });
  }
});

Deno.test("/db/request needs execute and query, of the user or of everybody", async () => {
  const asked = { method: "PATCH", target: "/db/request", authorization: basic("bob", "secret") };
  const cases: [User[], number][] = [
    [[user("bob", ["execute"])], 401],
    [[user("bob", ["query"])], 401],
    [[user("bob", ["query", "execute"])], 405],
    [[user("bob", ["query"]), user("*", ["execute"])], 405],
    [[user("*", ["execute", "query"])], 405],
  ];
  for (const [users, status] of cases) {
    await withUsers(users, async (send) => assertEquals((await send(asked)).status, status));
  }
});

Deno.test("parameters and paths are checked before permissions, OPTIONS needs none (Q2.2)", () =>
  withUsers([user("bob", ["all"])], async (send) => {
    assertEquals((await send({ method: "GET", target: "/db/query?timeout=x" })).status, 400);
    assertEquals((await send({ method: "GET", target: "/nothing" })).status, 404);
    assertEquals((await send({ method: "GET", target: "/v1/nothing" })).status, 404);
    assertEquals((await send({ method: "OPTIONS", target: "/db/execute" })).status, 200);
    assertEquals((await send({ method: "OPTIONS", target: "/v1/agent/self" })).status, 200);
  }));

Deno.test("what everybody may do needs no credentials, and those that come do not matter", () =>
  withUsers([user("bob", ["all"]), user("*", ["ready"])], async (send) => {
    for (const authorization of ["", basic("bob", "wrong"), "Bearer x"]) {
      assertEquals((await send({ method: "GET", target: "/readyz?noleader", authorization })).status, 200);
      assertEquals((await send({ method: "GET", target: "/status", authorization })).status, 401);
    }
  }));

Deno.test("a token is a user: in Consul's header, as a bearer token, in the query (C6.6)", () =>
  withUsers([user("ci", ["event-read"], { password: undefined, token: TOKEN })], async (send) => {
    const target = "/v1/event/list";
    assertEquals((await send({ method: "GET", target, authorization: bearer(TOKEN) })).status, 200);
    assertEquals((await send({ method: "GET", target: `${target}?token=${TOKEN}` })).status, 200);
    assertEquals((await send({ method: "GET", target: `${target}?token=${TOKEN}0` })).status, 401);
    assertEquals((await send({ method: "GET", target, authorization: basic("ci", "") })).status, 401);
    const lacking = await send({ method: "PUT", target: "/v1/event/fire/x", authorization: bearer(TOKEN) });
    assertEquals(lacking.status, 403);
    assertEquals(lacking.body, "Permission denied: user 'ci' lacks permission 'event-write'");
  }));

Deno.test("a forwarded request is checked again, and what the node asks for itself is not (Q17.1.3)", () =>
  withUsers([user("bob", ["all"])], async (_, { services }) => {
    const failure = async (operation: string, by: unknown, params: unknown = {}) => {
      const head = { operation, by, timeoutMs: 1000, retries: 0, params };
      const { answer } = await services.operations.serve({ head, body: new Uint8Array(0) }, new Promise(() => {}));
      return Object(answer.head.failure);
    };
    const client = (authorization: string) => ({ k: "client", authorization, address: "10.0.0.1" });
    const stranger = { k: "refused", why: { k: "unknown" } };
    const [node, bob] = [{ k: "node" }, client(basic("bob", "secret"))];
    for (
      const operation of ["execute", "query", "loadStep", "batch", "remove", "register", "raftTransfer", "openBackup"]
    ) {
      assertEquals(await failure(operation, client("")), stranger, operation);
      assertEquals(await failure(operation, client(basic("bob", "wrong"))), stranger, operation);
    }
    // The parameters are wrong: that is seen behind the check alone.
    assertMatch((await failure("execute", bob)).message, /^Expected "timeoutMs" to be a number/);
    assertMatch((await failure("register", node)).message, /^Expected "name" to be/);
    for (const operation of ["execute", "remove", "openBackup"]) assertEquals(await failure(operation, node), stranger);
    assertMatch((await failure("none", node)).message, /an operation that this version knows, found "none": upgrade/);
    assertMatch((await failure("execute", { k: "root" })).message, /one of client, node/);
  }));

Deno.test("a client whom the leader refuses hears so, with the operation's name (Q17.1.3)", async () => {
  const { services, ends, close } = fakeServices();
  const forwarded = {
    answer: { head: { servedBy: "o:1", failure: { k: "refused", why: { k: "unknown" } } }, body: new Uint8Array(0) },
    from: "o:2",
  };
  ends.replica.onmessage = ({ data }) => ends.replica.postMessage({ k: "answer", ref: data.ref, result: forwarded });
  services.replica.leader = { id: "2", addr: "o:2", apiUrl: "http://o:1" };
  const asked = { method: "POST", contentType: "", authorization: "", address: "", startedMs: 0 };
  const send = (target: string, text: string) =>
    route({ ...asked, target, body: new TextEncoder().encode(text) }, services);
  const refused = await send("/db/execute", '["SELECT 1"]');
  assertEquals([refused.status, refused.body, refused.servedBy], [401, "remote Execute not authorized\n", "o:1"]);
  const register = await route({
    ...asked,
    method: "PUT",
    target: "/v1/catalog/register",
    body: new TextEncoder().encode('{"Node":"x","Address":"y"}'),
  }, services);
  assertEquals(register.status, 401);
  close();
});

Deno.test("too many wrong passwords are answered 429, and say when to come again", () =>
  withUsers([user("bob", ["all"])], async (send) => {
    for (const [target, retryAfter] of [["/status", 5], ["/v1/agent/self", 5]] as const) {
      const address = `10.1.1.${target.length}`;
      const statuses = new Set<number>();
      for (let attempt = 0; attempt < 20; attempt++) {
        statuses.add(
          (await send({ method: "GET", target, address, authorization: basic("bob", `${target}${attempt}`) })).status,
        );
      }
      assertEquals([...statuses], [401]);
      const late = await send({ method: "GET", target, address, authorization: basic("bob", "secret") });
      assertEquals([late.status, late.retryAfter], [429, retryAfter]);
      assertEquals(String(late.body).trim(), "too many failed logins: try again in 5 s");
      assertEquals((await send({ method: "PATCH", target, authorization: basic("bob", "secret") })).status, 405);
    }
  }));

Deno.test("without an auth file everybody may do everything", async () => {
  const { services, close } = fakeServices();
  const asked = {
    method: "GET",
    target: "/v1/event/list?token=any",
    contentType: "",
    authorization: bearer("any"),
    address: "",
    body: new Uint8Array(0),
    startedMs: 0,
  };
  assertEquals((await route(asked, services)).status, 200);
  assertEquals(services.counters.auth_ok, 1);
  assertEquals(Params.parse("token=any").get("token"), "any");
  close();
});
