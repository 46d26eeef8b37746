/** Metrics of a real agent, a server: /metrics, and /v1/agent/metrics as Consul has it (C7.12). */
import { assert, assertEquals } from "@std/assert";
import { agentPlace, dig, leaderAmong, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

Deno.test("an agent shows its pool, names and catalog at /metrics, and Consul's names at /v1/agent/metrics (C7.12)", () =>
  withAgents(async (root, start) => {
    const server = start(agentPlace(root, "one"), "-server", "-bootstrap");
    await server.up();
    await leaderAmong([server]);
    const definition = JSON.stringify({ Name: "web", Check: { TTL: "1h" } });
    assertEquals((await server.http("PUT", "/v1/agent/service/register", definition)).status, 200);
    await until(
      "the catalog has it",
      async () => (await server.get("/v1/catalog/service/web")).length === 1 || undefined,
    );
    assertEquals(await dig(server.place, "one.node.consul", "+short"), "127.0.0.1");
    assertEquals(await dig(server.place, "nobody.node.consul", "+short"), "");

    const { text } = await server.http("GET", "/metrics");
    const wanted = [
      `muster_gossip_members{role="server",status="alive"} 1`,
      `muster_gossip_members{role="client",status="failed"} 0`,
      `muster_gossip_events_total{event="join"} 1`,
      "muster_gossip_health_score 0",
      `muster_dns_queries_total{rcode="NOERROR"} 1`,
      `muster_dns_queries_total{rcode="NXDOMAIN"} 1`,
      "muster_agent_services 1",
      `muster_agent_checks{status="critical"} 1`,
      "muster_catalog_nodes 1",
      "muster_catalog_services 2",
      `muster_catalog_checks{status="critical"} 1`,
      "muster_autopilot_healthy 1",
      "muster_autopilot_failure_tolerance 0",
      `muster_http_requests_total{endpoint="/v1/agent/service/register",method="PUT",code="200"} 1`,
    ];
    const lines = text.split("\n");
    for (const line of wanted) assert(lines.includes(line), `${line} is not in\n${text}`);
    assertEquals(text.includes("web"), false, "names of services are in no label");

    const { Gauges, Samples } = await server.get("/v1/agent/metrics");
    const gauges = new Map(Gauges.map(({ Name, Value }: { Name: string; Value: number }) => [Name, Value]));
    assertEquals(gauges.get("consul.server.isLeader"), 1);
    assertEquals(gauges.get("consul.members.servers"), 1);
    assertEquals(gauges.get("consul.state.service_instances"), 2);
    assert(Number(gauges.get("consul.runtime.alloc_bytes")) > 1_000_000);
    const names = Samples.map(({ Name }: { Name: string }) => Name);
    for (const name of ["raft.commitTime", "raft.fsm.apply", "api.http"]) {
      assert(names.includes(`consul.${name}`), name);
    }
  }));

Deno.test("a server of agents delivers changes and pushes to a collector, by its configuration file", () =>
  withAgents(async (root, start) => {
    const pushed = new Set<string>();
    const collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      await request.arrayBuffer();
      pushed.add(new URL(request.url).pathname);
      return new Response("{}");
    });
    try {
      const delivered = `${root}/changes.ndjson`;
      await Deno.writeTextFile(`${root}/cdc.json`, JSON.stringify({ endpoint: `file://${delivered}` }));
      const config = `${root}/agent.hcl`;
      await Deno.writeTextFile(
        config,
        `cdc_config = "${root}/cdc.json"
         otlp { endpoint = "127.0.0.1:${collector.addr.port}" insecure = true interval = "200ms" trace_sample_ratio = "1" }`,
      );
      const server = start(agentPlace(root, "one"), "-server", "-bootstrap", `-config-file=${config}`);
      await server.up();
      await leaderAmong([server]);
      await server.sql("CREATE TABLE t(n INTEGER PRIMARY KEY)");
      await until(
        "the log of changes is there",
        async () => (await server.get("/db/changes/log")).enabled || undefined,
      );
      await server.sql("INSERT INTO t VALUES(7)");
      await until(
        "the change is delivered",
        async () => /"after":\{"n":7\}/.test(await Deno.readTextFile(delivered).catch(() => "")) || undefined,
      );
      await until("both kinds are pushed", () => pushed.has("/v1/metrics") && pushed.has("/v1/traces") || undefined);
      const client = start(agentPlace(root, "two"), "-cdc-config=stdout");
      await client.says(/-cdc-config is for servers alone/);
      assertEquals(await client.ended(), 1);
    } finally {
      await collector.shutdown();
    }
  }));
