/**
 * Forwarding to the leader: a request that may have arrived is never sent again (X2, seeded bug 25); one
 * that certainly did not may be.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { HttpPorts, type HttpPortsParts } from "../../../src/drivers/replica/http_ports.ts";
import { NotSentError, RemoteError, type RpcAnswer, UnansweredError } from "../../../src/drivers/transport/rpc.ts";

const CALL = { head: { operation: "execute" }, body: new Uint8Array(0) };

/** Forwards a request over a stand-in that fails as told; returns how often it was called, and the answer. */
async function forward(outcomes: readonly (Error | RpcAnswer)[]): Promise<{ calls: number; answer: unknown }> {
  let calls = 0;
  const parts = {
    rpc: {
      call: () => {
        const outcome = outcomes[calls++];
        return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
      },
    },
    node: { leader: () => ({ id: "2", addr: "127.0.0.1:1", apiUrl: "" }) },
    options: { nodeId: "1" },
  };
  const { port1, port2 } = new MessageChannel();
  // Forwarding asks these parts for nothing else.
  new HttpPorts([port1], parts as unknown as HttpPortsParts);
  try {
    const answered = new Promise((resolve) => port2.onmessage = ({ data }) => resolve(data));
    const params = { call: CALL, timeoutMs: 1000, retries: 3 };
    port2.postMessage({ k: "call", ref: 7, method: "forward", params });
    const answer = await answered;
    return { calls, answer };
  } finally {
    port1.close();
    port2.close();
  }
}

const ANSWER: RpcAnswer = { head: { servedBy: "2" }, body: new Uint8Array(0) };

Deno.test("a forwarded request is sent once when no answer comes: its outcome is unknown", async () => {
  const { calls, answer } = await forward([new UnansweredError("no answer"), ANSWER]);
  assertEquals({ calls, answer }, { calls: 1, answer: { k: "answer", ref: 7, error: "no answer", code: "unknown" } });
});

Deno.test("a forwarded request is sent again when it certainly was not received", async () => {
  const { calls, answer } = await forward([new NotSentError("refused"), ANSWER]);
  const result = { answer: ANSWER, from: "127.0.0.1:1" };
  assertEquals({ calls, answer }, { calls: 2, answer: { k: "answer", ref: 7, result } });
});

Deno.test("a node of an earlier version is to be upgraded, and what it forwards is refused with the same advice", async () => {
  const { answer } = await forward([new RemoteError(`unknown call "operation": upgrade this node`)]);
  const error = "the node at 127.0.0.1:1 is of an earlier version, which does not take this: upgrade it";
  assertEquals(answer, { k: "answer", ref: 7, error, code: "not_sent" });

  const { port1, port2 } = new MessageChannel();
  const ports = new HttpPorts([port1], {} as unknown as HttpPortsParts);
  const before = { id: 1, method: "http", head: { method: "POST", target: "/db/execute" }, body: new Uint8Array(0) };
  await assertRejects(
    () => ports.answerCall(before, Promise.resolve()),
    RemoteError,
    "upgrade the node that was asked",
  );
  port1.close();
  port2.close();
});
