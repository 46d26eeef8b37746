/** Calls over a port: limits, cancellation, errors, transfer, and ends that are gone (src/base/worker/channel.ts). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Call,
  Callee,
  Caller,
  type CallerOptions,
  CallError,
  type DescribedError,
  type Methods,
  type ToCallee,
  type ToCaller,
} from "../../../src/base/worker/channel.ts";

interface TestMethods {
  add: { params: { a: number; b: number }; result: number };
  /** Ends when the test says so, or the caller does not need it any more. */
  wait: { params: Record<string, never>; result: string };
  reverse: { params: { bytes: Uint8Array }; result: Uint8Array };
  fail: { params: { message: string; code: string }; result: never };
}

class CodedError extends Error {
  constructor(message: string, readonly code: string) {
    super(message);
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A caller and a callee at the ends of a channel. */
class Pair {
  readonly #channel = new MessageChannel();
  readonly caller: Caller<TestMethods>;
  /** All that arrived at the callee and at the caller. */
  readonly calls: ToCallee<TestMethods>[] = [];
  readonly answers: ToCaller[] = [];
  /** Calls of `wait` under way, by number. */
  readonly waiting = new Map<number, { readonly call: Call; finish(text: string): void }>();
  /** Length of the buffer that `reverse` gave away, afterwards. */
  givenAway = -1;

  constructor(options: Partial<CallerOptions> = {}, describe?: (error: unknown) => DescribedError) {
    const { port1, port2 } = this.#channel;
    this.caller = new Caller(port1, { callee: "the test", ...options });
    port1.onmessage = ({ data }: MessageEvent<ToCaller>) => {
      this.answers.push(data);
      this.caller.settle(data);
    };
    const callee = new Callee<TestMethods>(port2, this.#methods(), describe);
    port2.onmessage = ({ data }: MessageEvent<ToCallee<TestMethods>>) => {
      this.calls.push(data);
      callee.take(data);
    };
  }

  #methods(): Methods<TestMethods> {
    return {
      add: ({ a, b }) => a + b,
      wait: (_, call) =>
        new Promise((finish) => {
          this.waiting.set(call.ref, { call, finish });
          call.over.then(() => finish("over"));
        }),
      reverse: ({ bytes }, { transfer }) => {
        const reversed = bytes.toReversed();
        transfer.push(reversed.buffer);
        setTimeout(() => this.givenAway = reversed.buffer.byteLength, 0);
        return reversed;
      },
      fail: ({ message, code }) => {
        throw new CodedError(message, code);
      },
    };
  }

  /** An answer that nobody has asked for. */
  answer(message: ToCaller): void {
    this.#channel.port2.postMessage(message);
  }

  /** Waits until a condition holds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let round = 0; !holds(); round++) {
      assert(round < 1000, `never: ${what}`);
      await pause(5);
    }
  }

  closeCallee(): void {
    this.#channel.port2.close();
  }

  close(): void {
    this.#channel.port1.close();
    this.#channel.port2.close();
  }
}

async function withPair(
  options: Partial<CallerOptions>,
  work: (pair: Pair) => Promise<void>,
  describe?: (error: unknown) => DescribedError,
): Promise<void> {
  const pair = new Pair(options, describe);
  try {
    await work(pair);
  } finally {
    pair.close();
  }
}

Deno.test("a call is answered with its own result, whatever the order of the answers", async () => {
  await withPair({}, async ({ caller, waiting, until }) => {
    const first = caller.call("wait", {});
    const second = caller.call("wait", {});
    assertEquals(await caller.call("add", { a: 2, b: 3 }), 5);
    assertEquals(caller.pending, 2);
    await until("both wait", () => waiting.size === 2);
    waiting.get(2)?.finish("second");
    assertEquals(await second, "second");
    waiting.get(1)?.finish("first");
    assertEquals(await first, "first");
    assertEquals(caller.pending, 0);
  });
});

Deno.test({
  name: "a call that was answered leaves no timer behind",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: () =>
    withPair({ timeoutMs: 60_000 }, async ({ caller }) => {
      assertEquals(await caller.call("add", { a: 1, b: 2 }), 3);
    }),
});

Deno.test("a call beyond the limit is refused and not sent; the limit counts what is under way", async () => {
  await withPair({ callsMax: 2 }, async ({ caller, calls, waiting, until }) => {
    const both = [caller.call("wait", {}), caller.call("wait", {})];
    const error = await assertRejects(() => caller.call("add", { a: 1, b: 1 }), CallError);
    assertEquals([error.message, error.code], ["too many calls to the test are under way: try again later", "busy"]);
    await until("both wait", () => waiting.size === 2);
    for (const { finish } of waiting.values()) finish("done");
    assertEquals(await Promise.all(both), ["done", "done"]);
    assertEquals(await caller.call("add", { a: 1, b: 1 }), 2);
    assertEquals(calls.map(({ ref }) => ref), [1, 2, 3]);
  });
});

Deno.test("a call that is not answered in time fails, the callee is told, and its late answer is ignored", async () => {
  await withPair({ timeoutMs: 50 }, async ({ caller, calls, answers, until }) => {
    const error = await assertRejects(() => caller.call("wait", {}), CallError);
    assertEquals([error.message, error.code], ["the test does not answer", "timeout"]);
    assertEquals(caller.pending, 0);
    await until("the late answer", () => answers.length === 1);
    assertEquals(answers, [{ k: "answer", ref: 1, result: "over" }]);
    assertEquals(calls.map(({ k }) => k), ["call", "cancel"]);
    assertEquals(await caller.call("add", { a: 1, b: 1 }), 2);
  });
});

Deno.test("a caller that needs no answer any more tells the callee, which ends that call and no other", async () => {
  await withPair({}, async ({ caller, calls, waiting, until }) => {
    const over = Promise.withResolvers<void>();
    const ended = caller.call("wait", {}, { over: over.promise });
    const other = caller.call("wait", {});
    await until("both wait", () => waiting.size === 2);
    over.resolve();
    assertEquals(await ended, "over");
    assertEquals(caller.pending, 1);
    waiting.get(2)?.finish("done");
    assertEquals(await other, "done");
    assertEquals(calls.map(({ k, ref }) => `${k} ${ref}`), ["call 1", "call 2", "cancel 1"]);
  });
});

Deno.test("a call that was answered before is not cancelled", async () => {
  await withPair({}, async ({ caller, calls }) => {
    const over = Promise.withResolvers<void>();
    assertEquals(await caller.call("add", { a: 1, b: 2 }, { over: over.promise }), 3);
    over.resolve();
    assertEquals(await caller.call("add", { a: 1, b: 3 }), 4);
    assertEquals(calls.map(({ k }) => k), ["call", "call"]);
  });
});

Deno.test("an error arrives with the text and code that the callee gives it", async () => {
  const describe = (error: unknown) =>
    error instanceof CodedError ? { error: error.message, code: error.code } : { error: "?" };
  await withPair({}, async ({ caller }) => {
    const error = await assertRejects(() => caller.call("fail", { message: "no room", code: "full" }), CallError);
    assertEquals([error.message, error.code], ["no room", "full"]);
  }, describe);
  await withPair({}, async ({ caller }) => {
    const error = await assertRejects(() => caller.call("fail", { message: "no room", code: "full" }), CallError);
    assertEquals([error.message, error.code], ["no room", "failed"]);
  });
});

Deno.test("a caller may have errors of its own class, those of the limits too", async () => {
  const failure = (message: string, code: string) => new CodedError(message, code);
  await withPair({ failure, callsMax: 1, timeoutMs: 50 }, async ({ caller }) => {
    const late = caller.call("wait", {});
    assertEquals((await assertRejects(() => caller.call("wait", {}), CodedError)).code, "busy");
    assertEquals((await assertRejects(() => late, CodedError)).code, "timeout");
    const error = await assertRejects(() => caller.call("fail", { message: "m", code: "c" }), CodedError);
    assertEquals([error.message, error.code], ["m", "failed"]);
  });
});

Deno.test("buffers of parameters and of results move instead of being copied", async () => {
  await withPair({}, async (pair) => {
    const bytes = Uint8Array.of(1, 2, 3);
    const answer = pair.caller.call("reverse", { bytes }, { transfer: [bytes.buffer] });
    assertEquals(bytes.length, 0);
    assertEquals(await answer, Uint8Array.of(3, 2, 1));
    await pair.until("the result was sent", () => pair.givenAway >= 0);
    assertEquals(pair.givenAway, 0);
    const kept = Uint8Array.of(1, 2, 3);
    assertEquals(await pair.caller.call("reverse", { bytes: kept }), Uint8Array.of(3, 2, 1));
    assertEquals(kept.length, 3);
  });
});

Deno.test("parameters and results that cannot be sent fail the call and leave nothing behind", async () => {
  interface Any {
    echo: { params: { value: unknown; asFunction: boolean }; result: unknown };
  }
  const { port1, port2 } = new MessageChannel();
  const caller = new Caller<Any>(port1, { callee: "the test" });
  const callee = new Callee<Any>(port2, { echo: ({ value, asFunction }) => asFunction ? () => value : value });
  port1.onmessage = ({ data }: MessageEvent<ToCaller>) => caller.settle(data);
  port2.onmessage = ({ data }: MessageEvent<ToCallee<Any>>) => callee.take(data);
  try {
    const send = () => caller.call("echo", { value: () => 1, asFunction: false });
    await assertRejects(send, DOMException, "could not be cloned");
    await assertRejects(() => caller.call("echo", { value: 1, asFunction: true }), CallError, "could not be cloned");
    assertEquals(await caller.call("echo", { value: 1, asFunction: false }), 1);
    assertEquals(caller.pending, 0);
  } finally {
    port1.close();
    port2.close();
  }
});

Deno.test("answers to calls that are unknown, and a second answer, are ignored", async () => {
  await withPair({}, async (pair) => {
    const { caller, answers, waiting, until } = pair;
    const call = caller.call("wait", {});
    await until("it waits", () => waiting.size === 1);
    pair.answer({ k: "answer", ref: 7, result: "nobody's" });
    pair.answer({ k: "answer", ref: 8, error: "nobody's" });
    await until("both arrived", () => answers.length === 2);
    assertEquals(caller.pending, 1);
    waiting.get(1)?.finish("mine");
    assertEquals(await call, "mine");
    pair.answer({ k: "answer", ref: 1, error: "again" });
    assertEquals(await caller.call("add", { a: 1, b: 1 }), 2);
    assertEquals(answers.length, 5);
  });
});

Deno.test("a call to an end that is closed ends by its time limit", async () => {
  await withPair({ timeoutMs: 50 }, async (pair) => {
    const { caller, waiting } = pair;
    const before = caller.call("wait", {});
    await pair.until("it waits", () => waiting.size === 1);
    pair.closeCallee();
    await assertRejects(() => before, CallError, "the test does not answer");
    await assertRejects(() => caller.call("add", { a: 1, b: 1 }), CallError, "the test does not answer");
    assertEquals(caller.pending, 0);
    waiting.get(1)?.finish("late"); // an answer through a closed port troubles nobody
    await pause(0);
  });
});

Deno.test("one port carries calls in both directions, whose numbers do not meet", async () => {
  interface Echo {
    echo: { params: { text: string }; result: string };
  }
  const { port1, port2 } = new MessageChannel();
  const ends = [port1, port2].map((port, at) => {
    const caller = new Caller<Echo>(port, { callee: "the other" });
    const callee = new Callee<Echo>(port, { echo: ({ text }) => `${text} from ${at}` });
    port.onmessage = ({ data }: MessageEvent<ToCallee<Echo> | ToCaller>) => {
      if (data.k === "answer") caller.settle(data);
      else callee.take(data);
    };
    return caller;
  });
  try {
    const answers = await Promise.all(ends.map((caller) => caller.call("echo", { text: "hello" })));
    assertEquals(answers, ["hello from 1", "hello from 0"]);
  } finally {
    port1.close();
    port2.close();
  }
});
