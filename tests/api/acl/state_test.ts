/** What the cluster keeps of access control: the first token and its reset, tokens that end, snapshots; and rules that depend on it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { warnIfOpen } from "../../../src/api/server/access.ts";
import { digestOf } from "../../../src/app/acl/access.ts";
import { VisibleNodes } from "../../../src/app/services/visible_nodes.ts";
import { LocalNodes } from "../../../src/app/agent/nodes.ts";
import { AclCare } from "../../../src/app/services/acl_care.ts";
import { managementBody, tokenRow } from "../../../src/app/services/acl_operations.ts";
import { encodeCommand } from "../../../src/core/sql/command.ts";
import { upsert } from "../../../src/core/catalog/catalog.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { Users } from "../../../src/app/users/users.ts";
import { AclClient, DENY } from "../../harness/acl.ts";
import { answerOf, LocalNode, OTHER } from "../../harness/local_node.ts";

const ID = "11111111-2222-3333-4444-555555555555";

Deno.test("the first token can be made again by whoever names the index in a file", async () => {
  let reset = 0;
  await using node = new LocalNode({ agent: { acl: DENY }, takeBootstrapReset: () => Promise.resolve(reset) });
  const { root } = await AclClient.bootstrap(node);
  const index = Number(/\d+/.exec((await node.send("PUT", "/v1/acl/bootstrap")).text)?.[0]);
  reset = index + 1;
  assertEquals((await node.send("PUT", "/v1/acl/bootstrap")).status, 403);
  reset = index;
  const { SecretID } = await node.json("PUT", "/v1/acl/bootstrap");
  assert(SecretID !== root);
  const again = await node.send("PUT", "/v1/acl/bootstrap");
  assert(!again.text.includes(`index: ${index})`), "another index from then on");
});

Deno.test("the leader makes the token of the configuration, and the first one is made then", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const { catalog, state } = node.services;
  const logged: string[] = [];
  const care = () => new AclCare({ catalog, state, initialManagement: ID, log: (line) => void logged.push(line) });
  const [one, other] = [care(), care()];
  await one.tidy();
  await other.tidy(); // of another leader: it is there
  const self = JSON.parse((await node.send("GET", "/v1/acl/token/self", "", { authorization: `Bearer ${ID}` })).text);
  assertEquals([self.Description, self.Policies[0].Name], ["Initial Management Token", "global-management"]);
  assertEquals((await node.send("PUT", "/v1/acl/bootstrap")).status, 403);
  assertEquals(logged, ["made the token of acl.tokens.initial_management"]);
  for (const each of [one, other]) each.close();
});

Deno.test("tokens end at their time, and the leader takes them out", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const { catalog, state } = node.services;
  const made = await client.json("PUT", "/v1/acl/token", { ExpirationTTL: "1h" });
  assert(Math.abs(Date.parse(made.ExpirationTime) - Date.now() - 3_600_000) < 60_000);
  const nanoseconds = await client.json("PUT", "/v1/acl/token", { ExpirationTTL: 7_200_000_000_000 });
  assert(Date.parse(nanoseconds.ExpirationTime) > Date.parse(made.ExpirationTime));
  const path = `/v1/acl/token/${made.AccessorID}`;
  assertEquals((await client.json("PUT", path, { Description: "x" })).ExpirationTime, made.ExpirationTime);
  const later = { ExpirationTime: new Date(Date.now() + 7_200_000).toISOString() };
  assertMatch((await client.send(client.root, "PUT", path, later)).text, /Cannot change expiration time/);

  await catalog.write([tokenRow("over", await digestOf("s"), managementBody("over"), Date.now() - 1000)]);
  assertEquals((await client.send("s", "GET", "/v1/acl/tokens")).text, "ACL not found");
  const accessors = async () =>
    (await client.json("GET", "/v1/acl/tokens")).map(({ AccessorID }: { AccessorID: string }) => AccessorID);
  assert((await accessors()).includes("over"));
  const care = new AclCare({ catalog, state, initialManagement: "", log() {} });
  node.lead(OTHER);
  await care.soon();
  node.lead({ id: "1", addr: "h:2", apiUrl: "http://h:1" });
  assert((await accessors()).includes("over"), "only the leader does");
  await care.soon();
  assert(!(await accessors()).includes("over"));
  assert((await accessors()).includes(made.AccessorID));
  care.close();
});

Deno.test("a snapshot has tokens and policies without a secret; one without them leaves those that are there", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const { secret, accessor } = await client.token(`key_prefix "" { policy = "write" }`);
  const authorization = `Bearer ${client.root}`;
  const { result: { lines } } = await node.services.operations.run("snapshotSave", { isStale: false }, {
    by: { k: "node" },
    timeoutMs: 1000,
  });
  const text = new TextDecoder().decode(lines);
  assert(text.includes(accessor) && text.includes(await digestOf(secret)));
  assert(!text.includes(secret) && !text.includes(client.root));
  const restore = async (archived: string) => {
    const by = { k: "client", authorization, address: "" } as const;
    await node.services.operations.run("snapshotRestore", { lines: new TextEncoder().encode(archived) }, {
      by,
      timeoutMs: 1000,
    });
  };
  await client.json("DELETE", `/v1/acl/token/${accessor}`);
  await restore(text);
  assertEquals((await client.send(secret, "PUT", "/v1/kv/a", "v")).text, "true");
  await restore(text.split("\n").filter((line) => !line.includes('"acl_')).join("\n"));
  assertEquals((await client.send(secret, "GET", "/v1/kv/a")).status, 404, "the key is gone, the token is not");
  const { secret: weak } = await client.token(`operator = "write"`);
  const by = { k: "client", authorization: `Bearer ${weak}`, address: "" } as const;
  await assertRejects(() => node.services.operations.run("snapshotRestore", { lines }, { by, timeoutMs: 1000 }));
});

Deno.test("a node does not take another's place by its id without the right to it", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const register = (secret: string, Node: string, more = {}) =>
    client.send(secret, "PUT", "/v1/catalog/register", { Node, Address: "10.0.0.1", ID, ...more });
  assertEquals((await register(client.root, "victim")).text, "true");
  const { secret } = await client.token(`node "mine" { policy = "write" } service "web" { policy = "write" }`);
  for (const more of [{}, { Service: { Service: "web" } }]) {
    assertMatch((await register(secret, "mine", more)).text, /lacks permission 'node:write' on "victim"/);
  }
  assertEquals((await register(secret, "mine", { ID: "" })).text, "true");
});

Deno.test("prepared queries are read and executed by whoever may read their name and what they find", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  for (const Service of ["web", "db"]) {
    await client.json("PUT", "/v1/catalog/register", { Node: "n", Address: "10.0.0.1", Service: { Service } });
  }
  const query = { Name: "find", Service: { Service: "web" } };
  const { ID: id } = await client.json("POST", "/v1/query", query);
  const { ID: other } = await client.json("POST", "/v1/query", { Name: "other", Service: { Service: "db" } });
  const { secret } = await client.token(
    `query "find" { policy = "write" } service "web" { policy = "read" } node_prefix "" { policy = "read" }`,
  );
  for (const name of ["find", id]) {
    const found = await client.json("GET", `/v1/query/${name}/execute`, "", secret);
    assertEquals(found.Nodes.map(({ Service }: { Service: { Service: string } }) => Service.Service), ["web"]);
  }
  assertEquals((await client.json("GET", "/v1/query", "", secret)).length, 1);
  assertEquals((await client.send(secret, "GET", `/v1/query/${other}`)).status, 403);
  assertEquals((await client.send(secret, "PUT", `/v1/query/${other}`, query)).status, 403, "it has another name");
  const toDb = await client.send(secret, "PUT", `/v1/query/${id}`, { ...query, Service: { Service: "db" } });
  assertEquals(toDb.status, 200);
  assertEquals((await client.json("GET", "/v1/query/find/execute", "", secret)).Nodes, [], "of db it may see nothing");
  assertMatch(
    (await client.send(secret, "POST", "/v1/query", { ...query, Token: "x" })).text,
    /Token is not supported/,
  );
});

Deno.test("what a token may do can be asked", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const { secret } = await client.token(`key_prefix "a/" { policy = "read" }`);
  const questions = [
    { Resource: "key", Access: "read", Segment: "a/b" },
    { resource: "key", access: "write", segment: "a/b" },
    { Resource: "operator", Access: "read" },
  ];
  const answers = await client.json("POST", "/v1/internal/acl/authorize", questions, secret);
  assertEquals(answers.map(({ Allow }: { Allow: boolean }) => Allow), [true, false, false]);
  const bad = await client.send(secret, "POST", "/v1/internal/acl/authorize", [{ Resource: "kee", Access: "read" }]);
  assertEquals(bad.status, 400);
});

Deno.test("users of the auth file have their permissions, and rules are for everybody else", async () => {
  const users = new Users([
    { username: "*", password: undefined, token: undefined, permissions: ["kv-read", "query"] },
    { username: "bob", password: "pw", token: undefined, permissions: ["kv-read", "kv-write"] },
  ]);
  await using node = new LocalNode({ agent: { acl: DENY }, users });
  const client = await AclClient.bootstrap(node);
  const bob = { authorization: `Basic ${btoa("bob:pw")}` };
  assertEquals((await node.send("PUT", "/v1/kv/a", "v", bob)).text, "true");
  assertEquals((await node.send("GET", "/v1/kv/a?raw", "", bob)).text, "v");
  assertEquals((await node.send("GET", "/v1/catalog/nodes", "", bob)).status, 403);
  assertEquals((await node.send("GET", "/db/query?q=SELECT%201", "", bob)).status, 200, "he is one of everybody");
  assertEquals((await node.send("GET", "/v1/kv/a", "", { authorization: `Basic ${btoa("bob:no")}` })).status, 401);
  assertEquals((await node.send("GET", "/v1/kv/a")).status, 403, "what everybody may do in the file is nobody's here");
  assertEquals((await node.send("GET", "/db/query?q=SELECT%201")).status, 403);
  assertEquals((await client.send(client.root, "GET", "/v1/kv/a?raw")).text, "v");
});

Deno.test("the name server of a server shows what its token may read, and hears of changes", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  for (const Service of ["web", "consul"]) {
    await client.json("PUT", "/v1/catalog/register", { Node: "n", Address: "10.0.0.1", Service: { Service } });
  }
  const { access, catalog } = node.services;
  if (!access) throw new Error("access control is off");
  const nodes = new VisibleNodes(new LocalNodes(catalog), access, catalog);
  assertEquals([(await nodes.nodes()).length, (await nodes.services()).length, await nodes.node("n")], [
    0,
    0,
    undefined,
  ]);
  const changed = new Promise<void>((resolve) => nodes.onChange = resolve);
  const { secret } = await client.token(`service "web" { policy = "read" } node "n" { policy = "read" }`);
  await changed;
  access.tokens.set("dns", secret);
  assertEquals((await nodes.service("WEB")).length, 1);
  assertEquals([(await nodes.servers()).length, (await nodes.node("N"))?.name], [0, "n"]);
  assertEquals(await nodes.view(), await nodes.view());
  assert(await nodes.view() === await nodes.view(), "the same object until something changes");
  access.tokens.set("dns", client.root);
  assertEquals((await nodes.servers()).length, 1);
  access.tokens.set("dns", "gone");
  assertEquals((await nodes.nodes()).length, 0);
});

Deno.test("an agent takes another token for itself from whoever may write to it", async () => {
  await using node = new LocalNode({ agent: { acl: DENY, nodeName: "n" } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/kv/a", "v");
  const { secret } = await client.token(`agent "n" { policy = "write" } key "a" { policy = "read" }`);
  const put = (name: string, Token: string) => client.send(secret, "PUT", `/v1/agent/token/${name}`, { Token });
  assertEquals((await put("nonsense", "x")).text, `Token "nonsense" is unknown`);
  assertEquals((await put("default", secret)).status, 200);
  assertEquals((await client.send("", "GET", "/v1/kv/a?raw")).text, "v", "requests without a token have it now");
  assertEquals((await put("default", "")).status, 200);
  assertEquals((await client.send("", "GET", "/v1/kv/a")).status, 403);
});

Deno.test("a server that does not lead checks what it hands on: the leader may have no access control", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const { secret } = await client.token(`key_prefix "a" { policy = "write" }`);
  node.lead(OTHER);
  let asked = 0;
  node.replica.forward = ({ call: { head } }) => {
    if (head.operation === "aclResolve") {
      return answerOf(undefined, "", { k: "failed", message: "ACL support disabled" });
    }
    asked++;
    return answerOf({ k: "done", results: [] });
  };
  assertEquals((await client.send(secret, "PUT", "/v1/kv/b", "v")).status, 403);
  assertEquals((await client.send(ID, "PUT", "/v1/kv/a", "v")).text, "ACL not found");
  assertEquals(asked, 0);
  assertEquals((await client.send(secret, "PUT", "/v1/kv/a", "v")).text, "true");
  assertEquals(asked, 1);
});

Deno.test("a node that is no agent checks tokens for SQL", async () => {
  await using node = new LocalNode({ agent: null, options: { acl: DENY } });
  const secret = "s";
  await node.services.catalog.write([tokenRow("acc", await digestOf(secret), managementBody("m"), 0)]);
  const query = (authorization: string) => node.send("GET", "/db/query?q=SELECT%201", "", { authorization });
  assertEquals([(await query("")).status, (await query("Bearer x")).status, (await query(`Bearer ${secret}`)).status], [
    403,
    403,
    200,
  ]);
});

Deno.test("SQL in a transaction needs what SQL needs, beside what the other operations do", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("POST", "/db/execute", ["CREATE TABLE t(a)"]);
  node.replica.status = () => ({ outdated: [] });
  const set = { KV: { Verb: "set", Key: "a", Value: "" } };
  const outcomes = async (rules: string, ...ops: unknown[]) => {
    const { secret } = await client.token(rules);
    return (await client.send(secret, "PUT", "/v1/txn", ops)).status;
  };
  const key = `key "a" { policy = "write" }`;
  const insert = { SQL: ["INSERT INTO t VALUES(1)"] };
  assertEquals(await outcomes(key, set, insert), 403);
  assertEquals(await outcomes(`${key} sql = "read"`, set, insert), 403);
  assertEquals(await outcomes(`sql = "write"`, set, insert), 403);
  assertEquals(await outcomes(`${key} sql = "write"`, set, insert), 200);
  assertEquals(await outcomes(`${key} sql = "read"`, set, { SQL: ["SELECT * FROM t"] }), 200);
  assertEquals(await outcomes(`${key} sql = "write"`, set, { SQL: ["INSERT INTO t SELECT key FROM muster.kv"] }), 403);
});

Deno.test("a live query is looked at like any other, and ends with its token", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const { secret, accessor } = await client.token(`sql = "read"`);
  const live = (sql: string) =>
    node.ask("GET", `/db/live?q=${encodeURIComponent(sql)}`, "", { authorization: `Bearer ${secret}` });
  assertEquals((await live("SELECT * FROM muster.kv")).status, 403);
  const { status, stream } = await live("SELECT 1");
  assertEquals(status, 200);
  await client.json("DELETE", `/v1/acl/token/${accessor}`);
  let text = "";
  for await (const piece of stream?.pieces(new Promise(() => {})) ?? []) text += piece;
  assertEquals(JSON.parse(text), { error: "ACL not found" });
});

Deno.test("what keys were is shown to whoever may read what they are", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/config", { Kind: "kv-history", Name: "a/", Keep: "1h" }).catch(() => {});
  for (const key of ["a/1", "b/1"]) await client.json("PUT", `/v1/kv/${key}`, "v");
  const index = (await client.send(client.root, "GET", "/v1/kv/?keys")).headers?.["X-Consul-Index"];
  const { secret } = await client.token(`key_prefix "a/" { policy = "read" }`);
  const then = await client.send(secret, "GET", `/v1/kv/?keys&at=${index}`);
  assertEquals([then.status, then.text], [200, '["a/1"]']);
  assertEquals((await client.send(secret, "GET", `/v1/kv/b/1?at=${index}`)).status, 403);
  assertEquals((await client.send(secret, "GET", "/v1/kv/a/1?history")).status, 200);
  assertEquals((await client.send(secret, "GET", "/v1/kv/b/1?history")).status, 403);
});

Deno.test("where lists of keys need a right of their own, reading what is in them is not enough", async () => {
  await using node = new LocalNode({ agent: { acl: { ...DENY, listsKeys: true } } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/kv/a/1", "v");
  const statuses = async (policy: string) => {
    const { secret } = await client.token(`key_prefix "a/" { policy = "${policy}" }`);
    const paths = ["a/1", "a/?keys", "a/?recurse", "?keys"];
    return await Promise.all(paths.map(async (path) => (await client.send(secret, "GET", `/v1/kv/${path}`)).status));
  };
  assertEquals(await statuses("read"), [200, 403, 403, 403]);
  assertEquals(await statuses("list"), [200, 200, 200, 403]);
});

Deno.test("what another node asks for itself is done as for a client without a token, but for what servers queue", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/catalog/register", { Node: "n", Address: "10.0.0.1" });
  await client.json("POST", "/db/execute", ["CREATE TABLE t(a)"]);
  const ask = async (operation: string, params: unknown, by: unknown, body: Uint8Array = new Uint8Array()) => {
    const head = { operation, by, timeoutMs: 1000, retries: 0, params };
    const { answer } = await node.serve({ call: { head, body } });
    return { head: answer.head, text: new TextDecoder().decode(answer.body) };
  };
  const nodes = { query: { k: "nodes" }, consistency: "stale", index: 0, waitMs: 0 };
  const ofNode = await ask("catalogRead", nodes, { k: "node" });
  assert(!ofNode.text.includes("10.0.0.1") && JSON.stringify(ofNode.head).includes('"isFiltered":true'));
  const ofClient = await ask("catalogRead", nodes, {
    k: "client",
    authorization: `Bearer ${client.root}`,
    address: "",
  });
  assert(ofClient.text.includes("10.0.0.1") && !JSON.stringify(ofClient.head).includes("isFiltered"));
  const register = { name: "x", address: "10.0.0.2", id: "", meta: {} };
  assertMatch(
    JSON.stringify((await ask("register", register, { k: "node" })).head),
    /anonymous token lacks permission 'node:write'/,
  );
  const statements = [{ parts: splitStatements("INSERT INTO t VALUES(1)"), positional: [], named: null }];
  const batch = encodeCommand({ kind: "execute", transaction: false, statements });
  const { head: { result } } = await ask("batch", {}, { k: "node" }, batch);
  assertEquals(result, { hasFailed: false });
  const query = encodeCommand({
    kind: "request",
    transaction: false,
    statements: [{ ...statements[0], parts: splitStatements("SELECT 1") }],
  });
  const refused = await ask("query", { timeoutMs: 1000 }, { k: "node" }, query);
  assertMatch(JSON.stringify(refused.head), /lacks permission 'sql:read'/);
});

Deno.test("a node that looks at no tokens says so where the cluster keeps some", async () => {
  const logged: string[] = [];
  const log = (line: string) => void logged.push(line);
  await using open = new LocalNode();
  const { catalog } = open.services;
  const activity = undefined; // what the writer tells is no part of this test
  await warnIfOpen({ access: undefined, activity, catalog, log });
  await catalog.bringUpToDate();
  await warnIfOpen({ access: undefined, activity, catalog, log });
  assertEquals(logged, []);
  await catalog.write([{ sql: "INSERT INTO _muster_acl_state VALUES('bootstrap', 'x', 1, 1)", positional: [] }]);
  await warnIfOpen({ access: undefined, activity, catalog, log });
  assertEquals(logged.length, 1);
  await using closed = new LocalNode({ agent: { acl: DENY } });
  await AclClient.bootstrap(closed);
  await warnIfOpen({ ...closed.services, log });
  assertEquals(logged.length, 1);
});

Deno.test("a server that is behind catches up before it refuses what depends on what is there", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/catalog/register", { Node: "n", Address: "10.0.0.1" });
  const { secret } = await client.token(`service "web" { policy = "write" }`);
  const deregister = () => client.send(secret, "PUT", "/v1/catalog/deregister", { Node: "n", ServiceID: "web" });
  node.lead(OTHER);
  node.replica.forward = () => answerOf(undefined);
  node.replica.caughtUp = () => ({ error: "it is too far behind" });
  assertEquals((await deregister()).status, 403, "of a service that nobody knows");
  const row = { node: "n", id: "web", name: "web", tags: "[]", address: "", port: 1n, meta: "{}" };
  node.replica.caughtUp = async () => {
    await node.services.catalog.write([upsert("services", ["node", "id"], row)]); // the log has come
    return {};
  };
  assertEquals((await deregister()).text, "true");
});

Deno.test("who may read the database may not write it, whichever way the statement comes", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("POST", "/db/execute", ["CREATE TABLE t(a)"]);
  const { secret } = await client.token(`sql = "read"`);
  const post = (path: string, ...statements: string[]) => client.send(secret, "POST", path, statements);
  assertEquals((await post("/db/request", "SELECT * FROM t")).status, 200);
  for (const path of ["/db/request", "/db/execute", "/db/execute?queue", "/db/execute?queue&wait", "/db/load"]) {
    assertEquals((await post(path, "INSERT INTO t VALUES(1)")).status, 403, path);
  }
  assertEquals((await post("/db/request", "SELECT 1", "INSERT INTO t VALUES(1)")).status, 403);
  await post("/db/query", "INSERT INTO t VALUES(1) RETURNING a");
  await client.send(secret, "GET", "/db/query?q=INSERT%20INTO%20t%20VALUES(1)");
  const { results } = await client.json("GET", "/db/query?q=SELECT%20count(*)%20FROM%20t");
  assertEquals(results[0].values, [[0]]);
});
