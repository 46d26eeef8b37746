/**
 * The heads of answers.
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import type { HttpResponse } from "../../../src/api/http/problem.ts";
import { LENGTH_BYTES_MAX, putHead, ResponseHeads } from "../../../src/api/http/response_head.ts";

const heads = new ResponseHeads({ version: "v10", allowOrigin: "http://a", hasUsers: true });

function text(response: HttpResponse, length: number, connection: "" | "close" = ""): string {
  const head = heads.upToLength(response, connection);
  const bytes = new Uint8Array(head.length + LENGTH_BYTES_MAX);
  return new TextDecoder().decode(bytes.subarray(putHead(bytes, bytes.length, head, length)));
}

Deno.test("a head names the length of its body, whatever head was made before it", () => {
  const plain: HttpResponse = { status: 200, body: "{}", servedBy: "n1:4001" };
  for (const length of [0, 7, 10, 65_536, Number.MAX_SAFE_INTEGER]) {
    assertMatch(
      text(plain, length),
      new RegExp(
        String
          .raw`^HTTP/1\.1 200 OK\r\nX-Rqlite-Version: v10\r\n.*X-Rqlite-Served-By: n1:4001\r\nContent-Length: ${length}\r\n\r\n$`,
        "s",
      ),
    );
  }
  assertMatch(text({ ...plain, servedBy: "n2:4001" }, 2), /\r\nX-Rqlite-Served-By: n2:4001\r\n/);
  assertEquals(text({ status: 200, body: "{}" }, 2).includes("Served-By"), false);
  assertEquals(text({ status: 200, body: "" }, 0).includes("Content-Type: "), false);
  assertMatch(text({ status: 503, body: "busy", retryAfter: 1 }, 4), /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s);
  assertMatch(text({ ...plain, contentType: "text/plain" }, 2), /\r\nContent-Type: text\/plain\r\n/);
  assertMatch(text({ ...plain, headers: { "X-A": "b" } }, 2), /\r\nX-A: b\r\n/);
  assertMatch(text(plain, 2, "close"), /\r\nConnection: close\r\n/);
  assertEquals(text(plain, 2).includes("Connection:"), false);
});
