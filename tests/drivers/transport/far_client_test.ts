/** Calls to servers of other datacenters: by which name their certificates are known, and what ends calls that nobody answers. */
import { assertEquals, assertRejects } from "@std/assert";
import { FarClient, trustIn } from "../../../src/drivers/transport/far_client.ts";
import { Listener, type ListenerHandlers } from "../../../src/drivers/transport/listener.ts";
import { NotSentError, type RpcAnswer, RpcClient, UnansweredError } from "../../../src/drivers/transport/rpc.ts";
import type { Hello } from "../../../src/drivers/transport/wire.ts";
import { freePort } from "../../harness/processes.ts";

const HELLO: Hello = {
  protocol: 1,
  purpose: "rpc",
  clusterId: "of dc1",
  id: "caller",
  storageId: "disk",
  addr: "192.0.2.1:8300",
  apiUrl: "",
  version: "1",
  incarnation: "i",
};

const LIMITS = { frameBytesMax: 1024 * 1024, connectTimeoutMs: 5000 };

async function withFar(
  onCall: ListenerHandlers["onCall"],
  work: (client: FarClient, addr: string, callers: readonly Hello[]) => Promise<void>,
): Promise<void> {
  const addr = `127.0.0.1:${freePort()}`;
  const callers: Hello[] = [];
  const listener = await Listener.open([addr], {
    hello: () => ({ ...HELLO, id: "server", clusterId: "of dc2" }),
    refuse: ({ clusterId }) => clusterId === "" || clusterId === "of dc2" ? undefined : "of another cluster",
    onHello: (caller) => callers.push(caller),
    onMessages() {},
    onCall,
    log() {},
  });
  const rpc = new RpcClient(() => HELLO, LIMITS);
  try {
    await work(new FarClient(rpc), addr, callers);
  } finally {
    rpc.close();
    listener.close();
  }
}

Deno.test("a certificate names the datacenter that is called; another name, or none, stays", () => {
  const trust = { caCerts: [], serverName: "server.dc1.consul", isVerified: true };
  assertEquals(trustIn("dc2", trust)?.serverName, "server.dc2.consul");
  assertEquals(trustIn("dc2", { ...trust, serverName: "db.example.com" })?.serverName, "db.example.com");
  assertEquals(trustIn("dc2", { ...trust, serverName: "" })?.serverName, "");
  assertEquals(trustIn("dc2", undefined), undefined);
});

Deno.test("a server is called as by a client agent: it has no place in the other cluster", () => {
  const answer: RpcAnswer = { head: { is: "answer" }, body: new Uint8Array(0) };
  return withFar(() => Promise.resolve(answer), async (client, addr) => {
    assertEquals((await client.ask("dc2", addr, {}, { timeoutMs: 5000 })).head, { is: "answer" });
    assertEquals(await client.isThere("dc2", addr, 5000), true);
  });
});

Deno.test("calls that wait for a server that is not there end, and the next one connects anew", () => {
  const gate = Promise.withResolvers<RpcAnswer>();
  let isQuiet = true;
  const connected: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const onCall: ListenerHandlers["onCall"] = (_, caller) => {
    connected.push(caller.clusterId);
    arrived.resolve();
    return isQuiet ? gate.promise : Promise.resolve({ head: {}, body: new Uint8Array(0) });
  };
  return withFar(onCall, async (client, addr, callers) => {
    const waiting = client.ask("dc2", addr, {}, { timeoutMs: 600_000 });
    const ended = assertRejects(() => waiting, UnansweredError);
    await arrived.promise;
    assertEquals(await client.isThere("dc2", addr, 50), false);
    await ended;
    isQuiet = false;
    await client.ask("dc2", addr, {}, { timeoutMs: 5000 });
    assertEquals([callers.length, ...new Set(connected)], [2, ""]);
    gate.resolve({ head: {}, body: new Uint8Array(0) });
  });
});

Deno.test("where nobody listens, nothing was sent", async () => {
  const rpc = new RpcClient(() => HELLO, LIMITS);
  const client = new FarClient(rpc);
  const addr = `127.0.0.1:${freePort()}`;
  await assertRejects(() => client.ask("dc2", addr, {}, { timeoutMs: 5000 }), NotSentError);
  assertEquals(await client.isThere("dc2", addr, 5000), false);
  rpc.close();
});
