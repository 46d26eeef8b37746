/** Bytes, checksums, frames and durations. */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteReader, ByteWriter, DecodeError } from "../../../src/base/codec/cursor.ts";
import { crc32c } from "../../../src/base/codec/crc32c.ts";
import { formatDuration, parseDuration } from "../../../src/base/codec/duration.ts";
import { FRAME_HEADER_BYTES, FrameDecoder, writeFrame } from "../../../src/base/codec/frame.ts";
import { splitAddress } from "../../../src/base/codec/address.ts";

Deno.test("ByteReader reads back what ByteWriter wrote, whatever the capacity at first", () => {
  fc.assert(fc.property(
    fc.nat(40),
    fc.array(
      fc.record({
        a: fc.nat(0xff),
        b: fc.maxSafeNat(),
        c: fc.string({ unit: "binary" }),
        d: fc.double(),
        e: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      }),
    ),
    (capacity, rows) => {
      const writer = new ByteWriter(capacity);
      for (const { a, b, c, d, e } of rows) writer.u8(a).u64(b).string(c).f64(d).i64(e);
      const reader = new ByteReader(writer.view());
      for (const { a, b, c, d, e } of rows) {
        assertEquals([reader.u8(), reader.u64(), reader.string(), reader.f64(), reader.i64()], [
          a,
          b,
          c.toWellFormed(),
          d,
          e,
        ]);
      }
      reader.end();
    },
  ));
});

Deno.test("ByteReader throws DecodeError past the end, for too large integers and for text that is not UTF-8", () => {
  assertThrows(() => new ByteReader(new Uint8Array(3)).u32(), DecodeError);
  assertThrows(() => new ByteReader(new Uint8Array(8).fill(0xff)).u64(), DecodeError);
  assertThrows(() => new ByteReader(new Uint8Array([0, 0, 0, 1, 0xff])).string(), DecodeError);
  assertThrows(() => new ByteReader(new Uint8Array([0xff, 0xff, 0xff, 0xff])).bytes(), DecodeError);
  assertThrows(() => new ByteReader(new Uint8Array(1)).end(), DecodeError);
});

Deno.test("crc32c() gives the check value of the Castagnoli polynomial, whole or continued", () => {
  const digits = new TextEncoder().encode("123456789");
  assertEquals(crc32c(digits), 0xE306_9283);
  for (let cut = 0; cut <= digits.length; cut++) {
    assertEquals(crc32c(digits.subarray(cut), crc32c(digits.subarray(0, cut))), 0xE306_9283);
  }
  assertEquals(crc32c(new Uint8Array(32)), 0x8A91_36AA); // RFC 3720 §B.4
});

Deno.test("FrameDecoder cuts a stream into the same frames however it arrives", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ kind: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 20 }),
    fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
    (frames, cuts) => {
      const writer = new ByteWriter(16);
      for (const { kind, payload } of frames) writeFrame(writer, kind, (w) => w.raw(payload));
      const stream = writer.copy();
      const decoder = new FrameDecoder(1000);
      const found = [];
      for (let at = 0, cut = 0; at < stream.length; cut++) {
        const length = cuts[cut % cuts.length];
        decoder.push(stream.subarray(at, at + length));
        at += length;
        for (let frame = decoder.next(); frame; frame = decoder.next()) found.push(frame);
      }
      assertEquals(found, frames);
    },
  ));
});

Deno.test("FrameDecoder refuses frames that are too long or damaged", () => {
  const writer = new ByteWriter();
  writeFrame(writer, 7, (w) => w.raw(new Uint8Array(100)));
  const tooLong = new FrameDecoder(99);
  tooLong.push(writer.view());
  assertThrows(() => tooLong.next(), DecodeError);
  for (let at = 4; at < FRAME_HEADER_BYTES + 100; at++) {
    const bytes = writer.copy();
    bytes[at] ^= 0x10;
    const damaged = new FrameDecoder(1000);
    damaged.push(bytes);
    assertThrows(() => damaged.next(), DecodeError);
  }
});

Deno.test("parseDuration() knows Go's notation and nothing else", () => {
  assertEquals(["1s", "1.5s", "2h45m", "300ms", "100us", "1µs", "0", "-1s", "1h0m0.5s", ".5s"].map(parseDuration), [
    1000,
    1500,
    9_900_000,
    300,
    0.1,
    0.001,
    0,
    -1000,
    3_600_500,
    500,
  ]);
  for (const text of ["", "5", "1", "s", "1 s", "1s ", "1x", "--1s", "1s2", "1..5s", "1e3s"]) {
    assertEquals(parseDuration(text), undefined, text);
  }
});

Deno.test("formatDuration() writes what Go prints", () => {
  assertEquals([0, 0.0031, 1.5, 250, 1000, 1500, 61_000, 3_600_000, 16_963.009139].map(formatDuration), [
    "0s",
    "3.1µs",
    "1.5ms",
    "250ms",
    "1s",
    "1.5s",
    "1m1s",
    "1h0m0s",
    "16.963009139s",
  ]);
});

Deno.test("splitAddress() takes names, IPv4 and bracketed IPv6, and says what it expects", () => {
  assertEquals(splitAddress("localhost:4001"), { hostname: "localhost", port: 4001 });
  assertEquals(splitAddress("[::1]:80"), { hostname: "::1", port: 80 });
  assertEquals(splitAddress(":4001"), { hostname: "0.0.0.0", port: 4001 });
  for (const bad of ["localhost", "localhost:", "localhost:x", "a:70000", "[::1", "[::1:80", "::1]:80", "[[::1]]:80"]) {
    assertThrows(() => splitAddress(bad), RangeError, "expected host:port");
  }
});
