/** Pictures of the documentation with a palette: the same pixels where there are few colours, the nearest ones where there are many. */
import { assertEquals } from "@std/assert";
import { deflateSync } from "node:zlib";
import { paletted, pixelsOf } from "../../scripts/console/palette_png.ts";

/** An RGB file of which each line has another filter; all differences are zero but where `bytes` says. */
function png(width: number, lines: readonly (readonly number[])[]): Uint8Array {
  const part = (name: string, data: Uint8Array) => {
    const bytes = new Uint8Array(data.length + 12); // the sums are not read
    new DataView(bytes.buffer).setUint32(0, data.length);
    bytes.set(new TextEncoder().encode(name), 4);
    bytes.set(data, 8);
    return bytes;
  };
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, lines.length);
  head.set([8, 2], 8);
  const content = new Uint8Array(deflateSync(Uint8Array.from(lines.flat())));
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  return Uint8Array.from([
    ...signature,
    ...part("IHDR", head),
    ...part("IDAT", content),
    ...part("IEND", new Uint8Array(0)),
  ]);
}

/** The pixels of a file with a palette, read back by the browser's own way: none is filtered. */
async function shown(file: Uint8Array<ArrayBuffer>): Promise<number[]> {
  const view = new DataView(file.buffer);
  const parts = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let at = 8; at < file.length; at += view.getUint32(at) + 12) {
    parts.set(new TextDecoder().decode(file.subarray(at + 4, at + 8)), file.slice(at + 8, at + 8 + view.getUint32(at)));
  }
  const [palette, content] = [parts.get("PLTE") ?? new Uint8Array(), parts.get("IDAT") ?? new Uint8Array()];
  const plain = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate"));
  const places = new Uint8Array(await new Response(plain).arrayBuffer());
  const width = view.getUint32(16);
  return [...places].filter((_, at) => at % (width + 1) !== 0)
    .map((at) => palette[at * 3] << 16 | palette[at * 3 + 1] << 8 | palette[at * 3 + 2]);
}

Deno.test("a picture with few colours keeps them, whatever its lines are filtered by", async () => {
  const file = png(2, [
    [0, 255, 0, 0, 0, 255, 0],
    [1, 10, 20, 30, 1, 1, 1],
    [2, 1, 1, 1, 0, 0, 0],
    [3, 0, 0, 0, 0, 0, 0],
    [4, 0, 0, 0, 0, 0, 0],
  ]);
  const { colours } = pixelsOf(file);
  assertEquals([...colours].slice(0, 6), [0xff0000, 0x00ff00, 0x0a141e, 0x0b151f, 0x0b151f, 0x0b151f]);
  assertEquals(await shown(paletted(file)), [...colours]);
});

Deno.test("a picture with many colours keeps the most frequent ones, and has the nearest of them for the others", async () => {
  const greys = Array.from({ length: 512 }, (_, at) => [at >> 1, at >> 1, at >> 1]);
  const all = [...greys, [100, 101, 100], [255, 250, 251]];
  const after = await shown(paletted(png(all.length, [[0, ...all.flat()]])));
  assertEquals(after.slice(0, 512), greys.map(([one]) => one * 0x010101));
  assertEquals(after.slice(512), [0x646464, 0xfcfcfc]);
});
