/** Addresses by DNS, asked of a name server in this thread. */
import { assertEquals, assertRejects } from "@std/assert";
import { decodeQuery, type DnsRecord, encodeAnswer, type Name, RCODE, TYPE } from "../../../src/core/dns/message.ts";
import type { NameServer } from "../../../src/drivers/discovery/api.ts";
import { lookupAddresses } from "../../../src/drivers/discovery/dns.ts";

const address = (...bytes: number[]) => ({ type: TYPE.A, address: Uint8Array.from(bytes), ttl: 0 }) as const;
const service = (port: number, target: Name) =>
  ({ type: TYPE.SRV, priority: 1, weight: 1, port, target, ttl: 0 }) as const;

/** The records by name; a number is the response code of every answer. */
type Names = Readonly<Record<string, readonly (Omit<DnsRecord, "name"> & { type: number })[]>> | number;

function answerTo(bytes: Uint8Array, names: Names): Uint8Array {
  const query = decodeQuery(bytes);
  const found = typeof names === "number" ? undefined : names[query.question.name.join(".").toLowerCase()];
  const answers = (found ?? []).filter(({ type }) => type === query.question.type)
    .map((record) => ({ ...record, name: query.question.name }) as DnsRecord);
  const rcode = typeof names === "number" ? names : found ? RCODE.NOERROR : RCODE.NXDOMAIN;
  const answer = { rcode, isAuthoritative: true, recursionAvailable: true, answers, authority: [], additional: [] };
  const fit = { bytesMax: 512, answersMax: Infinity, marksTruncation: true, compresses: true };
  return encodeAnswer(query, answer, fit);
}

/** Both protocols on one port, which is looked for. */
function listen(): { udp: Deno.DatagramConn; tcp: Deno.Listener; port: number } {
  for (;;) {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = tcp.addr as Deno.NetAddr;
    try {
      return { udp: Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }), tcp, port };
    } catch (error) {
      tcp.close();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** A name server, by UDP and TCP, that knows some records by name; of other names it says that there is none. */
async function withNames(names: Names, work: (servers: NameServer[]) => Promise<void>): Promise<void> {
  const { udp, tcp, port } = listen();
  const serving = [
    (async () => {
      for await (const [bytes, from] of udp) await udp.send(answerTo(bytes, names), from);
    })(),
    (async () => {
      for await (const conn of tcp) {
        const bytes = new Uint8Array(512);
        const length = await conn.read(bytes) ?? 0;
        const answer = answerTo(bytes.subarray(2, length), names);
        await conn.write(Uint8Array.of(answer.length >> 8, answer.length & 0xff, ...answer));
        conn.close();
      }
    })(),
  ];
  try {
    await work([{ ipAddr: "127.0.0.1", port }]);
  } finally {
    udp.close();
    tcp.close();
    await Promise.allSettled(serving);
  }
}

const NODES = {
  "nodes.example.com": [address(192, 0, 2, 2), address(192, 0, 2, 1), address(192, 0, 2, 1)],
  "one.example.com": [address(192, 0, 2, 9)],
  "_raft._tcp.example.com": [service(4002, ["nodes", "example", "com"]), service(5002, ["one", "example", "com"])],
} as const;

Deno.test("the addresses of a name, sorted and each once, with the cluster port", () =>
  withNames(NODES, async (servers) => {
    const dns = { mode: "dns", port: 4002, hosts: [], servers } as const;
    assertEquals(await lookupAddresses({ ...dns, name: "nodes.example.com" }), ["192.0.2.1:4002", "192.0.2.2:4002"]);
    assertEquals(await lookupAddresses({ ...dns, name: "192.0.2.7" }), ["192.0.2.7:4002"]);
    assertEquals(await lookupAddresses({ ...dns, name: "x", hosts: ["b:1", "a:1"] }), ["a:1", "b:1"]);
    const none = () => lookupAddresses({ ...dns, name: "none.example.com" });
    await assertRejects(none, Error, "none.example.com has no A or AAAA record");
  }));

Deno.test("the records of a service, each target with its own port", () =>
  withNames(NODES, async (servers) => {
    const srv = { mode: "dns-srv", service: "raft", servers } as const;
    assertEquals(await lookupAddresses({ ...srv, name: "example.com" }), [
      "192.0.2.1:4002",
      "192.0.2.2:4002",
      "192.0.2.9:5002",
    ]);
    const none = () => lookupAddresses({ ...srv, name: "other.com" });
    await assertRejects(none, Error, "_raft._tcp.other.com has no SRV record");
  }));

for (const [name, rcode] of Object.entries(RCODE)) {
  if (rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN || rcode > 15) continue;
  Deno.test(`a name server that answers ${name} has failed: the next one is asked, or the cause is told`, () =>
    withNames(rcode, ([failing]) =>
      withNames(NODES, async ([sound]) => {
        const dns = { mode: "dns", port: 4002, hosts: [], name: "one.example.com" } as const;
        assertEquals(await lookupAddresses({ ...dns, servers: [failing, sound] }), ["192.0.2.9:4002"]);
        const by = `by 127.0.0.1:${failing.port} failed: it answered ${name}`;
        const servers = [failing];
        await assertRejects(() => lookupAddresses({ ...dns, servers }), Error, `looking up one.example.com ${by}`);
        const srv = { mode: "dns-srv", service: "raft", name: "example.com", servers } as const;
        await assertRejects(() => lookupAddresses(srv), Error, `looking up _raft._tcp.example.com ${by}`);
      })));
}

Deno.test("a name server that speaks no TCP and has no record has none", async () => {
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const [bytes, from] of udp) await udp.send(answerTo(bytes, RCODE.NXDOMAIN), from);
  })();
  const { port } = udp.addr as Deno.NetAddr;
  const dns = { mode: "dns", port: 4002, hosts: [], name: "x.example.com" } as const;
  const lookup = () => lookupAddresses({ ...dns, servers: [{ ipAddr: "127.0.0.1", port }] });
  await assertRejects(lookup, Error, "x.example.com has no A or AAAA record");
  udp.close();
  await serving.catch(() => {});
});
