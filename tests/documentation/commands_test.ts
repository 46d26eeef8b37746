/** Client commands of the documentation do what it says: keys and locks, operations, the shell. */
import { startOne } from "../harness/documentation/one_agent.ts";
import { scenario } from "../harness/documentation/scenario.ts";

Deno.test("docs/kv.md", () =>
  scenario("docs/kv.md", {}, async (page) => {
    await startOne(page);
    await page.write("report.sh", '#!/bin/sh\necho "report under $MUSTER_LOCK_KEY"\n');
    await page.run("curl -X PUT localhost:8500/v1/kv/app/color");
    const index = /"ModifyIndex":(\d+)/.exec(await page.shell("curl localhost:8500/v1/kv/app/color"))?.[1] ?? "";
    await page.run("muster kv history", { replace: [["at=1234", `at=${index}`]] });
    await page.run("curl -X PUT localhost:8500/v1/config");
    await page.run("ID=$(curl");

    // Locks that are held, and their tokens.
    const session = /"ID":"([^"]+)"/.exec(await page.shell("curl -X PUT localhost:8500/v1/session/create"))?.[1];
    for (const key of ["lock", "jobs", "a"]) {
      await page.shell(`curl -X PUT "localhost:8500/v1/kv/${key}?acquire=${session}" -d me`);
    }
    const tokens = await page.shell("muster sql 'SELECT key, token FROM muster.fences' -format csv");
    const tokenOf = (key: string) => new RegExp(`^${key},(\\d+)`, "m").exec(tokens)?.[1] ?? "";
    await page.run("curl 'localhost:8500/db/query", { replace: [["1234", tokenOf("lock")]] });
    await page.run("muster lock");
    await page.run("curl -X PUT localhost:8500/v1/txn", { replace: [["42", tokenOf("a")]] });
    await page.run("curl -X PUT localhost:8500/v1/txn", { replace: [["1234", tokenOf("jobs")]] });
  }));

Deno.test("docs/operations.md, docs/troubleshooting.md", async () => {
  await scenario("docs/operations.md", {}, async (page) => {
    await startOne(page);
    await page.runRest();
  });
  await scenario("docs/troubleshooting.md", { api: 4001 }, async (page) => {
    await page.shell("muster serve -node-id 1 data");
    await page.runRest();
  });
});

Deno.test("docs/sql.md, docs/shell.md", async () => {
  await scenario("docs/sql.md", {}, async (page) => {
    await startOne(page);
    await page.runRest();
  });
  await scenario("docs/shell.md", {}, async (page) => {
    await startOne(page);
    await page.write("schema.sql", "CREATE TABLE IF NOT EXISTS s(x);\n");
    await page.runRest();
  });
});
