/** Chains of aliases, and the answers of upstream servers (C8.11). */
import { assertEquals, assertThrows } from "@std/assert";
import { decodeAnswers, openEnd } from "../../../src/core/dns/alias.ts";
import {
  decodeQuery,
  DnsFormatError,
  type DnsRecord,
  encodeAnswer,
  encodeQuery,
  TYPE,
} from "../../../src/core/dns/message.ts";

const alias = (name: string, target: string): DnsRecord => ({
  name: name.split("."),
  ttl: 1,
  type: TYPE.CNAME,
  target: target.split("."),
});
const address: DnsRecord = { name: ["Web", "Test"], ttl: 60, type: TYPE.A, address: Uint8Array.of(10, 9, 8, 7) };

Deno.test("openEnd() names the target that lacks its records, and ends at circles and after three links", () => {
  const end = (...records: DnsRecord[]) => openEnd(["a", "node"], records)?.join(".");
  assertEquals(end(), undefined);
  assertEquals(end(alias("A.node", "web.test")), "web.test");
  assertEquals(end(alias("a.node", "web.test"), address), undefined, "it is there, in another case");
  assertEquals(end(alias("b.node", "web.test"), alias("a.node", "b.node")), "web.test", "in any order");
  assertEquals(end(alias("a.node", "a.node")), undefined);
  assertEquals(end(alias("a.node", "b.node"), alias("b.node", "A.NODE")), undefined);
  const chain = [alias("a.node", "b"), alias("b", "c"), alias("c", "d")];
  assertEquals([end(...chain), end(...chain, alias("d", "e"))], ["d", undefined]);
});

Deno.test("decodeAnswers() reads what an upstream server answers, and leaves out what it cannot pass on", () => {
  const query = decodeQuery(encodeQuery(7, { name: ["alias", "test"], type: TYPE.A }));
  const records: DnsRecord[] = [
    alias("alias.test", "Web.Test"),
    address,
    { name: ["t"], ttl: 2, type: TYPE.TXT, texts: [Uint8Array.of(65), new Uint8Array(0)] },
    { name: ["s"], ttl: 3, type: TYPE.SRV, priority: 1, weight: 2, port: 700, target: ["web", "test"] },
  ];
  const soa = { refresh: 1, retry: 1, expire: 1, minimum: 1, serial: 1, primary: ["p"], mailbox: ["m"] };
  const answers = [...records, { name: ["z"], ttl: 4, type: TYPE.SOA, ...soa }];
  const answer = { rcode: 0, isAuthoritative: true, recursionAvailable: true, authority: [], additional: [] };
  const fit = { bytesMax: 4096, answersMax: Infinity, marksTruncation: false, compresses: true };
  const bytes = encodeAnswer(query, { ...answer, answers }, fit);
  assertEquals(decodeAnswers(bytes), records);
  for (let length = 0; length < bytes.length - 20; length++) {
    assertThrows(() => decodeAnswers(bytes.subarray(0, length)), DnsFormatError, undefined, `cut to ${length}`);
  }
});
