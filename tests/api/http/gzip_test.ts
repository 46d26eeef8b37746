/** Which answers are compressed for whom (C6.1). */
import { assertEquals } from "@std/assert";
import { compressed } from "../../../src/api/http/gzip.ts";

Deno.test("an answer is compressed for those who take gzip, and not for the others", async () => {
  const body = "node ".repeat(1000);
  const headers: [string | undefined, boolean][] = [
    ["gzip", true],
    ["GZIP", true],
    ["deflate, gzip;q=0.5", true],
    ["br, *", true],
    ["gzip;q=0", false],
    ["gzip; q=0.0, *", false],
    ["*;q=0", false],
    ["deflate", false],
    ["xgzip", false],
    ["", false],
    [undefined, false],
  ];
  for (const [header, isPacked] of headers) {
    const answer = await compressed({ status: 200, body }, header);
    assertEquals(answer.headers?.["Content-Encoding"], isPacked ? "gzip" : undefined, header);
    assertEquals(answer.body.length < 200, isPacked, header);
  }
  assertEquals((await compressed({ status: 200, body: "short" }, "gzip")).body, "short");
});
