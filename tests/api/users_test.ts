/**
 * Users at the door of both APIs: every route of both tables is closed to strangers, and opens by the permission that stands
 * beside it. In process, without a socket.
 */
import { assert, assertEquals } from "@std/assert";
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
        forwarded: false,
        startedMs: 0,
        whenOver: () => Promise.resolve(),
        ...request,
      }, fake.services), fake);
  } finally {
    fake.close();
  }
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"];
/** Paths of all routes; a name where one is wanted. */
const PATHS = [
  ...ROUTES.map(({ path }) => path),
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
  for (const { path, permissions } of [...ROUTES, ...V1_ROUTES]) {
    assert(permissions.length > 0, path);
    const target = path.endsWith("/") && path.startsWith("/v1/") ? `${path}some-name` : path;
    const others = Object.keys(PERMISSIONS).filter((name) =>
      !permissionsOf(name)?.some((one) => permissions.includes(one))
    );
    await withUsers([user("able", permissions), user("other", others)], async (send) => {
      const method = "PATCH"; // which no route takes but those that take any: the permission is checked before
      if (path !== "/debug/vars") {
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
  withUsers([user("bob", ["all"])], async (send) => {
    const asked = { method: "PATCH", target: "/db/execute", forwarded: true };
    const refused = await send(asked);
    assertEquals([refused.status, refused.body], [401, "remote Execute not authorized\n"]);
    assertEquals((await send({ ...asked, authorization: basic("bob", "secret") })).status, 405);
    assertEquals((await send({ ...asked, isOfNode: true })).status, 405);
    const registers = { method: "PATCH", target: "/v1/catalog/register", forwarded: true };
    assertEquals((await send(registers)).status, 401);
    assertEquals((await send({ ...registers, isOfNode: true })).status, 405);
  }));

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
    forwarded: false,
    startedMs: 0,
  };
  assertEquals((await route(asked, services)).status, 200);
  assertEquals(services.counters.auth_ok, 1);
  assertEquals(Params.parse("token=any").get("token"), "any");
  close();
});
