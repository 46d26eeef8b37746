/**
 * A list that the browser keeps between visits, with a limit. Nothing of it leaves the browser.
 * @module
 */
import { Store } from "../store.ts";

/** A list of texts with what is known of each. */
export interface KeptEntry {
  readonly text: string;
  /** When it was added, in ms. */
  readonly atMs: number;
  /** Such as a name or how it ended. */
  readonly note: string;
}

/** Longer texts are not kept. */
const LENGTH_MAX = 50_000;

function entryOf(found: unknown): KeptEntry | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const { text, atMs, note } = { text: undefined, atMs: undefined, note: undefined, ...found };
  return typeof text === "string" && typeof atMs === "number" && typeof note === "string"
    ? { text, atMs, note }
    : undefined;
}

/** A list that is kept under a name. */
export class KeptList {
  readonly #name: string;
  readonly #most: number;
  /** The entries, the newest first. */
  readonly entries: Store<readonly KeptEntry[]>;

  constructor(name: string, most: number) {
    this.#name = `muster.${name}`;
    this.#most = most;
    this.entries = new Store(this.#read());
  }

  #read(): readonly KeptEntry[] {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(this.#name) ?? "[]");
      return Array.isArray(kept) ? kept.map(entryOf).filter((entry) => entry !== undefined) : [];
    } catch {
      return []; // a browser that keeps nothing, or not what was written
    }
  }

  /** Adds a text, or moves it to the beginning. */
  add(text: string, note: string): void {
    if (text.length > LENGTH_MAX) return;
    const others = this.entries.value.filter((one) => one.text !== text);
    this.#set([{ text, note, atMs: Date.now() }, ...others].slice(0, this.#most));
  }

  /** Removes a text. */
  remove(text: string): void {
    this.#set(this.entries.value.filter((one) => one.text !== text));
  }

  #set(entries: readonly KeptEntry[]): void {
    this.entries.value = entries;
    try {
      localStorage.setItem(this.#name, JSON.stringify(entries));
    } catch {
      // full, or not allowed: the page has it until it is closed
    }
  }
}
