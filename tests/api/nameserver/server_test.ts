/** The name server over UDP and TCP, with a catalog that the test plays: names, addresses, refusals, rubbish. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { NameServerSettings } from "../../../src/api/nameserver/api.ts";
import { CallError } from "../../../src/base/worker/channel.ts";
import { type CatalogSource, NameServer } from "../../../src/api/nameserver/server.ts";
import type { ServiceInstance } from "../../../src/core/dns/service_answer.ts";
import type { CatalogView } from "../../../src/app/agent/nodes.ts";
import { readExactly } from "../../../src/base/net/read_exactly.ts";
import { decodeQuery, type DnsRecord, encodeAnswer, RCODE, TYPE } from "../../../src/core/dns/message.ts";

const SETTINGS: NameServerSettings = {
  nodeTtl: 7,
  serviceTtl: {},
  onlyPassing: false,
  udpAnswerLimit: 3,
  aRecordLimit: 0,
  enableTruncate: true,
  nodeMetaTxt: true,
  disableCompression: false,
  recursors: [],
  recursorTimeoutMs: 1000,
  recursorStrategy: "sequential",
  soa: { refresh: 1, retry: 1, expire: 1, minTtl: 0 },
};
const ALPHA = { name: "alpha", address: "192.0.2.1", meta: { rack: "r1" } };
const SIX = { name: "six", address: "2001:db8::6", meta: {} };
const instance = (address: string, status: ServiceInstance["status"], tags: string[] = []): ServiceInstance => ({
  service: "web",
  node: ALPHA,
  address,
  port: 80,
  tags,
  status,
  weights: { passing: 10, warning: 1 },
});
const WEB = [instance("", "passing", ["v1"]), instance("192.0.2.9", "warning"), instance("192.0.2.10", "critical")];
/** Of another datacenter. */
const FAR = { name: "alpha", address: "198.51.100.7", meta: {} };
const CATALOG: CatalogSource = {
  state: undefined,
  node: (name, datacenter) => {
    if (datacenter === "dc2") return Promise.resolve(name === "alpha" ? FAR : undefined);
    if (datacenter === "cut-off") return Promise.reject(new CallError("no server reachable", "failed"));
    if (datacenter !== undefined) return Promise.reject(new CallError("No path to datacenter", "no_datacenter"));
    return name === "broken" ? Promise.reject(new Error("no leader")) : Promise.resolve(
      [ALPHA, SIX].find((one) => one.name === name.toLowerCase()),
    );
  },
  knows: (datacenter) => Promise.resolve(["dc2", "cut-off"].includes(datacenter)),
  nodes: () => Promise.resolve([ALPHA, SIX]),
  servers: () => Promise.resolve([ALPHA]),
  service: (name, datacenter) =>
    Promise.resolve(name.toLowerCase() !== "web" ? [] : datacenter === "dc2" ? [{ ...WEB[0], node: FAR }] : WEB),
  services: () => Promise.resolve(WEB),
  query: (name) => Promise.resolve(name === "near" ? { instances: [WEB[0]], ttl: 9 } : undefined),
};

function query(name: string, type: number, { opcode = 0, edns = -1, dnsClass = 1 } = {}): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  const opt = edns < 0 ? [] : [0, 0, TYPE.OPT, 16, 0, 0, edns, 0, 0, 0, 0];
  return Uint8Array.from([
    ...[0x12, 0x34, opcode << 3 | 1, 0, 0, 1, 0, 0, 0, 0, 0, edns < 0 ? 0 : 1],
    ...[...labels, 0, type >> 8, type & 255, 0, dnsClass],
    ...opt,
  ]);
}

/** The code of an answer, how many records its sections have, and all of it as Latin-1 text. */
function read(answer: Uint8Array) {
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  const text = String.fromCharCode(...answer);
  return { rcode: answer[3] & 15, counts: [6, 8, 10].map((at) => view.getUint16(at)), text };
}

async function withServer(
  work: (
    ask: { udp(bytes: Uint8Array): Promise<Uint8Array>; tcp(...queries: Uint8Array[]): Promise<Uint8Array[]> },
    said: string[],
  ) => Promise<void>,
  catalog = CATALOG,
  settings = SETTINGS,
): Promise<void> {
  const said: string[] = [];
  const options = { addrs: ["127.0.0.1:0"], domains: ["consul.", "muster."], machine: [], datacenter: "dc1", settings };
  const server = new NameServer(options, catalog, (line) => said.push(line));
  server.start();
  const { port } = server;
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    await work({
      async udp(bytes) {
        await udp.send(bytes, { transport: "udp", hostname: "127.0.0.1", port });
        return (await udp.receive())[0];
      },
      async tcp(...queries) {
        using conn = await Deno.connect({ hostname: "127.0.0.1", port });
        const answers: Uint8Array[] = [];
        for (const one of queries) {
          await conn.write(Uint8Array.from([one.length >> 8, one.length & 255, ...one]));
          const length = await readExactly(conn, 2);
          const answer = length && await readExactly(conn, length[0] << 8 | length[1]);
          if (answer) answers.push(answer.slice());
        }
        return answers;
      },
    }, said);
  } finally {
    udp.close();
    server.close();
  }
}

const BYTES = String.fromCharCode(192, 0, 2, 1);

Deno.test("names of nodes and addresses are answered over UDP and TCP alike", () =>
  withServer(async ({ udp, tcp }) => {
    const asked = query("alpha.node.dc1.consul", TYPE.A);
    const answer = read(await udp(asked));
    assertEquals([answer.rcode, answer.counts[0], answer.text.includes(BYTES)], [RCODE.NOERROR, 1, true]);
    const [first, second] = (await tcp(asked, query("c0000201.addr.muster", TYPE.A))).map(read);
    assertEquals(first.text, answer.text);
    assertEquals([second.counts[0], second.text.includes(BYTES)], [1, true]);
    assertMatch(read(await udp(query("alpha.node.consul", TYPE.TXT))).text, /rack=r1/);
    assertEquals(read(await udp(query("six.node.consul", TYPE.AAAA))).counts[0], 1);
    assertEquals(read(await udp(query("six.node.consul", TYPE.A))).counts.slice(0, 2), [0, 1], "none of that type");
    const { text } = read(await udp(query("1.2.0.192.in-addr.arpa", TYPE.PTR)));
    assertEquals(["alpha", "node", "dc1"].every((label) => text.includes(label)), true);
    assertEquals(read(await udp(query("consul", TYPE.NS))).counts[0], 1);
    assertEquals(read(await udp(query("consul", TYPE.SOA))).counts[0], 1);
  }));

Deno.test("services answer by their healthy instances, in a new order each time (C8.3)", () =>
  withServer(async ({ udp }) => {
    const countOf = async (name: string, type: number) => {
      const { rcode, counts } = read(await udp(query(name, type)));
      return [rcode, counts[0]];
    };
    assertEquals(await countOf("web.service.consul", TYPE.A), [0, 2]);
    assertEquals(await countOf("v1.web.service.consul", TYPE.A), [0, 1]);
    assertEquals(await countOf("V1.WEB.service.dc1.consul", TYPE.SRV), [0, 1]);
    assertEquals(await countOf("_web._tcp.consul", TYPE.SRV), [0, 2]);
    assertEquals(await countOf("_web._v1.service.consul", TYPE.SRV), [0, 1]);
    assertEquals(await countOf("v2.web.service.consul", TYPE.A), [3, 0]);
    assertEquals(await countOf("web.service.consul", TYPE.AAAA), [0, 0]);
    assertEquals(await countOf("none.service.consul", TYPE.A), [3, 0]);
    assertEquals(await countOf("near.query.consul", TYPE.A), [0, 1]);
    assertEquals(await countOf("far.query.consul", TYPE.A), [3, 0]);
    const orders = new Set<string>();
    for (let nth = 0; nth < 64; nth++) orders.add(read(await udp(query("web.service.consul", TYPE.A))).text.slice(20));
    assertEquals(orders.size, 2);
  }));

Deno.test("names of another datacenter are asked for there; SERVFAIL where it is cut off, NXDOMAIN where there is none", () =>
  withServer(async ({ udp }) => {
    const bytes = (address: string) => String.fromCharCode(...address.split(".").map(Number));
    const found = read(await udp(query("alpha.node.dc2.consul", TYPE.A)));
    assertEquals([found.rcode, found.counts[0], found.text.includes(bytes(FAR.address))], [0, 1, true]);
    assertEquals(read(await udp(query("none.node.dc2.consul", TYPE.A))).rcode, 3);
    assertEquals(read(await udp(query("alpha.node.cut-off.consul", TYPE.A))).rcode, 2);
    assertEquals(read(await udp(query("alpha.node.dc9.consul", TYPE.A))).rcode, 3);
    // A resolver that asks label by label goes on below a datacenter, and ends at none.
    assertEquals(read(await udp(query("node.dc2.consul", TYPE.A))).rcode, 0);
    assertEquals(read(await udp(query("dc2.consul", TYPE.A))).rcode, 0);
    assertEquals(read(await udp(query("node.dc9.consul", TYPE.A))).rcode, 3);
    const service = read(await udp(query("web.service.dc2.consul", TYPE.SRV)));
    assertEquals([service.rcode, service.counts[0], service.text.includes("\x03dc2")], [0, 1, true]);
  }));

/** A catalog that is at hand, and how often it was looked at. */
class CatalogAtHand implements CatalogSource {
  current: CatalogView | undefined;
  get state(): unknown {
    return this.current;
  }
  asked = 0;

  constructor(address: string) {
    this.change(address);
  }

  change(address: string): void {
    const nodes = [{ ...ALPHA, address }, SIX, { ...SIX, name: "seven" }];
    this.current = {
      nodes,
      servers: nodes,
      byName: new Map(nodes.map((node) => [node.name, node])),
      services: new Map(),
    };
  }

  node(name: string) {
    this.asked++;
    return Promise.resolve(this.current?.byName.get(name));
  }

  knows = () => Promise.resolve(false);
  service = () => Promise.resolve([]);
  services = () => Promise.resolve([]);
  query = () => Promise.resolve(undefined);
  nodes = () => Promise.resolve(this.current?.nodes ?? []);
  servers = () => (this.asked++, Promise.resolve(this.current?.servers ?? []));
}

Deno.test("a name that was just asked for is answered without a look, with its own id, until the catalog changes", () => {
  const catalog = new CatalogAtHand("192.0.2.1");
  return withServer(async ({ udp }) => {
    const asked = query("alpha.node.consul", TYPE.A);
    const other = asked.slice();
    other[0] = 0x77;
    // A second may end between two questions, once: then it is looked at again.
    const answers: Uint8Array[] = [];
    for (let nth = 0; nth < 8; nth++) answers.push(await udp(nth % 2 === 0 ? asked : other));
    assertEquals(answers.map((answer) => answer[0]), [0x12, 0x77, 0x12, 0x77, 0x12, 0x77, 0x12, 0x77]);
    assertEquals(answers.every((answer) => read(answer).text.includes(BYTES)), true);
    assertEquals(catalog.asked <= 2, true, `asked ${catalog.asked} times for 8 answers`);
    catalog.change("192.0.2.99");
    assertEquals(read(await udp(asked)).text.includes(String.fromCharCode(192, 0, 2, 99)), true);
    assertEquals(read(await udp(query("alpha.node.consul", TYPE.TXT))).counts[0], 1, "another question");
    assertEquals(read(await udp(query("none.node.consul", TYPE.A))).rcode, RCODE.NXDOMAIN);
  }, catalog);
});

Deno.test("several records come in random order, of which a number is made each second", () => {
  const catalog = new CatalogAtHand("192.0.2.1");
  return withServer(async ({ udp }) => {
    const asked = query("consul", TYPE.NS);
    const orders = new Set<string>();
    for (let nth = 0; nth < 400; nth++) {
      const { counts, text } = read(await udp(asked));
      assertEquals(counts[0], 3);
      orders.add(text);
    }
    assert(orders.size >= 6 && catalog.asked < 400, `${orders.size} orders, ${catalog.asked} looks`);
  }, catalog);
});

Deno.test("a name above that of a node, or above a tag, exists without records", () => {
  const dotted = { name: "rack7.Beta", address: "192.0.2.7", meta: {} };
  const tagged = [instance("192.0.2.9", "passing", ["V1.2"]), instance("192.0.2.9", "critical", ["a.b"])];
  const catalog = {
    ...CATALOG,
    node: () => Promise.resolve(undefined),
    nodes: () => Promise.resolve([ALPHA, dotted]),
    service: () => Promise.resolve(tagged),
  };
  return withServer(async ({ udp }) => {
    const cases = [
      ["beta.node.consul", RCODE.NOERROR],
      ["eta.node.consul", RCODE.NXDOMAIN],
      ["2.web.service.consul", RCODE.NOERROR],
      ["b.web.service.consul", RCODE.NXDOMAIN],
    ] as const;
    for (const [name, rcode] of cases) {
      const answer = read(await udp(query(name, TYPE.A)));
      assertEquals([answer.rcode, answer.counts.slice(0, 2)], [rcode, [0, 1]], `${name}: the SOA alone`);
    }
    assertEquals(read(await udp(query("node.consul", TYPE.A))).rcode, RCODE.NOERROR);
    assertEquals(read(await udp(query("v1.2.web.service.consul", TYPE.A))).counts[0], 1);
  }, catalog);
});

/** A catalog of nodes whose addresses are given. */
function catalogOf(addresses: Readonly<Record<string, string>>): CatalogSource {
  const node = (name: string) =>
    Object.hasOwn(addresses, name) ? { name, address: addresses[name], meta: {} } : undefined;
  return { ...CATALOG, node: (name) => Promise.resolve(node(name)), nodes: () => Promise.resolve([]) };
}

Deno.test("an alias is followed in the own domains, three deep, without running in circles", () => {
  const chain = {
    one: "alpha.node.consul",
    two: "one.node.muster",
    three: "two.node.consul",
    four: "three.node.consul",
  };
  const others = { self: "self.node.consul", hex: "c0000201.addr.consul", gone: "none.node.consul", out: "web.test" };
  const catalog = catalogOf({ alpha: "192.0.2.1", ...chain, ...others });
  return withServer(async ({ udp, tcp }) => {
    const count = async (name: string, type: number = TYPE.A) => {
      const answer = read(await udp(query(`${name}.node.consul`, type)));
      return [answer.rcode, answer.counts[0], answer.text.includes(BYTES)];
    };
    assertEquals(await count("one"), [0, 2, true]);
    assertEquals(
      await count("three"),
      [0, 4, true],
      "the links of the chain do not count against the limit of answers",
    );
    assertEquals(await count("four"), [0, 4, false], "too long");
    assertEquals(await count("hex"), [0, 2, true]);
    assertEquals(await count("one", TYPE.AAAA), [0, 1, false]);
    assertEquals(await count("one", TYPE.CNAME), [0, 1, false], "an alias was asked for, and nothing behind it");
    for (const name of ["self", "gone", "out"]) assertEquals(await count(name), [0, 1, false], name);
    assertEquals(read((await tcp(query("one.node.consul", TYPE.A)))[0]).counts[0], 2);
  }, catalog);
});

Deno.test("an alias that leads outside is followed by the upstream servers, which may lead back", async () => {
  const upstream = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = upstream.addr.transport === "udp" ? upstream.addr : { port: 0 };
  const asked: string[] = [];
  const answering = (async () => {
    for await (const [bytes, from] of upstream) {
      const { name } = decodeQuery(bytes).question;
      asked.push(name.join("."));
      if (name[0] === "silent") continue;
      const records: Record<string, DnsRecord[]> = {
        web: [
          { name, ttl: 9, type: TYPE.CNAME, target: ["host", "test"] },
          { name: ["host", "test"], ttl: 9, type: TYPE.A, address: Uint8Array.of(10, 9, 8, 7) },
        ],
        back: [{ name, ttl: 9, type: TYPE.CNAME, target: ["alpha", "node", "consul"] }],
      };
      const parts = { isAuthoritative: false, recursionAvailable: true, authority: [], additional: [] };
      const answer = { ...parts, rcode: records[name[0]] ? 0 : 3, answers: records[name[0]] ?? [] };
      const fit = { bytesMax: 512, answersMax: Infinity, marksTruncation: true, compresses: true };
      await upstream.send(encodeAnswer(decodeQuery(bytes), answer, fit), from);
    }
  })();
  const aliases = { ext: "web.up.test", back: "back.test", none: "none.test", silent: "silent.test" };
  const settings = { ...SETTINGS, recursors: [`127.0.0.1:${port}`], recursorTimeoutMs: 50 };
  try {
    await withServer(
      async ({ udp }) => {
        const ask = async (name: string) => read(await udp(query(`${name}.node.consul`, TYPE.A)));
        const ext = await ask("ext");
        assertEquals([ext.counts[0], ext.text.includes("\x0a\x09\x08\x07")], [3, true]);
        const back = await ask("back");
        assertEquals([back.counts[0], back.text.includes(BYTES)], [3, true]);
        assertEquals([(await ask("none")).counts[0], (await ask("silent")).counts[0]], [1, 1]);
        assertEquals(asked, ["web.up.test", "back.test", "none.test", "silent.test"]);
      },
      catalogOf({ alpha: "192.0.2.1", ...aliases }),
      settings,
    );
  } finally {
    upstream.close();
    await answering;
  }
});

Deno.test("what there is not, and what cannot be answered, has its code", () =>
  withServer(async ({ udp, tcp }, said) => {
    const code = async (...args: Parameters<typeof query>) => read(await udp(query(...args))).rcode;
    assertEquals(await code("none.node.consul", TYPE.A), RCODE.NXDOMAIN);
    assertEquals(await code("alpha.node.dc9.consul", TYPE.A), RCODE.NXDOMAIN);
    assertEquals(await code("example.com", TYPE.A), RCODE.REFUSED);
    assertEquals(await code("9.9.9.9.in-addr.arpa", TYPE.PTR), RCODE.NXDOMAIN);
    assertEquals(await code("alpha.node.consul", TYPE.AXFR), RCODE.NOTIMP);
    assertEquals(await code("alpha.node.consul", TYPE.A, { opcode: 2 }), RCODE.NOTIMP);
    assertEquals(await code("alpha.node.consul", TYPE.A, { dnsClass: 3 }), RCODE.REFUSED);
    assertEquals(await code("alpha.node.consul", TYPE.A, { edns: 1 }), RCODE.BADVERS & 15);
    assertEquals(await code("broken.node.consul", TYPE.A), RCODE.SERVFAIL);
    assertEquals(said, ["the catalog could not be asked: no leader"]);
    assertEquals(
      read(await udp(Uint8Array.from([...query("alpha.node.consul", TYPE.A).subarray(0, 20)]))).rcode,
      RCODE.FORMERR,
    );
    const [answer] = await tcp(query("alpha.node.consul", TYPE.A, { edns: 0 }));
    assertEquals(read(answer).counts[2] >= 1, true, "with its own EDNS record");
  }));

Deno.test("NameServer names the address that it cannot have, and does not ask itself", () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const options = { domains: ["consul."], machine: [], datacenter: "dc1", settings: SETTINGS };
  try {
    const addr = `127.0.0.1:${taken.addr.port}`;
    assertThrows(
      () => new NameServer({ ...options, addrs: [addr] }, CATALOG, () => {}),
      Error,
      `cannot listen on DNS address ${addr}: `,
    );
  } finally {
    taken.close();
  }
  const said: string[] = [];
  const server = new NameServer({ ...options, addrs: ["127.0.0.1:0"] }, CATALOG, (line) => said.push(line));
  server.settings = { ...SETTINGS, recursors: [`127.0.0.1:${server.port}`] };
  server.close();
  assertMatch(said.join(), /^the upstream server 127\.0\.0\.1:\d+ is this agent itself: it is not asked$/);
});

Deno.test("an answer over UDP leaves from the address that was asked, also where all are listened at", async () => {
  const machine = ["127.0.0.1", "127.0.0.51", "192.0.2.77", "fe80::1"]; // the third is not there
  const said: string[] = [];
  const options = { addrs: ["0.0.0.0:0"], machine, domains: ["consul."], datacenter: "dc1", settings: SETTINGS };
  const server = new NameServer(options, CATALOG, (line) => said.push(line));
  server.start();
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const ask = async (hostname: string) => {
    await udp.send(query("alpha.node.consul", TYPE.A), { transport: "udp", hostname, port: server.port });
    const [answer, from] = await udp.receive();
    return [from.transport === "udp" && from.hostname, read(answer).text.includes(BYTES)];
  };
  try {
    for (const hostname of ["127.0.0.1", "127.0.0.51"]) assertEquals(await ask(hostname), [hostname, true]);
    assertEquals(said, []);
    for (let nth = 0; nth < 2; nth++) assertEquals((await ask("127.0.0.60"))[1], true);
    assertEquals(said.length, 1, "said once");
    assertMatch(said[0], /^a question over UDP came to an address that was not known when the agent started/);
  } finally {
    udp.close();
    server.close();
  }
});
