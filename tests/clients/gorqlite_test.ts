/** gorqlite, the client library of Go, works with muster as its documentation shows it. */
import { hasGo, install, pathOf, withClients } from "./clients.ts";

Deno.test({
  name: "gorqlite connects, writes, reads, queues and finds the cluster, through a follower and as a user",
  ignore: !hasGo("gorqlite"),
  fn: () =>
    withClients(async (root, runClient) => {
      const client = `${root}/gorqlite-client`;
      await install("go", ["build", "-o", client, "."], { cwd: pathOf("gorqlite") });
      await runClient(client, []);
    }),
});
