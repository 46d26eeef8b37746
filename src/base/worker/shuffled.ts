/**
 * Order by chance.
 * @module
 */

/** The items in an order drawn at random, each order as likely as the others. */
export function shuffled<T>(items: readonly T[]): T[] {
  return items.map((one) => ({ one, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ one }) => one);
}
