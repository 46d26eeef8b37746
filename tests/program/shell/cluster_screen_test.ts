/** The cluster on one screen, as a node tells of it. */
import { assertEquals } from "@std/assert";
import { AgentApi, API_FLAGS } from "../../../src/program/client/agent_api.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { describeCluster } from "../../../src/program/shell/cluster_screen.ts";

/** The lines about the node, its leader and the voters, of which `reached` are there. */
async function screen(readyz: readonly [status: number, text: string], leader: string, reached: number) {
  const node = (id: string) => ({
    id,
    voter: true,
    leader: id === leader,
    reachable: Number(id) <= reached,
    api_addr: `http://${id}:4001`,
  });
  const pages: Readonly<Record<string, () => Response>> = {
    "/status": () => Response.json({ store: { node_id: "1" } }),
    "/nodes": () => Response.json({ "1": node("1"), "2": node("2"), "3": node("3") }),
    "/readyz": () => new Response(readyz[1], { status: readyz[0] }),
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ url }) => pages[new URL(url).pathname](),
  );
  try {
    const flags = Flags.parse([`-http-addr=127.0.0.1:${server.addr.port}`], API_FLAGS);
    return (await describeCluster(new AgentApi(flags))).split("\n").slice(0, 3);
  } finally {
    await server.shutdown();
  }
}

Deno.test("describeCluster() says why a node is not ready, and that writes are refused without a leader", async () => {
  assertEquals(await screen([200, "[+]node ok\n[+]leader ok\n[+]store ok\n[+]db ok"], "2", 3), [
    "Node      1, ready",
    "Leader    2 at http://2:4001",
    "Voters    3 of 3 reachable, 1 more may fail",
  ]);
  assertEquals(await screen([503, "[+]node ok\n[+]leader does not exist"], "", 1), [
    "Node      1, not ready: leader does not exist",
    "Leader    none: writes are refused",
    "Voters    1 of 3 reachable, no majority: writes are refused",
  ]);
  assertEquals((await screen([503, "[+]node ok\n[+]leader ok\n[+]store not ready: 2 wait\n"], "1", 2)).slice(0, 1), [
    "Node      1, not ready: store not ready: 2 wait",
  ]);
});
