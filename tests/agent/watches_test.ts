/** Watches in an agent's files, with real programs and a real receiver of requests: at the start, at each change, over a reload. */
import { assertEquals } from "@std/assert";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

Deno.test("a program and a request handle the state of a watch, at the start and at each change", () =>
  withAgents(async (root, start) => {
    const bodies: { index: string | null; body: unknown }[] = [];
    const receiver = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      bodies.push({ index: request.headers.get("X-Consul-Index"), body: await request.json() });
      return new Response(null, { status: bodies.length === 1 ? 500 : 200 });
    });
    try {
      const out = `${root}/out`;
      const file = `${root}/watches.json`;
      const key = { type: "key", key: "color", handler: `cat >> ${out}; echo "$CONSUL_INDEX" >> ${out}` };
      const services = {
        type: "services",
        handler_type: "http",
        http_handler_config: { path: `http://127.0.0.1:${receiver.addr.port}/` },
      };
      Deno.writeTextFileSync(file, JSON.stringify({ watches: [key, services] }));
      const place = agentPlace(root, "server");
      const server = start(place, "-server", "-bootstrap-expect=1", `-config-file=${file}`);
      await server.up();
      await until("it leads", () => server.leader());
      const lines = () => Deno.readTextFileSync(out).trim().split("\n");
      const written = (text: string) =>
        until(`${text} is handled`, () => {
          try {
            return lines().at(-2)?.includes(text) || undefined;
          } catch {
            return undefined; // nothing yet
          }
        });
      await until("the key that is not there is handled", () => {
        try {
          return lines()[0] === "null" || undefined;
        } catch {
          return undefined;
        }
      });
      await server.http("PUT", "/v1/kv/color", "blue");
      await written(`"Value":"${btoa("blue")}"`);
      assertEquals(lines().at(-1), (await server.http("GET", "/v1/kv/color")).headers.get("x-consul-index"));
      await server.http("PUT", "/v1/agent/service/register", `{"Name":"web"}`);
      await until(
        "the service is told of",
        () => bodies.some(({ body }) => Object.hasOwn(Object(body), "web")) || undefined,
      );
      assertEquals(Number(bodies.at(-1)?.index) > 0, true);

      Deno.writeTextFileSync(file, JSON.stringify({ watches: [{ ...key, key: "shape" }] }));
      assertEquals((await server.http("PUT", "/v1/agent/reload")).status, 200);
      await server.http("PUT", "/v1/kv/shape", "round");
      await written(`"Value":"${btoa("round")}"`);
    } finally {
      await receiver.shutdown();
    }
  }));
