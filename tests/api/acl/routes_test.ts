/**
 * Every route of both APIs is tried with no token, with one that may write the service `web` and nothing else, and with one that
 * may do everything; everything is denied by default. A route that is not in the table here fails the test.
 */
import { assert, assertEquals } from "@std/assert";
import { EVENT_PREFIX } from "../../../src/app/agent/event_log.ts";
import { ROUTES as RQLITE_ROUTES } from "../../../src/api/rqlite/router.ts";
import { ROUTES as V1_ROUTES } from "../../../src/api/consul/router.ts";
import { AclClient, DENY } from "../../harness/acl.ts";
import { LocalNode } from "../../harness/local_node.ts";

/** `denied`: 403; `empty`: nothing is in the answer, which says that something was left out; `open`: as with all rights. */
type Outcome = "denied" | "empty" | "open";

/** A request for each route. */
interface Sample {
  /** Behind the path of the route. */
  readonly rest?: string;
  readonly body?: unknown;
  /** Without a token. */
  readonly none: Outcome;
  /** With the weak token. @default {as without one} */
  readonly weak?: Outcome;
}

const denied = (rest = "", body?: unknown): Sample => ({ rest, body, none: "denied" });
const empty = (rest = ""): Sample => ({ rest, none: "empty" });
const open = (rest = "", body?: unknown): Sample => ({ rest, body, none: "open" });
const forWeb = (rest = "", body?: unknown): Sample => ({ rest, body, none: "denied", weak: "open" });

const POLICY = { Name: "sample" };
const ID = "11111111-2222-3333-4444-555555555555";
const CHECK = { Name: "c2", ServiceID: "web", TTL: "1h" };
const DB_CHECK = { Name: "c3", ServiceID: "db", TTL: "1h" };

/** By method and path; of several routes of one path each has its method. */
const V1: Readonly<Record<string, Sample | readonly Sample[]>> = {
  "GET /v1/agent/self": denied(),
  "GET /v1/agent/version": denied(),
  "GET /v1/agent/connect/": open("ca/roots"),
  "PUT /v1/agent/connect/": open("ca"),
  "POST /v1/agent/connect/": open("authorize"),
  "GET /v1/connect/": open("ca/roots"),
  "PUT /v1/connect/": open("x"),
  "POST /v1/connect/": open("x"),
  "DELETE /v1/connect/": open("x"),
  "GET /v1/discovery-chain/": open("web"),
  "POST /v1/discovery-chain/": open("web"),
  "PUT /v1/acl/bootstrap": denied(), // also with all rights: there is a first token
  "GET /v1/acl/replication": open(),
  "GET /v1/acl/tokens": denied(),
  "PUT /v1/acl/token": denied("", {}),
  "GET /v1/acl/token/": [denied("00000000-0000-0000-0000-000000000002"), open("self")],
  "PUT /v1/acl/token/": [denied("00000000-0000-0000-0000-000000000002", {}), denied(`${ID}/clone`, {})],
  "DELETE /v1/acl/token/": denied(ID),
  "PUT /v1/acl/user/password": open("", { Password: "p" }), // it is of no token
  "GET /v1/acl/policies": denied(),
  "PUT /v1/acl/policy": denied("", POLICY),
  "GET /v1/acl/policy/": [denied(ID), denied("name/global-management")],
  "PUT /v1/acl/policy/": denied(ID, POLICY),
  "DELETE /v1/acl/policy/": denied(ID),
  "GET /v1/acl/roles": denied(),
  "PUT /v1/acl/role": denied("", { Name: "r" }),
  "GET /v1/acl/role/": [denied(ID), denied("name/r")],
  "PUT /v1/acl/role/": denied(ID, { Name: "r" }),
  "DELETE /v1/acl/role/": denied(ID),
  "GET /v1/acl/": open("auth-methods"),
  "PUT /v1/acl/": open("auth-method"),
  "POST /v1/acl/": open("login"),
  "DELETE /v1/acl/": open("x"),
  "POST /v1/internal/acl/authorize": open("", []),
  "PUT /v1/internal/acl/authorize": open("", [{ Resource: "key", Access: "read", Segment: "a" }]),
  "PUT /v1/agent/token/": denied("agent", { Token: "x" }),
  "GET /v1/agent/members": empty(),
  "PUT /v1/agent/join/": denied("127.0.0.9"),
  "PUT /v1/agent/leave": denied(),
  "PUT /v1/agent/force-leave/": denied("x"),
  "PUT /v1/agent/reload": denied(),
  "GET /v1/agent/metrics": denied(),
  "GET /v1/agent/monitor": denied(),
  "GET /v1/agent/services": { none: "empty", weak: "open" },
  "PUT /v1/agent/service/register": [
    forWeb("", { Name: "web", ID: "web2" }),
    denied("", { Name: "db" }),
    denied("", { Name: "web", ID: "db2" }),
    denied("", { Name: "consul" }),
    denied("", { Name: "web", ID: "web4", Check: { CheckID: "taken", TTL: "1h" } }),
    denied("", { Name: "" }),
  ],
  "PUT /v1/agent/service/deregister/": [forWeb("web2"), denied("db3")],
  "PUT /v1/agent/service/maintenance/": [forWeb("web?enable=false"), denied("db?enable=true")],
  "GET /v1/agent/service/": [forWeb("web"), denied("db")],
  "PUT /v1/agent/maintenance": denied("?enable=true"),
  "GET /v1/agent/health/service/id/": [forWeb("web"), denied("db")],
  "GET /v1/agent/health/service/name/": [forWeb("web"), denied("db")],
  "GET /v1/agent/checks": { none: "empty", weak: "open" },
  "PUT /v1/agent/check/register": [forWeb("", CHECK), denied("", DB_CHECK), denied("", { Name: "node", TTL: "1h" })],
  "PUT /v1/agent/check/deregister/": [forWeb("c2"), denied("of-db-too")],
  "PUT /v1/agent/check/pass/": [forWeb("of-web"), denied("of-db"), denied("of-node")],
  "PUT /v1/agent/check/warn/": [forWeb("of-web"), denied("of-db")],
  "PUT /v1/agent/check/fail/": [forWeb("of-web"), denied("of-db")],
  "PUT /v1/agent/check/update/": [forWeb("of-web", { Status: "passing" }), denied("of-db", { Status: "passing" })],
  "PUT /v1/event/fire/": denied("deploy"),
  "GET /v1/event/list": empty(),
  "GET /v1/operator/keyring": denied(),
  "POST /v1/operator/keyring": denied("", { Key: "x" }),
  "PUT /v1/operator/keyring": denied("", { Key: "x" }),
  "DELETE /v1/operator/keyring": denied("", { Key: "x" }),
  "GET /v1/catalog/datacenters": open(),
  "GET /v1/catalog/nodes": empty(),
  "GET /v1/catalog/node/": empty("n"),
  "GET /v1/catalog/node-services/": empty("n"),
  "GET /v1/catalog/services": { none: "empty", weak: "open" },
  // An instance is shown with its node, which the weak token may not read.
  "GET /v1/catalog/service/": [empty("web"), empty("db")],
  "PUT /v1/catalog/register": [
    denied("", { Node: "new", Address: "10.0.0.1" }),
    forWeb("", { Node: "n", Address: "10.0.0.1", Service: { Service: "web", Port: 82 } }),
    forWeb("", { Node: "n", SkipNodeUpdate: true, Service: { Service: "web", Port: 83 } }),
    denied("", { Node: "n", Address: "10.0.0.2", Service: { Service: "web" } }),
    denied("", { Node: "n", SkipNodeUpdate: true, Service: { Service: "web", ID: "db2" } }),
    denied("", { Node: "n", SkipNodeUpdate: true, Service: { Service: "db" } }),
    denied("", { Node: "n", SkipNodeUpdate: true, Check: { Name: "x", Status: "passing" } }),
    denied("", {
      Node: "n",
      SkipNodeUpdate: true,
      Service: { Service: "web", ID: "web4" },
      Check: { CheckID: "taken", Name: "x", ServiceID: "web4", Status: "passing" },
    }),
    denied("", { Node: "n", SkipNodeUpdate: true, Check: { Name: "x", ServiceID: "db", Status: "passing" } }),
  ],
  "PUT /v1/catalog/deregister": [
    denied("", { Node: "gone" }),
    denied("", { Node: "n", ServiceID: "none" }),
    denied("", { Node: "n", CheckID: "none" }),
    denied("", { Node: "N", ServiceID: "db3" }),
    forWeb("", { Node: "n", ServiceID: "web3" }),
  ],
  "GET /v1/health/node/": empty("n"),
  "GET /v1/health/checks/": empty("db"),
  "GET /v1/health/state/": empty("any"),
  "GET /v1/health/connect/": open("web"),
  "GET /v1/health/ingress/": open("web"),
  "GET /v1/catalog/connect/": open("web"),
  "GET /v1/health/service/": [empty("web"), empty("db")],
  "GET /v1/kv/": [
    denied("a"),
    denied("a?history"),
    denied("a?at=9"),

    empty("?recurse"),
    empty("?keys"),
  ],
  "PUT /v1/kv/": [denied("a", "v"), denied(`a?acquire=${ID}`, "v")],
  "DELETE /v1/kv/": [denied("a"), denied("?recurse"), denied("a/?recurse")],
  "GET /v1/snapshot": denied(),
  "PUT /v1/snapshot": denied(),
  "GET /v1/query": empty(),
  "POST /v1/query": [
    denied("", { Name: "q2", Service: { Service: "web" } }),
    denied("", { Service: { Service: "web" } }),
  ],
  "GET /v1/query/": [denied("q"), denied("q/execute"), denied("q/explain"), denied("none/execute")],
  "PUT /v1/query/": denied(ID, { Name: "q3", Service: { Service: "web" } }),
  "DELETE /v1/query/": denied(ID),
  "PUT /v1/config": [
    denied("", { Kind: "proxy-defaults", Name: "global" }),
    denied("", { Kind: "service-defaults", Name: "db" }),
    forWeb("", { Kind: "service-defaults", Name: "web" }),
  ],
  "GET /v1/config/": [denied("service-defaults/db"), forWeb("service-defaults/web"), {
    rest: "service-defaults",
    none: "empty",
    weak: "open",
  }],
  "DELETE /v1/config/": [denied("proxy-defaults/global"), denied("service-defaults/db")],
  "GET /v1/coordinate/datacenters": open(),
  "GET /v1/coordinate/nodes": empty(),
  "GET /v1/coordinate/node/": { rest: "n", none: "empty" },
  "PUT /v1/txn": [
    denied("", [{ KV: { Verb: "set", Key: "a", Value: "" } }]),
    denied("", [{ KV: { Verb: "get", Key: "a" } }]),
    denied("", [{ KV: { Verb: "get-tree", Key: "" } }]),
    denied("", [{ KV: { Verb: "delete-tree", Key: "" } }]),
    denied("", [{ KV: { Verb: "expire", Key: "a", TTL: "1h" } }]),
    denied("", [{ SQL: ["SELECT 1"] }]),
    denied("", [{ Node: { Verb: "set", Node: { Node: "x", Address: "10.0.0.9" } } }]),
    denied("", [{ Node: { Verb: "get", Node: { Node: "n" } } }]),
    denied("", [{ Service: { Verb: "set", Node: "n", Service: { Service: "db", ID: "db" } } }]),
    forWeb("", [{ Service: { Verb: "set", Node: "n", Service: { Service: "web", ID: "web" } } }]),
    denied("", [{ Service: { Verb: "delete", Node: "n", Service: { Service: "web", ID: "db" } } }]),
    denied("", [{ Check: { Verb: "set", Check: { Node: "n", CheckID: "x", Name: "x", Status: "passing" } } }]),
  ],
  "PUT /v1/session/create": denied("", { Node: "n", NodeChecks: [] }),
  "PUT /v1/session/destroy/": denied("SESSION_TO_END"),
  "PUT /v1/session/renew/": denied("SESSION"),
  "GET /v1/session/info/": empty("SESSION"),
  "GET /v1/session/node/": empty("n"),
  "GET /v1/session/list": empty(),
  "GET /v1/status/leader": open(),
  "GET /v1/status/peers": open(),
  "GET /v1/operator/autopilot/configuration": denied(),
  "PUT /v1/operator/autopilot/configuration": denied("", {}),
  "GET /v1/operator/autopilot/health": denied(),
  "GET /v1/operator/raft/configuration": denied(),
  "DELETE /v1/operator/raft/peer": denied("?id=x"),
  "POST /v1/operator/raft/transfer-leader": denied(),
  "PUT /v1/operator/raft/transfer-leader": denied(),
};

const RQLITE: Readonly<Record<string, Sample>> = {
  "POST /db/execute": denied("", ["CREATE TABLE t(a)"]),
  "GET /db/query": denied("?q=SELECT%201"),
  "POST /db/query": denied("", ["SELECT 1"]),
  "POST /db/request": denied("", ["SELECT 1"]),
  "GET /status": denied(),
  "GET /nodes": denied(),
  "GET /leader": denied(),
  "POST /leader": denied(),
  "GET /readyz": open(),
  "DELETE /remove": denied("", { id: "x" }),
  "GET /metrics": denied(),
  "GET /metrics/history": denied(),
  "GET /debug/vars": denied(),
  "GET /db/changes": denied(),
  "GET /db/live": denied("?q=SELECT%201"),
  "POST /db/live": denied("", ["SELECT 1"]),
  "GET /db/changes/log": denied(),
  "PUT /db/changes/log": denied(),
  "DELETE /db/changes/log": denied(),
  "GET /db/backup": denied(),
  "POST /db/load": denied("", "CREATE TABLE u(a)"),
  "GET /db/sql": denied("?q=SELECT%201"),
  "POST /db/sql": denied("", ["SELECT 1"]),
  "POST /boot": denied("", "x"),
  "POST /snapshot": denied(),
  "POST /verify": denied(),
  "POST /join": denied("", {}),
  "POST /join-read-only": denied("", {}),
  "POST /reap": denied(),
  "GET /cluster/live": denied("?follow=false"),
  "GET /": open(),
  "GET /console": open(),
  "GET /console/": open(),
  "GET /console/whoami": open(),
};

/** What a list shows that shows nothing. */
const NOTHING = ["[]", "{}", "null", "", '{"Node":null,"Services":[]}'];

/** A node with things of every kind. */
async function prepared(): Promise<{ node: LocalNode; client: AclClient; weak: string; sessions: string[] }> {
  const node = new LocalNode({ agent: { acl: DENY, nodeName: "n" } });
  const member = { name: "n", addr: "10.0.0.1", port: 1, tags: {}, status: "alive" };
  Object.assign(node.pool, {
    members: () => [member],
    coordinates: () => ({ n: { vec: [0, 0], error: 1, adjustment: 0, height: 0 } }),
  });
  const client = await AclClient.bootstrap(node);
  const put = (path: string, body: unknown) => client.send(client.root, "PUT", path, body);
  for (const name of ["web", "db"]) {
    const service = { Node: "n", Address: "10.0.0.1", Service: { Service: name, ID: name } };
    assertEquals((await put("/v1/catalog/register", service)).text, "true");
    const check = {
      Node: "n",
      SkipNodeUpdate: true,
      Check: { Name: `${name}-check`, ServiceID: name, Status: "passing" },
    };
    assertEquals((await put("/v1/catalog/register", check)).text, "true");
    assertEquals((await put("/v1/agent/service/register", { Name: name })).status, 200);
    assertEquals(
      (await put("/v1/agent/check/register", { Name: `of-${name}`, ServiceID: name, TTL: "1h" })).status,
      200,
    );
    await put("/v1/config", { Kind: "service-defaults", Name: name });
  }
  // What requests are to change or to take out.
  for (const [Service, ID] of [["db", "db2"], ["db", "db3"], ["web", "web3"]]) {
    await put("/v1/agent/service/register", { Name: Service, ID });
    await put("/v1/catalog/register", { Node: "n", SkipNodeUpdate: true, Service: { Service, ID } });
  }
  await put("/v1/agent/check/register", { Name: "of-db-too", ServiceID: "db", TTL: "1h" });
  await put("/v1/agent/check/register", { Name: "taken", ServiceID: "db", TTL: "1h" });
  const taken = { CheckID: "taken", Name: "x", ServiceID: "db", Status: "passing" };
  await put("/v1/catalog/register", { Node: "n", SkipNodeUpdate: true, Check: taken });
  await put("/v1/catalog/register", { Node: "gone", Address: "10.0.0.8" });
  assertEquals((await put("/v1/agent/check/register", { Name: "of-node", TTL: "1h" })).status, 200);
  await put("/v1/kv/a", "v");
  await client.json("POST", "/v1/query", { Name: "q", Service: { Service: "web" } });
  const sessions = ["", ""];
  for (const at of sessions.keys()) {
    sessions[at] = (await client.json("PUT", "/v1/session/create", { Node: "n", NodeChecks: [] })).ID;
  }
  const payload = new TextEncoder().encode(JSON.stringify({ ID }));
  node.services.agent?.events.take({
    type: "user",
    name: `${EVENT_PREFIX}deploy`,
    payload,
    ltime: 1n,
    coalesce: false,
  });
  const { secret: weak } = await client.token(`service "web" { policy = "write" }`);
  return { node, client, weak, sessions };
}

/** Tries one request; what it came to. */
async function outcomeOf(
  client: AclClient,
  secret: string,
  [method, target, body]: readonly [string, string, unknown],
): Promise<string> {
  const authorization = secret === "" ? "" : `Bearer ${secret}`;
  const response = await client.node.ask(method, target, body ?? "", { authorization });
  if (response.status === 403) return "denied";
  if (response.status === 401) return "unknown";
  const isFiltered = response.headers?.["X-Consul-Results-Filtered-By-ACLs"] === "true";
  if (isFiltered && NOTHING.includes(String(response.body))) return "empty";
  // What does not exist is not told from what may not be seen.
  return response.status === 404 && response.body === "" && isFiltered ? "empty" : "open";
}

/** All routes with their samples, and those that have none. */
function samplesOf(
  routes: readonly { readonly path: string; readonly methods: readonly string[] }[],
  table: Readonly<Record<string, Sample | readonly Sample[]>>,
): { path: string; method: string; sample: Sample }[] {
  const keys = routes.flatMap(({ path, methods }) =>
    (methods.length === 0 ? ["GET"] : methods).filter((one) => one !== "HEAD").map((method) => `${method} ${path}`)
  );
  assertEquals(Object.keys(table).sort(), [...new Set(keys)].sort(), "each route has a sample, each sample a route");
  return Object.entries(table).flatMap(([key, samples]) => {
    const [method, path] = key.split(" ");
    return [samples].flat().map((sample) => ({ method, path, sample }));
  });
}

for (const [name, routes, table] of [["/v1", V1_ROUTES, V1], ["rqlite's API", RQLITE_ROUTES, RQLITE]] as const) {
  Deno.test(`each route of ${name} does with no token, a weak one and a strong one what the table says`, async () => {
    const { node, client, weak, sessions } = await prepared();
    await using _ = node;
    const archive = await node.ask("GET", "/v1/snapshot", "", { authorization: `Bearer ${client.root}` });
    for (const { method, path, sample } of samplesOf(routes, table)) {
      const { rest = "", body, none, weak: expected = none } = sample;
      const target = path + rest.replace("SESSION_TO_END", sessions[1]).replace("SESSION", sessions[0]);
      const sent = target === "/v1/snapshot" && method === "PUT" ? archive.body : body;
      const request = [method, target, sent] as const;
      const what = `${method} ${target} ${JSON.stringify(body ?? "")}`;
      assertEquals(await outcomeOf(client, "", request), none, `without a token: ${what}`);
      assertEquals(await outcomeOf(client, weak, request), expected, `with the weak token: ${what}`);
      if (target === "/v1/acl/bootstrap" || target === "/v1/snapshot" && method === "PUT") continue;
      assertEquals(await outcomeOf(client, client.root, request), "open", `with all rights: ${what}`);
    }
  });
}

Deno.test("a stranger's token is refused by every route that looks at tokens", async () => {
  const { node, client } = await prepared();
  await using _ = node;
  for (const { method, path, sample } of samplesOf(V1_ROUTES, V1)) {
    if (sample.none === "open") continue;
    const { rest = "", body } = sample;
    // What is not there, nobody needs a right for.
    if (path === "/v1/snapshot" && method === "PUT" || /SESSION|web2|c2/.test(rest)) continue;
    const { status, text } = await client.send(ID, method, path + rest, body ?? "");
    assertEquals(status, 403, `${method} ${path}${rest}`);
    assert(text === "ACL not found" || path === "/v1/acl/bootstrap", `${path}: ${text}`);
  }
});
