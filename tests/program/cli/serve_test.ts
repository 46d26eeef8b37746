/** The start of a node whose flags do not say how it comes into a cluster. */
import { assertEquals } from "@std/assert";
import { exists } from "../../../src/base/worker/files.ts";
import { musterHere } from "../../harness/command_line.ts";
import { clusterAddrOf, nodePlace, withNodes } from "../../harness/processes.ts";

Deno.test("flags that lack a way into a cluster leave no directory, which would keep the node's id", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const { directory } = place;
    const addrs = [`-http-addr=127.0.0.1:${place.httpPort}`, `-raft-addr=127.0.0.1:${place.clusterPort}`];
    const refused = [
      ["-bootstrap-expect=3", "-bootstrap-expect 3 needs -join or -disco-mode, to find the other nodes by"],
      ["-raft-non-voter", "cannot create a new non-voting node without joining it to an existing cluster"],
    ];
    for (const [flag, why] of refused) {
      const { code, stderr } = await musterHere(["serve", ...addrs, flag, directory]);
      assertEquals([code, stderr], [2, `fatal: clustering failure: ${why}\n`]);
      assertEquals(exists(directory), false);
    }
    const node = start(place, ["-node-id=1", "-bootstrap-expect=1", `-join=${clusterAddrOf(place)}`]);
    await node.ready();
    await node.stop();
    // What is in a cluster needs none of it any more.
    await start(place, ["-node-id=1", "-bootstrap-expect=3"]).ready();
  }));
