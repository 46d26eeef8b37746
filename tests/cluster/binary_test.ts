/**
 * The compiled executable: built as a user builds it, then three nodes run from it.
 */
import { assertEquals } from "@std/assert";
import { agentPlace, dig, muster, withAgents } from "../harness/agents.ts";
import { BINARY, buildBinary, requireBinary } from "../harness/binary.ts";
import { clusterFlags, leaderOf, startCluster, until, withNodes } from "../harness/processes.ts";

/** Has the harness start the executable. */
async function withBinary(work: () => Promise<void>): Promise<void> {
  await requireBinary();
  Deno.env.set("MUSTER_BINARY", BINARY);
  try {
    await work();
  } finally {
    Deno.env.delete("MUSTER_BINARY");
  }
}

Deno.test("three nodes run from the executable: cluster, write, kill -9, read", async () => {
  await buildBinary();
  await withBinary(() =>
    withNodes(async (root, start) => {
      const nodes = await startCluster(root, start);
      const leader = await leaderOf(nodes);
      await leader.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)",
        "INSERT INTO t(id) VALUES(1)",
      );
      const page = await leader.get("/console/");
      assertEquals([page.status, /app-\w+\.js/.test(await page.text())], [200, true], "the console is inside");
      const [{ disk }] = JSON.parse(await (await leader.get("/cluster/live?follow=false")).text()).nodes;
      assertEquals(disk.freeBytes > 0, true, "it may ask how full its disk is");
      await leader.stop("SIGKILL");
      const others = nodes.filter((node) => node !== leader);
      await until(
        "a write is accepted",
        async () => (await others[0].execute("INSERT OR IGNORE INTO t(id) VALUES(2)"), true),
        15_000,
      );
      const back = start(leader.place, clusterFlags(nodes.map(({ place }) => place)));
      await back.ready();
      await until(
        "both rows",
        async () => (await back.row("SELECT count(*) FROM t", "none"))[0] === 2 ? true : undefined,
      );
      const contents = await Promise.all(
        [back, ...others].map((node) => node.send("/db/query?level=none", ["SELECT * FROM t"])),
      );
      assertEquals(contents[1].results, contents[0].results);
      assertEquals(contents[2].results, contents[0].results);
      // Workers that are started when they are needed: for large bodies, and for backups.
      const text = "x".repeat(1024 * 1024);
      await back.execute("CREATE TABLE large(value TEXT)", [`INSERT INTO large VALUES('${text}')`]);
      assertEquals(await back.row("SELECT length(value) FROM large"), [text.length]);
      const backup = new Uint8Array(await (await back.get("/db/backup")).arrayBuffer());
      assertEquals([new TextDecoder().decode(backup.subarray(0, 15)), backup.length > text.length], [
        "SQLite format 3",
        true,
      ]);
      assertEquals((await others[0].stop("SIGTERM")).code, 0);
    })
  );
});

Deno.test("agents run from the executable: a pool, names, a check that looks, and the pages that are inside", () =>
  withBinary(() =>
    withAgents(async (root, start) => {
      const [place, other] = [agentPlace(root, "one"), agentPlace(root, "two")];
      const server = start(place, "-server", "-bootstrap-expect=1");
      const client = start(other, `-retry-join=${server.addr}`);
      await Promise.all([server.up(), client.up()]);
      await until("the client's name", async () => (await dig(place, "+short", "two.node.consul")) || undefined);
      const check = { TCP: `127.0.0.1:${place.httpPort}`, Interval: "1s" };
      const service = JSON.stringify({ Name: "web", Port: place.httpPort, Check: check });
      assertEquals((await client.http("PUT", "/v1/agent/service/register", service)).status, 200);
      await until("the healthy service", async () => (await dig(place, "+short", "web.service.consul")) || undefined);
      const { code, stdout } = await muster(["docs", "licenses"]);
      assertEquals([code, stdout.includes("jsonc-parser@")], [0, true]);
    }, { isThread: false })
  ));
