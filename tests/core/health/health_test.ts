/** Thresholds of consecutive results, the sum of statuses, and cut output. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { aggregateStatus, type CheckStatus } from "../../../src/core/health/aggregate.ts";
import { cutOutput, OutputTail } from "../../../src/core/health/output.ts";
import { Thresholds } from "../../../src/core/health/thresholds.ts";

const LETTER: Readonly<Record<string, CheckStatus>> = { p: "passing", w: "warning", c: "critical" };

/** What is reported, by letters: `-` where a result changes nothing. */
function reported(results: string, successes: number, warning: number, critical: number): string {
  const thresholds = new Thresholds({
    successBeforePassing: successes,
    failuresBeforeWarning: warning,
    failuresBeforeCritical: critical,
  });
  return [...results].map((letter) => thresholds.count(LETTER[letter])?.[0] ?? "-").join("");
}

Deno.test("Thresholds reports each result where there are none", () => {
  assertEquals(reported("pwcpc", 0, 0, 0), "pwcpc");
  assertEquals(reported("pwcpc", 1, 1, 1), "pwcpc");
});

Deno.test("Thresholds reports the first result at once, whatever it is", () => {
  for (const letter of "pwc") assertEquals(reported(letter, 5, 5, 5), letter);
});

Deno.test("Thresholds reports a success after so many in a row, of which warnings are some", () => {
  assertEquals(reported("cpp", 3, 0, 0), "c--");
  assertEquals(reported("cppp", 3, 0, 0), "c--p");
  assertEquals(reported("cwpp", 3, 0, 0), "c--p");
  assertEquals(reported("cppcppp", 3, 0, 0), "c--c--p");
  assertEquals(reported("pppp", 3, 0, 0), "pppp");
});

Deno.test("Thresholds reports critical after so many failures in a row, and warning before where it is asked for", () => {
  assertEquals(reported("pcccc", 0, 0, 3), "p--cc");
  assertEquals(reported("pcccc", 0, 1, 3), "pwwcc");
  assertEquals(reported("pcccc", 0, 2, 3), "p-wcc");
  assertEquals(reported("pccpccc", 0, 0, 3), "p--p--c");
});

Deno.test("aggregateStatus() is the worst of the statuses, and maintenance above all", () => {
  const sum = (...checks: [string, CheckStatus][]) => aggregateStatus(checks.map(([id, status]) => ({ id, status })));
  assertEquals(sum(), "passing");
  assertEquals(sum(["a", "passing"], ["b", "passing"]), "passing");
  assertEquals(sum(["a", "passing"], ["b", "warning"]), "warning");
  assertEquals(sum(["a", "critical"], ["b", "warning"]), "critical");
  assertEquals(sum(["a", "critical"], ["_node_maintenance", "critical"]), "maintenance");
  assertEquals(sum(["_service_maintenance:web", "critical"]), "maintenance");
  assertEquals(sum(["_service_maintenance", "critical"]), "critical");
});

Deno.test("cutOutput() keeps the last bytes, from a whole character on, and says how many are missing", () => {
  assertEquals(cutOutput("short", 5), "short");
  assertEquals(cutOutput("longer", 5), "Captured 5 of 6 bytes\n...\nonger");
  assertEquals(cutOutput("aéé", 5), "aéé");
  assertEquals(cutOutput("aéé", 3), "Captured 2 of 5 bytes\n...\né");
  assertEquals(cutOutput("😀😀", 5), "Captured 4 of 8 bytes\n...\n😀");
  assertEquals(cutOutput("", 0), "");
});

Deno.test("OutputTail keeps the same whatever the chunks are", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.integer({ min: 4, max: 40 }), (chunks, bytesMax) => {
      const tail = new OutputTail(bytesMax);
      for (const chunk of chunks) tail.write(new TextEncoder().encode(chunk));
      assertEquals(tail.toString(), cutOutput(chunks.join(""), bytesMax));
    }),
  );
});

Deno.test("OutputTail takes bytes that are not UTF-8", () => {
  const tail = new OutputTail(4);
  tail.write(new Uint8Array(6).fill(0x80));
  assertEquals(tail.toString(), "Captured 4 of 6 bytes\n...\n\ufffd\ufffd\ufffd\ufffd");
});
