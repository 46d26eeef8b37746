/** A Worker that dies is reported, which ends the process (src/program/node/node.ts). */
import { assertMatch } from "@std/assert";
import { ROLES } from "../../../src/program/node/permissions.ts";
import { spawn } from "../../../src/program/node/spawn.ts";

for (const role of ROLES) {
  Deno.test(`the death of the ${role} Worker is reported with its reason`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "muster-spawn-" });
    const scope = {
      raftDirectory: directory,
      sqliteDirectory: directory,
      httpAddrs: ["127.0.0.1:1"],
      httpsAddrs: [],
      gossipDirectory: directory,
      discoveryAddrs: [],
      uploads: { net: [], directories: [] },
      cdc: { net: [], files: [] },
      otlp: { net: [] },
      serviceManager: { sockets: [`${directory}/notify`], directory },
      sqliteLibrary: directory,
      runsScripts: false,
      runsHandlers: false,
    };
    try {
      const message = await new Promise<string>((resolve) => {
        // No Worker expects to be told nothing: it throws, as it would at any other broken assumption.
        spawn(role, scope, resolve).postMessage(null);
      });
      assertMatch(message, new RegExp(`the ${role} Worker died: .*null`));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
