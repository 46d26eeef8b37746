/** What is pasted, or typed ahead, at a terminal: no line is lost, and they come in their order. */
import { createInterface } from "node:readline/promises";
import { PassThrough } from "node:stream";
import { assertEquals } from "@std/assert";
import { Lines } from "../../../src/program/shell/lines.ts";

/** An editor as at a terminal, whose keys come from `input`. */
function editing(): { input: PassThrough; lines: Lines } {
  const input = new PassThrough();
  return { input, lines: new Lines(createInterface({ input, output: new PassThrough(), terminal: true })) };
}

Deno.test("Lines has every line of what is pasted at once, also behind the end of the input", async () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const { input, lines } = editing();
    const first = lines.next("> ");
    input.write(["create table t(x);", "insert into t", " values(1);", "\x04"].join(end));
    const taken = [await first];
    while (taken.at(-1) !== undefined) taken.push(await lines.next("> "));
    assertEquals(taken, ["create table t(x);", "insert into t", " values(1);", undefined]);
  }
});

Deno.test("Lines waits for a line that is not there yet, and forgets those that wait", async () => {
  const { input, lines } = editing();
  const first = lines.next("> ");
  input.write("one\ntwo\nthree\n");
  assertEquals([await first, await lines.next("> ")], ["one", "two"]);
  lines.forget();
  const next = lines.next("> ");
  input.write("four\n\x04");
  assertEquals([await next, await lines.next("> ")], ["four", undefined]);
});
