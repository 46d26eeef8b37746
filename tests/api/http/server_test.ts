/**
 * The HTTP listener over real sockets, with handlers that need no database: limits on connections, heads, bodies and time.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ClientConnection, HEAD_TIMEOUT_MS } from "../../../src/api/http/connection.ts";
import { ResponseHeads } from "../../../src/api/http/response_head.ts";
import { endpointOf, route } from "../../../src/api/server/router.ts";
import type { Services } from "../../../src/api/server/services.ts";
import { serveHttp, type ServerParts } from "../../../src/api/http/server.ts";
import { fakeServices } from "../../harness/services.ts";
import { Deadline, Deadlines } from "../../../src/base/worker/deadlines.ts";

async function serving(work: (port: number, parts: ServerParts & Services) => Promise<void>): Promise<void> {
  const { services, close } = fakeServices();
  const serverParts: ServerParts & Services = {
    ...services,
    endpointOf: (head) => endpointOf(head, services.requests),
    noteRefused: (status) => services.requests.noteRefused(status),
    route: (request) => route(request, services),
  };
  const server = await serveHttp(serverParts);
  server.start();
  try {
    await work(server.port, serverParts);
  } finally {
    await server.shutdown();
    close();
  }
}

/** Sends raw text and returns all that comes back until the server closes. */
async function exchange(port: number, ...texts: string[]): Promise<string> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  for (const text of texts) await conn.write(new TextEncoder().encode(text)).catch(() => {});
  return await new Response(conn.readable).text().catch(String);
}

const CLOSE = "Host: a\r\nConnection: close\r\n";

Deno.test("the server answers pipelined requests in order and keeps the common headers", () =>
  serving(async (port) => {
    const text = await exchange(
      port,
      `GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS /db/execute HTTP/1.1\r\nHost: a\r\n\r\nGET /db/execute HTTP/1.1\r\n${CLOSE}\r\n`,
    );
    assertEquals([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), ["404", "200", "405"]);
    assertMatch(text, /X-Rqlite-Version: v0\r\nAccess-Control-Allow-Methods: OPTIONS, GET, POST\r\n/);
    assertMatch(text, /Access-Control-Allow-Origin: https:\/\/a\.example\r\n/);
  }));

Deno.test("the server tells browsers the same with every answer, so that a page may send Authorization", () =>
  serving(async (port) => {
    const tooLong = `GET / HTTP/1.1\r\n${CLOSE}X: ${"y".repeat(70_000)}`;
    const requests = [
      `OPTIONS /db/execute HTTP/1.1\r\n${CLOSE}Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
      `GET /readyz?noleader HTTP/1.1\r\n${CLOSE}\r\n`,
      `GET /nothing HTTP/1.1\r\n${CLOSE}\r\n`,
      tooLong,
    ];
    const answers: string[] = [];
    for (const text of requests) answers.push(await exchange(port, text));
    assertEquals(answers.map((text) => /^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), ["200", "200", "404", "431"]);
    for (const text of answers) {
      assertEquals([...text.matchAll(/^Access-Control-Allow-(.*)\r$/gm)].map(([, field]) => field), [
        "Methods: OPTIONS, GET, POST",
        "Headers: Content-Type, Authorization",
        "Credentials: true",
        "Origin: https://a.example",
      ]);
    }
  }));

const BODY = "[]";
const POST = `POST /db/execute HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const LAST = `GET /readyz?noleader HTTP/1.1\r\n${CLOSE}\r\n`;

Deno.test("the server skips empty lines before a request, however they arrive, and not for ever", () =>
  serving(async (port) => {
    const statuses = async (...texts: string[]) =>
      [...(await exchange(port, ...texts)).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assertEquals(await statuses(`${POST}\r\n`, LAST), ["400", "200"]);
    assertEquals(await statuses(`${POST}\r\n${LAST}`), ["400", "200"]);
    assertEquals(await statuses(`${POST}\r`, "\n", LAST), ["400", "200"]);
    assertEquals(await statuses(`${POST}\n${LAST}`), ["400", "200"]);
    assertEquals(await statuses(`\r\n\r\n${LAST}`), ["200"]);
    assertEquals(await statuses(`\rGET${LAST}`), ["400"]);
    assertMatch(
      await exchange(port, ...Array.from({ length: 20 }, () => "\r\n")),
      /^HTTP\/1\.1 400 [\s\S]*more than 16 bytes of empty lines/,
    );
  }));

/** Notes limits, and lets none of them expire. */
const heads = new ResponseHeads({ version: "v1", allowOrigin: "", hasUsers: false });

class NotedDeadlines extends Deadlines {
  readonly limitsMs: number[] = [];

  override add(): Deadline {
    return new NotedDeadline(this);
  }
}

class NotedDeadline extends Deadline {
  readonly #owner: NotedDeadlines;

  constructor(owner: NotedDeadlines) {
    super(owner, () => {});
    this.#owner = owner;
  }

  override set(ms: number): void {
    this.#owner.limitsMs.push(ms);
  }
}

Deno.test("a connection with empty lines and nothing else is idle, not slow, and is not kept longer by more of them", () =>
  serving(async (_, parts) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const deadlines = new NotedDeadlines();
    const { limitsMs } = deadlines;
    const served = new ClientConnection(await listener.accept(), { ...parts, heads }, deadlines).serve();
    for (const [at, text] of ["\r\n", "\r", "\n", "GET"].entries()) {
      await soon("it waits for more", () => limitsMs.length === at + 1);
      await client.write(new TextEncoder().encode(text));
    }
    await soon("it waits for the head", () => limitsMs.length === 5);
    assertEquals(limitsMs.map((ms) => ms > HEAD_TIMEOUT_MS), [true, true, false, true, false]);
    assert(limitsMs[0] > limitsMs[1] && limitsMs[1] > limitsMs[3]);
    client.close();
    await served;
  }));

Deno.test("a stream ends where its client has gone before the first byte", () =>
  serving(async (_, parts) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const conn = await listener.accept();
    let hasEnded = false;
    async function* pieces() {
      try {
        for (;;) yield await Promise.resolve(new Uint8Array(1024));
      } finally {
        hasEnded = true;
      }
    }
    const route = () => {
      conn.closeWrite(); // what is written from here on fails
      return Promise.resolve({ status: 200, body: "", stream: { length: 2048, pieces } });
    };
    const served = new ClientConnection(conn, { ...parts, heads, route }, new Deadlines()).serve();
    await client.write(new TextEncoder().encode("GET /db/backup HTTP/1.1\r\nHost: a\r\n\r\n"));
    await served;
    assert(hasEnded);
    client.close();
  }));

Deno.test("a client of HTTP/1.0 hears that its connection is kept, and gets a stream without chunks", () =>
  serving(async (port) => {
    const kept = await exchange(
      port,
      `GET /readyz?noleader HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
      `GET /readyz?noleader HTTP/1.0\r\n\r\n`,
    );
    assertEquals([...kept.matchAll(/^Connection: (.*)\r$/gm)].map(([, option]) => option), ["keep-alive", "close"]);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode("GET /v1/agent/monitor?loglevel=error HTTP/1.0\r\n\r\n"));
    const text = new TextDecoder().decode(await readSome(conn));
    assertMatch(text, /^HTTP\/1\.1 200 OK[\s\S]*\r\nConnection: close\r\n\r\n/);
    assertEquals(/transfer-encoding/i.test(text), false);
    conn.close();
  }));

Deno.test("the server takes chunked bodies, waits for 100-continue, and sends no body to HEAD", () =>
  serving(async (port) => {
    const chunked = await exchange(
      port,
      `POST /db/execute HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n`,
    );
    assertMatch(chunked, /^HTTP\/1\.1 400 [\s\S]*no statements\n$/);
    const expecting = await exchange(
      port,
      `POST /db/execute HTTP/1.1\r\n${CLOSE}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
      "[]",
    );
    assertMatch(expecting, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /);
    const headOnly = await exchange(port, `HEAD /readyz?noleader HTTP/1.1\r\n${CLOSE}\r\n`);
    assertMatch(headOnly, /\r\n\r\n$/);
  }));

Deno.test("the server says 413, 431, 400 and 408 when a client goes beyond its limits", () =>
  serving(async (port, { counters }) => {
    assertMatch(
      await exchange(port, `POST /db/execute HTTP/1.1\r\n${CLOSE}Content-Length: 100001\r\n\r\nxxxx`),
      /413 [\s\S]*larger than 100000 bytes, the limit set by -http-max-body/,
    );
    assertMatch(
      await exchange(port, `GET / HTTP/1.1\r\n${CLOSE}X: ${"y".repeat(70_000)}`),
      /431 [\s\S]*longer than 65536 bytes/,
    );
    assertMatch(await exchange(port, "\x16\x03\x01 this is no HTTP\r\n\r\n"), /400 [\s\S]*request line is malformed/);
    assertMatch(
      await exchange(port, `POST /db/execute HTTP/1.1\r\n${CLOSE}Content-Length: 10\r\n\r\n[`),
      /408 [\s\S]*did not arrive within 0\.3 seconds/,
    );
    assertEquals(counters.request_timeouts, 1);
  }));

/** Asks until there is an answer other than the refusal of a connection; fails after 30 s. */
async function untilServed(port: number): Promise<string> {
  const deadline = performance.now() + 30_000;
  for (let text = ""; performance.now() < deadline;) {
    text = await exchange(port, `GET /x HTTP/1.1\r\n${CLOSE}\r\n`);
    if (!text.includes("too many connections")) return text;
  }
  throw new Error("every connection was refused");
}

Deno.test("the server refuses connections above its limit with a word, and takes new ones when others leave", () =>
  serving(async (port, { counters }) => {
    const open = await Promise.all([1, 2, 3].map(() => asking(port, BLOCKING)));
    await soon("all connections are in use", () => counters.running === 3);
    assertMatch(await exchange(port), /503 [\s\S]*too many connections \(3, the limit set by -http-max-conns\)/);
    for (const conn of open) conn.close();
    assert(counters.num_conn_rejected >= 1);
    assertMatch(await untilServed(port), /404/);
  }));

Deno.test("at its limit the server closes the connection that is idle for longest, and none that is in use", () =>
  serving(async (port, { counters }) => {
    const waiting = await asking(port, BLOCKING);
    await soon("the query waits", () => counters.running === 1);
    const idle = await Deno.connect({ hostname: "127.0.0.1", port });
    const later = await asking(port, "/nothing");
    assertMatch(new TextDecoder().decode(await readSome(later)), /404/);
    assertMatch(await untilServed(port), /404/);
    assertEquals(await idle.read(new Uint8Array(1)), null);
    assertEquals(counters.running, 1);
    await later.write(new TextEncoder().encode("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"));
    assertMatch(new TextDecoder().decode(await readSome(later)), /404/);
    for (const conn of [waiting, idle, later]) conn.close();
  }));

/** Waits for what happens soon, or fails. */
async function soon(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 100; !await isSo(); left--) {
    if (left === 0) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function asking(port: number, ...targets: string[]): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const text = targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join("");
  await conn.write(new TextEncoder().encode(text));
  return conn;
}

Deno.test("a body that ends before its length is refused", () =>
  serving(async (port) => {
    for (const framed of ["Content-Length: 100\r\n\r\n[", "Transfer-Encoding: chunked\r\n\r\n5\r\n["]) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(new TextEncoder().encode(`POST /db/execute HTTP/1.1\r\n${CLOSE}${framed}`));
      await conn.closeWrite();
      const text = await new Response(conn.readable).text();
      assertMatch(text, /^HTTP\/1\.1 400 [\s\S]*the request's body ends before its length/);
    }
  }));

const BLOCKING = "/v1/event/list?index=1&wait=10m";

Deno.test("a client that leaves ends the wait for its answer", () =>
  serving(async (port, { counters }) => {
    for (let round = 0; round < 5; round++) { // more than the connections there may be
      const conn = await asking(port, BLOCKING);
      await soon("the query waits", () => counters.running === 1);
      conn.close();
      await soon("the query ends", () => counters.running === 0);
    }
    for (let round = 0; round < 5; round++) {
      await soon("the connection before is over", async () => {
        const conn = await asking(port, "/v1/agent/monitor?loglevel=error");
        const answer = new TextDecoder().decode(await readSome(conn));
        conn.close();
        return answer.startsWith("HTTP/1.1 200 OK"); // 503 while too many are open
      });
    }
    const head = await exchange(port, `HEAD /v1/agent/monitor HTTP/1.1\r\n${CLOSE}\r\n`);
    assertMatch(head, /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n$/);
  }));

Deno.test("a client that ends its half of the connection while it waits gets no answer, and its connection is closed", () =>
  serving(async (port, { counters, requests }) => {
    const conn = await asking(port, BLOCKING);
    await soon("the query waits", () => counters.running === 1);
    await conn.closeWrite();
    assertEquals(await new Response(conn.readable).text(), "");
    assertEquals(requests.all.flatMap(({ codes }) => [...codes]), []);
    const short = await asking(port, "/v1/event/list");
    await short.closeWrite();
    assertMatch(await new Response(short.readable).text(), /^HTTP\/1\.1 200 OK/);
  }));

Deno.test("what a client sends while it waits is answered afterwards, and a server that stops ends the wait", async () => {
  let conn: Deno.TcpConn | undefined;
  await serving(async (port, { counters, agent }) => {
    conn = await asking(port, BLOCKING);
    await soon("the query waits", () => counters.running === 1);
    await conn.write(new TextEncoder().encode(`GET /v1/event/list HTTP/1.1\r\nHost: a\r\n\r\n`));
    assertMatch(await exchange(port, `GET /nothing HTTP/1.1\r\n${CLOSE}\r\n`), /404/); // the server has looked around
    assertEquals(counters.running, 1);
    const payload = new TextEncoder().encode(`{"ID":"00000000-0000-0000-0000-000000000002"}`);
    agent?.events.take({ type: "user", name: "consul:event:x", payload, ltime: 1n, coalesce: false });
    let text = "";
    while (text.split("HTTP/1.1 200").length < 3) text += new TextDecoder().decode(await readSome(conn));
    assertEquals([...text.matchAll(/X-Consul-Index: 2\r/g)].length, 2);
    await conn.write(new TextEncoder().encode(`GET ${BLOCKING.replace("=1", "=2")} HTTP/1.1\r\nHost: a\r\n\r\n`));
    await soon("the query waits", () => counters.running === 1);
  }); // which waits for the requests under way
  assertMatch(new TextDecoder().decode(conn && await readSome(conn)), /^HTTP\/1\.1 200 OK/);
  conn?.close();
});

async function readSome(conn: Deno.TcpConn): Promise<Uint8Array> {
  const bytes = new Uint8Array(4096);
  return bytes.subarray(0, await conn.read(bytes) ?? 0);
}

Deno.test("large bodies are counted: one that finds no room is refused, and later ones are taken again", () =>
  serving(async (port, { counters, options }) => {
    counters.body_bytes = options.bodyBytesMax + 1024 * 1024;
    const head = (bytes: number) => `POST /db/execute HTTP/1.1\r\n${CLOSE}Content-Length: ${bytes}\r\n\r\n`;
    const small = await exchange(port, head(2), "[]");
    assertMatch(small, /^HTTP\/1\.1 400 [\s\S]*no statements/);
    const chunked = `POST /db/execute HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n`;
    assertMatch(await exchange(port, chunked, "2\r\n[]\r\n"), /^HTTP\/1\.1 503 [\s\S]*large requests take/);
    counters.body_bytes = 0;
    assertMatch(await exchange(port, chunked, "2\r\n[]\r\n", "0\r\n\r\n"), /^HTTP\/1\.1 400 [\s\S]*no statements/);
    assertEquals(counters.body_bytes, 0);
  }));

Deno.test("the server counts requests by route, method and status, and those that it does not read", () =>
  serving(async (port, { requests }) => {
    const twice = "GET /readyz?noleader HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
    await exchange(port, `${twice}BREW /secret/path HTTP/1.1\r\n${CLOSE}\r\n`);
    await exchange(port, `PUT /v1/kv/secret?cas=1 HTTP/1.1\r\n${CLOSE}Content-Length: 200000\r\n\r\n`);
    const counted = requests.all.map(({ method, endpoint, codes, times: { observed } }) =>
      [method, endpoint, ...codes, observed.count].join(" ")
    );
    assertEquals(counted, ["GET /readyz 200,2 2", "other other 404,1 1", "PUT /v1/kv/ 0"]);
    assertEquals([...requests.refused], [[413, 1]]);
  }));
