/** Records: what one end makes the other takes, and nothing else. */
import { concat } from "../../../src/base/codec/concat.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import { RECORD_BYTES_MAX, RecordOpener, RecordSealer } from "../../../src/drivers/transport/record.ts";

const KEY = new Uint8Array(32).fill(7);

/** Records of some texts, each one record. */
function recordsOf(...texts: string[]): Uint8Array[] {
  const sealer = new RecordSealer(KEY);
  return texts.flatMap((text) => Array.from(sealer.seal(new TextEncoder().encode(text)), (record) => record.slice()));
}

/** Everything that an opener believes of `bytes`, until it throws. */
function opened(bytes: Uint8Array, { key = KEY, step = bytes.length } = {}): string {
  const opener = new RecordOpener(key);
  const proven: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    for (const part of opener.open(bytes.subarray(at, at + step))) proven.push(part.slice());
  }
  return new TextDecoder().decode(concat(proven));
}

Deno.test("a stream of records gives the same bytes however it arrives, long ones in several records", () => {
  const long = "x".repeat(2 * RECORD_BYTES_MAX + 5);
  const records = recordsOf("first", long, "last");
  assertEquals(records.length, 5);
  for (const step of [1, 11, 12, 13, 4096, 300_000]) {
    assertEquals(opened(concat(records), { step }), `first${long}last`);
  }
});

Deno.test("a record that was altered anywhere is not believed, nor one under the key of the other direction", () => {
  const [first, second] = recordsOf("first", "second");
  const bytes = concat([first, second]);
  for (let at = 0; at < bytes.length; at++) {
    const altered = bytes.slice();
    altered[at] ^= 0x10;
    // A longer length waits for bytes that never come; everything else is noticed at once.
    const padded = concat([altered, new Uint8Array(RECORD_BYTES_MAX)]);
    assertThrows(() => opened(padded), DecodeError, "the next record of this session", `byte ${at}`);
  }
  assertThrows(() => opened(bytes, { key: new Uint8Array(32).fill(8) }), DecodeError);
});

Deno.test("records that were repeated, left out or put in another order are not believed", () => {
  const [one, two, three] = recordsOf("one", "two", "three");
  for (const stream of [[one, one], [one, three], [two, one, three], [three], [one, two, two, three]]) {
    assertThrows(() => opened(concat(stream)), DecodeError, "the next record of this session");
  }
  assertEquals(opened(concat([one, two])), "onetwo");
});
