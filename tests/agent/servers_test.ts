/**
 * Servers that find each other by gossip form a Raft cluster, take later ones in and let those go that leave; clients reach
 * it through any of them; nodes that move to other addresses are found again (C9.6, C9.7).
 */
import { assert, assertEquals } from "@std/assert";
import { until } from "../harness/processes.ts";
import { agentPlace, type AgentProcess, leaderAmong, type StartAgent, withAgents } from "../harness/agents.ts";

async function threeServers(root: string, start: StartAgent): Promise<AgentProcess[]> {
  const places = ["s1", "s2", "s3"].map((name) => agentPlace(root, name));
  const first = `${places[0].host}:${places[0].port}`;
  const servers = places.map((place) => start(place, "-server", "-bootstrap-expect=3", `-retry-join=${first}`));
  await leaderAmong(servers);
  return servers;
}

/** A client agent hands on a backup of more pieces than one, and loads it again, with what was there then. */
async function loadsAndSaves(client: AgentProcess): Promise<void> {
  const put = (path: string, body: BodyInit) => fetch(client.url + path, { method: "POST", body });
  const loaded = await put("/db/load", "CREATE TABLE big(a); INSERT INTO big VALUES(randomblob(3000000))");
  assertEquals([loaded.status, await loaded.text()], [200, '{"results":[{"last_insert_id":1,"rows_affected":1}]}']);
  const kept = await client.sql("SELECT hex(substr(a, 1000, 8)), length(a) FROM big");
  const backup = await fetch(`${client.url}/db/backup?fmt=delete`);
  const length = Number(backup.headers.get("content-length"));
  const file = await backup.bytes();
  assertEquals([backup.status, file.length], [200, length]);
  assert(file.length > 3_000_000 && backup.headers.get("x-rqlite-served-by") !== null);
  await client.sql("DELETE FROM big");
  assertEquals((await put("/db/load", file)).status, 200);
  assertEquals(await client.sql("SELECT hex(substr(a, 1000, 8)), length(a) FROM big"), kept);
  const text = await (await fetch(`${client.url}/db/backup?fmt=sql&tables=t`)).text();
  assert(text.includes("CREATE TABLE t(v)"), text.slice(0, 1000));
  const wrong = await fetch(`${client.url}/db/backup?fmt=sql&vacuum`);
  assertEquals([wrong.status, await wrong.text()], [500, "invalid backup format\n"]);
}

Deno.test("three servers wait for the third, elect a leader, and serve SQL through a client; one leaves, one dies", () =>
  withAgents(async (root, start) => {
    const places = ["s1", "s2", "s3"].map((name) => agentPlace(root, name));
    const join = `-retry-join=${places[0].host}:${places[0].port}`;
    const servers = places.slice(0, 2).map((place) => start(place, "-server", "-bootstrap-expect=3", join));
    for (const server of servers) await server.up();
    await servers[0].sees("s2", "alive");
    await until("two of three wait", () => /2 of 3 nodes known/.test(servers[0].log) || undefined);
    assertEquals(await servers[0].leader(), undefined);
    const { status, text } = await servers[0].http("GET", "/v1/catalog/nodes");
    assertEquals([status, text], [500, "No cluster leader"]);

    servers.push(start(places[2], "-server", "-bootstrap-expect=3", join));
    const leader = await leaderAmong(servers);
    const client = start(agentPlace(root, "c1"), join);
    await client.up();
    await client.sees("s1", "alive");
    await until(
      "the client writes",
      () => client.sql("CREATE TABLE IF NOT EXISTS t(v)").then(() => true, () => undefined),
    );
    await client.sql("INSERT INTO t VALUES(1)");
    assertEquals(await client.sql("SELECT v FROM t"), [[1]]);
    const ready = await fetch(`${client.url}/readyz`);
    assertEquals([ready.status, await ready.text()], [200, "[+]node ok\n[+]leader ok\n[+]store ok"]);
    const refused = await fetch(`${client.url}/boot`, { method: "POST" });
    assertEquals(
      [refused.status, (await refused.text()).trim()],
      [501, "a client agent does not relay /boot: send it to a server (muster members lists them)"],
    );
    await loadsAndSaves(client);
    await until("the catalog holds all four", async () => {
      const rows = await client.sql("SELECT name FROM muster.nodes ORDER BY name");
      return rows.flat().join() === "c1,s1,s2,s3" || undefined;
    });
    for (const server of servers) {
      assertEquals((await server.sql("SELECT count(*) FROM muster.members WHERE status = 'alive'")).flat(), [4]);
    }

    const other = servers.find((server) => server !== leader) ?? leader;
    const left = await other.muster("leave");
    assertEquals([left.code, left.stdout], [0, "Graceful leave complete\n"], left.stderr);
    assertEquals(await other.ended(), 0);
    const rest = servers.filter((server) => server !== other);
    await until("two peers", async () => (await leader.get("/v1/status/peers")).length === 2 || undefined);
    await leader.sees(other.place.name, "left");
    await until("it is out of the catalog", async () => {
      return (await leader.get(`/v1/catalog/node/${other.place.name}`)) === null || undefined;
    });

    const again = start(other.place, "-server", join, "-rejoin");
    await until("three peers", async () => (await leader.get("/v1/status/peers")).length === 3 || undefined);
    const three = [...rest, again];
    await leaderAmong(three);
    await leader.stop("SIGKILL");
    const living = three.filter((server) => server !== leader);
    // Nobody leads for a moment: the client agent holds what comes until somebody does.
    await Promise.all([client.sql("INSERT INTO t VALUES(2)"), client.get("/v1/catalog/nodes")]);
    await leaderAmong(living);
    await living[0].sees(leader.place.name, "failed");
    await until("its check is critical", async () => {
      const [check] = await living[0].get(`/v1/health/node/${leader.place.name}`);
      return check?.Status === "critical" || undefined;
    });
    assertEquals((await living[0].get("/v1/status/peers")).length, 3);
    // A failed server keeps its vote until it is pruned, or reaped.
    assertEquals((await living[0].muster("force-leave", "-prune", leader.place.name)).code, 0);
    await until("it is out of the cluster", async () => {
      return (await living[0].get("/v1/status/peers")).length === 2 || undefined;
    });
  }));

Deno.test("servers that move are found by gossip: one by one, and all at once as long as one known address answers", () =>
  withAgents(async (root, start) => {
    let servers = await threeServers(root, start);
    await servers[0].sql("CREATE TABLE t(v)");
    const moved = async (server: AgentProcess, host: string, ...flags: string[]) => {
      await server.stop("SIGTERM");
      const { name, directory } = server.place;
      return start({ ...agentPlace(root, name, host), directory }, "-server", ...flags);
    };
    for (let at = 0; at < 3; at++) {
      servers[at] = await moved(servers[at], `127.0.0.${11 + at}`);
      await leaderAmong(servers);
      await until("its new address is in the configuration", async () => {
        return (await servers[(at + 1) % 3].get("/v1/status/peers")).includes(servers[at].addr) || undefined;
      });
      await servers[at].sql(`INSERT INTO t VALUES(${at})`);
    }
    assertEquals((await servers[0].sql("SELECT count(*) FROM t")).flat(), [3]);

    // All three at once, none where it was; one new address is known to the others.
    await Promise.all(servers.map((server) => server.stop("SIGKILL")));
    const places = servers.map(({ place: { name, directory } }, at) => ({
      ...agentPlace(root, name, `127.0.0.${21 + at}`),
      directory,
    }));
    const known = `-retry-join=${places[0].host}:${places[0].port}`;
    servers = places.map((place) => start(place, "-server", known));
    await leaderAmong(servers);
    await until("all new addresses are in the configuration", async () => {
      const peers: string[] = await servers[0].get("/v1/status/peers");
      return servers.every(({ addr }) => peers.includes(addr)) || undefined;
    });
    await servers[1].sql("INSERT INTO t VALUES(9)");
    assertEquals((await servers[2].sql("SELECT count(*) FROM t")).flat(), [4]);
  }));

Deno.test("all servers restarted at once elect again; a server that expects another number is named", () =>
  withAgents(async (root, start) => {
    const servers = await threeServers(root, start);
    await servers[0].sql("CREATE TABLE t(v)", "INSERT INTO t VALUES(7)");
    await Promise.all(servers.map((server) => server.stop("SIGKILL")));
    const again = servers.map(({ place }) => start(place, "-server", "-bootstrap-expect=3"));
    await leaderAmong(again);
    assertEquals((await again[2].sql("SELECT v FROM t")).flat(), [7]);

    const odd = agentPlace(root, "odd");
    const even = agentPlace(root, "even");
    const first = start(odd, "-server", "-bootstrap-expect=2");
    const second = start(even, "-server", "-bootstrap-expect=3", `-retry-join=${odd.host}:${odd.port}`);
    await second.says(/Member odd has a conflicting expect value/);
    assert(first.running);
    await first.says(/bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance/);
  }));
