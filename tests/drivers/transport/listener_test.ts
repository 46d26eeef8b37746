/** The cluster port in process: who is let in when all connections are taken. */
import { assertEquals, assertRejects } from "@std/assert";
import { Listener } from "../../../src/drivers/transport/listener.ts";
import { openStream } from "../../../src/drivers/transport/rpc.ts";
import { decodeRpc, FRAME, type Hello, writeRpc } from "../../../src/drivers/transport/wire.ts";
import { freePort, until } from "../../harness/processes.ts";
import { STRANGER } from "../../harness/stranger.ts";

const HELLO: Hello = { ...STRANGER, id: "1" };

Deno.test("the connection that is silent for longest makes room, and none whose caller waits for an answer", async () => {
  const addr = `127.0.0.1:${freePort()}`;
  const answers: (() => void)[] = [];
  const listener = await Listener.open([addr], {
    hello: () => HELLO,
    refuse: () => undefined,
    onHello: () => {},
    connectionsMax: 3,
    onMessages: () => {},
    onCall: () =>
      new Promise((resolve) => answers.push(() => resolve({ head: { said: "late" }, body: new Uint8Array(0) }))),
    log: () => {},
  });
  const dial = () => openStream(addr, HELLO, { timeoutMs: 10_000, frameBytesMax: 1024 });
  try {
    const [waiting, silent, later] = [await dial(), await dial(), await dial()];
    waiting.connection.send((writer) =>
      writeRpc(writer, FRAME.call, { id: 1, method: "x", head: {}, body: new Uint8Array(0) })
    );
    await until("the call has arrived", () => answers.length === 1 || undefined);
    await assertRejects(dial); // all of them have just been heard
    const newcomer = await until("a newcomer is let in", () => dial());
    assertEquals(await silent.connection.read(), undefined);
    answers[0]();
    const reply = await waiting.connection.read();
    assertEquals(reply && decodeRpc(reply.payload).head, { said: "late" });
    for (const { connection } of [waiting, silent, later, newcomer]) connection.close();
  } finally {
    listener.close();
  }
});
