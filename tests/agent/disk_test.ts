/** The full disk of a server: what is written below `/v1/` is refused with 503 and a word, and taken again with room. */
import { assertEquals } from "@std/assert";
import { BALLAST_BYTES } from "../../src/drivers/sqlite/ballast.ts";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";
import { fill, mounted } from "../harness/small_disk.ts";

Deno.test("an agent whose disk is full refuses writes of the cluster and of its own with 503, and takes them with room", () =>
  mounted((path) =>
    withAgents(async (root, start) => {
      const server = start({ ...agentPlace(root, "one"), directory: path }, "-server", "-bootstrap-expect=1");
      await server.up();
      await until("it leads", () => server.leader());
      const put = async (path: string, body: string) => {
        const { status, text } = await server.http("PUT", path, body);
        return [status, text];
      };
      assertEquals(await put("/v1/kv/a", "b"), [200, "true"]);
      await until( // without it nobody knows what becomes of the first write
        "the ballast",
        async () => (await Deno.stat(`${path}/sqlite/ballast`)).size === BALLAST_BYTES || undefined,
      );
      fill(`${path}/filler`);
      const full = "no space left on the disk of the leader: nothing was written; free some space";
      const value = "x".repeat(500_000);
      let id = 0;
      const refused = await until("a write is refused", async () => {
        const answer = await put(`/v1/kv/${id++}`, value);
        return answer[0] === 200 ? undefined : answer;
      });
      assertEquals(refused, [503, full]);
      assertEquals(await put("/v1/txn", `[{"KV":{"Verb":"set","Key":"a","Value":""}}]`), [503, full]);
      assertEquals((await server.http("GET", "/v1/kv/a")).status, 200);
      fill(`${path}/more`);
      const own = "no space left on the disk of this agent: nothing was written; free some space";
      assertEquals(await put("/v1/agent/service/register", `{"Name":"web"}`), [503, own]);

      for (const name of ["filler", "more"]) Deno.removeSync(`${path}/${name}`);
      await until("writes are taken again", async () => (await put("/v1/kv/a", "c"))[0] === 200 || undefined);
      assertEquals(await put("/v1/agent/service/register", `{"Name":"web"}`), [200, ""]);
    })
  ));
