/** DNS messages: queries decoded defensively, answers encoded, compressed and fitted. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Answer,
  decodeQuery,
  DnsFormatError,
  type DnsRecord,
  encodeAnswer,
  encodeFailure,
  type Fit,
  idOf,
  type Query,
  RCODE,
  TYPE,
} from "../../../src/core/dns/message.ts";

const ASCII = new TextEncoder();

function name(text: string): number[] {
  return [
    ...text.split(".").filter((label) => label !== "").flatMap((label) => [label.length, ...ASCII.encode(label)]),
    0,
  ];
}

function header({ id = 0x1234, flags = 0x100, counts = [1, 0, 0, 0] } = {}): number[] {
  return [id, flags, ...counts].flatMap((value) => [value >> 8, value & 255]);
}

function query(text: string, type = 1, more: number[] = [], counts = [1, 0, 0, more.length > 0 ? 1 : 0]): Uint8Array {
  return Uint8Array.from([...header({ counts }), ...name(text), 0, type, 0, 1, ...more]);
}

const OPT = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
const FIT: Fit = { bytesMax: 512, answersMax: Infinity, marksTruncation: false, compresses: true };
const NOTHING: Answer = {
  rcode: RCODE.NOERROR,
  isAuthoritative: true,
  recursionAvailable: false,
  answers: [],
  authority: [],
  additional: [],
};

function address(label: string, last: number): DnsRecord {
  return { name: [label, "node", "consul"], ttl: 7, type: TYPE.A, address: Uint8Array.of(10, 0, 0, last) };
}

Deno.test("decodeQuery() reads names in their case, EDNS and its client subnet", () => {
  const plain = decodeQuery(query("Agent-TWO.node.Consul", TYPE.AAAA));
  assertEquals(plain.question, { name: ["Agent-TWO", "node", "Consul"], type: TYPE.AAAA, class: 1 });
  assertEquals([plain.id, plain.opcode, plain.recursionDesired, plain.edns], [0x1234, 0, true, undefined]);
  const cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
  const subnet = [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2];
  const options = [...cookie, ...subnet];
  const { edns } = decodeQuery(query("a.", 1, [...OPT.slice(0, 9), 0, options.length, ...options]));
  assertEquals(edns, { udpBytes: 1232, version: 0, clientSubnet: Uint8Array.from(subnet.slice(4)) });
});

Deno.test("decodeQuery() refuses whatever is no query, and says why", () => {
  const faults: Uint8Array[] = [
    new Uint8Array(0),
    Uint8Array.from(header().slice(0, 11)),
    Uint8Array.from([...header({ flags: 0x8000 }), ...name("a"), 0, 1, 0, 1]),
    Uint8Array.from([...header({ counts: [0, 0, 0, 0] })]),
    Uint8Array.from([...header({ counts: [2, 0, 0, 0] }), ...name("a"), 0, 1, 0, 1]),
    Uint8Array.from([...header(), 64, 1, 2, 3]),
    Uint8Array.from([...header(), 0xc0, 12, 0, 1, 0, 1]), // a pointer to itself
    Uint8Array.from([...header(), 0xc0, 40, 0, 1, 0, 1]), // a pointer forward
    Uint8Array.from([...header(), 5, 97]),
    Uint8Array.from([...header(), ...name("a"), 0, 1]),
    query("a.".repeat(130)),
    query("a", 1, OPT, [1, 0, 0, 2]),
    query("a", 1, [...OPT, ...OPT], [1, 0, 0, 2]),
    query("a", 1, [...OPT.slice(0, 9), 0, 5, 0, 8, 0, 9, 1]),
  ];
  for (const bytes of faults) assertThrows(() => decodeQuery(bytes), DnsFormatError);
});

Deno.test("decodeQuery() takes any bytes without harm: it decodes them or refuses them", () => {
  const seed = Date.now() & 0x7fffffff;
  console.log(`seed ${seed}`);
  const valid = query("agent-two.node.consul", 1, OPT);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255))),
      (bytes, changes) => {
        const changed = valid.slice();
        for (const [at, value] of changes) changed[at] = value;
        for (const one of [bytes, changed]) {
          try {
            decodeQuery(one);
          } catch (error) {
            if (!(error instanceof DnsFormatError)) throw error;
          }
        }
      },
    ),
    { seed, numRuns: 3000 },
  );
});

Deno.test("idOf() tells what may be answered: never an answer, never half a header", () => {
  assertEquals(idOf(query("a")), 0x1234);
  assertEquals(idOf(Uint8Array.from(header({ flags: 0x8180 }))), undefined);
  assertEquals(idOf(new Uint8Array(11)), undefined);
  assertEquals([...encodeFailure(0x1234, RCODE.FORMERR)], [0x12, 0x34, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("encodeAnswer() echoes the question byte for byte and points to names that were written", () => {
  const asked = query("Agent.node.Consul");
  const answer = encodeAnswer(decodeQuery(asked), {
    ...NOTHING,
    answers: [{ ...address("x", 9), name: ["Agent", "node", "Consul"] }],
  }, FIT);
  assertEquals([...answer.subarray(12, asked.length)], [...asked.subarray(12)]);
  assertEquals([...answer.subarray(asked.length)], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 7, 0, 4, 10, 0, 0, 9]);
  assertEquals(answer[2] << 8 | answer[3], 0x8500); // answer, authoritative, recursion desired
});

Deno.test("encodeAnswer() fits: surplus goes from the end, TC only where it is wanted, one answer stays", () => {
  const asked: Query = decodeQuery(query("web.node.consul"));
  const answers = Array.from({ length: 40 }, (_, at) => address(`node-${at}`, at));
  const counts = (bytes: Uint8Array) => [6, 8, 10].map((at) => bytes[at] << 8 | bytes[at + 1]);
  const small = encodeAnswer(asked, { ...NOTHING, answers, additional: answers }, FIT);
  assert(small.length <= 512);
  assert(counts(small)[0] > 10 && counts(small)[0] < 40);
  assertEquals([counts(small)[2], small[2] & 2], [0, 0]);
  const limited = encodeAnswer(asked, { ...NOTHING, answers, additional: [address("more", 1)] }, {
    ...FIT,
    answersMax: 3,
    marksTruncation: true,
  });
  assertEquals([counts(limited), limited[2] & 2], [[3, 0, 1], 2]);
  const all = encodeAnswer(asked, { ...NOTHING, answers, additional: answers }, { ...FIT, bytesMax: 65_535 });
  assertEquals(counts(all), [40, 0, 40]);
  const bare = encodeAnswer(asked, { ...NOTHING, answers }, { ...FIT, compresses: false, bytesMax: 65_535 });
  const packed = encodeAnswer(asked, { ...NOTHING, answers }, { ...FIT, bytesMax: 65_535 });
  assert(packed.length < bare.length);
});

Deno.test("encodeAnswer() cuts times to what a message can hold: none is negative, none begins anew behind 2^32", () => {
  const asked = decodeQuery(query("x.node.consul"));
  const ttlOf = (ttl: number) => {
    const bytes = encodeAnswer(asked, { ...NOTHING, answers: [{ ...address("x", 1), ttl }] }, FIT);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 10);
  };
  const most = 2 ** 31 - 1;
  assertEquals([-1, 0, most, most + 1, 2 ** 32 + 1, 359_999_996_400, Infinity].map(ttlOf), [
    0,
    0,
    ...Array(5).fill(most),
  ]);
  const soa: DnsRecord = {
    name: ["consul"],
    ttl: -1,
    type: TYPE.SOA,
    primary: ["ns"],
    mailbox: ["m"],
    serial: 1,
    refresh: 2 ** 33,
    retry: -1,
    expire: 2 ** 33,
    minimum: 2 ** 33,
  };
  const bytes = encodeAnswer(asked, { ...NOTHING, authority: [soa] }, FIT);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals([20, 16, 12, 8, 4].map((back) => view.getUint32(bytes.length - back)), [1, most, 0, most, most]);
});

Deno.test("encodeAnswer() answers EDNS with EDNS, the upper half of the code in it, and the subnet with scope 0", () => {
  const subnet = [0, 8, 0, 7, 0, 1, 24, 9, 192, 0, 2];
  const asked = decodeQuery(query("a.", 1, [...OPT.slice(0, 9), 0, subnet.length, ...subnet]));
  const bytes = encodeAnswer(asked, { ...NOTHING, rcode: RCODE.BADVERS }, FIT);
  assertEquals(bytes[3] & 15, 0);
  const opt = [...bytes.subarray(bytes.length - 22)];
  assertEquals(opt.slice(0, 9), [0, 0, 41, 16, 0, 1, 0, 0, 0]);
  assertEquals(opt.slice(11), [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]);
});
