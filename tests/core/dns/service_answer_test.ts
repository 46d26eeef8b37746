/** Services in DNS: which instances are answered, and with what records. */
import { assertEquals } from "@std/assert";
import type { Zone } from "../../../src/core/dns/answer.ts";
import { type DnsRecord, RCODE, TYPE } from "../../../src/core/dns/message.ts";
import { answerService, healthyInstances, type ServiceInstance } from "../../../src/core/dns/service_answer.ts";

const ZONE: Zone = {
  domain: ["consul"],
  datacenter: "dc1",
  nodeTtl: 7,
  serviceTtl: { "web": 5, "w*": 4, "*": 3 },
  nodeMetaTxt: true,
  aRecordLimit: 0,
  recursionAvailable: false,
  serial: 1,
  soa: { refresh: 1, retry: 1, expire: 1, minTtl: 0 },
};
const ONE: ServiceInstance = {
  service: "web",
  node: { name: "n1", address: "10.0.0.1", meta: { rack: "a" } },
  address: "",
  port: 80,
  tags: ["V1"],
  status: "passing",
  weights: { passing: 10, warning: 2 },
};

const ask = (type: number) => ({ name: ["web", "service", "consul"], type, class: 1 });
const answers = (instances: ServiceInstance[], type: number, zone = ZONE) => answerService(ask(type), instances, zone);

/** A record as one text. */
function text(record: DnsRecord): string {
  const { ttl, name } = record;
  if (record.type === TYPE.A || record.type === TYPE.AAAA) {
    return `${name.join(".")} ${ttl} ${record.address.join(".")}`;
  }
  if (record.type === TYPE.CNAME) return `CNAME ${record.target.join(".")}`;
  if (record.type === TYPE.TXT) return `TXT ${new TextDecoder().decode(record.texts[0])}`;
  if (record.type !== TYPE.SRV) return String(record.type);
  return `SRV ${ttl} ${record.priority} ${record.weight} ${record.port} ${record.target.join(".")}`;
}

Deno.test("critical instances are never answered, those with a warning unless only passing ones are wanted", () => {
  const all = [ONE, { ...ONE, status: "warning" as const }, { ...ONE, status: "critical" as const, tags: [] }];
  const countOf = (tag: string, onlyPassing: boolean) => healthyInstances(all, { tag, onlyPassing }).length;
  assertEquals([countOf("", false), countOf("", true), countOf("v1", false), countOf("v2", false)], [2, 1, 2, 0]);
});

Deno.test("addresses: that of the service or else of the node, each once, of the family that was asked for", () => {
  const instances = [ONE, { ...ONE, port: 81 }, { ...ONE, address: "10.0.0.9" }, { ...ONE, address: "2001:db8::1" }];
  const a = answers(instances, TYPE.A);
  assertEquals(a.answers.map(text), ["web.service.consul 5 10.0.0.1", "web.service.consul 5 10.0.0.9"]);
  assertEquals(answers(instances, TYPE.AAAA).answers.length, 1);
  assertEquals(answers(instances, TYPE.ANY).answers.length, 3);
  assertEquals(answers(instances, TYPE.A, { ...ZONE, aRecordLimit: 1 }).answers.length, 1);
  const named = { ...ONE, address: "db.example.com" };
  assertEquals(answers([named, named], TYPE.A).answers.map(text), ["CNAME db.example.com"]);
  assertEquals(answers([named, ONE], TYPE.A).answers.map(text), ["web.service.consul 5 10.0.0.1"]);
  assertEquals([answers([], TYPE.A).rcode, answers([ONE], TYPE.AAAA).rcode], [RCODE.NXDOMAIN, RCODE.NOERROR]);
  assertEquals(answers([ONE], TYPE.AAAA).authority.map(({ type }) => type), [TYPE.SOA]);
});

Deno.test("SRV names the host of each instance, by its node, its own address, or its host name", () => {
  const instances = [
    ONE,
    ONE,
    { ...ONE, address: "172.20.20.1", status: "warning" as const },
    { ...ONE, address: "db.example.com", port: 1 },
  ];
  const { answers: records, additional } = answers(instances, TYPE.SRV);
  assertEquals(records.map(text), [
    "SRV 5 1 10 80 n1.node.dc1.consul",
    "SRV 5 1 2 80 ac141401.addr.dc1.consul",
    "SRV 5 1 10 1 db.example.com",
  ]);
  assertEquals(additional.map(text), [
    "n1.node.dc1.consul 5 10.0.0.1",
    "TXT rack=a",
    "ac141401.addr.dc1.consul 5 172.20.20.1",
    "TXT rack=a",
  ]);
});

Deno.test("the time to live is that of the exact name, else of the longest prefix, else of all", () => {
  const ttlOf = (service: string) => answers([{ ...ONE, service }], TYPE.A).answers[0].ttl;
  assertEquals([ttlOf("WEB"), ttlOf("w2"), ttlOf("api")], [5, 4, 3]);
  assertEquals(answers([ONE], TYPE.A, { ...ZONE, serviceTtl: {} }).answers[0].ttl, 0);
});
