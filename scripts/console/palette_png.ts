/**
 * Makes a PNG file small: with a palette of its most frequent colours (PNG specification, third edition). What a screenshot of
 * a page has besides, at the edges of letters, becomes the nearest of them.
 * @module
 */
import { concat } from "../../src/base/codec/concat.ts";
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOURS_MAX = 256;
/** Bytes of a pixel by the colour type, with eight bits for each sample: RGB, RGBA. */
const PIXEL_BYTES: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/** Colours of all pixels, each as a number, and how many there are in a line. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly colours: Uint32Array;
}

/** The same picture with at most 256 colours. @throws {Error} When it is no PNG file as browsers write them. */
export function paletted(png: Uint8Array): Uint8Array<ArrayBuffer> {
  const pixels = pixelsOf(png);
  const counts = new Map<number, number>();
  for (const colour of pixels.colours) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const palette = [...counts].sort(([, a], [, b]) => b - a).slice(0, COLOURS_MAX).map(([colour]) => colour);
  const places = new Map(palette.map((colour, at) => [colour, at]));
  for (const colour of counts.keys()) if (!places.has(colour)) places.set(colour, nearest(palette, colour));
  return written(pixels, palette, places);
}

/** Reads a PNG file with eight bits for each sample, without interlacing; what is transparent is taken as opaque. */
export function pixelsOf(png: Uint8Array): Pixels {
  if (SIGNATURE.some((byte, at) => png[at] !== byte)) throw new Error("Expected a PNG file");
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = view.getUint32(at);
    if (String.fromCharCode(...png.subarray(at + 4, at + 8)) === "IDAT") {
      parts.push(png.subarray(at + 8, at + 8 + length));
    }
    at += length + 12;
  }
  const [width, height, depth, type, interlaced] = [view.getUint32(16), view.getUint32(20), png[24], png[25], png[28]];
  const step = PIXEL_BYTES[type];
  if (depth !== 8 || !step || interlaced !== 0) throw new Error("Expected RGB or RGBA of eight bits, not interlaced");
  const bytes = unfiltered(new Uint8Array(inflateSync(concat(parts))), { width: width * step, height, step });
  const colours = Uint32Array.from({ length: width * height }, (_, at) => {
    const from = at * step;
    return bytes[from] << 16 | bytes[from + 1] << 8 | bytes[from + 2];
  });
  return { width, height, colours };
}

/** Undoes the filters of the lines (§9). */
function unfiltered(
  filtered: Uint8Array,
  { width, height, step }: { readonly width: number; readonly height: number; readonly step: number },
): Uint8Array {
  const bytes = new Uint8Array(width * height);
  for (let line = 0; line < height; line++) {
    const kind = filtered[line * (width + 1)];
    for (let column = 0; column < width; column++) {
      const at = line * width + column;
      const left = column >= step ? bytes[at - step] : 0;
      const up = line > 0 ? bytes[at - width] : 0;
      const corner = column >= step && line > 0 ? bytes[at - width - step] : 0;
      bytes[at] = filtered[line * (width + 1) + 1 + column] + predicted(kind, left, up, corner);
    }
  }
  return bytes;
}

function predicted(kind: number, left: number, up: number, corner: number): number {
  switch (kind) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return left + up >> 1;
    case 4: {
      const guess = left + up - corner;
      const [toLeft, toUp, toCorner] = [left, up, corner].map((one) => Math.abs(guess - one));
      return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }
    default:
      return 0;
  }
}

function nearest(palette: readonly number[], colour: number): number {
  const distance = (one: number) =>
    [16, 8, 0].reduce((sum, shift) => sum + ((one >> shift & 255) - (colour >> shift & 255)) ** 2, 0);
  return palette.reduce((best, one, at) => distance(one) < distance(palette[best]) ? at : best, 0);
}

function written(
  { width, height, colours }: Pixels,
  palette: readonly number[],
  places: ReadonlyMap<number, number>,
): Uint8Array<ArrayBuffer> {
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 8);
  head.setUint8(9, 3); // a palette
  const lines = new Uint8Array((width + 1) * height); // none of them is filtered
  colours.forEach((colour, at) => lines[at + Math.floor(at / width) + 1] = places.get(colour) ?? 0);
  return new Uint8Array(concat([
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", new Uint8Array(head.buffer)),
    chunk("PLTE", Uint8Array.from(palette.flatMap((one) => [one >> 16, one >> 8 & 255, one & 255]))),
    chunk("IDAT", new Uint8Array(deflateSync(lines, { level: 9 }))),
    chunk("IEND", new Uint8Array(0)),
  ]));
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const bytes = concat([new Uint8Array(4), new TextEncoder().encode(name), data, new Uint8Array(4)]);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(4, bytes.length - 4)));
  return bytes;
}
