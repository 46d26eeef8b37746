/** Addresses by DNS, asked of a name server in this thread. */
import { assertEquals, assertRejects } from "@std/assert";
import { decodeQuery, type DnsRecord, encodeAnswer, type Name, RCODE, TYPE } from "../../../src/core/dns/message.ts";
import type { NameServer } from "../../../src/drivers/discovery/api.ts";
import { lookupAddresses } from "../../../src/drivers/discovery/dns.ts";

const address = (...bytes: number[]) => ({ type: TYPE.A, address: Uint8Array.from(bytes), ttl: 0 }) as const;
const service = (port: number, target: Name) =>
  ({ type: TYPE.SRV, priority: 1, weight: 1, port, target, ttl: 0 }) as const;

/** A name server that knows some records by name; of other names it says that there is none. */
async function withNames(
  names: Readonly<Record<string, readonly (Omit<DnsRecord, "name"> & { type: number })[]>>,
  work: (servers: NameServer[]) => Promise<void>,
): Promise<void> {
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const [bytes, from] of udp) {
      const query = decodeQuery(bytes);
      const found = names[query.question.name.join(".").toLowerCase()];
      const answers = (found ?? []).filter(({ type }) => type === query.question.type)
        .map((record) => ({ ...record, name: query.question.name }) as DnsRecord);
      const rcode = found ? RCODE.NOERROR : RCODE.NXDOMAIN;
      const answer = { rcode, isAuthoritative: true, recursionAvailable: true, answers, authority: [], additional: [] };
      const fit = { bytesMax: 512, answersMax: Infinity, marksTruncation: true, compresses: true };
      await udp.send(encodeAnswer(query, answer, fit), from);
    }
  })();
  try {
    const { port } = udp.addr as Deno.NetAddr;
    await work([{ ipAddr: "127.0.0.1", port }]);
  } finally {
    udp.close();
    await serving.catch(() => {});
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
