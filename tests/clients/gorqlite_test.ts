/** gorqlite, the client library of Go, works with muster as its documentation shows it. */
import { install, pathOf, withClients } from "./clients.ts";

/** In CI a missing compiler fails the test. */
const HAS_GO = Deno.env.get("CI") === "true" || hasGo();

function hasGo(): boolean {
  try {
    return new Deno.Command("go", { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    console.error("LEFT OUT: the test of gorqlite, as there is no Go compiler (Debian: golang-go)");
    return false;
  }
}

Deno.test({
  name: "gorqlite connects, writes, reads, queues and finds the cluster, through a follower and as a user",
  ignore: !HAS_GO,
  fn: () =>
    withClients(async (root, runClient) => {
      const client = `${root}/gorqlite-client`;
      await install("go", ["build", "-o", client, "."], { cwd: pathOf("gorqlite") });
      await runClient(client, []);
    }),
});
