/** HTTP checks against servers that say this and that. */
import { assertEquals, assertRejects } from "@std/assert";
import type { HttpKind } from "../../../src/core/health/check_kind.ts";
import { checkHttp } from "../../../src/drivers/checks/http.ts";
import { EndOfRun } from "../../../src/drivers/checks/runner.ts";
import { CannedServer, endless, freePort } from "./canned_server.ts";

function kind(url: string, fields: Partial<HttpKind> = {}): HttpKind {
  const tls = { tlsServerName: "", tlsSkipVerify: false };
  return { k: "http", url, method: "GET", headers: {}, body: "", disableRedirects: false, ...tls, ...fields };
}

/** Status and output, with SERVER for the address. */
async function outcome(server: CannedServer, fields: Partial<HttpKind> = {}, outputBytesMax = 4096): Promise<string> {
  try {
    const { status, output } = await checkHttp(kind(`http://${server.address}/x?y`, fields), endless(outputBytesMax));
    return `${status} ${output.replaceAll(server.address, "SERVER")}`;
  } catch (error) {
    return `Error ${error instanceof Error ? error.message.replaceAll(server.address, "SERVER") : error}`;
  }
}

Deno.test("an HTTP check is passing with 2xx, warning with 429, critical with any other status", async () => {
  const cases: [string, string][] = [
    ["200 OK", "passing"],
    ["204 No Content", "passing"],
    ["299 Strange", "passing"],
    ["429 Too Many Requests", "warning"],
    ["304 Not Modified", "critical"],
    ["404 Not Found", "critical"],
    ["500 Internal Server Error", "critical"],
    ["101 Switching Protocols", "critical"],
  ];
  for (const [line, status] of cases) {
    using server = CannedServer.answering(`HTTP/1.1 ${line}\r\n\r\n`);
    assertEquals(await outcome(server), `${status} HTTP GET http://SERVER/x?y: ${line} Output: `);
  }
});

Deno.test("an HTTP check sends what Consul's sends, and closes the connection", async () => {
  using server = CannedServer.answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assertEquals(await outcome(server), "passing HTTP GET http://SERVER/x?y: 200 OK Output: ok");
  const { port } = server;
  await checkHttp(
    kind(`http://user:pa%20ss@127.0.0.1:${port}`, {
      method: "POST",
      headers: { "X-Many": ["a", "b"], "user-agent": ["mine"], Host: ["name"], "Content-Length": ["7"] },
      body: "é",
    }),
    endless(),
  );
  assertEquals(server.received, [
    `GET /x?y HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: Consul Health Check\r\n` +
    "Accept: text/plain, text/*, */*\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nX-Many: a\r\nX-Many: b\r\nuser-agent: mine\r\nHost: name\r\n" +
    `Accept: text/plain, text/*, */*\r\nAuthorization: Basic ${btoa("user:pa ss")}\r\n` +
    "Content-Length: 2\r\nConnection: close\r\n\r\né",
  ]);
});

Deno.test("an HTTP check reads a body in chunks, of a length, or to the end of the connection", async () => {
  const cases: [string[], string][] = [
    [
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n"],
      "abcde",
    ],
    [["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "cREST"], "abc"],
    [["HTTP/1.0 200 OK\r\n\r\nab", "c"], "abc"],
    [["HTTP/1.1 200 OK\n\nabc"], "abc"],
    [["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], "ab"],
    [["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"], ""],
    [["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nlast"], "last"],
    [["HTTP/1.1 200", " OK\r", "\n\r", "\nx"], "x"],
  ];
  for (const [answers, body] of cases) {
    using server = CannedServer.answering(...answers);
    assertEquals(await outcome(server), `passing HTTP GET http://SERVER/x?y: 200 OK Output: ${body}`);
  }
});

Deno.test("an HTTP check asks for no body with HEAD, and does not wait for one", async () => {
  using server = new CannedServer((conn) =>
    conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
  );
  assertEquals(await outcome(server, { method: "HEAD" }), "passing HTTP HEAD http://SERVER/x?y: 200 OK Output: ");
});

Deno.test("an HTTP check keeps the end of a long body, and stops reading one that does not end", async () => {
  using long = CannedServer.answering(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789`);
  assertEquals(
    await outcome(long, {}, 4),
    "passing HTTP GET http://SERVER/x?y: 200 OK Output: Captured 4 of 10 bytes\n...\n6789",
  );
  using unending = new CannedServer(async (conn) => {
    await conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    const bytes = new Uint8Array(65_536).fill(65);
    for (;;) await conn.write(bytes);
  });
  assertEquals(
    await outcome(unending, {}, 4),
    "passing HTTP GET http://SERVER/x?y: 200 OK Output: Captured 4 of 1048576 bytes\n...\nAAAA",
  );
});

Deno.test("an HTTP check follows redirects, at most ten, unless it must not", async () => {
  using end = CannedServer.answering("HTTP/1.1 200 OK\r\n\r\nhere");
  using first = CannedServer.answering(`HTTP/1.1 302 Found\r\nLocation: http://${end.address}/end\r\n\r\nnot here`);
  const headers = { Authorization: ["secret"], "X-A": ["b"] };
  assertEquals(
    await outcome(first, { method: "POST", body: "b", headers }),
    "passing HTTP POST http://SERVER/x?y: 200 OK Output: here",
  );
  assertEquals(
    end.received.map((text) => text.split("\r\n").slice(0, 3)),
    [["GET /end HTTP/1.1", `Host: ${end.address}`, "X-A: b"]],
  );
  assertEquals(end.received[0].includes("secret"), false);
  assertEquals(
    await outcome(first, { disableRedirects: true }),
    "critical HTTP GET http://SERVER/x?y: 302 Found Output: not here",
  );
  using kept = CannedServer.answering(`HTTP/1.1 307 Temporary Redirect\r\nLocation: http://${end.address}/\r\n\r\n`);
  await outcome(kept, { method: "PUT", body: "b" });
  assertEquals(end.received[1].startsWith("PUT / HTTP/1.1\r\n"), true);
  using circle = CannedServer.answering("HTTP/1.1 301 Moved Permanently\r\nLocation: /again\r\n\r\n");
  assertEquals(await outcome(circle), 'Error Get "http://SERVER/x?y": stopped after 10 redirects');
  assertEquals(circle.received.length, 11);
});

Deno.test("an HTTP check says what is wrong with an answer, or with the request", async () => {
  const cases: [string, string][] = [
    ["", "EOF"],
    ["HTTP/1.1 200 OK\r\nX: y\r\n", "EOF"],
    ["SSH-2.0-OpenSSH\r\n", 'malformed HTTP response "SSH-2.0-OpenSSH"'],
    ["x".repeat(80_000), "malformed HTTP response: a line is too long"],
    ["HTTP/1.1 200 OK\r\n" + "X: y\r\n".repeat(20_000), "malformed HTTP response: the head is too long"],
    ["HTTP/1.1 100 Continue\r\n\r\n".repeat(20), "too many interim answers"],
  ];
  for (const [answer, fault] of cases) {
    using server = CannedServer.answering(answer);
    assertEquals(await outcome(server), `Error Get "http://SERVER/x?y": ${fault}`);
  }
  using server = CannedServer.answering("HTTP/1.1 200 OK\r\n\r\n");
  assertEquals(
    await outcome(server, { headers: { "X-A": ["b\r\nX-C: d"] } }),
    'Error Get "http://SERVER/x?y": invalid header field value for "X-A"',
  );
  assertEquals(
    await outcome(server, { headers: { "X A": ["b"] } }),
    'Error Get "http://SERVER/x?y": invalid header field name "X A"',
  );
  assertEquals(await outcome(server, { method: "A B" }), 'Error A b "http://SERVER/x?y": invalid method "A B"');
  assertEquals(server.received, []);
  const fault = async (url: string) => (await assertRejects(() => checkHttp(kind(url), endless()), Error)).message;
  const port = freePort();
  assertEquals(
    await fault(`http://127.0.0.1:${port}/`),
    `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
  );
  assertEquals(await fault("ftp://localhost/"), 'Get "ftp://localhost/": unsupported protocol scheme "ftp"');
  assertEquals(await fault("nowhere"), "Get \"nowhere\": Invalid URL: 'nowhere'");
});

Deno.test("an HTTP check that waits for an answer ends when its run is to end", async () => {
  const controller = new AbortController();
  using server = new CannedServer(() => Promise.resolve(controller.abort(new EndOfRun("enough"))));
  const context = { signal: controller.signal, outputBytesMax: 4096 };
  await assertRejects(() => checkHttp(kind(`http://${server.address}/`), context), EndOfRun, "enough");
});

Deno.test("an HTTP check goes by the status where its run ends in the middle of the body", async () => {
  const controller = new AbortController();
  using server = new CannedServer(async (conn) => {
    await conn.write(new TextEncoder().encode("HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\npart"));
    setTimeout(() => controller.abort(new EndOfRun("enough")), 100); // when the client has read that, which nobody tells
  });
  const result = await checkHttp(kind(`http://${server.address}/`), {
    signal: controller.signal,
    outputBytesMax: 4096,
  });
  assertEquals(result, { status: "critical", output: `HTTP GET http://${server.address}/: 500 Oh Output: part` });
});

Deno.test("an HTTP check asks no proxy, whatever the environment says", async () => {
  using server = CannedServer.answering("HTTP/1.1 200 OK\r\n\r\n");
  using proxy = CannedServer.answering("HTTP/1.1 500 No\r\n\r\n");
  Deno.env.set("http_proxy", `http://${proxy.address}`);
  try {
    assertEquals(await outcome(server), "passing HTTP GET http://SERVER/x?y: 200 OK Output: ");
  } finally {
    Deno.env.delete("http_proxy");
  }
  assertEquals(proxy.received, []);
});
