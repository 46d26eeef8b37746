/** Queued writes: their order, what one bad request does to the others, what is tried again and what is not. */
import { assertObjectMatch } from "@std/assert";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { BusyError, RequestError } from "../../../src/app/database/errors.ts";
import { type WriteBatch, WriteQueue } from "../../../src/app/database/write_queue.ts";
import type { BoundStatement } from "../../../src/core/sql/command.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";

const OPTIONS = { capacity: 4, batchSize: 3, timeoutMs: 1, isTransaction: false };

function statement(sql: string): BoundStatement[] {
  return [{ parts: splitStatements(sql), positional: [], named: null }];
}

/** Notes what is written; a batch with a text that `outcome` does not like ends as that says. */
function noted(outcome: (texts: readonly string[]) => boolean = () => false): { texts: string[][]; write: WriteBatch } {
  const texts: string[][] = [];
  const write: WriteBatch = (statements) => {
    const batch = statements.map(({ parts }) => parts[0]?.sql ?? "");
    texts.push(batch);
    return Promise.resolve().then(() => ({ hasFailed: outcome(batch) }));
  };
  return { texts, write };
}

Deno.test("requests are written in batches, in their order; numbers rise by one", async () => {
  const { texts, write } = noted();
  const queue = new WriteQueue(OPTIONS, write, () => {});
  const numbers = ["a", "b", "c", "d"].map((text) => queue.put(statement(text)));
  assertEquals(numbers.map((number) => number - numbers[0]), [0n, 1n, 2n, 3n]);
  assertEquals(await queue.written(numbers[3], 5000), true);
  assertEquals(texts.flat(), ["a", "b", "c", "d"]);
  assertEquals(texts[0].length, 3);
  assertEquals([queue.sequence, queue.size], [numbers[3], 0]);
  assertObjectMatch(queue.counters, { statements_rx: 4, statements_tx: 4, num_timeout: 0, batches_ok: 2 });
  assertEquals(await queue.written(queue.put(statement("e")), 5000), true);
  assertObjectMatch(queue.counters, { statements_rx: 5, statements_tx: 5, num_timeout: 1, batches_failed: 0 });
});

Deno.test("a full queue says so, and takes requests again when it has room", async () => {
  const gate = Promise.withResolvers<{ hasFailed: boolean }>();
  const queue = new WriteQueue(OPTIONS, () => gate.promise, () => {});
  const numbers = ["a", "b", "c", "d"].map((text) => queue.put(statement(text)));
  assertThrows(() => queue.put(statement("e")), BusyError, "full (4 requests)");
  gate.resolve({ hasFailed: false });
  await queue.written(numbers[3], 5000);
  assertEquals(await queue.written(queue.put(statement("e")), 5000), true);
});

Deno.test("a batch that is a transaction and fails is written request by request: one bad one harms no other", async () => {
  const { texts, write } = noted((batch) => batch.includes("bad"));
  const queue = new WriteQueue({ ...OPTIONS, isTransaction: true }, write, () => {});
  const numbers = ["a", "bad", "c"].map((text) => queue.put(statement(text)));
  assertEquals(await queue.written(numbers[2], 5000), true);
  assertEquals(texts, [["a", "bad", "c"], ["a"], ["bad"], ["c"]]);
  assertEquals(queue.counters.statements_tx, 3);
});

Deno.test("what is refused for good is left out alone; an unknown outcome is told, and not tried again", async () => {
  let attempts = 0;
  const lines: string[] = [];
  const queue = new WriteQueue(OPTIONS, (statements) => {
    const texts = statements.map(({ parts }) => parts[0]?.sql);
    if (texts.includes("refused")) return Promise.reject(new RequestError("disallowed"));
    if (texts.includes("unknown")) {
      attempts++;
      return Promise.reject(new RequestError("no result", "unknown"));
    }
    return Promise.resolve({ hasFailed: false });
  }, (line) => lines.push(line));
  const refused = [queue.put(statement("a")), queue.put(statement("refused")), queue.put(statement("c"))];
  assertEquals(await queue.written(refused[2], 5000), true);
  assertEquals(lines, ["a queued write was refused and is left out: disallowed"]);
  const unknown = queue.put(statement("unknown"));
  await assertRejects(() => queue.written(unknown, 5000), RequestError, "no result");
  assertEquals(attempts, 1);
});

Deno.test("a request that is not written in time is told so, and is written all the same", async () => {
  const gate = Promise.withResolvers<{ hasFailed: boolean }>();
  const queue = new WriteQueue(OPTIONS, () => gate.promise, () => {});
  const number = queue.put(statement("a"));
  assertEquals(await queue.written(number, 1), false);
  gate.resolve({ hasFailed: false });
  assertEquals(await queue.written(number, 5000), true);
});

Deno.test("closing writes what waits and takes nothing more", async () => {
  const { texts, write } = noted();
  const queue = new WriteQueue({ ...OPTIONS, timeoutMs: 60_000 }, write, () => {});
  queue.put(statement("a"));
  await queue.close(5000);
  assertEquals(texts, [["a"]]);
  assertThrows(() => queue.put(statement("b")), BusyError, "stops");
});

Deno.test("a transaction, a pragma and a VACUUM are written alone, in their place: they hold for no other request", async () => {
  const written: [string[], boolean][] = [];
  const write: WriteBatch = (statements, { transaction }) => {
    written.push([statements.map(({ parts }) => parts[0]?.sql ?? ""), transaction]);
    return Promise.resolve({ hasFailed: false });
  };
  const queue = new WriteQueue({ ...OPTIONS, capacity: 20, batchSize: 20 }, write, () => {});
  for (const text of ["a", "b", "PRAGMA foreign_keys=ON", "c"]) queue.put(statement(text));
  queue.put([...statement("d"), ...statement("e")], { transaction: true });
  queue.put([...statement("f"), ...statement("PRAGMA defer_foreign_keys=ON")]);
  for (const text of ["vacuum", "g"]) queue.put(statement(text));
  assertEquals(await queue.written(queue.put(statement("h")), 5000), true);
  assertEquals(written, [
    [["a", "b"], false],
    [["PRAGMA foreign_keys=ON"], false],
    [["c"], false],
    [["d", "e"], true],
    [["f", "PRAGMA defer_foreign_keys=ON"], false],
    [["vacuum"], false],
    [["g", "h"], false],
  ]);
});
