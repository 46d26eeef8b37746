/** Queried names and the answers to them (C8.1 to C8.8). */
import { assertEquals } from "@std/assert";
import { parseIp } from "../../../src/base/codec/ip.ts";
import { addressOfReverse, hexBytes } from "../../../src/core/dns/address.ts";
import {
  answerAddress,
  answerNode,
  answerReverse,
  answerZone,
  noSuchName,
  type Zone,
} from "../../../src/core/dns/answer.ts";
import { type Lookup, lookupOf, partsAbove } from "../../../src/core/dns/lookup.ts";
import { type Answer, RCODE, TYPE } from "../../../src/core/dns/message.ts";

const DOMAINS = { domains: [["consul"], ["muster"], ["alt", "example"]], datacenter: "dc1" };
const ZONE: Zone = {
  domain: ["consul"],
  datacenter: "dc1",
  nodeTtl: 5,
  serviceTtl: {},
  nodeMetaTxt: true,
  aRecordLimit: 0,
  recursionAvailable: false,
  serial: 1,
  soa: { refresh: 1, retry: 2, expire: 3, minTtl: 4 },
};

function look(text: string): Lookup {
  return lookupOf(text.split(".").filter((label) => label !== ""), DOMAINS).lookup;
}

function ask(text: string, type: number) {
  return { name: text.split("."), type, class: 1 };
}

function shape({ rcode, answers, authority, additional }: Answer): [number, number[], number[], number[]] {
  const types = (records: Answer["answers"]) => records.map(({ type }) => type);
  return [rcode, types(answers), types(authority), types(additional)];
}

Deno.test("lookupOf() reads from the right: domain, datacenter, keyword, name with its dots", () => {
  const cases: [string, Lookup][] = [
    ["agent-two.node.consul", { k: "node", name: "agent-two" }],
    ["AGENT-Two.NODE.dc1.Consul", { k: "node", name: "AGENT-Two" }],
    ["a.b.node.dc1.dc.muster", { k: "node", name: "a.b" }],
    ["node.node.alt.example", { k: "node", name: "node" }],
    ["x.node.dc2.consul", { k: "node", name: "x", datacenter: "dc2" }],
    ["x.y.node.DC2.dc.consul", { k: "node", name: "x.y", datacenter: "dc2" }],
    ["x.node.dc2.dc3.consul", { k: "nothing" }],
    ["x.node.dc1.more.consul", { k: "nothing" }],
    ["node.dc2.consul", { k: "above", datacenter: "dc2" }],
    ["dc2.consul", { k: "above", datacenter: "dc2" }],
    ["virtual.dc2.consul", { k: "nothing" }],
    ["c0000201.addr.dc2.consul", { k: "nothing" }],
    ["v1.web.service.dc2.consul", { k: "service", name: "web", tag: "v1", datacenter: "dc2" }],
    ["near.query.dc2.consul", { k: "query", name: "near", datacenter: "dc2" }],
    ["virtual.consul", { k: "nothing" }],
    ["dc.dc.consul", { k: "above", datacenter: "dc" }],
    ["x.consul", { k: "above", datacenter: "x" }],
    ["web.service.consul", { k: "service", name: "web", tag: "" }],
    ["v1.0.Web.service.dc1.consul", { k: "service", name: "Web", tag: "v1.0" }],
    ["_web._tcp.service.consul", { k: "service", name: "web", tag: "" }],
    ["_web._UDP.dc1.consul", { k: "service", name: "web", tag: "" }],
    ["_web._v1.consul", { k: "service", name: "web", tag: "v1" }],
    ["_web._v1.dc1.dc.consul", { k: "service", name: "web", tag: "v1" }],
    ["_web._tcp.dc2.consul", { k: "service", name: "web", tag: "", datacenter: "dc2" }],
    ["_web._tcp.x.y.consul", { k: "nothing" }],
    ["near.query.consul", { k: "query", name: "near" }],
    ["_near._tcp.query.consul", { k: "query", name: "near" }],
    ["c0000201.addr.consul", { k: "address", address: Uint8Array.of(192, 0, 2, 1) }],
    ["c00002.addr.consul", { k: "nothing" }],
    ["consul", { k: "zone" }],
    ["alt.example", { k: "zone" }],
    ["example", { k: "outside" }],
    ["consul.com", { k: "outside" }],
    ["1.2.0.192.in-addr.arpa", { k: "reverse", address: Uint8Array.of(192, 0, 2, 1) }],
  ];
  for (const [text, expected] of cases) assertEquals(look(text), expected, text);
});

Deno.test("names above others exist: a resolver that asks label by label goes on (RFC 8020, RFC 9156)", () => {
  const above = [
    "node",
    "service",
    "query",
    "addr",
    "dc1",
    "dc",
    "dc1.dc",
    "node.dc1",
    "service.dc1.dc",
    "_tcp",
    "_tcp.dc1",
  ];
  above.push("_tcp.service", "_udp.query");
  for (const text of above) assertEquals(look(`${text}.consul`), { k: "above" }, text);
  const domains = [["consul"], ["east", "coast", "consul"]];
  const { lookup, domain } = lookupOf(["Coast", "consul"], { domains, datacenter: "dc1" });
  assertEquals([lookup, domain], [{ k: "above" }, domains[0]], "above another domain");
  assertEquals([...partsAbove(["rack7.Beta", "plain", "a.b.c"])].sort(), ["b.c", "beta", "c"]);
});

Deno.test("of two domains that a name is in, the longer one counts, wherever it stands in the list", () => {
  const ends = [["consul"], ["test", "consul"]];
  for (const domains of [ends, ends.toReversed()]) {
    for (const text of ["n.node.consul", "n.node.dc-test.consul", "n.node.test.consul", "n.node.dc-test.test.consul"]) {
      const { lookup, domain } = lookupOf(text.split("."), { domains, datacenter: "dc-test" });
      assertEquals(lookup, { k: "node", name: "n" }, text);
      assertEquals(domain, text.includes("test.consul") && !text.includes("dc-test.consul") ? ends[1] : ends[0], text);
    }
    assertEquals(lookupOf(["test", "consul"], { domains, datacenter: "dc1" }).lookup, { k: "zone" });
    assertEquals(lookupOf(["consul"], { domains, datacenter: "dc1" }).lookup, { k: "zone" });
    assertEquals(lookupOf(["n", "node", "notconsul"], { domains, datacenter: "dc1" }).lookup, { k: "outside" });
    const reverse = lookupOf(["1", "2", "0", "192", "in-addr", "arpa"], { domains, datacenter: "dc1" });
    assertEquals(reverse.domain, domains[0], "the primary one");
  }
});

Deno.test("addresses are read as text, as hexadecimal digits and from reverse names", () => {
  assertEquals([...parseIp("10.0.0.255") ?? []], [10, 0, 0, 255]);
  assertEquals([...parseIp("2001:db8::1") ?? []], [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  for (const text of ["10.0.0", "10.0.0.256", "::1::", "1:2:3", "host", "", "1:2:3:4:5:6:7:8:9", "12345::"]) {
    assertEquals(parseIp(text), undefined, text);
  }
  assertEquals(hexBytes("0a0000ff"), Uint8Array.of(10, 0, 0, 255));
  assertEquals(hexBytes("0a0000f"), undefined);
  const nibbles = [..."20010db8000000000000000000000001"].reverse();
  assertEquals(addressOfReverse([...nibbles, "IP6", "arpa"]), parseIp("2001:db8::1"));
  assertEquals(addressOfReverse(["1", "2", "in-addr", "arpa"]), undefined);
});

Deno.test("a node answers its address, its texts, all, or that it has no such record", () => {
  const node = { name: "n", address: "10.0.0.1", meta: { rack: "a=1", "rfc1035-raw": "v" } };
  const of = (type: number) => answerNode(ask("N.node.consul", type), node, ZONE);
  const { A, AAAA, TXT, ANY, MX, SOA } = TYPE;
  assertEquals(shape(of(A)), [0, [A], [], [TXT, TXT]]);
  assertEquals(shape(of(AAAA)), [0, [], [SOA], [TXT, TXT]]);
  assertEquals(shape(of(TXT)), [0, [TXT, TXT], [], []]);
  assertEquals(shape(of(ANY)), [0, [A, TXT, TXT], [], []]);
  assertEquals(shape(of(MX)), [0, [], [SOA], [TXT, TXT]]);
  assertEquals(of(A).answers[0].name, ["N", "node", "consul"]);
  const texts = of(TXT).answers.flatMap((record) => record.type === TXT ? [...record.texts] : []);
  assertEquals(texts.map((text) => new TextDecoder().decode(text)), ["rack=a=1", "v"]);
  const named = answerNode(ask("n.node.consul", A), { name: "n", address: "host.example", meta: {} }, ZONE);
  assertEquals(shape(named), [0, [TYPE.CNAME], [], []]);
  for (const type of [AAAA, TXT, ANY, MX, TYPE.CNAME]) {
    const answer = answerNode(ask("n.node.consul", type), { ...node, address: "host.example" }, ZONE);
    assertEquals(shape(answer), [0, [TYPE.CNAME], [], [TXT, TXT]], `an alias answers type ${type}`);
  }
  const long = answerNode(ask("n.node.consul", TXT), { ...node, meta: { k: "x".repeat(400) } }, ZONE);
  assertEquals(long.answers.flatMap((record) => record.type === TXT ? record.texts.map(({ length }) => length) : []), [
    255,
    147,
  ]);
});

Deno.test("unknown names, addresses, reverse names and the zone have their answers", () => {
  const { A, AAAA, NS, PTR, SOA } = TYPE;
  assertEquals(shape(noSuchName(ZONE)), [RCODE.NXDOMAIN, [], [SOA], []]);
  const v4 = Uint8Array.of(10, 0, 0, 1);
  assertEquals(shape(answerAddress(ask("0a000001.addr.consul", A), v4, ZONE)), [0, [A], [], []]);
  assertEquals(shape(answerAddress(ask("0a000001.addr.consul", AAAA), v4, ZONE)), [0, [], [SOA], [A]]);
  const node = { name: "n", address: "10.0.0.1", meta: {} };
  assertEquals(shape(answerReverse(ask("x.arpa", PTR), { nodes: [node], services: [] }, ZONE)), [0, [PTR], [], []]);
  assertEquals(shape(answerReverse(ask("x.arpa", PTR), { nodes: [], services: [] }, ZONE)), [
    RCODE.NXDOMAIN,
    [],
    [SOA],
    [],
  ]);
  const servers = [node, { ...node, name: "under_score" }, { ...node, name: "m" }];
  assertEquals(shape(answerZone(ask("consul", SOA), servers, ZONE)), [0, [SOA], [NS, NS], [A, A]]);
  assertEquals(shape(answerZone(ask("consul", NS), servers, ZONE)), [0, [NS, NS], [], [A, A]]);
  assertEquals(shape(answerZone(ask("consul", A), servers, ZONE)), [0, [], [SOA], []]);
});
