/** What the documentation does with agents: pools, providers, datacenters. */
import { WEB } from "../harness/documentation/programs.ts";
import { scenario } from "../harness/documentation/scenario.ts";

Deno.test("docs/consul.md", () =>
  scenario("docs/consul.md", {
    places: [["172.20.20.", "127.20.20."], ["10.0.0.", "127.10.0."]],
    flags: { "agent-two": "-client=127.20.20.11" },
  }, async (page) => {
    await page.run("deno task muster agent -server", { before: { "agent-two": () => page.ready() } });
    await page.run("deno task muster join", {
      until: { "muster members": /agent-two .* alive/, dig: /172/, "v1/catalog/nodes": /agent-two/ },
    });
    await page.stopAll();
    await page.run("muster serve -raft-addr", { before: { "muster agent": () => page.stopAll("SIGTERM") } });
    await page.ready();
    await page.stopAll();

    const service = `_m${crypto.randomUUID().slice(0, 8)}._tcp`; // other tests share the network
    const provider = `'provider=mdns service=${service} timeout=2s'`;
    for (const number of [2, 3]) {
      await page.shell(`muster agent -server -bootstrap-expect=3 -data-dir=mdns${number} -retry-join=${provider} \\
        -node=mdns${number} -bind=127.20.0.${number} -client=127.20.0.${number}`);
    }
    await page.run("muster agent -server -bootstrap-expect=3", {
      replace: [["provider=mdns", provider], ["=data ", "=mdns "]],
    });
    await page.shell("muster status", { until: { status: /^Voters +3 of 3/m } });
    await page.stopAll();

    await page.shell("muster agent -server -bootstrap-expect=1 -data-dir=agent -node=one");
    await page.write("web.json", '{"service": {"name": "web", "port": 80}}');
    await page.write("report.sh", "#!/bin/sh\n");
    await page.write("reload.sh", "#!/bin/sh\ncat; echo; echo reloaded\n");
    await page.write("web", WEB);
    await page.run("muster kv put", {
      replace: [["-duration=1m", "-duration=2s -interval=1s"]],
      before: {
        "muster maint": () =>
          page.shell("curl 'localhost:8500/v1/health/service/web?passing'", { until: { passing: /"web-8080"/ } }),
      },
    });
    await page.says("muster watch", /"web-8080"[^]*reloaded/);
  }));

Deno.test("docs/datacenters.md", () =>
  scenario("docs/datacenters.md", {
    places: [["10.0.1.", "127.10.1."], ["10.0.2.", "127.10.2."]],
    flags: { "-node=b": "-client=10.0.2.1" },
  }, async (page) => {
    await page.run("muster agent -server -datacenter=dc1");
    await page.shell("muster members -wan", { until: { members: /^b\.dc2 .* alive/m } });
    await page.shell("muster kv put -datacenter=dc2 app/color blue", { until: { kv: /Success/ } });
    await page.shell("muster sql -datacenter=dc2 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'");
    await page.run("muster members -wan", { until: { "catalog nodes": /^b /m, dig: /10\.0\.2\.1/ } });
    await page.run("curl localhost:8500/v1/query");
  }));
