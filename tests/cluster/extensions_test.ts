import { assertEquals, assertStringIncludes } from "@std/assert";
import { buildExtension, hasCompiler } from "../harness/extension/build.ts";
import { clusterFlags, leaderOf, nodePlace, until, withNodes } from "../harness/processes.ts";

Deno.test("writes and reads use the extensions of -extensions-path on every node, and a node without them is noticed", async () => {
  if (!await hasCompiler()) return;
  await withNodes(async (root, start) => {
    const extension = await buildExtension(root, "twice");
    const name = extension.slice(root.length + 1);
    const places = ["1", "2"].map((id) => nodePlace(root, id));
    const flags = [...clusterFlags(places), "-extensions-path", extension];
    const nodes = places.map((place) => start(place, flags));
    await Promise.all(nodes.map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    await leader.execute(
      "CREATE TABLE t(a, b AS (twice(a)) STORED)",
      "INSERT INTO t(a) VALUES(twice(1))",
      "CREATE VIRTUAL TABLE v USING hollow",
    );
    for (const node of nodes) {
      await until("the row", async () => (await node.row("SELECT count(*) FROM t", "none"))[0] === 1 || undefined);
      assertEquals(await node.row("SELECT a, b, twice(5), (SELECT count(*) FROM v) FROM t", "none"), [2, 4, 10, 0]);
      assertEquals(await node.status("extensions"), { dir: `${node.place.directory}/extensions`, names: [name] });
      assertEquals(await node.status("store.sqlite3.extensions"), [name]);
      const { results } = await node.send("/db/query", [`SELECT load_extension('${extension}')`]);
      assertStringIncludes(results[0].error ?? "", "load_extension() is not supported");
    }
    assertEquals(leader.log.includes("WARNING"), false);

    const plain = start(nodePlace(root, "3"), ["-join", leader.clusterAddr, "-raft-non-voter"]);
    await leader.says(
      /WARNING: node 3 has SQLite [^,]*, options [^,]*, this one has 3\.[^:]*, extensions twice [0-9a-f]+\)/,
    );
    // The statements that need the extension fail there, so the contents differ; the node may see that before it is ready.
    assertEquals((await plain.ended()).code, 3);
    assertStringIncludes(plain.log, 'the database of node "3" differs from that of the majority');
  });
});

Deno.test("a node whose extension cannot be loaded ends with the reason", () =>
  withNodes(async (root, start) => {
    await Deno.writeTextFile(`${root}/bad.so`, "not an extension");
    const node = start(nodePlace(root, "1"), ["-extensions-path", `${root}/bad.so`]);
    assertEquals((await node.ended()).code, 1);
    assertStringIncludes(
      node.log,
      `fatal: Cannot load the SQLite extension "${node.place.directory}/extensions/bad.so" (`,
    );

    const absent = start(nodePlace(root, "2"), ["-extensions-path", `${root}/none.so`]);
    assertEquals((await absent.ended()).code, 1);
    assertStringIncludes(absent.log, `fatal: extension path does not exist: ${root}/none.so`);
  }));
