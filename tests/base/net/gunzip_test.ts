/** Unpacking gzip data as gunzip does: of one member or several, with the fault named where they are damaged. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { gunzip } from "../../../src/base/net/gunzip.ts";

async function packed(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpacked(...pieces: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(gunzip(ReadableStream.from(pieces)))).arrayBuffer());
}

/** What compression cannot make small, longer than a piece. */
const content = crypto.getRandomValues(new Uint8Array(60_000));

Deno.test("gunzip() takes several members for one file (RFC 1952 §2.2)", async () => {
  const [one, other] = [await packed(content.slice(0, 50_000)), await packed(content.slice(50_000))];
  assertEquals(await unpacked(one, other), content);
  assertEquals(await unpacked(new Uint8Array([...one, ...other])), content, "their border within a piece");
  assertEquals(await unpacked(await packed(new Uint8Array(0))), new Uint8Array(0));
});

Deno.test("gunzip() says of data that are damaged or cut short that they are", async () => {
  const whole = await packed(content);
  for (const length of [5, 1000, whole.length - 1]) {
    await assertRejects(() => unpacked(whole.slice(0, length)), Error, "the gzip data are damaged or cut short: ");
  }
  await assertRejects(() => unpacked(whole, new Uint8Array([0x1f, 0x8b, 1])), Error, "damaged or cut short");
  whole[whole.length - 6] ^= 1;
  await assertRejects(() => unpacked(whole), Error, "the gzip data are damaged or cut short: incorrect data check");
});

Deno.test("gunzip() tells a fault of its source as it is, and lets go of the source when nobody reads on", async () => {
  const whole = await packed(content);
  const over = Promise.withResolvers<void>();
  const source = async function* () {
    try {
      for (;;) yield whole;
    } finally {
      over.resolve();
    }
  };
  for await (const piece of gunzip(source())) {
    assert(piece.length > 0);
    break;
  }
  await over.promise;
  const broken = async function* () {
    yield whole;
    throw new Error("the connection broke");
  };
  await assertRejects(() => Array.fromAsync(gunzip(broken())), Error, "the connection broke");
});
