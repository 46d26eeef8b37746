/** What the documentation does with agents: pools, datacenters, services. */
import { assertMatch, assertStringIncludes } from "@std/assert";
import { scenario } from "../harness/documentation/scenario.ts";

/** A program that serves at the port of its service. */
const WEB = `#!/usr/bin/env python3
import http.server, os

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(os.environ["MUSTER_SERVICE_PORT"])), Answer).serve_forever()
`;

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

Deno.test("docs/services.md", () =>
  scenario("docs/services.md", { places: [["10.0.0.5", "127.10.0.5"]] }, async (page) => {
    await page.write("config/web.json", page.shown('{\n  "service"'));
    await page.shell(
      "muster agent -server -bootstrap-expect=1 -data-dir=agent -node=one -bind=10.0.0.5 -config-dir=config",
    );
    assertStringIncludes(await page.shell("curl localhost:8500/v1/agent/services"), '"v1"');
    await page.run("curl -X PUT localhost:8500/v1/agent/service/register");
    await page.write("web", WEB);
    await page.run("muster run");
    await page.shell("curl 'localhost:8500/v1/health/service/web?passing'", { until: { passing: /"web-8080"/ } });
    await page.shell(
      'curl -X PUT localhost:8500/v1/agent/service/register -d \'{"Name": "web", "Port": 80, "Tags": ["v1"]}\'',
    );
    await page.run("dig", { until: { "v1.web": /one\.node/ } });
    await page.run("muster maint");
    await page.shell("muster maint -disable");
    await page.run("curl -X POST localhost:8500/v1/query", { until: { "web-near.query": /10\.0/ } });
    await page.stop("muster run", "SIGTERM");
    assertMatch(await page.shell("curl localhost:8500/v1/agent/services"), /"web"/);
  }));
