/** Connections between two nodes, over real sockets: what does not wait for what (F7). */
import { assertEquals } from "@std/assert";
import type { Message } from "../../../src/core/raft/message.ts";
import { Listener } from "../../../src/drivers/transport/listener.ts";
import { PeerStream } from "../../../src/drivers/transport/peer.ts";
import { RpcClient } from "../../../src/drivers/transport/rpc.ts";
import { type Hello, PROTOCOL_VERSION } from "../../../src/drivers/transport/wire.ts";
import { freePort } from "../../harness/processes.ts";

function hello(id: string, purpose: Hello["purpose"]): Hello {
  const common = { protocol: PROTOCOL_VERSION, clusterId: "", apiUrl: "", addr: "", version: "1", incarnation: id };
  return { ...common, id, storageId: `disk of ${id}`, purpose };
}

Deno.test("heartbeats and small calls pass a snapshot that nobody takes: each has a connection of its own", async () => {
  const addr = `127.0.0.1:${freePort()}`;
  const released = Promise.withResolvers<void>();
  const heard = Promise.withResolvers<readonly Message[]>();
  const connections: string[] = [];
  const listener = await Listener.open([addr], {
    hello: () => hello("b", "rpc"),
    refuse: () => undefined,
    onHello: ({ purpose }) => void connections.push(purpose),
    onMessages: heard.resolve,
    async onCall({ method }) {
      if (method === "piece") await released.promise;
      return { head: { method }, body: new Uint8Array(0) };
    },
    log: () => {},
  });
  const limits = { frameBytesMax: 1024 * 1024, connectTimeoutMs: 10_000 };
  const [bulk, calls] = [1, 2].map(() => new RpcClient(() => hello("a", "rpc"), limits));
  const up = Promise.withResolvers<void>();
  const stream = new PeerStream(addr, {
    id: "b",
    hello: () => hello("a", "raft"),
    backoffMsMax: 100,
    timeoutMs: 10_000,
  }, { onDown() {}, onRefused() {}, onHello: () => up.resolve(), log() {} });
  try {
    let isAnswered = false;
    // Longer than what the buffers of a connection hold: it is on its way until the other end takes it.
    const piece = bulk.call(addr, "piece", {}, { timeoutMs: 60_000, body: new Uint8Array(900 * 1024) })
      .then(() => isAnswered = true);
    await up.promise;
    stream.send({ k: "heartbeat", from: "a", to: "b", term: 1, commit: { index: 0, term: 0 }, round: 1 }, []);
    assertEquals((await heard.promise).map(({ k }) => k), ["heartbeat"]);
    assertEquals((await calls.call(addr, "forward", {}, { timeoutMs: 60_000 })).head, { method: "forward" });
    assertEquals(isAnswered, false);
    assertEquals(connections.sort(), ["raft", "rpc", "rpc"]);
    released.resolve();
    await piece;
  } finally {
    stream.close();
    bulk.close();
    calls.close();
    listener.close();
  }
});
