import { assertEquals } from "@std/assert";
import { DNS_COUNTS_BYTES, DnsCounts } from "../../../src/base/shared/dns_counts.ts";

Deno.test("DnsCounts counts answers by their RCODE, whatever the other bits of its byte are", () => {
  const memory = new SharedArrayBuffer(DNS_COUNTS_BYTES);
  const counts = new DnsCounts(memory);
  for (const flags of [0x00, 0x80, 0x83, 0x85, 0x0b]) counts.note(Uint8Array.of(0, 1, 0x84, flags, 0));
  counts.note(undefined);
  const found = new DnsCounts(memory).all.filter(({ count }) => count > 0).map(({ result, count }) => [result, count]);
  assertEquals(found, [["NOERROR", 2], ["NXDOMAIN", 1], ["REFUSED", 1], ["other", 1], ["none", 1]]);
});
