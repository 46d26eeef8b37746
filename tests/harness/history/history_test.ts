/**
 * The record of operations.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { History, precedes, relevant } from "./history.ts";

Deno.test("a history keeps what was done, and takes what never ended for unknown", () => {
  const history = new History<string, number>();
  const first = history.invoke(1, "write", 1);
  const second = history.invoke(2, "read", 2);
  history.invoke(3, "write", 3);
  second.done(4, 7, 12);
  first.notDone(5);
  history.invoke(2, "read", 6).unknown();
  assertEquals(history.operations, [
    { process: 1, invokedAt: 1, returnedAt: 5, request: "write", outcome: "notDone" },
    { process: 2, invokedAt: 2, returnedAt: 4, request: "read", outcome: "done", answer: 7, index: 12 },
    { process: 3, invokedAt: 3, returnedAt: Infinity, request: "write", outcome: "unknown" },
    { process: 2, invokedAt: 6, returnedAt: Infinity, request: "read", outcome: "unknown" },
  ]);
  assertEquals(relevant(history.operations, (request) => request === "read").map(({ invokedAt }) => invokedAt), [2, 3]);
});

Deno.test("a process has one operation at a time, and ends it once", () => {
  const history = new History<string, number>();
  const open = history.invoke(1, "read", 1);
  assertThrows(() => history.invoke(1, "read", 2), Error, "process 1 has an operation open");
  open.done(3, 1);
  assertThrows(() => open.unknown(), Error, "twice");
});

Deno.test("an operation precedes what was invoked after it had returned", () => {
  assertEquals(precedes({ returnedAt: 1 }, { invokedAt: 2 }), true);
  assertEquals(precedes({ returnedAt: 2 }, { invokedAt: 2 }), false);
  assertEquals(precedes({ returnedAt: Infinity }, { invokedAt: 2 }), false);
});
