/**
 * The story that Consul's getting-started page tells, with muster: a server and a client that know nobody, one join, lookups by
 * DNS and HTTP, a graceful leave, a death, a return (C1.1, C13.1); on two loopback addresses, and on two machines
 * of their own (network namespaces) where that is allowed.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Network } from "../../scripts/chaos/network.ts";
import { until } from "../harness/processes.ts";
import { agentPlace, type AgentProcess, dig, withAgents } from "../harness/agents.ts";

function lines(text: string): string[][] {
  return text.trim().split("\n").map((line) => line.trim().split(/\s{2,}/));
}

async function membersShown(agent: AgentProcess): Promise<string[][]> {
  const { code, stdout } = await agent.muster("members");
  assertEquals(code, 0);
  return lines(stdout);
}

Deno.test("the story: two agents, one member each; join; both see both; DNS answers; left, failed and back", () =>
  withAgents(async (root, start) => {
    const one = start(agentPlace(root, "agent-one", "127.0.0.2"), "-server", "-bootstrap-expect=1");
    const place = agentPlace(root, "agent-two", "127.0.0.3");
    let two = start(place);
    await Promise.all([one.up(), two.up()]);
    const header = ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Partition", "Segment"];
    const server = ["agent-one", one.addr, "alive", "server", "0.1.0", "2", "dc1", "default", "<all>"];
    const client = ["agent-two", two.addr, "alive", "client", "0.1.0", "2", "dc1", "default", "<default>"];
    assertEquals(await membersShown(one), [header, server]);
    assertEquals(await membersShown(two), [header, client]);
    await one.says(/Server: true \(Bootstrap: false\)/);

    const nobody = await two.http("GET", "/v1/catalog/nodes");
    assertEquals([nobody.status, nobody.text], [500, "No known Consul servers"]);
    assertEquals((await one.muster("members", "-status=failed")).code, 2);

    const joined = await one.muster("join", two.addr);
    assertEquals([joined.code, joined.stdout], [0, "Successfully joined cluster by contacting 1 nodes.\n"]);
    for (const agent of [one, two]) {
      await until("both are seen", async () => Object.keys(await agent.members()).length === 2 || undefined);
      assertEquals(await membersShown(agent), [header, server, client]);
      await until(
        "it is logged",
        () => /serf: EventMemberJoin: agent-(one|two) 127\.0\.0\.[23]/.test(agent.log) || undefined,
      );
    }
    const mixed = await two.muster("join", one.addr, "127.0.0.9:1");
    assertEquals([mixed.code, mixed.stdout], [0, "Successfully joined cluster by contacting 1 nodes.\n"]);
    assertMatch(mixed.stderr, /Error joining address '127\.0\.0\.9:1': /);
    const none = await two.muster("join", "127.0.0.9:1");
    assertEquals(none.code, 1);
    assertMatch(none.stderr, /Failed to join any nodes\./);

    for (const asked of [one.place, two.place]) {
      await until("dig finds agent-two", async () => {
        const answer = await dig(asked, "agent-two.node.consul", "+noall", "+answer");
        return /^agent-two\.node\.consul\.\s+0\s+IN\s+A\s+127\.0\.0\.3$/.test(answer) || undefined;
      });
      assertEquals(await dig(asked, "agent-two.node.dc1.muster", "+short", "+tcp"), "127.0.0.3");
    }
    assertEquals((await two.get("/v1/catalog/node/agent-two")).Node.Address, "127.0.0.3");

    // Ctrl-C on the client.
    assertEquals(await two.stop("SIGINT"), 0);
    assertMatch(two.log, /Graceful exit completed/);
    await one.sees("agent-two", "left");
    await until("its name is gone", async () => {
      return /status: NXDOMAIN/.test(await dig(one.place, "agent-two.node.consul")) || undefined;
    });
    assertEquals(await one.get("/v1/catalog/node/agent-two"), null);

    // Having left, it stays alone, unless it is told to go back.
    two = start(place);
    await two.up();
    assertEquals(await membersShown(two), [header, client]);
    assertEquals(await two.stop("SIGINT"), 0);
    two = start(place, `-join=${one.addr}`);
    await one.sees("agent-two", "alive");

    // Killed, it fails, and its name still resolves. It writes down whom it knows within half a second.
    await until(
      "it remembers the other one",
      () => Deno.readTextFileSync(`${place.directory}/gossip/members.snapshot`).includes("agent-one") || undefined,
    );
    await two.stop("SIGKILL");
    await one.sees("agent-two", "failed");
    await until("its check is critical", async () => {
      const [check] = await one.get("/v1/health/node/agent-two");
      return check?.Status === "critical" && check.Output === "Agent not live or unreachable" || undefined;
    });
    assertEquals(await dig(one.place, "agent-two.node.consul", "+short"), "127.0.0.3");
    assertEquals((await one.muster("members", "-status=failed")).code, 0);

    // Back without being told where to.
    two = start(place);
    await one.sees("agent-two", "alive");
    await until("both again", async () => (await two.members())["agent-one"] === "alive" || undefined);
    await until("its check passes", async () => {
      return (await one.get("/v1/health/node/agent-two"))[0]?.Status === "passing" || undefined;
    });

    // A failed member can be sent away for good.
    await two.stop("SIGKILL");
    await one.sees("agent-two", "failed");
    assertEquals((await one.muster("force-leave", "-prune", "agent-two")).code, 0);
    await one.sees("agent-two", "gone");
    const unknown = await one.muster("force-leave", "agent-two");
    assertEquals(unknown.code, 1);
    assertMatch(unknown.stderr, /No node found with name 'agent-two'/);

    // A server does not leave at Ctrl-C, as in today's Consul; the sole one leads again from its data.
    await one.sql("CREATE TABLE kept(v)");
    assertEquals(await one.stop("SIGINT"), 1);
    assertMatch(one.log, /Graceful shutdown disabled\. Exiting/);
    const again = start(one.place, "-server", "-bootstrap-expect=1");
    await until("it leads", () => again.leader());
    assertEquals(await again.sql("SELECT count(*) FROM kept"), [[0]]);
    assert(again.running);
  }));

Deno.test("the story on two machines of their own: join, names, a cable pulled and put back, a graceful leave", async () => {
  let network: Network;
  try {
    network = await Network.create(2);
  } catch (error) {
    return console.log(`NOT TESTED: network namespaces are not permitted here: ${error}`);
  }
  try {
    await withAgents(async (root, start) => {
      const machine = (at: number, name: string) => ({
        ...agentPlace(root, name, network.host(at)),
        ...{ port: 8301, httpPort: 8500, dnsPort: 8600, wrapper: network.wrapper(at) },
      });
      const one = start(machine(0, "agent-one"), "-server", "-bootstrap-expect=1");
      const two = start(machine(1, "agent-two"));
      await Promise.all([one.up(), two.up()]);
      assertEquals(
        (await one.muster("join", network.host(1))).stdout,
        "Successfully joined cluster by contacting 1 nodes.\n",
      );
      await two.sees("agent-one", "alive");
      await until("dig finds agent-two", async () => {
        return await dig(one.place, "agent-two.node.consul", "+short") === network.host(1) || undefined;
      });
      const ways = [{ from: 0, to: 1 }, { from: 1, to: 0 }];
      await network.cut(ways);
      await Promise.all([one.sees("agent-two", "failed"), two.sees("agent-one", "failed")]);
      assertEquals((await two.http("GET", "/v1/catalog/nodes")).status, 500);
      await network.heal();
      // The agent still tells lost members its news for half a minute, and calls on them now and then.
      await Promise.all([one.sees("agent-two", "alive", 90_000), two.sees("agent-one", "alive", 90_000)]);
      assertEquals((await two.muster("leave")).code, 0);
      assertEquals(await two.ended(), 0);
      await one.sees("agent-two", "left");
    });
  } finally {
    await network.close();
  }
});
