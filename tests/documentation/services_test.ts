/** What the documentation does with services. */
import { assertMatch, assertStringIncludes } from "@std/assert";
import { WEB } from "../harness/documentation/programs.ts";
import { scenario } from "../harness/documentation/scenario.ts";

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
