import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parameterText, parseExact, resultOf } from "../../client/values.ts";

Deno.test("parseExact() keeps every whole number of 64 bits, wherever it stands, and leaves texts alone", () => {
  const text =
    '{"a":[9007199254740993,-9223372036854775808,1234567890123456],"1234567890123456789":"x 9007199254740993, \\"9007199254740993"}';
  assertEquals(parseExact(text), {
    a: [9007199254740993n, -9223372036854775808n, 1234567890123456],
    "1234567890123456789": 'x 9007199254740993, "9007199254740993',
  });
  assertEquals(parseExact("[1234567890123456789.5, 12345678901234567e3, 1]"), [
    1234567890123456789.5,
    12345678901234567e3,
    1,
  ]);
  assertEquals(parseExact("[0.0009080521643687141, -1.12345678901234567]"), [
    0.0009080521643687141,
    -1.12345678901234567,
  ]);
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const json = JSON.stringify(value);
    const plain = JSON.stringify(JSON.parse(json));
    assertEquals(JSON.stringify(parseExact(json), (_, one) => typeof one === "bigint" ? Number(one) : one), plain);
  }));
});

Deno.test("parameters and results of every kind", () => {
  assertEquals([1, 1.5, 10n ** 18n, true, null, 'a"b', new Uint8Array([1, 2])].map(parameterText), [
    "1",
    "1.5",
    "1000000000000000000",
    "true",
    "null",
    '"a\\"b"',
    "[1,2]",
  ]);
  assertEquals(resultOf("AQI=", "blob"), new Uint8Array([1, 2]));
  assertEquals([resultOf("AQI=", "text"), resultOf(undefined, undefined)], ["AQI=", null]);
});
