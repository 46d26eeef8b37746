/** A second port for traffic between servers, as Consul has it: servers are known by it, with or without the others'. */
import { assertEquals } from "@std/assert";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { freePort, until } from "../harness/processes.ts";

Deno.test("a server with a port of its own for servers is known by it, and found again without it", () =>
  withAgents(async (root, start) => {
    const places = ["one", "two"].map((name) => agentPlace(root, name));
    const port = freePort();
    const flags = ["-server", "-bootstrap-expect=2", `-retry-join=${places[0].host}:${places[0].port}`];
    let one = start(places[0], ...flags, `-server-port=${port}`);
    const two = start(places[1], ...flags);
    await Promise.all([one.up(), two.up()]);
    await until("they lead", () => two.leader());
    const peers = async () => (await two.get("/v1/status/peers?stale")).sort();
    const addr = (at: number) => `127.0.0.1:${at}`;
    await until("both are known", async () => (await peers()).length === 2 || undefined);
    assertEquals(await peers(), [addr(port), addr(places[1].port)].sort());
    const ports = async () =>
      (await two.get("/v1/catalog/service/consul")).map(({ ServicePort }: { ServicePort: number }) => ServicePort)
        .sort();
    await until("the catalog has both", async () => (await ports()).length === 2 || undefined);
    assertEquals(await ports(), [port, places[1].port].sort());
    assertEquals((await two.members()).one, "alive");
    assertEquals((await one.http("PUT", "/v1/kv/a", "x")).text, "true");

    await one.stop("SIGTERM");
    one = start(places[0], ...flags);
    await one.up();
    await until(
      "it is known by its other port",
      async () => (await peers()).includes(addr(places[0].port)) && !(await peers()).includes(addr(port)) || undefined,
    );
    const read = async () => {
      const { status, text } = await one.http("GET", "/v1/kv/a?raw");
      return status === 500 && text === "No cluster leader" ? undefined : text;
    };
    assertEquals(await until("it has heard of a leader", read), "x");
  }));
