/** Requests and client commands of the documentation do what it says, at one agent that is also a node with SQL. */
import { until } from "../harness/processes.ts";
import { type Page, scenario } from "../harness/documentation/scenario.ts";

/** Starts an agent that serves at the ports of `muster serve`, too, with the tables that the examples speak of. */
async function start(page: Page): Promise<void> {
  await page.shell("muster agent -server -bootstrap-expect=1 -data-dir=agent -node=one -sql-port=4001");
  await page.shell(`muster sql '
    CREATE TABLE foo(id INTEGER NOT NULL PRIMARY KEY, name TEXT, age INTEGER);
    INSERT INTO foo(name, age) VALUES("fiona", 20);
    CREATE TABLE t(x);
    INSERT INTO t VALUES(1);
    CREATE TABLE jobs(id INTEGER PRIMARY KEY, done);
    CREATE TABLE players(name, score);
    CREATE TABLE accounts(name, money)'`);
}

Deno.test("docs/api.md", () =>
  scenario("docs/api.md", {}, async (page) => {
    await start(page);
    await page.runRest();
  }));

Deno.test("docs/http-api.md, docs/flags.md, docs/console.md", async () => {
  await scenario("docs/http-api.md", {}, async (page) => {
    await start(page);
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
    await start(page);
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
    // Rows that are changed before the leader has begun with its delivery are not delivered.
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

Deno.test("docs/kv.md", () =>
  scenario("docs/kv.md", {}, async (page) => {
    await start(page);
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
    await start(page);
    await page.runRest();
  });
  await scenario("docs/troubleshooting.md", { api: 4001 }, async (page) => {
    await page.shell("muster serve -node-id 1 data");
    await page.runRest();
  });
});

Deno.test("docs/sql.md, docs/shell.md", async () => {
  await scenario("docs/sql.md", {}, async (page) => {
    await start(page);
    await page.runRest();
  });
  await scenario("docs/shell.md", {}, async (page) => {
    await start(page);
    await page.write("schema.sql", "CREATE TABLE IF NOT EXISTS s(x);\n");
    await page.runRest();
  });
});
