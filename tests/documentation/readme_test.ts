/** The commands of README.md do what it says. */
import { assertEquals } from "@std/assert";
import { scenario } from "../harness/documentation/scenario.ts";
import config from "../../deno.json" with { type: "json" };

Deno.test("README.md: a node, a cluster of three, two agents that find each other", async () => {
  assertEquals(config.tasks.start.command, "deno run -P=muster mod.ts serve data");
  await scenario("README.md", {
    api: 4001,
    places: [["172.20.20.", "127.20.20."]],
    flags: { "agent-two": "-client=127.20.20.11" },
  }, async (page) => {
    await page.run("npx --yes", { replace: [["task start", "task muster serve data"]] });
    await page.run("curl -XPOST");
    await page.stop("serve data");
    await page.run("deno task muster serve -node-id 1");
    await page.shell("deno task muster status", { until: { status: /^Voters +3 of 3 reachable/m } });
    await page.stopAll();
    await page.run("deno task muster agent -server");
    await page.shell("export MUSTER_HTTP_ADDR=127.0.0.1:8500");
    await page.run("deno task muster join", {
      until: { members: /agent-two .* alive/, dig: /172/ },
    });
  });
});
