/**
 * The compiled executable: built as a user builds it, then three nodes run from it.
 */
import { assertEquals } from "@std/assert";
import { BINARY, buildBinary } from "../harness/binary.ts";
import { clusterFlags, leaderOf, startCluster, until, withNodes } from "../harness/processes.ts";

Deno.test("three nodes run from the executable: cluster, write, kill -9, read", async () => {
  await buildBinary();
  Deno.env.set("MUSTER_BINARY", BINARY);
  try {
    await withNodes(async (root, start) => {
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
      assertEquals((await others[0].stop("SIGTERM")).code, 0);
    });
  } finally {
    Deno.env.delete("MUSTER_BINARY");
  }
});
