/** Multicast DNS: what an agent answers, what it makes of answers, and which networks it is found on (RFC 6762, 6763). */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DnsFormatError, TYPE } from "../../../src/core/dns/message.ts";
import {
  decodeMdns,
  encodeMdnsAnswer,
  encodeMdnsQuery,
  type MdnsAnswer,
  type MdnsMessage,
} from "../../../src/core/dns/multicast.ts";
import { contains, linksOf } from "../../../src/core/provider/link.ts";
import { Announcement, Findings, serviceName } from "../../../src/core/provider/mdns.ts";
import { type MdnsOptions, parseProvider } from "../../../src/core/provider/provider.ts";
import { Random } from "../../harness/random.ts";

function optionsOf(keys = ""): MdnsOptions {
  const options = parseProvider(`provider=mdns ${keys}`);
  if (options?.provider !== "mdns") throw new Error("expected another provider");
  return options;
}

const SELF = { node: "one.a", id: "0a1b2c3d-4e5f", host: "10.0.0.1", port: 8301 };
const INSTANCE = "one-a-0a1b2c3d._muster._tcp.local";

function question(name: string, type: number): MdnsMessage {
  return decodeMdns(encodeMdnsQuery(7, { name: name.split("."), type }));
}

function answerOf(self: Announcement, asked: MdnsMessage): MdnsAnswer {
  const answer = self.answer(asked);
  if (!answer) throw new Error("expected an answer");
  return answer;
}

Deno.test("an agent answers for its service, instance and host, and leaves other questions to others", () => {
  const self = new Announcement(SELF, optionsOf());
  assertEquals(self.key, INSTANCE);
  const answers = (name: string, type: number) => {
    const found = self.answer(question(name, type));
    return found && [found.answers.map((one) => one.type), found.additional.map((one) => one.type)];
  };
  assertEquals(answers("_MUSTER._tcp.local", TYPE.PTR), [[TYPE.PTR], [TYPE.SRV, TYPE.TXT, TYPE.A]]);
  assertEquals(answers("_services._dns-sd._udp.local", TYPE.PTR), [[TYPE.PTR], []]);
  assertEquals(answers(INSTANCE, TYPE.SRV), [[TYPE.SRV], [TYPE.A]]);
  assertEquals(answers(INSTANCE, TYPE.ANY), [[TYPE.SRV, TYPE.TXT], [TYPE.A]]);
  assertEquals(answers("one-a-0a1b2c3d.local", TYPE.A), [[TYPE.A], []]);
  assertEquals(answers("one-a-0a1b2c3d.local", TYPE.AAAA), undefined);
  assertEquals(answers("_other._tcp.local", TYPE.PTR), undefined);

  // Who knows the answer is not told again, unless it will soon forget it (RFC 6762 §7.1); an answer is not answered.
  const asked = question("_muster._tcp.local", TYPE.PTR);
  const [pointer] = self.answer(asked)?.answers ?? [];
  assertEquals(self.answer({ ...asked, records: [pointer] }), undefined);
  assert(self.answer({ ...asked, records: [{ ...pointer, ttl: 59 }] }));
  assertEquals(self.answer({ ...asked, isAnswer: true }), undefined);
  assertThrows(() => new Announcement({ ...SELF, host: "a.test" }, optionsOf()), RangeError);
});

Deno.test("an answer to one that asks from another port has its id and question and a short life (RFC 6762 §6.7)", () => {
  const self = new Announcement(SELF, optionsOf());
  const asked = question("_muster._tcp.local", TYPE.PTR);
  const answer = answerOf(self, asked);
  const legacy = decodeMdns(encodeMdnsAnswer(answer, asked));
  assertEquals([legacy.id, legacy.isAnswer, legacy.questions], [7, true, asked.questions]);
  assertEquals(new Set(legacy.records.map(({ ttl }) => ttl)), new Set([10]));
  const group = decodeMdns(encodeMdnsAnswer(answer));
  assertEquals([group.id, group.questions, group.records.length, group.records[0].ttl], [0, [], 4, 120]);
});

Deno.test("members are put together from several answers; what is not about the service, or has no address, is none", () => {
  const options = optionsOf();
  const records = (self: Partial<typeof SELF>) => {
    const found = answerOf(new Announcement({ ...SELF, ...self }, options), question("_muster._tcp.local", TYPE.PTR));
    return decodeMdns(encodeMdnsAnswer(found)).records;
  };
  const one = records({});
  const findings = new Findings(options);
  for (const record of one) findings.take([record]);
  const two = records({ node: "two", host: "fd00::2" });
  findings.take(two.filter(({ type }) => type !== TYPE.AAAA));
  assertEquals([...findings.members()], [[INSTANCE, "10.0.0.1:8301"]]);
  findings.take(two);
  assertEquals([...findings.members().values()], ["10.0.0.1:8301", "[fd00::2]:8301"]);

  const v6 = new Findings(optionsOf("v4=false"));
  v6.take([...one, ...two]);
  assertEquals([...v6.members().values()], ["[fd00::2]:8301"]);

  const stranger = new Findings(options);
  const service = serviceName(options);
  stranger.take([
    { name: service, ttl: 1, type: TYPE.PTR, target: ["elsewhere", "test"] },
    { name: service, ttl: 1, type: TYPE.PTR, target: ["x", ...service] },
    { name: ["x", ...service], ttl: 1, type: TYPE.SRV, priority: 0, weight: 0, port: 0, target: ["h", "local"] },
    { name: ["h", "local"], ttl: 1, type: TYPE.A, address: Uint8Array.of(10, 0, 0, 9) },
  ]);
  assertEquals(stranger.members().size, 0);

  // Someone on the link may send what he likes: it is bounded.
  const flood = new Findings(options);
  for (let at = 0; at < 2000; at++) {
    const label = [`i${at}`];
    flood.take([
      { name: service, ttl: 1, type: TYPE.PTR, target: [...label, ...service] },
      { name: [...label, ...service], ttl: 1, type: TYPE.SRV, priority: 0, weight: 0, port: 1, target: label },
      { name: label, ttl: 1, type: TYPE.A, address: Uint8Array.of(10, 0, at >> 8, at & 255) },
    ]);
  }
  assertEquals(flood.members().size, 256);
});

Deno.test("no datagram makes decoding fail in another way than with its own error", () => {
  const random = new Random(4711, 1);
  const found = answerOf(new Announcement(SELF, optionsOf()), question("_muster._tcp.local", TYPE.PTR));
  const whole = encodeMdnsAnswer(found, question("_muster._tcp.local", TYPE.PTR));
  const tried = (bytes: Uint8Array) => {
    try {
      new Findings(optionsOf()).take(decodeMdns(bytes).records);
    } catch (error) {
      assert(error instanceof DnsFormatError, `${bytes.toHex()}: ${error}`);
    }
  };
  for (let length = 0; length < whole.length; length++) tried(whole.subarray(0, length));
  for (let round = 0; round < 20_000; round++) {
    const bytes = whole.slice();
    for (let count = 1 + random.u32() % 4; count > 0; count--) bytes[random.u32() % bytes.length] = random.u32() & 255;
    tried(bytes);
  }
  assertThrows(() => decodeMdns(new Uint8Array(9001)), DnsFormatError);
  assertThrows(() => decodeMdns(Uint8Array.of(0, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0)), DnsFormatError, "opcode");
});

Deno.test("an agent is found on the network of its address", () => {
  const interfaces = [
    { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8", scopeid: null },
    { name: "e0", address: "10.0.0.1", cidr: "10.0.0.1/8", scopeid: null },
    { name: "e1", address: "10.1.0.1", cidr: "10.1.0.1/16", scopeid: null },
    { name: "lo", address: "::1", cidr: "::1/128", scopeid: 0 },
    { name: "e0", address: "fd00::1", cidr: "fd00::1/64", scopeid: 0 },
    { name: "e0", address: "fe80::1", cidr: "fe80::1/64", scopeid: 2 },
  ];
  const e1 = { name: "e1", group: "224.0.0.251", listen: "224.0.0.251", source: "10.1.0.1", index: 0 };
  assertEquals(linksOf(interfaces, "10.1.0.1"), [{ ...e1, networks: ["10.1.0.1/16"] }]);
  assertEquals(linksOf(interfaces, "127.5.5.5").map(({ source }) => source), ["127.0.0.1"]);
  assertEquals(linksOf(interfaces, "192.0.2.1").map(({ name }) => name), ["e0", "e1"]); // translated
  assertEquals(linksOf(interfaces, "fd00::1"), [{
    name: "e0",
    group: "ff02::fb",
    listen: "ff02::fb%e0",
    source: "fe80::1%e0",
    index: 2,
    networks: ["fd00::1/64", "fe80::1/64"],
  }]);
  assertEquals(linksOf(interfaces, "::1"), []); // the loopback interface has no address of a link

  assertEquals(["10.0.255.255", "10.1.0.0", "::1", "x"].map((ip) => contains("10.0.0.1/16", ip)), [
    true,
    false,
    false,
    false,
  ]);
  assertEquals(["10.0.0.1", "10.0.0.2"].map((ip) => contains("10.0.0.1", ip)), [true, false]);
  assertEquals(["fd00::7f", "fd00::80"].map((ip) => contains("fd00::1/121", ip)), [true, false]);
});
