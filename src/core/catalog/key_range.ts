/**
 * The keys with a prefix, as a range of a table that is ordered by them. Pure.
 * @module
 */

/** The condition of a key with a prefix, by the order of the table's index. */
export function under(prefix: string): { readonly condition: string; readonly positional: readonly string[] } {
  const end = successor(prefix);
  return end === undefined
    ? { condition: "key >= ?", positional: [prefix] }
    : { condition: "key >= ? AND key < ?", positional: [prefix, end] };
}

const LAST_CODE_POINT = 0x10ffff;
const SURROGATES = [0xd800, 0xdfff];

/** The first text behind all that have a prefix, in the order of code points, which is that of UTF-8; undefined: none is. */
function successor(prefix: string): string | undefined {
  const points = [...prefix].map((char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  const next = last + 1 === SURROGATES[0] ? SURROGATES[1] + 1 : last + 1;
  return String.fromCodePoint(...points, next);
}
