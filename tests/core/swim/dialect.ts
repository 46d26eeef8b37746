/**
 * Looks whether msgpack is such as the oldest peers read (G2.2, K40): no str8, no bin types.
 * @module
 */
import { MsgpackReader } from "../../../src/core/swim/msgpack.ts";

/** First bytes of all values from `offset` on that an old peer refuses; bodies follow each other until the end. */
export function refusedTags(bytes: Uint8Array, offset: number): string[] {
  const reader = new MsgpackReader(bytes, offset);
  const refused: string[] = [];
  const walk = (): void => {
    const tag = reader.peek();
    if (tag === 0xd9 || tag >= 0xc4 && tag <= 0xc9 || tag >= 0xd4 && tag <= 0xd8) refused.push(tag.toString(16));
    const isMap = (tag & 0xf0) === 0x80 || tag === 0xde || tag === 0xdf;
    const isList = (tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd;
    if (!isMap && !isList) return reader.skip();
    for (let left = isMap ? 2 * reader.map() : reader.list(); left > 0; left--) walk();
  };
  walk();
  return refused;
}
