/** Checks of gRPC and of HTTP/2, against Node's server and against servers that break the protocol. */
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { GrpcKind } from "../../../src/core/health/check_kind.ts";
import { checkGrpc } from "../../../src/drivers/checks/grpc.ts";
import { checkH2Ping } from "../../../src/drivers/checks/h2ping.ts";
import { EndOfRun, type RunResult } from "../../../src/drivers/checks/runner.ts";
import { CannedServer, endless, freePort } from "./canned_server.ts";

const TLS = { tlsServerName: "", tlsSkipVerify: false };
/** A frame of settings, which every server sends first. */
const SETTINGS = frame(4, 0, 0);

function frame(type: number, flags: number, stream: number, payload: readonly number[] = []): number[] {
  const [, a, b, c] = new Uint8Array(new Uint32Array([payload.length]).buffer).reverse();
  return [a, b, c, type, flags, 0, 0, 0, stream, ...payload];
}

function grpcKind(address: string, service = ""): GrpcKind {
  return { k: "grpc", address, service, useTls: false, ...TLS };
}

/** What a check says, with SERVER for the address. */
async function said(check: Promise<RunResult>, address: string): Promise<string> {
  try {
    const { status, output } = await check;
    return `${status} ${output.replaceAll(address, "SERVER")}`;
  } catch (error) {
    return `Error ${error instanceof Error ? error.message.replaceAll(address, "SERVER") : error}`;
  }
}

const grpc = (address: string, service?: string) => said(checkGrpc(grpcKind(address, service), endless()), address);
const h2ping = (address: string) =>
  said(checkH2Ping({ k: "h2ping", address, useTls: false, ...TLS }, endless()), address);

/** A server of Node's, which answers each request by `serve`. */
async function withNode(
  serve: (stream: ServerHttp2Stream, path: string, body: Uint8Array) => void,
  work: (address: string) => Promise<void>,
): Promise<void> {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const body: Uint8Array[] = [];
    stream.on("error", () => {});
    stream.on("data", (bytes: Uint8Array) => body.push(bytes));
    stream.on("end", () => serve(stream, String(headers[":path"]), Uint8Array.from(body.flatMap((part) => [...part]))));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  try {
    await work(`127.0.0.1:${bound !== null && typeof bound === "object" ? bound.port : 0}`);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** A server that says these bytes, and leaves the connection open. */
function saying(...bytes: number[]): CannedServer {
  return new CannedServer((conn) => conn.write(Uint8Array.from(bytes)));
}

Deno.test({
  name: "a gRPC check asks the health service, and is passing when it is serving",
  sanitizeResources: false, // the server of Node's closes its connections later
  sanitizeOps: false,
  fn: async () => {
    const asked: [string, string][] = [];
    await withNode((stream, path, body) => {
      asked.push([path, body.toHex()]);
      const service = new TextDecoder().decode(body.subarray(7));
      const code = { "": "0", "down": "0", "odd": "0", "unknown": "5", "secret": "16" }[service] ?? "99";
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": code, "grpc-message": "who%20is%C3%A9" }));
      const status = { "": 1, "down": 2 }[service] ?? 9;
      stream.end(code === "0" ? Uint8Array.of(0, 0, 0, 0, 2, 8, status) : undefined);
    }, async (address) => {
      assertEquals(await grpc(address), "passing gRPC check SERVER: success");
      assertEquals(await grpc(address, "down"), "critical gRPC SERVER/down serving status: NOT_SERVING");
      assertEquals(await grpc(address, "odd"), "critical gRPC SERVER/odd serving status: status 9");
      const refused = (service: string, code: string) =>
        `Error gRPC check SERVER/${service}: rpc error: code = ${code} desc = who isé`;
      assertEquals(await grpc(address, "unknown"), refused("unknown", "NotFound"));
      assertEquals(await grpc(address, "secret"), refused("secret", "Unauthenticated"));
      assertEquals(await grpc(address, "x".repeat(200)), refused("x".repeat(200), "Code(99)"));
    });
    assertEquals(asked.slice(0, 2), [
      ["/grpc.health.v1.Health/Check", "0000000000"],
      ["/grpc.health.v1.Health/Check", "00000000060a04646f776e"],
    ]);
    assertEquals(asked.at(-1)?.[1], `00000000cb0ac801${"78".repeat(200)}`);
  },
});

Deno.test({
  name: "a gRPC check is critical where the server has no gRPC; a ping works there all the same",
  sanitizeResources: false, // the server of Node's closes its connections later
  sanitizeOps: false,
  fn: () =>
    withNode((stream) => {
      stream.respond({ ":status": 404 });
      stream.end("no such page");
    }, async (address) => {
      assertEquals(await grpc(address), "Error gRPC check SERVER: no answer of gRPC: HTTP status 404");
      assertEquals(await h2ping(address), "passing HTTP2 ping was successful");
    }),
});

Deno.test("checks of HTTP/2 say what is wrong with the other end", async () => {
  using old = CannedServer.answering("HTTP/1.1 400 Bad Request\r\n\r\n");
  assertEquals(await grpc(old.address), "Error gRPC check SERVER: the server speaks no HTTP/2");
  assertEquals(await h2ping(old.address), "Error HTTP2 ping failed: the server speaks no HTTP/2");
  using closing = CannedServer.answering();
  assertEquals(await h2ping(closing.address), "Error HTTP2 ping failed: the connection was closed");
  const address = `127.0.0.1:${freePort()}`;
  assertEquals(await grpc(address), "Error dial tcp SERVER: connect: connection refused");
  assertEquals(
    await h2ping(address),
    "Error Failed to dial to SERVER: dial tcp SERVER: connect: connection refused",
  );
  const cases: [number[], string][] = [
    [frame(1, 4, 1), "the server speaks no HTTP/2"],
    [[...SETTINGS, ...frame(3, 0, 1, [0, 0, 0, 7])], "the stream was reset: REFUSED_STREAM"],
    [[...SETTINGS, ...frame(3, 0, 1, [0, 0])], "a frame is too short"],
    [
      [...SETTINGS, ...frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 11])],
      "the server closes the connection: ENHANCE_YOUR_CALM",
    ],
    [[...SETTINGS, ...frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0])], "the server closes the connection: NO_ERROR"],
    [[...SETTINGS, ...frame(5, 4, 1, [0, 0, 0, 2])], "the server pushes, which it was told not to"],
    [[...SETTINGS, 255, 255, 255, 0, 0, 0, 0, 0, 1], "a frame is too large"],
    [[...SETTINGS, ...frame(0, 8, 1, [4, 1, 2])], "a frame has wrong padding"],
    [[...SETTINGS, ...frame(1, 4, 1, [0xff])], "header compression: it ends too early"],
  ];
  for (const [bytes, fault] of cases) {
    using server = saying(...bytes);
    assertEquals(await grpc(server.address), `Error gRPC check SERVER: ${fault}`);
  }
});

Deno.test("a gRPC check takes an answer in pieces, with padding, continuations, pings and settings between", async () => {
  const trailer = [0, 11, ...new TextEncoder().encode("grpc-status"), 1, 48];
  const answer = [
    ...SETTINGS,
    ...frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
    ...frame(8, 0, 0, [0, 0, 1, 0]),
    ...frame(1, 0x28, 1, [2, 0, 0, 0, 0, 16, 0x88, 0, 0]), // padded, with a priority, not the whole block
    ...frame(9, 4, 1, [0x20]),
    ...frame(99, 0, 0, [1]),
    ...frame(0, 8, 1, [1, 0, 0, 0, 0, 9]),
    ...frame(0, 0, 1, [2, 8, 1]),
    ...frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]), // the stream goes on all the same
    ...frame(1, 5, 1, trailer),
  ];
  for (const size of [1, 7, answer.length]) {
    using server = new CannedServer(async (conn) => {
      for (let at = 0; at < answer.length; at += size) await conn.write(Uint8Array.from(answer.slice(at, at + size)));
    });
    assertEquals(await grpc(server.address), "passing gRPC check SERVER: success");
  }
});

Deno.test("checks of HTTP/2 stop reading where an answer does not end", async () => {
  using server = new CannedServer(async (conn) => {
    await conn.write(Uint8Array.from(SETTINGS));
    const bytes = Uint8Array.from(frame(0, 0, 1, Array(16_000).fill(0)));
    for (;;) await conn.write(bytes);
  });
  assertEquals(await grpc(server.address), "Error gRPC check SERVER: the answer is too large");
});

Deno.test("checks of HTTP/2 that wait for an answer end when their run is to end", async () => {
  for (const run of [checkGrpc, checkH2Ping]) {
    const controller = new AbortController();
    using server = new CannedServer(() => Promise.resolve(controller.abort(new EndOfRun("enough"))));
    const kind = { k: "h2ping" as const, address: server.address, service: "", useTls: false, ...TLS };
    const context = { signal: controller.signal, outputBytesMax: 4096 };
    await assertRejects(
      () => run === checkGrpc ? checkGrpc({ ...kind, k: "grpc" }, context) : checkH2Ping(kind, context),
      EndOfRun,
      "enough",
    );
  }
});

Deno.test("a gRPC check is never passing by bytes at random", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 9 }), async (bytes, type) => {
      using server = new CannedServer(async (conn) => {
        await conn.write(Uint8Array.from([...SETTINGS, ...frame(type, 4, 1, [...bytes]), ...bytes]));
        conn.close();
      });
      const { status } = await checkGrpc(grpcKind(server.address), endless()).catch(() => ({ status: "critical" }));
      assertEquals(status, "critical");
    }),
    { numRuns: 200 },
  );
});
