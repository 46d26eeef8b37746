/** What the documentation does with nodes of `muster serve`: clusters, extensions, backups, traces. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { scenario } from "../harness/documentation/scenario.ts";
import { buildExtension, hasCompiler } from "../harness/extension/build.ts";
import { S3_BUCKET, S3_KEYS, S3_REGION, S3Server } from "../harness/peers/s3_server.ts";
import { until } from "../harness/processes.ts";

Deno.test("docs/cluster.md", () =>
  scenario("docs/cluster.md", {
    api: 4001,
    places: [["a:", "127.20.0.1:"], ["b:", "127.20.0.2:"], ["c:", "127.20.0.3:"]],
  }, async (page) => {
    const join = "-bootstrap-expect 3 -join a:4002,b:4002,c:4002";
    for (const [id, host] of [["2", "b"], ["3", "c"]]) {
      await page.shell(`muster serve -node-id ${id} -http-addr ${host}:4001 -raft-addr ${host}:4002 ${join} data${id}`);
    }
    await page.run("deno task muster serve");
    await page.shell("muster status -http-addr a:4001", { until: { status: /^Voters +3 of 3 reachable/m } });
  }));

Deno.test("docs/extensions.md", async () => {
  if (!await hasCompiler()) return;
  await scenario("docs/extensions.md", { api: 4001 }, async (page) => {
    await page.write("/opt/extensions/.keep", "");
    await buildExtension(page.path("/opt/extensions"), "vec0");
    await page.shell(`python3 -m zipfile -c /opt/more.zip /opt/extensions/.keep`);
    await page.run("muster serve");
    assertStringIncludes(await page.shell("muster sql 'SELECT twice(2)'"), "4");
  });
});

Deno.test("docs/auto_backup.md", async () => {
  const server = S3Server.start();
  try {
    await scenario("docs/auto_backup.md", { api: 4001, places: [["my-backups", S3_BUCKET]] }, async (page) => {
      const there = {
        region: S3_REGION,
        endpoint: server.url,
        force_path_style: true,
        access_key_id: S3_KEYS.accessKeyId,
        secret_access_key: S3_KEYS.secretAccessKey,
      };
      const backup = JSON.parse(page.shown('{\n  "version": 1,\n  "type": "s3",\n  "interval"'));
      const restore = JSON.parse(page.shown('{\n  "version": 1,\n  "type": "s3",\n  "timestamp"'));
      const keys = Object.keys(backup.sub).filter((key) => key.endsWith("_key") || key.endsWith("_id"));
      const variables = Object.fromEntries(keys.map((key) => [key, backup.sub[key]]));
      await page.shell(`export S3_KEY_ID=${S3_KEYS.accessKeyId} S3_SECRET=${S3_KEYS.secretAccessKey}`);
      await page.write(
        "backup.json",
        JSON.stringify({ ...backup, interval: "200ms", sub: { ...backup.sub, ...there, ...variables } }),
      );
      await page.write("restore.json", JSON.stringify({ ...restore, sub: { ...restore.sub, ...there } }));
      await page.run("muster serve -auto-backup", { replace: [["…", "data"]] });
      await page.shell("muster sql 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'");
      await until("a backup", () => server.keys.some((key) => /prod\/\d+_db\.sqlite\.gz/.test(key)) || undefined);
      await page.shell("curl localhost:4001/debug/vars?key=uploader", { until: { uploader: /"num_uploads_ok":1/ } });
      await page.stopAll();
      await page.run("muster serve -auto-restore", { replace: [["…", "-auto-backup backup.json restored"]] });
      await page.shell("curl localhost:4001/readyz", { until: { readyz: /node ok/ } });
      assertEquals(await page.shell("muster sql 'SELECT x FROM t' -format csv"), "x\n1\n");
      await page.run("curl localhost:4001/status?key=auto_backups");
    });
  } finally {
    await server.stop();
  }
});

Deno.test("docs/metrics.md", () =>
  scenario("docs/metrics.md", { api: 4001 }, async (page) => {
    await page.shell("muster serve data");
    await page.shell("muster agent -server -bootstrap-expect=1 -data-dir=agent");
    await page.run("curl localhost:4001/metrics");
    await page.run("curl 'localhost:4001/metrics/history", { until: { history: /memory_bytes/ } });
    await page.stopAll();

    const requests: string[] = [];
    await using _collector = Deno.serve(
      { hostname: "127.0.0.1", port: page.port(4318), onListen: () => {} },
      async (request) => {
        requests.push(new URL(request.url).pathname);
        await request.arrayBuffer();
        return Response.json({});
      },
    );
    await page.run("muster serve -otlp-endpoint", {
      replace: [["-otlp-insecure …", "-otlp-insecure -bootstrap-expect=1 -data-dir=agent"]],
      before: { curl: () => page.shell("muster sql 'CREATE TABLE t(x)'") },
    });
    await until("a trace", () => requests.includes("/v1/traces") || undefined);
    await page.stopAll();
  }));

Deno.test("docs/client.md", () =>
  scenario("docs/client.md", { api: 4001 }, async (page) => {
    await page.shell("muster agent -server -bootstrap-expect=1 -data-dir=agent -sql-port=4001");
    await page.shell(`muster sql "CREATE TABLE jobs(done); CREATE TABLE accounts(name, money);
      CREATE TABLE players(name, score); INSERT INTO jobs VALUES(0);
      INSERT INTO accounts VALUES('ann', 30), ('bob', 5)"`);
    const client = new URL("../../client/mod.ts", import.meta.url).href;
    await page.write("deno.json", JSON.stringify({ imports: { "muster/client": client } }));
    const first = page.shown("import { connect }");
    await page.write("first.ts", `${first}\n${page.shown("await db.kv.put")}\nconsole.log(users);\n`);
    assertStringIncludes(await page.shell(`deno run -A first.ts`), '{ id: 1, name: "Ann" }');
    const rows = await page.shell("muster sql 'SELECT money, done FROM accounts, jobs' -format csv");
    assertEquals(rows, "money,done\n20,1\n15,1\n");

    const [keep, live] = page.shown("await db.keepChanges").split("\n\n");
    const start = first.split("\n").slice(0, 3).join("\n");
    await page.write("changes.ts", `${start}\nconst since = undefined;\n${keep}\n`);
    await page.write("live.ts", `${start}\nconst show = console.log;\n${live}\n`);
    await page.start("deno run -A live.ts");
    await page.says("live.ts", /\[\]/);
    await page.shell("muster sql \"INSERT INTO players VALUES('Ann', 80)\"");
    await page.says("live.ts", /name: "Ann", score: 80/);
    await page.start("deno run -A changes.ts >changes.txt"); // of what comes once it follows
    const insert = "muster sql \"INSERT INTO users(name) VALUES('Bob')\"";
    await page.shell(`${insert}; cat changes.txt`, { until: { "changes.txt": /op: "INSERT"/ } });
  }));

Deno.test("docs/development.md", () =>
  scenario("docs/development.md", { api: 4001 }, async (page) => {
    await page.run("deno run --inspect", { replace: [["--inspect", `--inspect=127.0.0.1:${page.port(8080)}`]] });
    await page.ready();
    const targets = await page.shell("curl localhost:8080/json/list");
    assert(targets.includes("mod.ts"), targets);
  }));

Deno.test("docs/install.md", () =>
  scenario("docs/install.md", {}, async (page) => {
    await page.write("/usr/local/share/man/man1/.keep", "");
    await page.write("/etc/bash_completion.d/.keep", "");
    await page.run("muster docs -man");
    assert((await page.shell("cat /usr/local/share/man/man1/muster.1")).startsWith(".TH"));
    await page.shell("source /etc/bash_completion.d/muster && complete -p muster");
  }));
