/** `/v1/agent/metrics` and `/metrics` over a server without a log (C7.12). */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { leadingServer } from "./exposed.ts";

interface Shown {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Value?: number;
}

Deno.test("/v1/agent/metrics has gauges of now, and counters and samples of an interval, by name (C7.12)", async () => {
  await using node = leadingServer();
  const { state, replica, requests, memberEvents, intervals } = node.services;
  state.counts.noteProposals(40);
  for (const ms of [2, 4]) state.counts.commits.observe(ms);
  replica.times.observe(7);
  requests.of("PUT", "/v1/kv/").answered(200, 8);
  requests.of("PUT", "/v1/catalog/register").answered(200, 1);
  requests.of("PUT", "/v1/catalog/register").answered(403, 1);
  memberEvents?.take({ type: "member-join", members: [] });
  intervals.end(Date.now() + 10_000);

  const shown = await node.json("GET", "/v1/agent/metrics");
  assertEquals(Object.keys(shown), ["Timestamp", "Gauges", "Points", "Counters", "Samples"]);
  assertMatch(shown.Timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d0 \+0000 UTC$/);
  assertEquals(shown.Points, []);
  const gauges: Shown[] = shown.Gauges;
  const valueOf = (name: string) => gauges.find(({ Name }) => Name === `consul.${name}`);
  assertEquals(valueOf("raft.last_index"), { Name: "consul.raft.last_index", Value: 9, Labels: {} });
  assertEquals(valueOf("members.servers"), { Name: "consul.members.servers", Value: 1, Labels: { datacenter: "dc1" } });
  assertEquals(valueOf("members.clients")?.Value, 1);
  assertEquals([valueOf("server.isLeader")?.Value, valueOf("autopilot.healthy")?.Value], [1, 0], "a server has failed");
  assertEquals(gauges.map(({ Name }) => Name), gauges.map(({ Name }) => Name).sort());

  const counters = Object.fromEntries(shown.Counters.map((one: Shown) => [one.Name, one]));
  const one = (count: number) => ({ Count: count, Sum: count, Min: 1, Max: 1, Mean: 1, Stddev: 0, Labels: {} });
  const { Name, Rate, ...apply } = counters["consul.raft.apply"];
  assertEquals([Name, apply], ["consul.raft.apply", one(40)]);
  assert(Math.abs(Rate - 4) < 0.5, `${Rate} in ten seconds`);
  assertEquals(counters["consul.client.api.catalog_register"].Count, 2);
  assertEquals(counters["consul.client.api.success.catalog_register"].Count, 1);
  assertEquals(counters["consul.serf.member.join"], undefined, "nobody has joined");

  const samples = shown.Samples.map(({ Rate: _, ...rest }: { Rate: number }) => rest);
  assertEquals(samples.filter(({ Name }: Shown) => Name === "consul.raft.commitTime"), [
    { Name: "consul.raft.commitTime", Count: 2, Sum: 6, Min: 2, Max: 4, Mean: 3, Stddev: Math.SQRT2, Labels: {} },
  ]);
  const labels = { method: "PUT", path: "v1_kv_" };
  assertEquals(samples.find(({ Labels }: Shown) => Labels.path === "v1_kv_")?.Labels, labels);
  const contact = samples.find(({ Name }: Shown) => Name === "consul.raft.leader.lastContact");
  assertEquals([contact.Count, contact.Max], [1, 50]);
});

Deno.test("/v1/agent/metrics?format=prometheus has both names of a metric (C7.12)", async () => {
  await using node = leadingServer();
  node.services.state.counts.commits.observe(4);
  node.services.requests.of("GET", "/v1/catalog/nodes").answered(200, 1);
  node.services.requests.of("HEAD", "/v1/catalog/nodes").answered(200, 1);
  const { status, contentType, text } = await node.send("GET", "/v1/agent/metrics?format=prometheus");
  assertEquals([status, contentType], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  assertMatch(text, /^muster_raft_commit_duration_seconds_sum 0.004$/m);
  assertMatch(
    text,
    /^# TYPE consul_raft_commitTime summary\nconsul_raft_commitTime_sum 4\nconsul_raft_commitTime_count 1$/m,
  );
  assertMatch(text, /^consul_client_api_catalog_nodes 2$/m);
  assertMatch(text, /^consul_members_servers\{datacenter="dc1"\} 1$/m);
});

Deno.test("/metrics is answered in the format that is asked for, without a part that does not answer", async () => {
  await using node = leadingServer();
  node.pool.stats = () => new Promise(() => {});
  const plain = await node.send("GET", "/metrics");
  assertEquals([plain.status, plain.contentType], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  assertMatch(plain.text, /^muster_raft_last_log_index 9$/m);
  assertEquals(plain.text.includes("muster_gossip_members"), false);
  const accept = "application/openmetrics-text;version=1.0.0,*/*;q=0.1";
  const open = await node.send("GET", "/metrics", "", { accept });
  assertEquals(open.contentType, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assertMatch(open.text, /\n# EOF\n$/);
  assertEquals((await node.send("POST", "/metrics")).status, 405);
});

Deno.test("/metrics of a client agent has nothing of a log or a database", async () => {
  await using node = leadingServer();
  const { options } = node.services;
  const client = { ...options, agent: { ...options.agent, isServer: false } };
  Object.assign(node.services, { options: client });
  const { text } = await node.send("GET", "/metrics");
  assertMatch(text, /^muster_gossip_members\{role="client",status="alive"\} 1$/m);
  assertMatch(text, /^muster_build_info\{.*mode="client"\} 1$/m);
  assertEquals(text.match(/muster_(?:raft|log|sqlite|catalog|write)\w*/), null);
});
