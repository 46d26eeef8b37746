/**
 * The blocking queries of this node, by what they watch (core/catalog/watch.ts): one change wakes those that watch it, and
 * costs nothing for the others.
 * @module
 */
import { watchedTables } from "../../core/catalog/watch.ts";
import { tooManyWait, WAITING_MAX } from "./waits.ts";

/** The watch of one query: it notices each change of what it watches from the moment on when it was made. */
export interface Watch {
  /** Resolves at a change since it was last asked, after `ms`, or when the wait is `over`. */
  next(ms: number, over?: Promise<void>): Promise<void>;
  /** It watches no more. */
  end(): void;
}

/** All watches. */
export class Watches {
  readonly #byName = new Map<string, Set<() => void>>();
  /** Names that are watched, by the table that they begin with. */
  readonly #tables = new Map<string, number>();
  #size = 0;

  /** Whether nobody watches anything. */
  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  /** Watches of clients under way. */
  get size(): number {
    return this.#size;
  }

  /** Whether anything of a table is watched; `prefix` is its name and a slash. */
  hasAny(prefix: string): boolean {
    return (this.#tables.get(prefix) ?? 0) > 0;
  }

  /**
   * Watches names.
   * @param isOwn Whether the node watches for itself, which no limit holds.
   * @throws {TooManyWaitError} When as many watch as may.
   */
  watch(names: readonly string[], isOwn = false): Watch {
    const weight = isOwn ? 0 : 1;
    if (this.#size + weight > WAITING_MAX) throw tooManyWait();
    let hasChanged = false;
    let wake: (() => void) | undefined;
    const note = () => {
      hasChanged = true;
      wake?.();
    };
    this.#size += weight;
    for (const name of names) this.#at(name).add(note);
    return {
      next: async (ms, over) => {
        if (!hasChanged) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, ms);
            wake = () => (clearTimeout(timer), resolve());
            over?.then(wake);
          });
        }
        hasChanged = false;
      },
      end: () => {
        this.#size -= weight;
        for (const name of names) this.#leave(name, note);
      },
    };
  }

  /** These have changed. */
  changed(names: readonly string[]): void {
    for (const name of names) for (const note of this.#byName.get(name) ?? []) note();
  }

  /** These tables have changed, nobody knows where. */
  tablesChanged(tables: ReadonlySet<string>): void {
    for (const [name, notes] of this.#byName) {
      if (watchedTables(name).some((table) => tables.has(table))) { for (const note of notes) note(); }
    }
  }

  /** Anything may have changed. */
  allChanged(): void {
    for (const notes of this.#byName.values()) for (const note of notes) note();
  }

  #at(name: string): Set<() => void> {
    const known = this.#byName.get(name);
    if (known) return known;
    const made = new Set<() => void>();
    this.#byName.set(name, made);
    this.#count(name, 1);
    return made;
  }

  #leave(name: string, note: () => void): void {
    const notes = this.#byName.get(name);
    notes?.delete(note);
    if (notes?.size !== 0) return;
    this.#byName.delete(name);
    this.#count(name, -1);
  }

  #count(name: string, change: number): void {
    const table = name.slice(0, name.indexOf("/") + 1);
    this.#tables.set(table, (this.#tables.get(table) ?? 0) + change);
  }
}
