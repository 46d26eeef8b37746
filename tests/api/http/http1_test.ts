/** HTTP/1.1 as bytes: what is taken, what is refused and how. */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChunkedDecoder, emptyLineBytes, parseHead } from "../../../src/api/http/http1.ts";
import { HttpError } from "../../../src/api/http/problem.ts";

function head(...lines: string[]): string {
  return lines.join("\r\n");
}

Deno.test("parseHead() takes a request line and headers", () => {
  const { headers, ...rest } = parseHead(
    head("POST /db/execute?x=1 HTTP/1.1", "Host: a", "Content-Type:  text/plain ", "Content-Length: 12"),
  );
  assertEquals(rest, {
    method: "POST",
    target: "/db/execute?x=1",
    body: 12,
    keepAlive: true,
    isHttp10: false,
    expectsContinue: false,
  });
  assertEquals([...headers], [["host", "a"], ["content-type", "text/plain"], ["content-length", "12"]]);
});

Deno.test("parseHead() knows when the connection stays open", () => {
  const keeps = (line: string, ...fields: string[]) => parseHead(head(line, "Host: a", ...fields)).keepAlive;
  assertEquals([
    keeps("GET / HTTP/1.1"),
    keeps("GET / HTTP/1.1", "Connection: close"),
    keeps("GET / HTTP/1.0"),
    keeps("GET / HTTP/1.0", "Connection: keep-alive"),
  ], [true, false, false, true]);
});

Deno.test("parseHead() takes the path of an absolute target", () => {
  assertEquals(parseHead(head("GET http://h:1/p?q HTTP/1.1", "Host: a")).target, "/p?q");
  assertEquals(parseHead(head("GET http://h HTTP/1.1", "Host: a")).target, "/");
});

Deno.test("parseHead() escapes the bytes of a text that a client sends as they are", () => {
  const bytes = new TextEncoder().encode("/db/query?q=SELECT'\u00e0\u20ac'");
  assertEquals(
    parseHead(head(`GET ${String.fromCharCode(...bytes)} HTTP/1.1`, "Host: a")).target,
    "/db/query?q=SELECT'%c3%a0%e2%82%ac'",
  );
});

Deno.test("parseHead() joins fields that repeat, as proxies make them, and takes one length that is told twice", () => {
  const { headers, body } = parseHead(
    head(
      "POST / HTTP/1.1",
      "Host: a",
      "X-Forwarded-Host: b",
      "X-Forwarded-Host: c",
      "Content-Length: 1",
      "Content-Length: 1",
    ),
  );
  assertEquals([headers.get("x-forwarded-host"), body], ["b, c", 1]);
});

Deno.test("emptyLineBytes() counts whole lines before whatever else comes", () => {
  const counts = ["", "GET", "\r\n", "\n", "\r\n\r\nGET", "\r", "\r\n\r", "\rGET", " \r\n"].map((text) =>
    emptyLineBytes(new TextEncoder().encode(text))
  );
  assertEquals(counts, [0, 0, 2, 1, 4, 0, 2, 0, 0]);
});

Deno.test("parseHead() refuses what is malformed or could be read two ways", () => {
  const cases: [number, string[]][] = [
    [400, ["GET /"]],
    [400, ["get / HTTP/1.1", "Host: a"]],
    [400, ["GET  / HTTP/1.1", "Host: a"]],
    [400, ["GET /\u0000 HTTP/1.1", "Host: a"]],
    [505, ["GET / HTTP/2.0", "Host: a"]],
    [400, ["GET / HTTP/1.1"]],
    [400, ["GET x HTTP/1.1", "Host: a"]],
    [400, ["GET / HTTP/1.1", "Host: a", "no colon"]],
    [400, ["GET / HTTP/1.1", "Host: a", "Name : v"]],
    [400, ["GET / HTTP/1.1", "Host: a", " folded"]],
    [400, ["GET / HTTP/1.1", "Host: a", "N: \u0007"]],
    [400, ["GET / HTTP/1.1", "Host: a", "Host: b"]],
    [400, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 2"]],
    [400, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"]],
    [400, ["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    [400, ["POST / HTTP/1.1", "Host: a", "Content-Type: a/b", "Content-Type: a/c"]],
    [400, ["POST / HTTP/1.1", "Host: a", "Content-Length: +1"]],
    [400, ["POST / HTTP/1.1", "Host: a", "Content-Length: 0x1"]],
    [501, ["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"]],
    [431, ["GET / HTTP/1.1", "Host: a", ...Array.from({ length: 101 }, (_, i) => `H${i}: 1`)]],
  ];
  for (const [status, lines] of cases) {
    assertEquals(assertThrows(() => parseHead(head(...lines)), HttpError).status, status, lines.join("|"));
  }
});

Deno.test("parseHead() answers any text with a head or an HttpError", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.array(fc.string()), (line, fields) => {
    for (const text of [line, head(`GET /${line} HTTP/1.1`, "Host: a", ...fields)]) {
      try {
        parseHead(text);
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
      }
    }
  }));
});

const tooLarge = () => new HttpError(413, "too large");

Deno.test("ChunkedDecoder gives the body back however it was cut, and leaves what follows", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 })),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (chunks, cuts) => {
        const text =
          chunks.map((chunk) => `${chunk.length.toString(16)};x=y\r\n${String.fromCharCode(...chunk)}\r\n`).join("") +
          "0\r\nTrailer: t\r\n\r\nGET /";
        const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
        const decoder = new ChunkedDecoder(10_000, tooLarge);
        let at = 0;
        for (let cut = 0; !decoder.done; cut++) at += decoder.push(bytes.subarray(at, at + cuts[cut % cuts.length]));
        assertEquals(decoder.body(), Uint8Array.from(chunks.flatMap((chunk) => [...chunk])));
        assertEquals(String.fromCharCode(...bytes.subarray(at)), "GET /");
      },
    ),
  );
});

Deno.test("ChunkedDecoder refuses chunks that are malformed or too much", () => {
  const push = (text: string) => () => new ChunkedDecoder(10, tooLarge).push(new TextEncoder().encode(text));
  for (const text of ["x\r\n", "\r\n", "-1\r\n", "1\r\nab\r\n", "1\n", "123456789\r\n", "1".repeat(5000)]) {
    assertEquals(assertThrows(push(text), HttpError).status, 400, text.slice(0, 20));
  }
  assertEquals(assertThrows(push("b\r\n"), HttpError).status, 413);
  assertEquals(assertThrows(push("6\r\nabcdef\r\n6\r\n"), HttpError).status, 413);
});
