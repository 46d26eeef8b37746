/**
 * The place in the page, which stands behind `#` in its address: `#/data/users`. It can be kept as a bookmark, and the way back
 * is the browser's.
 * @module
 */
import { Store } from "./store.ts";

function read(): readonly string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter((part) => part !== "").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
}

/** Parts of the place. */
export const place = new Store<readonly string[]>(read());

addEventListener("hashchange", () => place.value = read());

/** The address of a place, for links. */
export function linkTo(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** Goes to a place. */
export function goTo(...parts: readonly string[]): void {
  location.hash = linkTo(...parts);
}
