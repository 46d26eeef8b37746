/** rqlite-js, the client library of JavaScript, works with muster as its documentation shows it. */
import { nodeFolder, withClients } from "./clients.ts";

Deno.test("rqlite-js connects, writes, reads, backs up and loads, through a follower and as a user", () =>
  withClients(async (root, runClient) => {
    await runClient("node", ["client.js"], { cwd: await nodeFolder(root, "rqlite-js") });
  }));
