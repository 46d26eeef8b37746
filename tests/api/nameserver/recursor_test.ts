/** Upstream servers of the name server, over real sockets. */
import { assertEquals } from "@std/assert";
import { NameServer } from "../../../src/api/nameserver/server.ts";
import type { NameServerSettings } from "../../../src/api/nameserver/api.ts";

const SETTINGS: NameServerSettings = {
  nodeTtl: 0,
  serviceTtl: {},
  onlyPassing: false,
  udpAnswerLimit: 3,
  aRecordLimit: 0,
  enableTruncate: false,
  nodeMetaTxt: true,
  disableCompression: false,
  recursors: [],
  recursorTimeoutMs: 2000,
  recursorStrategy: "sequential",
  soa: { refresh: 1, retry: 1, expire: 1, minTtl: 0 },
};
const NOBODY = {
  node: () => Promise.resolve(undefined),
  nodes: () => Promise.resolve([]),
  state: undefined,
  servers: () => Promise.resolve([]),
  service: () => Promise.resolve([]),
  services: () => Promise.resolve([]),
  query: () => Promise.resolve(undefined),
  knows: () => Promise.resolve(false),
};
/** `example.com A`, id 0x1234. */
const QUERY = Uint8Array.from(
  [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, ...new TextEncoder().encode("example"), 3, 99, 111, 109, 0, 0, 1, 0, 1],
);

/** The answer to {@linkcode QUERY}. */
async function ask(port: number): Promise<Uint8Array> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  await socket.send(QUERY, { transport: "udp", hostname: "127.0.0.1", port });
  const [answer] = await socket.receive();
  socket.close();
  return answer;
}

Deno.test("a name server does not ask itself", async () => {
  const lines: string[] = [];
  const options = { addrs: ["127.0.0.1:0"], domains: ["consul."], machine: [], datacenter: "dc1", settings: SETTINGS };
  const server = new NameServer(options, NOBODY, (line) => lines.push(line));
  server.start();
  server.settings = { ...SETTINGS, recursors: [`127.0.0.1:${server.port}`] };
  assertEquals((await ask(server.port))[3] & 15, 5, "REFUSED");
  assertEquals(lines, [`the upstream server 127.0.0.1:${server.port} is this agent itself: it is not asked`]);
  server.close();
});

Deno.test("an answer counts when it comes from the server that was asked", async () => {
  const upstream = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = upstream.addr as Deno.NetAddr; // it is UDP
  const other = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.2", port });
  const options = { addrs: ["127.0.0.1:0"], domains: ["consul."], machine: [], datacenter: "dc1" };
  const settings = { ...SETTINGS, recursors: [`127.0.0.1:${port}`] };
  const server = new NameServer({ ...options, settings }, NOBODY, () => {});
  server.start();
  const answered = ask(server.port);
  const [query, from] = await upstream.receive();
  const answer = (flags: number) => Uint8Array.from([...query.subarray(0, 2), 0x80, flags, ...query.subarray(4)]);
  await other.send(answer(3), from); // arrives first, as both go over one loopback device
  await upstream.send(answer(0), from);
  assertEquals((await answered)[3] & 15, 0);
  upstream.close();
  other.close();
  server.close();
});
