/** Header compression of HTTP/2, with the examples of the standard. */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeFields, encodeFields, HpackError } from "../../../src/drivers/checks/hpack.ts";

function decode(hex: string): Record<string, string> {
  return Object.fromEntries(decodeFields(Uint8Array.fromHex(hex.replaceAll(" ", ""))));
}

Deno.test("decodeFields() decodes the examples of RFC 7541 that need no dynamic table", () => {
  const request = { ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "www.example.com" };
  assertEquals(decode("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"), { // C.2.1
    "custom-key": "custom-header",
  });
  assertEquals(decode("040c 2f73 616d 706c 652f 7061 7468"), { ":path": "/sample/path" }); // C.2.2
  assertEquals(decode("1008 7061 7373 776f 7264 0673 6563 7265 74"), { password: "secret" }); // C.2.3
  assertEquals(decode("82"), { ":method": "GET" }); // C.2.4
  assertEquals(decode("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d"), request); // C.3.1
  assertEquals(decode("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"), request); // C.4.1
  assertEquals( // C.6.1
    decode(
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    ),
    {
      ":status": "302",
      "cache-control": "private",
      "date": "Mon, 21 Oct 2013 20:13:21 GMT",
      "location": "https://www.example.com",
    },
  );
  assertEquals(decode("20 88"), { ":status": "200" }); // the size of the dynamic table first
});

Deno.test("decodeFields() decodes what encodeFields() encodes", () => {
  const texts = fc.string({ maxLength: 300 }).filter((text) => /^[\x20-\x7e]*$/.test(text));
  fc.assert(fc.property(fc.dictionary(texts, texts), (fields) => {
    assertEquals(Object.fromEntries(decodeFields(encodeFields(Object.entries(fields)))), { ...fields });
  }));
  const long = "x".repeat(40_000);
  assertEquals(decodeFields(encodeFields([["a", long]])).get("a"), long);
});

Deno.test("decodeFields() refuses what is broken, too large, or needs a dynamic table", () => {
  const cases: [string, string][] = [
    ["80", "unknown index"],
    ["be", "unknown index"], // the first of the dynamic table
    ["ffffffffff7f", "a number is too large"],
    ["400a63", "it ends too early"],
    ["40", "it ends too early"],
    ["ff", "it ends too early"],
    ["0081fe0161", "wrong padding"],
    ["0084ffffffff0161", "unknown code"],
  ];
  for (const [hex, fault] of cases) {
    assertThrows(() => decode(hex), HpackError, `header compression: ${fault}`);
  }
  const large = encodeFields(Array.from({ length: 2000 }, (_, at) => [`n${at}`, ""]));
  assertThrows(() => decodeFields(large), HpackError, "the header is too large");
});

Deno.test("decodeFields() throws nothing but an HpackError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    try {
      decodeFields(bytes);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
    }
  }));
});
