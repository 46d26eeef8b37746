/**
 * The client on real clusters: values are exact, nothing is lost or done twice while leaders die, streams go on at another
 * node, locks are fenced; and the same in Node.js.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type Change,
  connect,
  MusterError,
  real,
  SqlError,
  UnavailableError,
  UnknownOutcomeError,
} from "../../client/mod.ts";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { freePort, leaderOf, nodePlace, startCluster, until, withNodes } from "../harness/processes.ts";

Deno.test("values come back as they were given, errors say what SQLite says, a transaction is done as a whole", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const db = connect(node.url);
    await db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v, b BLOB, r REAL, u UNIQUE)");
    const bytes = new Uint8Array([0, 1, 255]);
    const at = new Date(1_700_000_000_123);
    const wrote = await db.execute("INSERT INTO t VALUES(?, ?, ?, ?, ?)", [
      7,
      9007199254740993n,
      bytes,
      real(2),
      "ä'\0",
    ]);
    assertEquals([wrote.rowsAffected, wrote.lastInsertId], [1, 7]);
    await db.execute("INSERT INTO t(v, u) VALUES($v, :u)", { v: true, u: at });
    const rows = await db.query("SELECT *, typeof(v) AS kind, typeof(r) AS real FROM t ORDER BY id");
    assertEquals(rows, [
      { id: 7, v: 9007199254740993n, b: bytes, r: 2, u: "ä'\0", kind: "integer", real: "real" },
      { id: 8, v: 1, b: null, r: null, u: at.toISOString(), kind: "integer", real: "null" },
    ]);
    assertEquals((await db.execute("DELETE FROM t WHERE id = 8 RETURNING u")).rows, [{ u: at.toISOString() }]);

    const error = await assertRejects(() => db.execute("INSERT INTO t(u) VALUES(?)", ["ä'\0"]), SqlError);
    assertEquals([error.code, error.at, error.message], [2067, 0, "UNIQUE constraint failed: t.u"]);
    const failed = db.transaction(["DELETE FROM t", ["INSERT INTO t(nope) VALUES(?)", [1]]]);
    assertEquals((await assertRejects(() => failed, SqlError)).at, 1);
    const done = await db.transaction([["UPDATE t SET v = ?", [1]], "SELECT v FROM t", "DELETE FROM t"]);
    assertEquals([done[0].rowsAffected, done[1].rows, done[2].rowsAffected], [1, [{ v: 1 }], 1]);
    await assertRejects(() => db.query("SELECT nonsense("), SqlError);
    await assertRejects(() => db.execute("SELECT ?", ["x'00'"]), TypeError, "BLOB literal");
    await assertRejects(() => db.execute("SELECT ?", [NaN]), TypeError);
    const nobody = connect(`127.0.0.1:${freePort()}`, { timeoutMs: 200 });
    await assertRejects(() => nobody.execute("SELECT 1"), UnavailableError, "no answer within 200 ms");
  }));

Deno.test("writes are done once while leaders die, and what is unknown is said; streams go on at another node", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const db = connect(nodes.map(({ url }) => url));
    await db.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, v TEXT NOT NULL DEFAULT '')");
    await until("the log is kept", async () => {
      try {
        await db.keepChanges();
        return true;
      } catch (error) {
        if (error instanceof MusterError) return undefined; // not all nodes were seen yet
        throw error;
      }
    });
    const stop = new AbortController();
    const changes: Change[] = [];
    const following = (async () => {
      for await (const change of db.changes({ tables: ["t"], signal: stop.signal })) changes.push(change);
    })().catch((error) => assertEquals(error, stop.signal.reason));
    let latest: readonly { n: number }[] = [];
    const living = (async () => {
      const signal = stop.signal;
      for await (
        const rows of db.live<{ n: number }>("SELECT n FROM t ORDER BY n DESC LIMIT ?", [3], { intervalMs: 20, signal })
      ) {
        latest = rows;
      }
    })().catch((error) => assertEquals(error, stop.signal.reason));
    // The stream begins with what comes from now on: one write that it must have.
    await until("it is followed", async () => {
      await db.execute("INSERT INTO t(n) VALUES(0) ON CONFLICT(n) DO UPDATE SET v = v || 'x'");
      return changes.length > 0 || undefined;
    });

    const acknowledged: number[] = [];
    const unknown: number[] = [];
    const write = async (n: number) => {
      try {
        await db.execute("INSERT INTO t(n) VALUES(?)", [n]);
        acknowledged.push(n);
      } catch (error) {
        if (!(error instanceof UnknownOutcomeError)) throw error;
        unknown.push(n);
      }
    };
    for (let n = 1; n <= 10; n++) await write(n);
    const leader = await leaderOf(nodes);
    const killed = leader.stop("SIGKILL");
    for (let n = 11; n <= 30; n++) await write(n);
    await killed;
    await db.execute("INSERT INTO t(n) VALUES(31) ON CONFLICT DO NOTHING", [], { idempotent: true });
    const rows = await db.query<{ n: number }>("SELECT n FROM t WHERE n > 0 ORDER BY n", [], { level: "linearizable" });
    const found = rows.map(({ n }) => n);
    assert(acknowledged.every((n) => found.includes(n)), "what was acknowledged is there");
    assert(found.every((n) => acknowledged.includes(n) || unknown.includes(n) || n === 31), "nothing else is");
    assert(acknowledged.length >= 25, `${acknowledged.length} of 30`);
    const numbers = () =>
      changes.flatMap(({ events }) => events.map(({ after }) => Number(after?.n))).filter((n) => n > 0);
    await until("all changes", () => numbers().length >= found.length || undefined);
    assertEquals(numbers(), found, "each once, in order");
    await until(
      "the live rows",
      () => JSON.stringify(latest.map(({ n }) => n)) === JSON.stringify(found.slice(-3).reverse()) || undefined,
    );
    stop.abort();
    await Promise.all([following, living]);
    await assertRejects(() => db.changes({ since: 1 }).next(), MusterError, "does not reach back to index 1");
  }));

Deno.test("keys and locks: one holder at a time, and no write by who has lost his", () =>
  withAgents(async (root, start) => {
    const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1");
    await server.up();
    await until("it leads", () => server.leader());
    const db = connect(`${server.place.host}:${server.place.httpPort}`);
    assertEquals(await db.kv.get("a/b c"), undefined);
    await until("it is in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 1 || undefined);
    assertEquals(await db.kv.put("a/b c", "one"), true);
    const entry = await db.kv.get("a/b c");
    assertEquals(new TextDecoder().decode(entry?.value), "one");
    assertEquals(await db.kv.put("a/b c", "two", { ifIndex: (entry?.index ?? 0) + 1 }), false);
    assertEquals(
      await db.kv.put("a/b c", new Uint8Array([0, 255]), { ifIndex: entry?.index ?? 0, ttlMs: 60_000 }),
      true,
    );
    const [listed] = await db.kv.list("a/");
    assertEquals([listed.key, [...listed.value], (listed.expiresAt?.getTime() ?? 0) > Date.now()], [
      "a/b c",
      [0, 255],
      true,
    ]);
    await db.kv.delete("a/b c");
    assertEquals(await db.kv.list(""), []);

    await db.execute("CREATE TABLE jobs(done)");
    const first = await db.lock("jobs");
    const fenced = (token: number) => db.execute("INSERT INTO jobs SELECT 1 WHERE muster_fence(?, ?)", ["jobs", token]);
    assertEquals((await fenced(first.token)).rowsAffected, 1);
    let isHeld = false;
    const second = db.lock("jobs").then((lock) => (isHeld = true, lock));
    const gaveUp = new AbortController();
    const third = db.lock("jobs", { signal: gaveUp.signal });
    await until("both wait", async () => (await server.get("/v1/session/list")).length === 3 || undefined);
    gaveUp.abort(new Error("enough"));
    await assertRejects(() => third, Error, "enough");
    assertEquals([isHeld, first.signal.aborted], [false, false]);
    await first.release();
    assertMatch(String(first.signal.reason), /not held any more: it was released/);
    {
      await using lock = await second;
      assert(lock.token > first.token);
      const { message } = await assertRejects(() => fenced(first.token), SqlError);
      assertMatch(message, /lock "jobs" is lost/);
      assertEquals((await fenced(lock.token)).rowsAffected, 1);
    }
    await until(
      "all sessions have ended",
      async () => (await server.get("/v1/session/list")).length === 0 || undefined,
    );
  }));
