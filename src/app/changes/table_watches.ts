/**
 * Waiting for a change of tables on this node. While nobody waits, the writer tells nobody.
 *
 * Whoever resets its watch, reads, and waits then misses nothing: the writer tells of a COMMIT after it is visible.
 * @module
 */
import type { Activity } from "../../base/shared/activity.ts";
import { TooManyWaitError } from "../database/errors.ts";

/** Those that may watch at a time. */
export const WATCHES_MAX = 4096;
/** What stands for all tables. */
const ALL = "*";
/** The table of the schema: what it holds decides what any statement reads. */
const SCHEMA = "sqlite_master";

/** Watches some tables until it is ended. */
export interface TableWatch {
  /** Waits for changes from now on. */
  reset(): void;
  /** Watches these tables from now on, in lower case. */
  about(tables: readonly string[]): void;
  /** Resolves when there was a change since the last reset, when the time has passed, or when it is woken. */
  changed(ms: number): Promise<boolean>;
  /** Does not wait on. */
  wake(): void;
  end(): void;
}

interface Watching {
  /** Undefined: all. */
  tables: ReadonlySet<string> | undefined;
  isChanged: boolean;
  wake: () => void;
}

/** All watches of a node. */
export class TableWatches {
  readonly #activity: Activity | undefined;
  readonly #watching = new Set<Watching>();

  /** @param activity The writer's; undefined where there is none. */
  constructor(activity: Activity | undefined) {
    this.#activity = activity;
  }

  /** Watches under way. */
  get size(): number {
    return this.#watching.size;
  }

  /** Tables may have changed. */
  changed(tables: readonly string[]): void {
    const isAll = tables.includes(ALL) || tables.includes(SCHEMA);
    for (const watching of this.#watching) {
      const { tables: own } = watching;
      if (!isAll && own && !tables.some((table) => own.has(table))) continue;
      watching.isChanged = true;
      watching.wake();
    }
  }

  /** Anything may have changed. */
  allChanged(): void {
    this.changed([ALL]);
  }

  /**
   * Watches tables, by their names in lower case; all, where none are named.
   * @throws {TooManyWaitError} When as many watch as may.
   */
  watch(tables?: readonly string[]): TableWatch {
    if (this.#watching.size >= WATCHES_MAX) {
      throw new TooManyWaitError(`${WATCHES_MAX} streams of changes are open on this node: ask another one`);
    }
    const watching: Watching = { tables: tables && new Set(tables), isChanged: false, wake: () => {} };
    this.#watching.add(watching);
    this.#tell();
    return {
      reset: () => watching.isChanged = false,
      about: (others) => watching.tables = new Set(others),
      changed: (ms) => waitFor(watching, ms),
      wake: () => watching.wake(),
      end: () => {
        this.#watching.delete(watching);
        this.#tell();
      },
    };
  }

  #tell(): void {
    if (this.#activity) this.#activity.isWatched = this.#watching.size > 0;
  }
}

async function waitFor(watching: Watching, ms: number): Promise<boolean> {
  if (watching.isChanged) return true;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  watching.wake = resolve;
  await promise;
  clearTimeout(timer);
  watching.wake = () => {};
  return watching.isChanged;
}
