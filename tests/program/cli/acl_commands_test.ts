/** `muster acl …` against the handlers of a node in this thread: flags, output and errors. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DENY } from "../../harness/acl.ts";
import { musterHere } from "../../harness/command_line.ts";
import { LocalNode } from "../../harness/local_node.ts";

/** Runs `muster acl` with words, which are to end well unless `code` says otherwise; its output. */
type Run = (words: string, code?: number) => Promise<string>;

/** Runs `work` with commands that reach a node with access control. */
async function withNode(work: (run: Run, directory: string) => Promise<void>): Promise<void> {
  await using node = new LocalNode({ agent: { acl: DENY, nodeName: "n" } });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const token = request.headers.get("x-consul-token");
    const body = new Uint8Array(await request.arrayBuffer());
    const answer = await node.ask(request.method, pathname + search, body, {
      authorization: token ? `Bearer ${token}` : "",
    });
    return new Response(String(answer.body), { status: answer.status });
  });
  const directory = Deno.makeTempDirSync();
  let token = "";
  const run: Run = async (words, code = 0) => {
    const args = words.split(" ").map((word) => word.replaceAll("_", " "));
    const done = await musterHere(["acl", ...args], {
      MUSTER_HTTP_ADDR: `127.0.0.1:${server.addr.port}`,
      CONSUL_HTTP_TOKEN: token,
    });
    assertEquals(done.code, code, `${words}: ${done.stderr}`);
    token ||= /SecretID: +(\S+)/.exec(done.stdout)?.[1] ?? "";
    return code === 0 ? done.stdout : done.stderr;
  };
  try {
    await work(run, directory);
  } finally {
    await server.shutdown();
    Deno.removeSync(directory, { recursive: true });
  }
}

const UUID = /[0-9a-f]{8}-[0-9a-f-]{27}/;
const idOf = (output: string, name = "ID") => new RegExp(`^${name}: +(${UUID.source})`, "m").exec(output)?.[1] ?? "";

Deno.test("acl token: made, shown, listed, changed, copied and deleted", () =>
  withNode(async (run) => {
    const first = await run("bootstrap");
    assertMatch(
      first,
      /^AccessorID: {7}[0-9a-f-]{36}\nSecretID: {9}[0-9a-f-]{36}\nDescription: {6}Bootstrap Token \(Global Management\)\nLocal: {12}false\nCreate Time: {6}.*\nPolicies:\n {3}0{8}-0000-0000-0000-0{11}1 - global-management\n$/,
    );
    assertMatch(
      await run("bootstrap", 1),
      /^Failed ACL bootstrapping: Unexpected response code: 403 \(Permission denied/,
    );
    await run("policy create -name p");
    await run("policy create -name q");
    await run("role create -name r -policy-name p");
    const made = await run(
      "token create -description of_web -policy-name p -role-name r -service-identity web:dc1,dc2 -node-identity n:dc1 -expires-ttl 1h",
    );
    const id = idOf(made, "AccessorID");
    const links = [/Description: {6}of web/, /Expiration Time: {2}2/, /Policies:\n {3}.* - p\nRoles:\n {3}.* - r/];
    for (
      const each of [...links, /web \(Datacenters: dc1, dc2\)\nNode Identities:\n {3}n \(Datacenter: dc1\)/]
    ) assertMatch(made, each);
    const read = await run(`token read -accessor-id ${id.slice(0, 8)} -meta`);
    assertMatch(read, /SecretID: {9}<hidden>/);
    assertMatch(read, /Hash: {13}[0-9a-f]{64}\nCreate Index: {5}\d+\nModify Index: {5}\d+/);
    assertMatch(await run("token read -self"), /global-management/);
    assertEquals((await run("token list")).match(/^AccessorID:/gm)?.length, 3);
    assertEquals(JSON.parse(await run("token list -format=json")).length, 3);

    const changed = await run(`token update -id ${id} -policy-name q -description other`);
    assertMatch(changed, /Description: {6}other\n/);
    assert(/ - q\n/.test(changed) && !/ - p\n/.test(changed) && / - r\n/.test(changed));
    const added = await run(`token update -accessor-id ${id} -append-policy-name p -append-node-identity m:dc1`);
    assert(/ - p\n/.test(added) && / - q\n/.test(added) && /n \(Dat.*\n {3}m \(Dat/.test(added));
    const merged = await run(`token update -id ${id} -merge-policies -policy-name global-management`);
    assertEquals(merged.match(/ - (p|q|global-management)\n/g)?.length, 3);
    const copy = await run(`token clone -accessor-id ${id}`);
    assert(idOf(copy, "AccessorID") !== id && / - q\n/.test(copy));
    assertEquals(await run(`token delete -accessor-id ${id}`), `Token "${id}" deleted successfully\n`);

    assertMatch(await run(`token read -accessor-id ${id}`, 1), /^Error reading token: .* 404 /);
    assertMatch(await run("token read", 1), /Must specify the -accessor-id/);
    assertMatch(await run("token read -accessor-id zz", 1), /no token has an ID that begins with "zz"/);
    assertMatch(await run("token create -node-identity n", 1), /Malformed -node-identity argument/);
    assertMatch(await run("token list -format=xml", 1), /Unknown format: xml/);
  }));

Deno.test("acl policy and acl role: made, shown, listed, changed and deleted", () =>
  withNode(async (run, directory) => {
    await run("bootstrap");
    const file = `${directory}/rules.hcl`;
    Deno.writeTextFileSync(file, `key "k" {\n  policy = "read"\n}\n`);
    const made = await run(`policy create -name p -description d -rules @${file} -valid-datacenter dc1`);
    assertMatch(
      made,
      /^ID: {11}[0-9a-f-]{36}\nName: {9}p\nDescription: {2}d\nDatacenters: {2}dc1\nRules:\nkey "k" \{\n {2}policy = "read"\n\}\n$/,
    );
    assertMatch(
      await run("policy create -name q -rules nonsense", 1),
      /Failed to create new policy: .*400 \(Failed to parse ACL rules/,
    );
    assertMatch(await run(`policy create -name q -rules @${directory}/none`, 1), /Error loading data source/);
    assertMatch(await run("policy create", 1), /Missing require '-name' flag/);
    const kept = await run("policy update -name p -description e");
    assert(/Description: {2}e\n/.test(kept) && /policy = "read"/.test(kept));
    const id = idOf(made);
    assertMatch(await run(`policy update -id ${id} -name p2`), /Name: {9}p2\n/);
    assertEquals(await run(`policy read -id ${id.slice(0, 6)}`), await run("policy read -name p2"));
    assert(!/policy = "read"/.test(await run(`policy update -id ${id} -no-merge`)));
    assertMatch(
      await run("policy list"),
      /^p2:\n {3}ID: {11}[0-9a-f-]{36}\n {3}Description: {2}\n {3}Datacenters: {2}/m,
    );

    const role = await run("role create -name r -policy-name p2 -service-identity web");
    assertMatch(role, /Policies:\n {3}.* - p2\nService Identities:\n {3}web \(Datacenters: all\)\n$/);
    const more = await run("role update -name r -service-identity db");
    assert(/ {3}web .*\n {3}db /.test(more) && / - p2/.test(more));
    assert(!/Policies/.test(await run("role update -name r -no-merge -node-identity n:dc1")));
    assertMatch(
      await run("role list"),
      /^r:\n {3}ID: .*\n {3}Description: {2}\n {3}Node Identities:\n {6}n \(Datacenter: dc1\)\n$/,
    );
    assertEquals(await run("role delete -name r"), `Role "${idOf(role)}" deleted successfully\n`);
    assertEquals(await run(`policy delete -id ${id}`), `Policy "${id}" deleted successfully\n`);
    assertMatch(await run("role read -name r", 1), /Error reading role "r": .*404/);
    assertMatch(await run("policy delete", 1), /Must specify either the -id or -name/);
  }));

Deno.test("acl bootstrap takes a secret from a file, acl set-agent-token gives the agent a token", () =>
  withNode(async (run, directory) => {
    const secret = "aaaaaaaa-1111-2222-3333-444444444444";
    Deno.writeTextFileSync(`${directory}/secret`, `${secret}\n`);
    assertMatch(await run(`bootstrap ${directory}/secret`), new RegExp(secret));
    assertEquals(await run(`set-agent-token recovery ${secret}`), 'ACL token "recovery" set successfully\n');
    assertMatch(
      await run("set-agent-token nonsense x", 1),
      /Failed to set ACL token "nonsense": .*404 \(Token "nonsense" is unknown\)/,
    );
    assertMatch(await run("set-agent-token agent", 1), /1 arguments were given/);
  }));
