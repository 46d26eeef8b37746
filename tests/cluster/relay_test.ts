/**
 * Writes through nodes that do not lead (X7): what was acknowledged there is seen at the leader at once, is not lost with
 * the leader, and is done once.
 */
import { assert, assertEquals } from "@std/assert";
import { leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const FAST = ["-raft-heartbeat-timeout=400ms", "-raft-election-timeout=400ms"];

/** Posts statements; the answer, or what went wrong on the way. */
async function write(node: NodeProcess, statement: string): Promise<{ served?: string; text: string }> {
  const response = await fetch(`${node.url}/db/execute?raft_index`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify([statement]),
    signal: AbortSignal.timeout(20_000),
  });
  const served = response.headers.get("X-Rqlite-Served-By");
  return { text: await response.text(), ...(served === null ? {} : { served }) };
}

async function followersOf(nodes: readonly NodeProcess[], leader: NodeProcess): Promise<NodeProcess[]> {
  const followers = nodes.filter((node) => node !== leader);
  for (const node of followers) {
    await until("it knows that the leader takes its writes", async () => {
      const known = await node.status("store.leader") as { addr?: string } | null;
      return known?.addr === leader.clusterAddr || undefined;
    });
  }
  return followers;
}

Deno.test("what a node that does not lead has acknowledged shows in weak reads of every node at once", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, (place, flags = []) => start(place, [...flags, ...FAST]));
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    const followers = await followersOf(nodes, leader);
    const clients = followers.flatMap((node, at) =>
      [0, 1, 2, 3].map((client) => ({ node, first: (at * 4 + client) * 1000 + 1 }))
    );
    await Promise.all(clients.map(async ({ node, first }) => {
      for (let id = first; id < first + 40; id++) {
        const { text, served } = await write(node, `INSERT INTO t VALUES(${id}, 1)`);
        if (text.includes("leader not found")) continue; // a busy machine may elect another one; nothing was done
        assert(text.startsWith(`{"results":[{"last_insert_id":${id},"rows_affected":1}],"raft_index":`), text);
        const places = nodes.map(({ place }) => `127.0.0.1:${place.httpPort}`);
        assert(places.includes(served ?? ""), `served by ${served}`);
        const reader = nodes[id % nodes.length];
        assertEquals(await reader.row(`SELECT v FROM t WHERE id = ${id}`), [1], "a weak read, anywhere");
        assertEquals(await node.row(`SELECT v FROM t WHERE id = ${id}`, "none"), [1], "its own database has it");
      }
    }));
    await write(followers[0], "INSERT OR IGNORE INTO t VALUES(1, 2)");
    const { text } = await write(followers[0], "INSERT INTO t VALUES(1, 2)");
    assert(text.includes("UNIQUE constraint failed: t.id"), text);
    assertEquals(
      (await write(followers[0], "INSERT INTO t VALUES(1000000, 2)")).served?.startsWith("127.0.0.1:"),
      true,
    );
  }));

Deno.test("a leader that dies takes no acknowledged write of another node's client along, and none is done twice", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, (place, flags = []) => start(place, [...flags, ...FAST]));
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "CREATE TABLE log(id INTEGER)");
    const followers = await followersOf(nodes, leader);
    const done: number[] = [];
    const unknown: number[] = [];
    let isOver = false;
    const clients = followers.flatMap((node, at) =>
      [0, 1, 2, 3].map((client) => ({ node, first: (at * 4 + client) * 100_000 }))
    );
    const writing = Promise.all(clients.map(async ({ node, first }) => {
      for (let id = first; !isOver; id++) {
        const { text } = await write(node, `INSERT INTO log VALUES(${id})`);
        if (text.startsWith(`{"results":[{"last_insert_id"`)) done.push(id);
        else if (text.includes("may or may not") || text.includes("unknown")) unknown.push(id);
      }
    }));
    await until("they write", () => done.length > 200 || undefined);
    await leader.stop("SIGKILL");
    const before = done.length;
    await until("they write again", () => done.length > before + 200 || undefined);
    isOver = true;
    await writing;
    const rest = await leaderOf(followers);
    const { results } = await rest.send("/db/query?level=linearizable", ["SELECT id, count(*) FROM log GROUP BY id"]);
    const counts = new Map((results[0].values ?? []).map(([id, count]) => [Number(id), Number(count)]));
    assertEquals(done.filter((id) => counts.get(id) !== 1), [], "acknowledged: there, once");
    assertEquals([...counts].filter(([, count]) => count !== 1), [], "nothing twice");
    const known = new Set([...done, ...unknown]);
    assertEquals([...counts.keys()].filter((id) => !known.has(id)), [], "what was refused is not there");
  }));
