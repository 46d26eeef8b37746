/**
 * Clusters of real processes: how they form, what they survive, what they refuse.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  NodeProcess,
  startCluster,
  until,
  withNodes,
} from "../harness/processes.ts";

Deno.test("three nodes with the same flags form one cluster, a fourth and restarts with them do no harm", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO t(name) VALUES('a')");
    const flags = clusterFlags(nodes.map(({ place }) => place));

    const fourth = start(nodePlace(root, "4"), flags);
    await fourth.ready();
    await until("the fourth is a voter", async () => {
      const members = await leader.status("store.nodes") as { id: string; suffrage: string }[];
      return members.length === 4 && members.every(({ suffrage }) => suffrage === "voter") ? true : undefined;
    });

    const [follower] = nodes.filter((node) => node !== leader);
    assertEquals((await follower.stop("SIGTERM")).code, 0);
    const again = start(follower.place, flags);
    await again.ready();
    await again.execute("INSERT INTO t(name) VALUES('b')"); // forwarded if it does not lead
    for (const node of [leader, fourth, again]) {
      await until(
        "both rows",
        async () => (await node.row("SELECT count(*) FROM t", "none"))[0] === 2 ? true : undefined,
      );
      assertEquals((await node.status("store.nodes") as unknown[]).length, 4);
    }
    assertEquals(
      new Set(await Promise.all([leader, fourth, again].map((node) => node.status("store.raft.cluster_id")))).size,
      1,
    );
  }));

Deno.test("a killed leader is replaced, and comes back with its old flags", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");
    await leader.stop("SIGKILL");
    const others = nodes.filter((node) => node !== leader);
    await until("a write is accepted", async () => (await others[0].execute("INSERT INTO t VALUES(2)"), true), 15_000);
    const back = start(leader.place, clusterFlags(nodes.map(({ place }) => place)));
    await back.ready();
    await until("it has both rows", async () =>
      (await back.row("SELECT count(*) FROM t", "none"))[0] === 2 ? true : undefined);
  }));

Deno.test("writes, reads at every level and redirects work on a follower", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    const [follower] = nodes.filter((node) => node !== leader);
    await follower.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    const written = await follower.execute(["INSERT INTO t(name) VALUES(?)", "fiona"]);
    assertEquals(written.results, [{ last_insert_id: 1, rows_affected: 1 }]);
    for (const level of ["weak", "linearizable", "strong", "auto"]) {
      assertEquals(await follower.row("SELECT name FROM t", level), ["fiona"]);
    }
    const response = await fetch(`${follower.url}/db/query?redirect&q=SELECT%201`, { redirect: "manual" });
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("location")], [
      301,
      `${leader.url}/db/query?redirect&q=SELECT%201`,
    ]);
    const forwarded = await fetch(`${follower.url}/db/query?q=SELECT%201`);
    await forwarded.text();
    assertEquals(forwarded.headers.get("x-rqlite-served-by"), leader.url.slice("http://".length));
  }));

Deno.test("POST /leader hands leadership to the node that is named, and DELETE /remove takes one out", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    const [successor, third] = nodes.filter((node) => node !== leader);
    const stepped = await fetch(`${third.url}/leader?wait`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id: successor.place.id }),
    });
    assertEquals([stepped.status, await stepped.text()], [200, ""]);
    assertEquals((await leaderOf(nodes)).place.id, successor.place.id);
    const removed = await fetch(`${third.url}/remove`, {
      method: "DELETE",
      body: JSON.stringify({ id: successor.place.id }),
    });
    assertEquals([removed.status, await removed.text()], [200, ""]);
    await until("the removed leader is out", async () => {
      const members = await third.status("store.nodes") as { id: string }[];
      return members.length === 2 && members.every(({ id }) => id !== successor.place.id) ? true : undefined;
    });
    const unknown = await fetch(`${third.url}/remove`, { method: "DELETE", body: JSON.stringify({ id: "nobody" }) });
    assertEquals([unknown.status, await unknown.text()], [200, ""]);
  }));

Deno.test("a non-voter receives the log, answers at level none and forwards the rest", () =>
  withNodes(async (root, start) => {
    const voter = start(nodePlace(root, "1"));
    await voter.ready();
    await voter.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(7)");
    const replica = start(nodePlace(root, "2"), ["-raft-non-voter", "-join", voter.clusterAddr]);
    await replica.ready();
    await until(
      "the row",
      async () => (await replica.row("SELECT id FROM t", "none").catch(() => []))[0] === 7 ? true : undefined,
    );
    await replica.execute("INSERT INTO t VALUES(8)");
    assertEquals(await replica.row("SELECT count(*) FROM t", "weak"), [2]);
    const nodes = await (await fetch(`${voter.url}/nodes?nonvoters`)).json();
    assertEquals([nodes["2"].voter, nodes["2"].reachable], [false, true]);
  }));

Deno.test("a node refuses a data directory in use, another node's directory, and a join address that serves HTTP", () =>
  withNodes(async (root, start) => {
    const first = start(nodePlace(root, "1"));
    await first.ready();
    const sameDirectory = start({ ...nodePlace(root, "1"), directory: first.place.directory });
    assertEquals((await sameDirectory.ended()).code, 1);
    assertMatch(sameDirectory.log, /is in use by another process/);
    const wrongJoin = start(nodePlace(root, "3"), ["-join", `127.0.0.1:${first.place.httpPort}`]);
    assertEquals((await wrongJoin.ended()).code, 1);
    assertMatch(wrongJoin.log, /clustering failure: join address .* appears to be serving HTTP when it should be Raft/);
    await first.stop();
    const otherId = start({ ...first.place, id: "other" });
    assertEquals((await otherId.ended()).code, 1);
    assertMatch(otherId.log, /belongs to node "1", not to "other"/);
  }));

Deno.test("a port in use ends the node with a message", () =>
  withNodes(async (root, start) => {
    const first = start(nodePlace(root, "1"));
    await first.ready();
    const second = start({ ...nodePlace(root, "2"), httpPort: first.place.httpPort });
    assert((await second.ended()).code !== 0);
    assertMatch(second.log, /fatal: cannot listen on HTTP address/);
    const third = start({ ...nodePlace(root, "3"), clusterPort: first.place.clusterPort });
    assert((await third.ended()).code !== 0);
    assertMatch(third.log, /fatal: cannot listen on cluster address 127.0.0.1:\d+: Address already in use/);
  }));

Deno.test("rubbish on the HTTP and cluster ports harms nothing", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const random = new Uint8Array(4096);
    for (const port of [node.place.httpPort, node.place.clusterPort]) {
      for (let round = 0; round < 40; round++) {
        crypto.getRandomValues(random);
        const bytes = random.slice(0, 1 + round * 100);
        if (round % 4 === 1) bytes.set(new TextEncoder().encode("MUST")); // past the preamble
        if (round % 4 === 2) bytes.set(new Uint8Array([0x4D, 0x55, 0x53, 0x54, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1])); // a huge frame
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        await conn.write(bytes).catch(() => {});
        conn.close();
      }
    }
    const wrongPort = await fetch(`http://${node.clusterAddr}/status`).then((r) => r.text()).catch(String);
    assertMatch(wrongPort, /cluster port/);
    await node.execute("CREATE TABLE t (id INTEGER)");
    assert(node.running);
  }));

/** Counts for long: about `rows` steps that yield one row. */
const slow = (rows: number) =>
  `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${rows}) SELECT count(*) FROM c`;

Deno.test("a slow query and a slow write disturb no heartbeat, no other read and no logging of writes", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)");
    const term = await leader.status("store.raft.term");
    let slowDone = false;
    const slowQuery = leader.send("/db/query?db_timeout=60s", [slow(4_000_000)], 60_000).then(() => slowDone = true);
    const slowWrite = leader.send("/db/execute", [`CREATE TABLE u AS ${slow(4_000_000)}`], 60_000);
    const reads = await countReads(leader, () => slowDone);
    await Promise.all([slowQuery, slowWrite]);
    assert(reads > 20, `${reads} reads while the slow ones ran`);
    assertEquals(await leader.status("store.raft.term"), term, "no election");
    assertEquals((await leaderOf(nodes)).place.id, leader.place.id);
    assertEquals((await leader.row("SELECT * FROM u")).length, 1);
  }));

async function countReads(node: NodeProcess, done: () => boolean): Promise<number> {
  let reads = 0;
  for (; !done(); reads++) assertEquals(await node.row("SELECT id FROM t", "weak"), [1]);
  return reads;
}

Deno.test("clients of rqlite are told a version that they can compare", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const response = await node.get("/status?key=build.version");
    const version = await response.json();
    assertMatch(version, /^v10\.6\.0 \(muster \d+\.\d+\.\d+\)$/);
    assertEquals(response.headers.get("X-Rqlite-Version"), version);
  }));

Deno.test("a read over its time limit is answered at the limit, and the next ones are served", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const { results } = await node.send("/db/query?db_timeout=200ms", [slow(20_000_000)]);
    assertEquals(results, [{ error: "query timeout", error_v2: { message: "query timeout" } }]);
    for (let i = 0; i < 20; i++) assertEquals(await node.row("SELECT 1"), [1]);
  }));

Deno.test("a truncated and a bit-flipped log stop the node with exit code 3 and a message, a damaged database too", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const first = start(place);
    await first.ready();
    await first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    for (let i = 0; i < 20; i++) await first.execute(["INSERT INTO t(name) VALUES(?)", "x".repeat(2000)]);
    await first.stop("SIGKILL");
    const [name] = [...Deno.readDirSync(`${place.directory}/raft`)].map((file) => file.name).filter((file) =>
      file.endsWith(".log")
    );
    const path = `${place.directory}/raft/${name}`;
    const whole = Deno.readFileSync(path);

    const flipped = whole.slice();
    flipped[20_000] ^= 4;
    Deno.writeFileSync(path, flipped);
    const second = start(place);
    assertEquals((await second.ended()).code, 3);
    assertMatch(second.log, /The log is damaged: .* at offset \d+/);

    Deno.writeFileSync(path, whole.subarray(0, 20_000));
    const third = start(place);
    assertEquals((await third.ended()).code, 3);
    assertMatch(third.log, /its tail is lost/);

    Deno.writeFileSync(path, whole);
    const fourth = start(place);
    await fourth.ready();
    assertEquals(await fourth.row("SELECT count(*) FROM t"), [20]);
    await fourth.stop();

    Deno.writeTextFileSync(
      `${place.directory}/sqlite/db.sqlite`,
      "this is no database, but it is long enough to look like a file".repeat(100),
    );
    const fifth = start(place);
    assert((await fifth.ended()).code !== 0);
    assertMatch(fifth.log, /fatal: /);
  }));

Deno.test("a voter and a read replica that are not heard are reaped; one that is removed shuts its Raft down if told to", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const flags = [
      ...clusterFlags(places),
      "-raft-reap-node-timeout=2s",
      "-raft-reap-read-only-node-timeout=1s",
      "-raft-remove-shutdown",
    ];
    const nodes = places.map((place) => start(place, flags));
    const replica = start(nodePlace(root, "4"), ["-raft-non-voter", `-join=${nodes[0].clusterAddr}`]);
    await Promise.all([...nodes, replica].map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    const ids = async () => (await leader.status("store.nodes") as { id: string }[]).map(({ id }) => id).join();
    const gone = nodes.find((node) => node !== leader) ?? leader;
    await Promise.all([gone.stop("SIGKILL"), replica.stop("SIGKILL")]);
    await until("the read replica is reaped", async () => !(await ids()).includes("4") || undefined);
    await until("the voter is reaped", async () => !(await ids()).includes(gone.place.id) || undefined);
    // The configuration changes before the line is written.
    for (const said of ["non-voting node 4", `voting node ${gone.place.id}`]) {
      await until(said, () => leader.log.includes(`successfully reaped ${said}`) || undefined);
    }

    const [removed] = nodes.filter((node) => node !== leader && node !== gone);
    const response = await fetch(`${leader.url}/remove`, {
      method: "DELETE",
      body: JSON.stringify({ id: removed.place.id }),
    });
    assertEquals([response.status, await response.text()], [200, ""]);
    await until(
      "its Raft is shut down",
      async () => await removed.status("store.raft.state") === "Shutdown" || undefined,
    );
    await leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    assertEquals(await ids(), leader.place.id);
  }));
