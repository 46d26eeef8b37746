/** `/v1/acl`: bootstrap, tokens, policies and roles, over a database in this thread. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { AclClient, DENY } from "../../harness/acl.ts";
import { LocalNode } from "../../harness/local_node.ts";

const GONE = "11111111-2222-3333-4444-555555555555";

Deno.test("without access control its paths say so, and nothing of it is in answers", async () => {
  await using node = new LocalNode();
  for (
    const [method, path] of [["PUT", "bootstrap"], ["GET", "tokens"], ["GET", "token/self"], ["PUT", "policy"], [
      "GET",
      "x",
    ]]
  ) {
    const { status, text } = await node.send(method, `/v1/acl/${path}`, "{}");
    assertEquals([status, text], [401, "ACL support disabled"], path);
  }
  const { headers } = await node.send("GET", "/v1/kv/?keys");
  assertEquals(headers?.["X-Consul-Default-ACL-Policy"], undefined);
});

Deno.test("access control is bootstrapped once; a second time names the index that resets it", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const secret = "aaaaaaaa-1111-2222-3333-444444444444";
  const bad = await node.send("PUT", "/v1/acl/bootstrap", { BootstrapSecret: "x" });
  assertEquals(bad.status, 400);
  const made = await node.json("PUT", "/v1/acl/bootstrap", { BootstrapSecret: secret });
  assertEquals([made.SecretID, made.ID, made.Policies[0].Name], [secret, secret, "global-management"]);
  assertEquals(made.Description, "Bootstrap Token (Global Management)");
  const again = await node.send("PUT", "/v1/acl/bootstrap");
  assertEquals(again.status, 403);
  assertMatch(again.text, /^Permission denied: ACL bootstrap no longer allowed \(reset index: \d+\)$/);
});

Deno.test("tokens are made, read, changed, copied and deleted; a secret is told once", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const policy = await client.json("PUT", "/v1/acl/policy", { Name: "p", Rules: `key "k" { policy = "write" }` });
  const made = await client.json("PUT", "/v1/acl/token", { Description: "d", Policies: [{ Name: "p" }] });
  assertMatch(made.SecretID, /^[0-9a-f-]{36}$/);
  assertEquals(made.Policies, [{ ID: policy.ID, Name: "p" }]);
  const path = `/v1/acl/token/${made.AccessorID}`;
  const read = await client.json("GET", path);
  assertEquals(read, { ...made, SecretID: "<hidden>" });
  assertEquals(await client.json("GET", "/v1/acl/token/self", "", made.SecretID), made);
  assertEquals((await client.send(made.SecretID, "PUT", "/v1/kv/k", "v")).text, "true");

  const changed = await client.json("PUT", path, { ...read, Description: "e", Policies: [] });
  assertEquals([changed.Description, changed.Policies, changed.CreateTime], ["e", undefined, made.CreateTime]);
  assert(changed.ModifyIndex > made.ModifyIndex && changed.CreateIndex === made.CreateIndex);
  assertEquals((await client.send(made.SecretID, "PUT", "/v1/kv/k", "v")).status, 403);
  assertEquals((await client.send(client.root, "PUT", path, { SecretID: GONE })).status, 500);
  await client.json("PUT", path, { Policies: [{ ID: policy.ID }] });

  const copy = await client.json("PUT", `${path}/clone`, { Description: "copy" });
  assertEquals([copy.Description, copy.Policies], ["copy", [{ ID: policy.ID, Name: "p" }]]);
  assert(copy.SecretID !== made.SecretID && copy.AccessorID !== made.AccessorID);
  assertEquals((await client.json("GET", "/v1/acl/tokens")).length, 4, "with the first and the anonymous one");
  assertEquals((await client.json("GET", `/v1/acl/tokens?policy=${policy.ID}`)).length, 2);

  assertEquals(await client.json("DELETE", path), true);
  assertEquals((await client.send(made.SecretID, "GET", "/v1/kv/k")).text, "ACL not found");
  const missing = await client.send(client.root, "GET", path);
  assertEquals([missing.status, missing.text], [404, "Requested token does not exist: ACL not found"]);
});

Deno.test("a token has a user: a name and a password, in place of its secret and nowhere to be read", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const as = async (user: string, method: string, target: string, body: unknown = "") => {
    const { status, text } = await node.send(method, target, body, { authorization: `Basic ${btoa(user)}` });
    return [status, text];
  };
  await client.json("PUT", "/v1/acl/policy", { Name: "p", Rules: `key "k" { policy = "write" }` });
  const mary = { UserName: "mary", Password: "secret of mary", Policies: [{ Name: "p" }] };
  const made = await client.json("PUT", "/v1/acl/token", mary);
  assertEquals([made.UserName, made.Password], ["mary", undefined]);
  const path = `/v1/acl/token/${made.AccessorID}`;
  assertEquals(await as("mary:secret of mary", "PUT", "/v1/kv/k", "v"), [200, "true"]);
  assertEquals((await as("mary:secret of mary", "PUT", "/v1/kv/l", "v"))[0], 403);
  assertEquals(await as("mary:wrong", "PUT", "/v1/kv/k", "v"), [401, "Permission denied: no valid token or password"]);
  const self = JSON.parse(String((await as("mary:secret of mary", "GET", "/v1/acl/token/self"))[1]));
  assertEquals([self.UserName, self.SecretID], ["mary", "<hidden>"]);

  const whoami = async (user: string) => {
    const { kind, name } = JSON.parse(String((await as(user, "GET", "/console/whoami"))[1]));
    return [kind, name];
  };
  assertEquals(await whoami("mary:secret of mary"), ["user", "mary"]);
  assertEquals(await whoami("mary:wrong"), ["nobody", ""]);

  // Whoever changes the token and says nothing of the user leaves the user alone.
  const { UserName: _, ...nameless } = await client.json("GET", path);
  assertEquals((await client.json("PUT", path, { ...nameless, Description: "d" })).UserName, "mary");
  assertEquals(await as("mary:secret of mary", "PUT", "/v1/acl/user/password", { Password: "another one" }), [
    200,
    "true",
  ]);
  assertEquals((await as("mary:secret of mary", "GET", "/v1/kv/k"))[0], 401);
  assertEquals((await as("mary:another one", "GET", "/v1/kv/k"))[0], 200);
  assertEquals((await client.json("PUT", path, { ...nameless, UserName: "maria" })).UserName, "maria");
  assertEquals((await as("mary:another one", "GET", "/v1/kv/k"))[0], 401);
  assertEquals((await as("maria:another one", "GET", "/v1/kv/k"))[0], 200);
  const rows = await client.json("GET", "/db/query?q=SELECT%20*%20FROM%20_muster_acl_users");
  assertMatch(rows.results[0].values[0][2], /^\$pbkdf2-sha256\$600000\$/);

  const refused: [body: unknown, status: number, text: RegExp][] = [
    [{ UserName: "maria", Password: "a long word" }, 500, /a user "maria" already exists/],
    [{ UserName: "eve" }, 500, /needs a Password/],
    [{ UserName: "a:b", Password: "a long word" }, 500, /without colons/],
    [{ UserName: "*", Password: "a long word" }, 500, /UserName/],
    [{ UserName: "eve", Password: "seven77" }, 400, /^Password: expected at least 8 characters/],
    [{ UserName: "eve", Password: "" }, 400, /expected a password of 1 to 1024 characters/],
    [{ UserName: "eve", Password: "$pbkdf2-sha256$1$x" }, 400, /expected a password hash/],
    [{ Password: "a long word" }, 400, /expected a UserName/],
  ];
  for (const [body, status, text] of refused) {
    const answer = await client.send(client.root, "PUT", "/v1/acl/token", body);
    assertEquals(answer.status, status, JSON.stringify(body));
    assertMatch(answer.text, text);
  }
  const { secret } = await client.token(`operator = "write" acl = "read"`);
  assertEquals(
    (await client.send(secret, "PUT", "/v1/acl/token", { UserName: "eve", Password: "a long word" })).status,
    403,
  );
  // What a user registers is not synchronized with the password.
  const { ID } = await client.json("PUT", "/v1/acl/policy", {
    Name: "web",
    Rules: `service "web" { policy = "write" }`,
  });
  await client.json("PUT", path, { Policies: [{ ID }] });
  assertEquals((await as("maria:another one", "PUT", "/v1/agent/service/register", { Name: "web" }))[0], 200);
  assertEquals(node.services.local?.services.get("web")?.definition.token, undefined);

  await client.json("PUT", path, { UserName: "" });
  assertEquals((await as("maria:another one", "GET", "/v1/kv/k"))[0], 401);
  await client.json("PUT", path, { UserName: "maria", Password: "third one" });
  assertEquals((await as("maria:third one", "GET", "/v1/acl/token/self"))[0], 200);
  await client.json("DELETE", path);
  assertEquals((await as("maria:third one", "GET", "/v1/acl/token/self"))[0], 403, "the user goes with the token");
});

Deno.test("the database has no secret, and a token needs the rights of acl", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const { secret } = await client.token(`operator = "write" sql = "read" acl = "read"`);
  const tables = await client.json("GET", "/db/query?q=SELECT%20*%20FROM%20_muster_acl_tokens", "", secret);
  const text = JSON.stringify(tables);
  assertEquals(tables.results[0].values.length, 2);
  assert(!text.includes(secret) && !text.includes(client.root));
  assertEquals((await client.json("GET", "/v1/acl/tokens", "", secret)).length, 3);
  const refused = await client.send(secret, "PUT", "/v1/acl/token", {});
  assertEquals(refused.status, 403);
  assertMatch(refused.text, /^Permission denied: token with AccessorID '.{36}' lacks permission 'acl:write'$/);
});

Deno.test("what cannot be done with tokens and policies is refused with its reason", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const self = await client.json("GET", "/v1/acl/token/self");
  const taken = { AccessorID: self.AccessorID, SecretID: client.root };
  await client.json("PUT", "/v1/acl/policy", { Name: "p" });
  const cases: [method: string, path: string, body: unknown, status: number, text: RegExp][] = [
    ["DELETE", `token/${self.AccessorID}`, "", 500, /request's authorization token/],
    ["DELETE", "token/00000000-0000-0000-0000-000000000002", "", 500, /anonymous token/],
    ["DELETE", "policy/00000000-0000-0000-0000-000000000001", "", 500, /builtin global-management/],
    ["PUT", "policy/00000000-0000-0000-0000-000000000001", { Name: "x" }, 500, /builtin global-management/],
    ["PUT", "policy", { Name: "p" }, 500, /A Policy with Name "p" already exists/],
    ["PUT", "policy", { Name: "global-management" }, 500, /already exists/],
    ["PUT", "policy", { Name: "a b" }, 500, /Only alphanumeric characters/],
    ["PUT", "policy", {}, 500, /no Name is set/],
    ["PUT", "policy", { ID: GONE, Name: "q" }, 400, /Cannot specify the ID/],
    ["PUT", `policy/${GONE}`, { Name: "q" }, 500, /cannot find policy/],
    ["PUT", "policy", { Name: "q", Rules: `kee "x" { policy = "read" }` }, 400, /unknown resource "kee"/],
    ["PUT", "token", taken, 500, /AccessorID is already in use/],
    ["PUT", "token", { SecretID: client.root }, 500, /SecretID is already in use/],
    ["PUT", "token", { SecretID: "x" }, 400, /not a valid UUID/],
    ["PUT", "token", { Policies: [{ Name: "none" }] }, 500, /No such ACL policy with name "none"/],
    ["PUT", "token", { Roles: [{ ID: GONE }] }, 500, /No such ACL role with ID/],
    ["PUT", "token", { ExpirationTTL: "1s" }, 500, /less than 1m0s/],
    ["PUT", "token", { ExpirationTTL: "25h" }, 500, /more than 24h/],
    ["PUT", "token", { ExpirationTTL: "soon" }, 400, /expected a duration/],
    ["PUT", "token", { AuthMethod: "x" }, 400, /AuthMethod is not supported/],
    ["PUT", "token", { ServiceIdentities: [{ ServiceName: "A b" }] }, 500, /Service identity "A b"/],
    ["PUT", "token", { NodeIdentities: [{ NodeName: "n" }] }, 500, /missing the datacenter/],
    ["PUT", `token/${GONE}`, {}, 500, /Cannot find token/],
    ["PUT", `token/${GONE}/clone`, {}, 500, /Cannot find token/],
    ["PUT", "role", {}, 500, /no Name is set/],
    ["GET", `policy/${GONE}`, "", 404, /policy does not exist: ACL not found/],
    ["GET", "policy/name/none", "", 404, /policy does not exist/],
    ["GET", "role/none", "", 404, /role does not exist/],
    ["PUT", "login", {}, 404, /^$/],
    ["GET", "auth-methods", "", 404, /^$/],
  ];
  for (const [method, path, body, status, expected] of cases) {
    const answer = await client.send(client.root, method, `/v1/acl/${path}`, body);
    assertEquals(answer.status, status, `${method} ${path}: ${answer.text}`);
    assertMatch(answer.text, expected);
  }
});

Deno.test("roles and identities give their tokens rights", async () => {
  await using node = new LocalNode({ agent: { acl: DENY, nodeName: "n" } });
  const client = await AclClient.bootstrap(node);
  const { policy } = await client.token(`key_prefix "r/" { policy = "write" }`);
  const role = await client.json("PUT", "/v1/acl/role", {
    Name: "r",
    Policies: [{ ID: policy }],
    ServiceIdentities: [{ ServiceName: "web" }, { ServiceName: "far", Datacenters: ["dc2"] }],
    NodeIdentities: [{ NodeName: "n1", Datacenter: "dc1" }],
  });
  assertEquals(await client.json("GET", "/v1/acl/role/name/r"), role);
  assertEquals(await client.json("GET", `/v1/acl/role/${role.ID}`), role);
  assertEquals((await client.json("GET", "/v1/acl/roles"))[0].Name, "r");
  const { SecretID: secret } = await client.json("PUT", "/v1/acl/token", { Roles: [{ Name: "r" }] });
  const register = (Node: string, Service?: string) =>
    client.send(secret, "PUT", "/v1/catalog/register", {
      Node,
      Address: "10.0.0.9",
      ...(Service ? { Service: { Service } } : {}),
    });
  assertEquals((await client.send(secret, "PUT", "/v1/kv/r/a", "v")).text, "true");
  assertEquals((await register("n1")).text, "true");
  assertEquals((await register("n1", "web")).text, "true");
  for (const [node, service] of [["n2"], ["n1", "far"], ["n1", "db"]]) {
    assertEquals((await register(node, service)).status, 403);
  }
  await client.json("DELETE", `/v1/acl/role/${role.ID}`);
  assertEquals((await client.send(secret, "PUT", "/v1/kv/r/a", "v")).status, 403);
  assertEquals((await client.json("GET", "/v1/acl/token/self", "", secret)).Roles, []);
});

Deno.test("the anonymous token is that of those that show none, and can be given rights", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/kv/open/a", "v");
  const refused = await client.send("", "GET", "/v1/kv/open/a");
  assertEquals(
    refused.text,
    `Permission denied: anonymous token lacks permission 'key:read' on "open/a". ` +
      "The anonymous token is used implicitly when a request does not specify a token.",
  );
  const { policy } = await client.token(`key_prefix "open/" { policy = "read" }`);
  const anonymous = "/v1/acl/token/00000000-0000-0000-0000-000000000002";
  const shown = await client.json("GET", anonymous);
  await client.json("PUT", anonymous, { ...shown, Policies: [{ ID: policy }] });
  assertEquals((await client.send("", "GET", "/v1/kv/open/a?raw")).text, "v");
  assertEquals((await client.send(GONE, "GET", "/v1/kv/open/a?raw")).text, "ACL not found");
  assertEquals((await client.json("GET", anonymous)).Policies.length, 1);
});

Deno.test("lists show what a token may read, and say that something was left out; a wait shows no more", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  for (const key of ["a/1", "a/2", "b/1"]) await client.json("PUT", `/v1/kv/${key}`, "v");
  const { secret } = await client.token(`key_prefix "a/" { policy = "read" } key "a/2" { policy = "deny" }`);
  const keys = await client.send(secret, "GET", "/v1/kv/?keys");
  assertEquals(JSON.parse(keys.text), ["a/1"]);
  assertEquals(keys.headers?.["X-Consul-Results-Filtered-By-ACLs"], "true");
  assertEquals(keys.headers?.["X-Consul-Default-ACL-Policy"], "deny");
  const tree = await client.send(secret, "GET", "/v1/kv/a/?recurse");
  assertEquals(JSON.parse(tree.text).map(({ Key }: { Key: string }) => Key), ["a/1"]);
  const all = await client.send(client.root, "GET", "/v1/kv/?keys");
  assertEquals(JSON.parse(all.text).length, 3);
  assertEquals(all.headers?.["X-Consul-Results-Filtered-By-ACLs"], undefined);

  const index = keys.headers?.["X-Consul-Index"];
  const waiting = client.send(secret, "GET", `/v1/kv/?keys&index=${index}&wait=20s`);
  await client.json("PUT", "/v1/kv/b/2", "v");
  assertEquals(JSON.parse((await waiting).text), ["a/1"]);
});

Deno.test("a token that was deleted while its request waited gets nothing", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  await client.json("PUT", "/v1/kv/a", "v");
  const { secret, accessor } = await client.token(`key_prefix "" { policy = "read" }`);
  const first = await client.send(secret, "GET", "/v1/kv/a");
  const waiting = client.send(secret, "GET", `/v1/kv/a?index=${first.headers?.["X-Consul-Index"]}&wait=20s`);
  await client.json("DELETE", `/v1/acl/token/${accessor}`);
  await client.json("PUT", "/v1/kv/a", "w");
  assertEquals((await waiting).text, "ACL not found");
});

Deno.test("a password is taken for a token where no user has the name, as rqlite's clients know nothing else", async () => {
  await using node = new LocalNode({ agent: { acl: DENY } });
  const client = await AclClient.bootstrap(node);
  const authorization = `Basic ${btoa(`any:${client.root}`)}`;
  assertEquals((await node.send("GET", "/db/query?q=SELECT%201", "", { authorization })).status, 200);
  assertEquals((await node.send("GET", "/db/query?q=SELECT%201", "")).status, 403);
});

Deno.test("with default_policy allow everybody may do everything but manage, unless a rule denies it", async () => {
  await using node = new LocalNode({ agent: { acl: { ...DENY, defaultPolicy: "allow" } } });
  const client = await AclClient.bootstrap(node);
  const { secret } = await client.token(`key_prefix "secret/" { policy = "deny" } sql = "deny"`);
  const status = async (token: string, method: string, path: string, body: unknown = "") =>
    (await client.send(token, method, path, body)).status;
  assertEquals(await status("", "PUT", "/v1/kv/secret/a", "v"), 200);
  assertEquals(await status("", "POST", "/db/execute", ["CREATE TABLE t(a)"]), 200);
  assertEquals(await status("", "GET", "/db/query?q=SELECT%20*%20FROM%20muster.kv"), 200);
  for (const path of ["/v1/acl/tokens", "/v1/snapshot", "/db/backup"]) assertEquals(await status("", "GET", path), 403);
  assertEquals(await status(secret, "PUT", "/v1/kv/other", "v"), 200);
  assertEquals(await status(secret, "GET", "/v1/kv/secret/a"), 403);
  assertEquals(await status(secret, "DELETE", "/v1/kv/?recurse"), 403);
  assertEquals(await status(secret, "DELETE", "/v1/kv/other?recurse"), 200);
  assertEquals(await status(secret, "GET", "/db/query?q=SELECT%201"), 403);
  const { headers, text } = await client.send(secret, "GET", "/v1/kv/?keys");
  assertEquals([text, headers?.["X-Consul-Default-ACL-Policy"]], ["[]", "allow"]);
});
