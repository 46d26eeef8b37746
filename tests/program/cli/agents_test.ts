/** Agents in this process: a server and a client in one encrypted pool, as the commands, HTTP, SQL and DNS show them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, type StartAgent, withAgents } from "../../harness/agents.ts";
import { musterHere } from "../../harness/command_line.ts";
import { until } from "../../harness/processes.ts";

const KEY = "l4C6PDiGKaSRwviKYvaI64OeaR0SUWjmRx8fWQ9oO7s=";
const NEW_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/** A server that leads, with its configuration in a file, and a client. */
async function pair(root: string, start: StartAgent): Promise<[server: AgentProcess, client: AgentProcess]> {
  const place = agentPlace(root, "server");
  await configure(root, { rack: "r1" });
  const server = start(place, "-server", "-bootstrap-expect=1", `-encrypt=${KEY}`, `-config-file=${root}/server.json`);
  const client = start(agentPlace(root, "client"), `-retry-join=${server.addr}`, `-encrypt=${KEY}`);
  await Promise.all([server.up(), client.up()]);
  await until("it leads", () => server.leader());
  await client.sees("server", "alive");
  await until("both are in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 2 || undefined);
  return [server, client];
}

async function configure(root: string, meta: Record<string, string>): Promise<void> {
  await Deno.writeTextFile(`${root}/server.json`, JSON.stringify({ node_meta: meta }));
}

/** Runs a command that is to end well; its output. */
async function run(agent: AgentProcess, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await command(agent, ...args);
  assertEquals([code, stderr], [0, ""], args.join(" "));
  return stdout;
}

function command(agent: AgentProcess, ...args: string[]) {
  return musterHere(args, { MUSTER_HTTP_ADDR: `${agent.place.host}:${agent.place.httpPort}` });
}

async function commands(server: AgentProcess, client: AgentProcess): Promise<void> {
  const lines = (await run(client, "members")).split("\n");
  assertMatch(lines[0], /^Node +Address +Status +Type +Build +Protocol +DC /);
  assertMatch(lines[1], /^server +127\.0\.0\.1:\d+ +alive +server /);
  assertMatch(lines[2], /^client +127\.0\.0\.1:\d+ +alive +client /);
  assertMatch(await run(client, "members", "-detailed"), /role=consul/);
  assertEquals((await command(client, "members", "-status=failed")).code, 2);
  assertMatch((await command(client, "members", "-status=(")).stderr, /^Failed to compile status regexp: /);

  assertMatch(
    await run(client, "catalog", "nodes"),
    /^Node +ID +Address +DC\nclient +[0-9a-f]{8} +127\.0\.0\.1 +dc1\n/,
  );
  assertMatch(await run(client, "catalog", "nodes", "-detailed"), /server .* lan=127\.0\.0\.1/);
  assertEquals((await command(client, "catalog", "nodes", "-service=none")).code, 0);
  assertEquals(await run(client, "catalog", "services"), "consul\n");
  assertMatch(await run(client, "catalog", "services", "-tags"), /^consul/);
  assertEquals(await run(client, "catalog", "datacenters"), "dc1\n");
  assertMatch(
    await run(client, "operator", "raft", "list-peers"),
    /\nserver +[0-9a-f-]{36} +127\.0\.0\.1:\d+ +leader +true +3 +\d+ +_/,
  );
  const alone = await command(client, "operator", "raft", "transfer-leader");
  assertMatch(alone.stderr, /^Error transferring leadership: Unexpected response code: 500 /);
  assertMatch((await command(client, "operator", "raft", "remove-peer")).stderr, /an address or id is required/);
  assertMatch((await command(client, "operator", "raft", "remove-peer", "-id=x")).stderr, /was not found/);

  assertMatch(await run(server, "info"), /^raft:\n(?:\t.+\n)*\tstate = Leader$/m);
  assertMatch(await run(client, "info"), /\tknown_servers = 1\n/);
  assertMatch(await run(client, "event", "-name=deploy", "-node=^server$", "1.2"), /^Event ID: [0-9a-f-]{36}\n$/);
  const event = await until("the event", async () => (await server.get("/v1/event/list?name=deploy"))[0]);
  assertEquals([event.Name, event.Payload], ["deploy", "MS4y"]);
  assertEquals(await client.get("/v1/event/list"), [], "it is for the server alone");
  assertEquals((await command(client, "event")).stderr, "Event name must be specified\n");
  assertEquals((await command(client, "join", "127.0.0.1:1")).code, 1);
  assertMatch(await run(client, "join", server.addr), /^Successfully joined cluster by contacting 1 nodes\.\n$/);
  assertMatch((await command(client, "force-leave", "none")).stderr, /No node found with name 'none'/);
}

async function keys(server: AgentProcess): Promise<void> {
  assertMatch(await run(server, "keyring", "-list"), new RegExp(`  ${KEY.replace("+", "\\+")} \\[2/2\\]`));
  await run(server, "keyring", `-install=${NEW_KEY}`);
  await run(server, "keyring", `-use=${NEW_KEY}`);
  await run(server, "keyring", `-remove=${KEY}`);
  assertMatch(await run(server, "keyring", "-list-primary"), new RegExp(`  ${NEW_KEY} \\[2/2\\]`));
  assertEquals((await command(server, "keyring", `-remove=${NEW_KEY}`)).code, 1);
  assertEquals((await command(server, "keyring")).code, 1);
  assertEquals((await run(server, "keygen")).trim().length, 44);
}

Deno.test("a server and a client find each other, answer commands, SQL and names, and leave", () =>
  withAgents(async (root, start) => {
    const [server, client] = await pair(root, start);
    await commands(server, client);
    await keys(server);

    // SQL goes through the client agent to the server.
    const sql = ["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)", "SELECT a FROM t"];
    assertEquals(await client.sql(...sql), [[1]]);
    assertEquals(await server.sql("SELECT a FROM t"), [[1]]);
    assertMatch((await client.http("GET", "/readyz")).text, /^\[\+\]node ok\n\[\+\]leader ok/);
    assertEquals((await client.get("/v1/status/peers")).length, 1);

    for (const { place } of [server, client]) {
      const nameServer = { ipAddr: place.host, port: place.dnsPort };
      assertEquals(await Deno.resolveDns("client.node.consul", "A", { nameServer }), ["127.0.0.1"]);
      assertEquals(await Deno.resolveDns("7f000001.addr.muster", "A", { nameServer }), ["127.0.0.1"]);
      assertEquals(await Deno.resolveDns("consul", "NS", { nameServer }), ["server.node.dc1.consul."]);
      await Deno.resolveDns("none.node.consul", "A", { nameServer }).then(() => assert(false), (error) => {
        assert(error instanceof Deno.errors.NotFound, String(error));
      });
    }

    await configure(root, { rack: "r2" });
    assertEquals(await run(server, "reload"), "Configuration reload triggered\n");
    await until("the catalog says so", async () => {
      return (await server.get("/v1/catalog/node/server")).Node.Meta.rack === "r2" || undefined;
    });
    assertMatch(await run(client, "catalog", "nodes", "-detailed", "-node-meta=rack=r2"), /server .* rack=r2/);
    const nameServer = { ipAddr: client.place.host, port: client.place.dnsPort };
    assertEquals(await Deno.resolveDns("server.node.consul", "TXT", { nameServer }), [["rack=r2"]]);
    await Deno.writeTextFile(`${root}/server.json`, "{");
    assertMatch((await command(server, "reload")).stderr, /server\.json/);

    assertEquals(await run(client, "leave"), "Graceful leave complete\n");
    assertEquals(await client.ended(), 0);
    await server.sees("client", "left");
    assertEquals(await server.stop("SIGTERM"), 1, "a server stays a member");
    assertMatch(server.log, /Graceful shutdown disabled\. Exiting/);
  }, { isThread: true }));

Deno.test("an agent that cannot start says why, with its exit code", async () => {
  const failed = async (...args: string[]) => {
    const { code, stderr } = await musterHere(["agent", ...args]);
    assertEquals(code, 1, args.join(" "));
    return stderr.trim();
  };
  assertMatch(await failed("-x"), /^flag provided but not defined: -x\nRun "muster agent -help" for the flags\.$/);
  assertEquals(await failed("extra"), "==> Unexpected extra arguments: [extra]");
  assertMatch(await failed("-bind=127.0.0.1"), /^==> .*data_dir/i);
  const help = await musterHere(["agent", "-help"]);
  assertEquals(help.code, 0);
  assertMatch(help.stdout, /^muster agent: run a member of a pool/);
});
