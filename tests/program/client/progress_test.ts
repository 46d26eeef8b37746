import { assertEquals, assertMatch } from "@std/assert";
import { Progress, thousands } from "../../../src/program/client/progress.ts";

/** What a progress writes to a terminal or a file. */
function written(isTerminal: boolean, work: (progress: Progress) => void): string {
  let text = "";
  const output = {
    isTerminal: () => isTerminal,
    writeSync: (bytes: Uint8Array) => {
      const some = bytes.subarray(0, 50); // an output may take less than it is given
      text += new TextDecoder("latin1").decode(some);
      return some.length;
    },
  };
  work(new Progress(2000, "rows", output));
  return text;
}

Deno.test("progress ends with what was done and in which time: a line elsewhere, a bar on a terminal", () => {
  const line = written(false, (progress) => {
    progress.advance(500); // too early for a line
    progress.advance(1500);
    progress.finish();
  });
  assertMatch(line, /^ {2}2,000 of 2,000 rows \(100%\) {2}[\d,]+ rows\/s {2}in \d+\.\d s\n$/);
  const bar = written(true, (progress) => {
    progress.advance(1000);
    progress.finish();
  });
  assertMatch(bar, /1,000 of 2,000 rows \(50%\)/);
  assertEquals(bar.endsWith("\n"), true);
  assertEquals(thousands(171075), "171,075");
});
