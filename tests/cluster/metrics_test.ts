/** The metrics of a real node, as promtool and a real Prometheus see them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dashboardExpressions, ruleExpressions, RULES_FILE } from "../api/metrics/expressions.ts";
import { lacksPrometheus, Prometheus, promtool } from "../harness/peers/prometheus.ts";
import { freePort, nodePlace, until, withNodes } from "../harness/processes.ts";

const LACKS_PROMETHEUS = await lacksPrometheus();

/** The value of a series in the text format. */
function valueIn(text: string, series: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  if (line === undefined) throw new Error(`${series} is not in\n${text}`);
  return Number(line.slice(series.length + 1));
}

Deno.test("a node shows what it does at /metrics, and Prometheus takes it", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await node.execute("CREATE TABLE secret_table(a)", "INSERT INTO secret_table VALUES(1)");
    await node.send("/db/execute", ["INSERT INTO nowhere VALUES(1)"]);
    await node.row("SELECT a FROM secret_table");
    await (await node.get("/secret/path?q=secret")).text();
    const text = await (await node.get("/metrics")).text();

    const of = (series: string) => valueIn(text, series);
    const posts = `endpoint="/db/execute",method="POST"`;
    assertEquals(of(`muster_http_requests_total{${posts},code="200"}`), 2);
    assertEquals(of(`muster_http_request_duration_seconds_count{${posts}}`), 2);
    assertEquals(of(`muster_http_requests_total{endpoint="other",method="GET",code="404"}`), 1);
    assertEquals(text.includes("secret"), false, "what a client has sent is in no label");
    assertEquals(of("muster_http_requests_in_flight"), 1);
    assertEquals([of("muster_ready"), of("muster_raft_is_leader"), of("muster_raft_voters")], [1, 1, 1]);
    assertEquals([of("muster_raft_elections_total"), of("muster_raft_elections_won_total")], [1, 1]);
    assertEquals([of("muster_raft_proposals_total"), of("muster_write_duration_seconds_count")], [2, 2]);
    assert(of("muster_raft_commit_duration_seconds_count") >= 1);
    assertEquals(of("muster_raft_commit_index"), of("muster_raft_applied_index"));
    assertEquals(of("muster_raft_last_log_index"), of("muster_raft_applied_index"));
    assert(of("muster_log_sync_duration_seconds_count") >= 2 && of("muster_log_sync_duration_seconds_sum") > 0);
    assert(of("muster_sqlite_apply_duration_seconds_count") >= 2);
    assertEquals([of("muster_sqlite_statement_errors_total"), of(`muster_disk_full{disk="log"}`)], [1, 0]);
    assertEquals([of("muster_log_segments"), of("muster_log_bytes")], [1, 16_777_216]);
    assert(of("muster_sqlite_database_bytes") > 0 && of("muster_sqlite_wal_bytes") > 0);
    assert(of("process_cpu_seconds_total") > 0 && of("process_resident_memory_bytes") > 20_000_000);
    assert(Math.abs(of("process_start_time_seconds") - Date.now() / 1000) < 60);
    assertMatch(text, /^muster_build_info\{version="\d+\.\d+\.\d+",deno="\d+\.\d+\.\d+",mode="serve"\} 1$/m);
    if (LACKS_PROMETHEUS) return;

    assertEquals(await promtool(["check", "metrics"], text), "");
    assertMatch(await promtool(["check", "rules", RULES_FILE]), /SUCCESS/);
    const prometheus = await Prometheus.start(`${root}/prometheus`, `127.0.0.1:${node.place.httpPort}`, RULES_FILE);
    try {
      const { activeTargets: [target] } = await prometheus.get("targets");
      assertEquals([target.health, target.lastError], ["up", ""]);
      const [{ unit }] = (await prometheus.get("metadata?metric=muster_log_sync_duration_seconds"))
        .muster_log_sync_duration_seconds;
      assertEquals(unit, "seconds", "it was scraped as OpenMetrics");
      for (const [where, expression] of [...await ruleExpressions(), ...await dashboardExpressions()]) {
        await prometheus.query(expression).catch((error) => assert(false, `${where}: ${error}`));
      }
      const [{ value: [, counted] }] = await prometheus.query(`muster_http_requests_total{${posts}}`);
      assertEquals(counted, "2");
      const rules = await until("all rules are evaluated", async () => {
        const { groups: [{ rules }] } = await prometheus.get("rules");
        return rules.every(({ health }: { health: string }) => health !== "unknown") ? rules : undefined;
      });
      const bad = rules.filter(({ health, state }: { health: string; state: string }) =>
        health !== "ok" || state !== "inactive"
      );
      assertEquals(bad, [], "a node that is well raises no alarm");
    } finally {
      await prometheus.stop();
    }
  }));

Deno.test("a node pushes what it counts to a collector, tells when that fails, and goes on (Q20.1)", () =>
  withNodes(async (root, start) => {
    const bodies: string[] = [];
    const state = { fails: false };
    const collector = Deno.serve({ hostname: "127.0.0.1", port: freePort(), onListen() {} }, async (request) => {
      const text = await request.text();
      if (state.fails) return new Response("full", { status: 503 });
      if (new URL(request.url).pathname === "/v1/metrics") bodies.push(text);
      return Response.json({});
    });
    try {
      const { port } = collector.addr;
      const flags = ["-otlp-endpoint", `127.0.0.1:${port}`, "-otlp-insecure", "-otlp-interval", "100ms"];
      const node = start(nodePlace(root, "1"), flags);
      await node.ready();
      await node.execute("CREATE TABLE t(a)");
      const valueOf = (text: string, name: string) => {
        const { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] } = JSON.parse(text);
        return metrics.find((one: { name: string }) => one.name === name)?.sum.dataPoints[0].asDouble;
      };
      const proposals = (count: number) =>
        until(
          "it is pushed",
          () =>
            valueOf(
                bodies.at(-1) ?? '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[]}]}]}',
                "muster_raft_proposals_total",
              ) === count || undefined,
        );
      await proposals(1);
      const { resourceMetrics: [{ resource }] } = JSON.parse(bodies[0]);
      assertEquals(resource.attributes[2], { key: "service.instance.id", value: { stringValue: "1" } });
      state.fails = true;
      await node.says(
        /the collector http:\/\/127\.0\.0\.1:\d+\/v1\/metrics does not take metrics: it answers 503: full/,
      );
      await node.execute("INSERT INTO t VALUES(1)");
      state.fails = false;
      await node.says(/takes metrics again/);
      await proposals(2);
    } finally {
      await collector.shutdown();
    }
  }));
