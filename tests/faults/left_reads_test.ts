/**
 * Reads end when their clients leave, wherever they run: beside the writer, on it (level strong, and in requests that
 * write), and on the leader for a client of another node. Writes that came with them take effect.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c";
const LIMITS = "db_timeout=20m&timeout=30m";

interface Busy {
  readonly writing: boolean;
  readonly running: number;
}

async function busy(node: NodeProcess): Promise<Busy> {
  const { writing } = await node.status("store.sqlite3") as { writing?: unknown };
  const running = Number(await node.status("http.readers.running"));
  return { writing: writing !== undefined, running };
}

/** Sends statements that never end, and leaves once they run. */
async function leave(asked: NodeProcess, runsOn: NodeProcess, path: string, statements: unknown): Promise<void> {
  const leaving = new AbortController();
  const response = fetch(`${asked.url}${path}${path.includes("?") ? "&" : "?"}${LIMITS}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(statements),
    signal: leaving.signal,
  });
  const ended = response.then(async (given) => `answered: ${await given.text()}`, () => "left");
  await until(`${path} runs`, async () => {
    const { writing, running } = await busy(runsOn);
    return writing || running > 0 || undefined;
  });
  leaving.abort();
  assertEquals(await ended, "left");
  await until(`${path} has ended`, async () => {
    const { writing, running } = await busy(runsOn);
    return (!writing && running === 0) || undefined;
  });
}

/** Sends a request, ends its half of the connection, and waits for what comes. */
async function halfLeave(node: NodeProcess, path: string, statements: unknown): Promise<string> {
  const { hostname, port } = new URL(node.url);
  const body = JSON.stringify(statements);
  const conn = await Deno.connect({ hostname, port: Number(port) });
  const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  await conn.write(new TextEncoder().encode(`${head}\r\n\r\n${body}`));
  await conn.closeWrite();
  return await new Response(conn.readable).text();
}

Deno.test("reads end when their clients leave, on the writer, beside it, and on the leader for another node", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(a)");
    for (const asked of nodes) {
      await leave(asked, asked, "/db/query?level=none", [ENDLESS]);
      await leave(asked, leader, "/db/query?level=weak", [ENDLESS]);
      await leave(asked, asked, "/db/query?level=strong", [ENDLESS, ENDLESS]);
      await leave(asked, asked, "/db/request", [ENDLESS, ["INSERT INTO t VALUES(?)", asked.place.id], ENDLESS]);
      await leave(asked, asked, "/db/execute", [["INSERT INTO t VALUES(?)", asked.place.id], ENDLESS]);
      const written = await until("a read of its writes", () => asked.row("SELECT count(*) FROM t", "strong"));
      assertEquals(written, [2 * (nodes.indexOf(asked) + 1)]);
    }
    // One that only ended its half of the connection hears of its writes, and nothing untrue of what was only read.
    const inserted = ["INSERT INTO t VALUES('half')"];
    const written = await halfLeave(leader, `/db/request?${LIMITS}`, [inserted, ENDLESS]);
    assertStringIncludes(written, `{"results":[{"last_insert_id":7,"rows_affected":1},{"error":"query timeout"`);
    assertEquals(await halfLeave(leader, `/db/query?level=strong&${LIMITS}`, [ENDLESS]), "");
    const response = await fetch(`${leader.url}/verify`, { method: "POST" });
    assertEquals((await response.json()).equal, true);
  }));
