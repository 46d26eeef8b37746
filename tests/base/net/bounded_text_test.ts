/** Texts from outside that are as long as they may be, and longer. */
import { assertEquals } from "@std/assert";
import { boundedText } from "../../../src/base/net/bounded_text.ts";

Deno.test("boundedText() takes what is as long as it may be, gives up what is longer, and keeps characters whole", async () => {
  const text = "é".repeat(4);
  let isCancelled = false;
  const body = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        for (const byte of new TextEncoder().encode(text)) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
  assertEquals(await boundedText(body(), 8), text);
  assertEquals(await boundedText(body(), 7), undefined);
  assertEquals(await boundedText(null, 0), "");
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new Uint8Array(1000)),
    cancel: () => {
      isCancelled = true;
    },
  });
  assertEquals([await boundedText(endless, 5000), isCancelled], [undefined, true]);
});
