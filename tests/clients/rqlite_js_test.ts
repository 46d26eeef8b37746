/** rqlite-js, the client library of JavaScript, works with muster as its documentation shows it. */
import { install, pathOf, withClients } from "./clients.ts";

Deno.test("rqlite-js connects, writes, reads, backs up and loads, through a follower and as a user", () =>
  withClients(async (root, runClient) => {
    const folder = `${root}/rqlite-js`;
    await Deno.mkdir(folder);
    for (const name of ["package.json", "package-lock.json", "client.js"]) {
      await Deno.copyFile(pathOf(`rqlite-js/${name}`), `${folder}/${name}`);
    }
    await install("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
    await runClient("node", ["client.js"], { cwd: folder });
  }));
