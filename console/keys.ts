/**
 * Keys of the whole page. They do nothing while somebody types.
 * @module
 */
import { useEffect, useRef } from "preact/hooks";
import type { Page } from "./pages.ts";
import { goTo } from "./router.ts";

/** Keys besides those of the pages, for the list of them. */
export const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["?", "Show this list"],
  ["Ctrl Enter", "SQL: run the statements"],
  ["Ctrl Space", "SQL: complete a name"],
  ["↑ ↓ ← →", "Tables: move from cell to cell"],
  ["Ctrl End", "Tables: move to the last row"],
  ["Enter", "Tables: open the cell"],
  ["Ctrl C", "Tables: copy the cell"],
  ["Esc", "Close a window"],
];

/** Time between the two keys of a pair. */
const PAIR_MS = 1000;

function isTyping(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

/** Has keys lead to pages, and `?` call `onHelp`. */
export function useKeys(pages: readonly Page[], onHelp: () => void): void {
  // The page may be drawn again between the two keys of a pair.
  const latest = useRef({ pages, onHelp });
  latest.current = { pages, onHelp };
  useEffect(() => {
    let goMs = -Infinity;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      const page = latest.current.pages.find(({ key }) => key === event.key);
      if (event.timeStamp - goMs < PAIR_MS && page) goTo(page.id);
      else if (event.key === "?") latest.current.onHelp();
      goMs = event.key === "g" ? event.timeStamp : -Infinity;
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
