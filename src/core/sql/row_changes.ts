/**
 * What has changed of a list of rows, as splices: each replaces some rows at a place, and they are done one after the other, each
 * on what the ones before have left. Pure.
 *
 * What is alike in front and behind is left alone. In between, the shortest way is looked for as long as it is short
 * (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986); a longer one is a single splice.
 * @module
 */

/** Rows from `at` on that go, and rows that come in their place. */
export interface Splice {
  readonly at: number;
  readonly delete: number;
  readonly insert: readonly string[];
}

/** Insertions and deletions up to which the shortest way is looked for. */
const EDITS_MAX = 64;

/** The splices that make `after` of `before`; none where they are alike. Rows are compared as texts. */
export function rowChanges(before: readonly string[], after: readonly string[]): Splice[] {
  let from = 0;
  const shorter = Math.min(before.length, after.length);
  while (from < shorter && before[from] === after[from]) from++;
  let behind = 0;
  while (behind < shorter - from && before[before.length - 1 - behind] === after[after.length - 1 - behind]) behind++;
  const [old, young] = [before.slice(from, before.length - behind), after.slice(from, after.length - behind)];
  if (old.length === 0 && young.length === 0) return [];
  const kept = commonRows(old, young);
  if (kept === undefined) return [{ at: from, delete: old.length, insert: young }];
  const splices: Splice[] = [];
  let [x, y] = [0, 0];
  for (const [nextX, nextY] of [...kept, [old.length, young.length]]) {
    // What stands before in the list is as it will be.
    if (nextX > x || nextY > y) splices.push({ at: from + y, delete: nextX - x, insert: young.slice(y, nextY) });
    [x, y] = [nextX + 1, nextY + 1];
  }
  return splices;
}

/** Places of the rows that stay, in both lists; undefined where more than {@linkcode EDITS_MAX} others do not. */
function commonRows(old: readonly string[], young: readonly string[]): (readonly [number, number])[] | undefined {
  const [n, m] = [old.length, young.length];
  const furthest = new Map<number, number>([[1, 0]]);
  const history: Map<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(EDITS_MAX, n + m); edits++) {
    history.push(new Map(furthest));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || k !== edits && (furthest.get(k - 1) ?? 0) < (furthest.get(k + 1) ?? 0);
      let x = down ? furthest.get(k + 1) ?? 0 : (furthest.get(k - 1) ?? 0) + 1;
      while (x < n && x - k < m && x - k >= 0 && old[x] === young[x - k]) x++;
      furthest.set(k, x);
      if (x >= n && x - k >= m) return walkBack(history, n, m);
    }
  }
  return undefined;
}

function walkBack(history: readonly Map<number, number>[], n: number, m: number): (readonly [number, number])[] {
  const kept: (readonly [number, number])[] = [];
  let [x, y] = [n, m];
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const furthest = history[edits];
    const k = x - y;
    const down = k === -edits || k !== edits && (furthest.get(k - 1) ?? 0) < (furthest.get(k + 1) ?? 0);
    const fromK = down ? k + 1 : k - 1;
    const fromX = edits === 0 ? 0 : furthest.get(fromK) ?? 0;
    const fromY = edits === 0 ? 0 : fromX - fromK;
    const startX = edits === 0 ? 0 : down ? fromX : fromX + 1;
    while (x > startX) kept.push([--x, --y]);
    [x, y] = [fromX, fromY];
  }
  return kept.reverse();
}
