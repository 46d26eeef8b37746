/**
 * Quorum arithmetic over the voters of a configuration. Pure.
 * @module
 */

/** Votes or copies that make a majority of `voters`; no voters never make one. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * Largest value that a majority has reached: the commit rule C1 and the read rule R3 in one.
 * @param values One per voter; sorted in place, because this runs on every acknowledgement and must not allocate.
 * @returns 0 without voters.
 */
export function quorumValue(values: number[]): number {
  const count = values.length;
  if (count === 0) return 0;
  // Insertion sort, descending: clusters have a handful of voters, and the values are mostly in order already.
  for (let at = 1; at < count; at++) {
    const value = values[at];
    let to = at;
    while (to > 0 && values[to - 1] < value) {
      values[to] = values[to - 1];
      to--;
    }
    values[to] = value;
  }
  return values[majority(count) - 1];
}
