/**
 * Reads by lease in real processes: they ask nobody, and a leader that stood still gives nothing old afterwards.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  type NodeProcess,
  type Results,
  until,
  withNodes,
} from "../harness/processes.ts";

const READS = 50;
/** How long the leader stands still: three election timeouts. */
const PAUSE_MS = 3000;
const READ = ["SELECT v FROM t"];

async function counters(node: NodeProcess): Promise<{ reads_by_lease: number; leases_lost: number }> {
  return (await (await fetch(`${node.url}/debug/vars?key=http`)).json()).http;
}

/** A connection with a linearizable read, which lies in the system's buffers from here on. */
async function asked({ place }: NodeProcess): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: place.httpPort });
  const target = `/db/query?level=linearizable&q=${encodeURIComponent(READ[0])}`;
  await conn.write(new TextEncoder().encode(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`));
  return conn;
}

/** The results that come back; undefined for a refusal. */
async function answerOf(conn: Deno.TcpConn): Promise<Results | undefined> {
  const text = await new Response(conn.readable).text();
  const body = text.split("\r\n\r\n")[1];
  assertMatch(text, /^HTTP\/1\.1 (200|503) /);
  return text.startsWith("HTTP/1.1 200") ? JSON.parse(body) : undefined;
}

Deno.test("linearizable reads are served by leases, and none is stale when the leader was stopped meanwhile", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const nodes = places.map((place) => start(place, [...clusterFlags(places), "-raft-lease-reads"]));
    await Promise.all(nodes.map((node) => node.ready()));
    const old = await leaderOf(nodes);
    await old.execute("CREATE TABLE t (v)", "INSERT INTO t VALUES(1)");
    for (let i = 0; i < READS; i++) assertEquals(await old.row(READ[0], "linearizable"), [1]);
    const before = await counters(old);
    assert(before.reads_by_lease > READS / 2, `${before.reads_by_lease} of ${READS} reads by lease`);
    assertMatch(String(await old.status("store.raft.lease_reads")), /^lease held$|^on$/);

    old.signal("SIGSTOP");
    const stopped = performance.now();
    const others = nodes.filter((node) => node !== old);
    const isReplaced = async (node: NodeProcess) => ![undefined, old.place.id].includes(await node.leader());
    await until(
      "another one leads",
      async () => (await Promise.all(others.map(isReplaced))).every(Boolean) || undefined,
    );
    await (await leaderOf(others)).execute("UPDATE t SET v = 2");
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, PAUSE_MS - (performance.now() - stopped))));
    // Asked while it stands still, and answered as the first thing afterwards.
    // Refusing is right, too: for a moment it knows no leader.
    const read = () => old.send("/db/query?level=linearizable", READ).catch(() => undefined);
    const waiting = await Promise.all(Array.from({ length: 8 }, () => asked(old)));
    old.signal("SIGCONT");
    const later = read();
    for (const answer of [...await Promise.all(waiting.map(answerOf)), await later]) {
      if (answer && answer.error === undefined) assertEquals(answer.results[0].values, [[2]]);
    }
    await until("it reads again", async () => (await read())?.results[0]?.values?.length === 1 || undefined);
    assertEquals(await old.row(READ[0], "linearizable"), [2]);

    const leader = await leaderOf(nodes);
    for (let i = 0; i < READS; i++) assertEquals(await leader.row(READ[0], "linearizable"), [2]);
    assert((await counters(leader)).reads_by_lease > READS / 2);
  }));

Deno.test("there are no leases where no other node promises any more, and what was promised is on disk", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const flags = clusterFlags(places);
    const nodes = places.map((place) => start(place, [...flags, "-raft-lease-reads"]));
    await Promise.all(nodes.map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (v)", "INSERT INTO t VALUES(1)");
    const [first, second] = nodes.filter((node) => node !== leader);
    for (const node of [first, second]) {
      assertEquals((await node.stop()).code, 0);
      assertEquals(await Deno.readTextFile(`${node.place.directory}/raft/promise`), "1000\n");
      await start(node.place, flags).ready();
    }
    const { reads_by_lease } = await counters(leader);
    await until(
      "no node is left that promises",
      async () => await leader.status("store.raft.lease_reads") === "on" || undefined,
    );
    for (let i = 0; i < READS; i++) assertEquals(await leader.row(READ[0], "linearizable"), [1]);
    assertEquals((await counters(leader)).reads_by_lease, reads_by_lease);
  }));
