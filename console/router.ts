/**
 * The place in the page, which stands behind `#` in its address: `#/data/users`. It can be kept as a bookmark, and the way back
 * is the browser's. What stands behind a `?` in it is for the page that it leads to, which takes it once: `#/sql?q=SELECT 1`.
 * @module
 */
import { Store } from "./store.ts";

function read(): readonly string[] {
  return location.hash.replace(/^#\/?/, "").replace(/\?.*$/, "").split("/").filter((part) => part !== "").map(
    (part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    },
  );
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

/** What stands behind `?` in the place. It is taken out of the address, so that it counts once. */
export function takenQuery(): URLSearchParams {
  const [where, query] = location.hash.split(/\?(.*)/s);
  if (query === undefined) return new URLSearchParams();
  history.replaceState(history.state, "", where);
  return new URLSearchParams(query);
}
