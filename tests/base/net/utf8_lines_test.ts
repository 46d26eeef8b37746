/** Text in UTF-8 whatever pieces it comes in, and the line of what is none. */
import { assertEquals, assertRejects } from "@std/assert";
import { wholeUtf8Text } from "../../../src/base/net/utf8_lines.ts";

/** The text of bytes that come in pieces of so many. */
function textOf(bytes: Uint8Array, length: number): Promise<string> {
  const count = Math.ceil(bytes.length / length);
  const pieces = Array.from({ length: count }, (_, at) => bytes.subarray(at * length, (at + 1) * length));
  return wholeUtf8Text(ReadableStream.from(pieces));
}

Deno.test("wholeUtf8Text() has the text as it is, but for a byte order mark", async () => {
  for (const text of ["", "\n", "a\n\nb", "日本\ne\u0301 😀\r\n\ufffd"]) {
    for (const length of [1, 2, 3, 100]) {
      assertEquals(await textOf(new TextEncoder().encode(text), length), text);
      assertEquals(await textOf(new TextEncoder().encode(`\ufeff${text}`), length), text);
    }
  }
});

Deno.test("wholeUtf8Text() names the line of what is no UTF-8, and of a character that is cut short", async () => {
  const wrong: readonly (readonly [bytes: number[], line: number])[] = [
    [[0xe9], 1],
    [[0x61, 0x0a, 0xe9, 0x0a, 0x61], 2],
    [[0x0a, 0x0a, 0xe6, 0x97], 3],
    [[0x0a, 0xe6, 0x97, 0x0a, 0xa5], 2],
  ];
  for (const [bytes, line] of wrong) {
    for (const length of [1, 2, 100]) {
      await assertRejects(() => textOf(new Uint8Array(bytes), length), Error, `line ${line} is not text in UTF-8`);
    }
  }
});
