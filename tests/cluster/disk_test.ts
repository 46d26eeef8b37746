/**
 * Full disks, on a small file system of its own: writes are refused with a clear word or the node ends with one, nothing
 * that was acknowledged is lost, and with room again it goes on.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { BALLAST_BYTES } from "../../src/drivers/sqlite/ballast.ts";
import { type NodePlace, nodePlace, NodeProcess, until, withNodes } from "../harness/processes.ts";
import { fill, mounted } from "../harness/small_disk.ts";

async function insert(node: NodeProcess, id: number): Promise<"done" | "refused" | "unknown"> {
  const response = await fetch(`${node.url}/db/execute?timeout=2s`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify([["INSERT INTO t VALUES(?, ?)", id, "x".repeat(100_000)]]),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined);
  const text = await response?.text() ?? "";
  if (response?.status === 503) {
    assertMatch(text, /no space left on the disk/);
    return "refused";
  }
  return text.includes(`"rows_affected":1`) ? "done" : "unknown";
}

Deno.test("a node whose log changed on disk finds that by reading it again, and stops with exit code 3", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for (let id = 1; id <= 10; id++) await node.execute(["INSERT INTO t VALUES(?)", id]);
    // Behind a new segment the one before it stays, as entries of it are to be kept.
    const response = await fetch(`${node.url}/snapshot?trailing_logs=5`, { method: "POST" });
    assertEquals(response.status, 200, await response.text());
    const raft = `${node.place.directory}/raft`;
    const [oldest, newest] = [...Deno.readDirSync(raft)].map(({ name }) => name).filter((name) => name.endsWith(".log"))
      .sort();
    assert(newest !== undefined, "a new segment was begun");
    const file = await Deno.open(`${raft}/${oldest}`, { read: true, write: true });
    const byte = new Uint8Array(1);
    await file.seek(700, Deno.SeekMode.Start);
    await file.read(byte);
    byte[0] ^= 1;
    await file.seek(700, Deno.SeekMode.Start);
    await file.write(byte);
    file.close();
    assertEquals((await node.ended()).code, 3);
    assertMatch(node.log, new RegExp(`${oldest} at offset \\d+: batch \\d+.* damaged, as reading it once more shows`));
  }));

Deno.test("a full disk makes a node wait that could make no ballast: reads go on, nothing is lost, it goes on by itself", () =>
  mounted(async (root) => {
    const place: NodePlace = nodePlace(root, "1");
    let node = NodeProcess.start(place);
    try {
      await node.ready();
      await node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)");
      assertEquals((await node.stop()).code, 0);
      await Deno.remove(`${place.directory}/sqlite/ballast`).catch(() => {});
      await Deno.mkdir(`${place.directory}/sqlite/ballast/in the way`, { recursive: true });

      node = NodeProcess.start(place);
      await node.ready();
      await node.says(/no room for a ballast of \d+ bytes/);
      // The log has room for a while then, so that the database finds the disk full.
      await until(
        "the spare segment",
        async () => (await Deno.stat(`${place.directory}/raft/spare`)).isFile || undefined,
      );
      const acknowledged: number[] = [];
      let id = 1;
      for (; id <= 5; id++) if (await insert(node, id) === "done") acknowledged.push(id);
      assertEquals(acknowledged.length, 5);
      fill(`${root}/filler`);
      await until("a refused write", async () => {
        const outcome = await insert(node, id);
        if (outcome === "done") acknowledged.push(id);
        id++;
        return outcome === "refused" || undefined;
      }, 60_000);
      await node.says(/no space left on the disk of the database: committed writes wait to be applied, reads go on/);
      const { results: [{ values = [] }] } = await node.send("/db/query?level=none", ["SELECT count(*) FROM t"]);
      assert(Number(values[0][0]) >= 5);

      await Deno.remove(`${root}/filler`);
      await until("a write", async () => {
        const outcome = await insert(node, ++id);
        if (outcome === "done") acknowledged.push(id);
        return outcome === "done" || undefined;
      }, 60_000);
      await node.stop("SIGKILL");
      node = NodeProcess.start(place);
      await node.ready();
      const { results } = await node.send("/db/query", ["SELECT id FROM t"]);
      const held = new Set((results[0].values ?? []).map(([id]) => Number(id)));
      assertEquals(acknowledged.filter((id) => !held.has(id)), []);
    } catch (error) {
      console.error(`node (running: ${node.running}):\n${node.log.slice(-4000)}`);
      throw error;
    } finally {
      await node.stop("SIGKILL");
    }
  }));

Deno.test("a full disk loses nothing, is reported, and the node goes on when there is room", () =>
  mounted(async (root) => {
    const place: NodePlace = nodePlace(root, "1");
    let node = NodeProcess.start(place);
    const acknowledged: number[] = [];
    try {
      await node.ready();
      await node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)");
      for (let id = 1; id <= 20; id++) if (await insert(node, id) === "done") acknowledged.push(id);
      assertEquals(acknowledged.length, 20);
      // Without it the node would end: it has to be there as a whole.
      await until(
        "the ballast",
        async () => (await Deno.stat(`${place.directory}/sqlite/ballast`)).size === BALLAST_BYTES || undefined,
      );
      fill(`${root}/filler`);
      // Now and then something may be taken between, when a file that was being made is given up.
      let id = 100;
      const isAnswered = async (wanted: "done" | "refused") => {
        const answer = await insert(node, id);
        if (answer === "done") acknowledged.push(id);
        id++;
        return answer === wanted || undefined;
      };
      await until("it refuses", () => isAnswered("refused"), 60_000);
      await node.says(/no space left on the disk|the disk of the database is full/);
      const [count] = await node.row("SELECT count(*) FROM t", "none");
      assert(Number(count) >= acknowledged.length, "reads go on");
      await Deno.remove(`${root}/filler`);
      await until("writes are taken again", () => isAnswered("done"), 20_000);
      await node.stop("SIGKILL");
      node = NodeProcess.start(place);
      await node.ready();
      const { results } = await node.send("/db/query", ["SELECT id FROM t"]);
      const held = new Set((results[0].values ?? []).map(([id]) => Number(id)));
      assertEquals(acknowledged.filter((id) => !held.has(id)), []);
      await node.execute(["INSERT INTO t VALUES(?, ?)", id, "room again"]);
    } catch (error) {
      console.error(`node (running: ${node.running}):\n${node.log.slice(-4000)}`);
      throw error;
    } finally {
      await node.stop("SIGKILL");
    }
  }));

Deno.test("a write that needs more than the disk holds waits for room; a start after kill -9 answers reads until there is", () =>
  mounted(async (root) => {
    const place: NodePlace = nodePlace(root, "1");
    let node = NodeProcess.start(place);
    try {
      await node.ready();
      await node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)");
      const acknowledged: number[] = [];
      for (let id = 1; id <= 5; id++) if (await insert(node, id) === "done") acknowledged.push(id);
      assertEquals(acknowledged.length, 5);
      const much = "INSERT INTO t(text) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 1200) " +
        "SELECT randomblob(100000) FROM c";
      const sending = node.send("/db/execute?timeout=1m", [much], 90_000).catch(() => undefined);
      await node.says(/no space left on the disk of the database: committed writes wait to be applied, reads go on/);
      assertEquals(await node.row("SELECT count(*) FROM t", "none"), [5]);
      await node.stop("SIGKILL");
      await sending;
      // Whether the next segment of the log was ready when the disk was full is a matter of moments.
      for (const { name } of Deno.readDirSync(`${place.directory}/raft`)) {
        if (name.startsWith("spare")) Deno.removeSync(`${place.directory}/raft/${name}`);
      }
      fill(`${root}/filler`);
      node = NodeProcess.start(place);
      await node.says(/no space left on the disk of the database: writes are refused until there is room, reads go on/);
      await node.says(
        /no space left on the disk of .*: the log needs \d+ bytes to start; .*only answers reads of level none/,
      );
      const count = await until("it answers", () => node.row("SELECT count(*) FROM t", "none"));
      assertEquals(count, [5]);
      const readyz = await fetch(`${node.url}/readyz`);
      assertEquals([readyz.status, await readyz.text()], [
        503,
        "[+]node ok\n[+]disk full: no space left on the disk of the log, writes are refused\n" +
        "[+]disk full: no space left on the disk of the database, writes are refused\n[+]leader does not exist",
      ]);
      const { leader, open, disk_full: full, fsm_index: index } = await node.status("store") as Record<string, unknown>;
      assertEquals([open, leader, full], [false, { node_id: "", addr: "" }, { log: true, database: true }]);
      assert(Number(index) > 5, "the entries of the table and of five rows are applied");
      assertEquals(await node.status("store.ready"), false);
      for (const path of ["/debug/vars", "/snapshot", "/nodes"]) {
        const method = path === "/snapshot" ? "POST" : "GET";
        const answer = await fetch(`${node.url}${path}`, { method, signal: AbortSignal.timeout(5000) });
        const text = await answer.text();
        assertEquals(answer.status, { "/debug/vars": 200, "/snapshot": 500, "/nodes": 503 }[path], `${path}: ${text}`);
      }
      await Deno.remove(`${root}/filler`);
      const grow = ["-o", "remount,size=700m", root];
      assertEquals((await new Deno.Command("mount", { args: grow }).output()).success, true);
      await node.ready();
      assertEquals(await node.row("SELECT count(*) FROM t", "linearizable"), [1205]);
      assertEquals(await insert(node, 5000), "done");
    } catch (error) {
      console.error(`node (running: ${node.running}):\n${node.log.slice(-4000)}`);
      throw error;
    } finally {
      await node.stop("SIGKILL");
    }
  }));
