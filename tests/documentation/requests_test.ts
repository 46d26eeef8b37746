/** Requests of the documentation do what it says: SQL, backups, changes of rows. */
import { startOne } from "../harness/documentation/one_agent.ts";
import { scenario } from "../harness/documentation/scenario.ts";
import { until } from "../harness/processes.ts";

Deno.test("docs/api.md", () =>
  scenario("docs/api.md", {}, async (page) => {
    await startOne(page);
    await page.runRest();
  }));

Deno.test("docs/http-api.md, docs/flags.md, docs/console.md", async () => {
  await scenario("docs/http-api.md", {}, async (page) => {
    await startOne(page);
    await page.runRest();
  });
  await scenario("docs/flags.md", {}, (page) => page.runRest());
  await scenario("docs/console.md", { api: 4001 }, async (page) => {
    await page.shell("muster serve data");
    await page.runRest();
  });
});

Deno.test("docs/backup.md", () =>
  scenario("docs/backup.md", {}, async (page) => {
    await startOne(page);
    const tables = ["foo", "t", "jobs", "players", "accounts"];
    const drop = `muster sql '${tables.map((table) => `DROP TABLE ${table}`).join("; ")}'`;
    await page.runRest({ before: { "@dump.sql": () => page.shell(drop) } });
  }));

Deno.test("docs/changes.md", () =>
  scenario("docs/changes.md", { api: 4001 }, async (page) => {
    await page.shell("muster serve data");
    await page.shell(
      "muster sql 'CREATE TABLE users(id INTEGER PRIMARY KEY, name); CREATE TABLE players(name, score)'",
    );
    await page.shell("curl -X PUT localhost:4001/db/changes/log");
    const answer = await page.shell("curl 'localhost:4001/db/changes?follow=false'");
    const index = /"index":(\d+)/.exec(answer)?.[1];
    await page.run("curl -X PUT", { replace: [["since=1234", `since=${index}`]] });
    await page.shell("muster sql \"INSERT INTO users VALUES(7, 'Alice'); UPDATE users SET name = 'Bob'\"");
    for (const stream of ["curl -N localhost:4001/db/changes", "since="]) {
      await page.says(
        stream,
        /"op":"UPDATE","table":"users","new_row_id":7,"old_row_id":7,"before":\{"id":7,"name":"Alice"\},"after":\{"id":7,"name":"Bob"\}/,
      );
    }
    await page.stopAll();

    const deliveries: string[] = [];
    await using hook = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      deliveries.push(await request.text());
      return new Response();
    });
    const url = `http://127.0.0.1:${hook.addr.port}/changes`;
    await page.write("/etc/muster/cdc.json", JSON.stringify({ endpoint: url, service_id: "file" }));
    // A node takes writes before it is ready; rows that are changed before it keeps the log of changes are not delivered.
    const isDelivered = async () => {
      const before = deliveries.length;
      await until("a delivery", async () => {
        await page.shell("muster sql 'INSERT INTO users(name) VALUES(1)'");
        return deliveries.slice(before).some((text) => text.includes('"INSERT"')) || undefined;
      });
    };
    const next = () => isDelivered().then(() => page.stopAll());
    await page.run("muster serve -cdc-config", {
      replace: [
        ["https://hooks.example.com/changes", url],
        ["agent -server", "agent -server -bootstrap-expect=1 -sql-port=4001 -data-dir=agent"],
        [/ …$/g, " data"],
        [/(muster agent .*) data$/g, "$1"],
      ],
      before: { "cdc.json": async () => deliveries.length > 0 || await next(), "muster agent": next },
    });
    await page.ready();
    await page.shell("muster sql 'CREATE TABLE users(id INTEGER PRIMARY KEY, name)'");
    await next();

    await page.shell("muster serve data");
    await page.shell("muster sql \"INSERT INTO players VALUES('Ann', 80), ('Bob', 60)\"");
    await page.run("curl -N 'localhost:4001/db/live");
    await page.ready();
    await page.shell("muster sql \"UPDATE players SET score = 70 WHERE name = 'Bob'\"");
    await page.says("db/live", /"splices":\[\{"at":1,"delete":1,"insert":\[\["Bob",70\]\]\}\]/);
  }));
