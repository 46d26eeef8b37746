/**
 * What somebody may have meant who mistyped a name. Pure.
 * @module
 */
import leven from "leven";

/** Letters that may differ in a name of so many letters: two that were exchanged differ. */
const different = (letters: number) => letters >= 4 ? 2 : letters === 3 ? 1 : 0;

/** The name that is nearest to a mistyped one; undefined where none is near. */
export function suggestion(given: string, names: readonly string[]): string | undefined {
  if (given.length > 64) return undefined; // nobody meant that
  const near = names.map((name) => ({ name, distance: leven(given, name) }))
    .filter(({ distance }) => distance <= different(given.length)).toSorted((a, b) => a.distance - b.distance);
  return near[0]?.name;
}

/** The same as words to follow an error, with their own punctuation; empty where none is near. */
export function suggested(given: string, names: readonly string[], prefix = ""): string {
  const name = suggestion(given, names);
  return name === undefined ? "" : `: did you mean ${prefix}${name}?`;
}
