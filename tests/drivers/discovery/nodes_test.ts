/** Nodes in this process that find each other by a key of Consul: the first creates it, the next joins through it. */
import { assertEquals, assertMatch } from "@std/assert";
import { ConsulKvServer } from "../../harness/peers/consul_kv.ts";
import { clusterAddrOf, nodePlace, until, withThreads } from "../../harness/processes.ts";

const FAST = ["-raft-heartbeat-timeout=400ms", "-raft-election-timeout=400ms"];

Deno.test("the first node registers itself and starts the cluster, the second joins it, a record that is dead is replaced", async () => {
  const consul = await ConsulKvServer.start();
  try {
    await withThreads(async (root, start) => {
      const config = { address: consul.address, dead_after: "300ms" };
      const flags = (key: string) => [
        "-disco-mode=consul-kv",
        `-disco-key=${key}`,
        `-disco-config=${JSON.stringify(config)}`,
        ...FAST,
      ];
      // A key of a cluster that is gone.
      const gone = { id: "9", api_addr: "http://127.0.0.1:1", addr: "127.0.0.1:1" };
      consul.put("old/leader", JSON.stringify(gone));
      const [first, heir] = [start(nodePlace(root, "1"), flags("new")), start(nodePlace(root, "3"), flags("old"))];
      await first.ready();
      await first.says(/no leader was registered: this node starts the cluster/);
      const second = start(nodePlace(root, "2"), flags("new"));
      await second.ready();
      await second.says(/successfully joined cluster at /);
      await until("both are members", async () => {
        return Object.keys(await (await first.get("/nodes")).json()).length === 2 || undefined;
      });
      const disco = await first.status("disco") as Record<string, unknown>;
      assertEquals([disco.mode, disco.key, disco.last_error], ["consul-kv", "new/leader", ""]);
      await heir.ready();
      await heir.says(/the registered leader "9" at 127\.0\.0\.1:1 was dead for 0\.3 s .*, its record is replaced/);
      assertEquals(JSON.parse(consul.get("new/leader") ?? "{}").addr, clusterAddrOf(first.place));

      const wrong = start(nodePlace(root, "4"), ["-disco-mode=etcd-kv", "-disco-config={", ...FAST]);
      assertEquals((await wrong.ended()).code, 1);
      assertMatch(wrong.log, /^fatal: .*-disco-config/m);
    });
  } finally {
    await consul.stop();
  }
});
