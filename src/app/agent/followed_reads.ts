/**
 * Reads of a client agent that are asked for again and again, as names are: the first one asks a server, and from then on the
 * server tells of changes (a blocking query, C6.3), so that the next ones cost nothing and are current but for the time of a
 * message. What nobody asks for any more is followed no more. While no server answers nothing is known.
 * @module
 */
import type { Runner } from "../database/operations.ts";
import type { CatalogRow } from "./catalog.ts";
import type { CatalogOperations } from "./catalog_operations.ts";
import type { CatalogQuery } from "./catalog_query.ts";

/** Longest wait for a server. */
const TIMEOUT_MS = 5000;
/** A change is waited for so long, then asked for again. */
const WAIT_MS = 60_000;
/** What was not asked for since is followed no more. */
const IDLE_MS = 60_000;
/** Reads that are followed; more are made each time. */
const FOLLOWED_MAX = 256;

/** Rows of each statement of a read. */
type Rows = readonly (readonly CatalogRow[])[];

interface Found {
  readonly rows: Rows;
  readonly index: number;
}

interface Followed {
  rows: Promise<Rows>;
  askedMs: number;
}

/** The reads of one agent. */
export class FollowedReads {
  /** Called when something of what is followed has changed, or is followed no more. */
  onChange: () => void = () => {};
  readonly #runner: Runner<CatalogOperations>;
  readonly #followed = new Map<string, Followed>();

  constructor(runner: Runner<CatalogOperations>) {
    this.#runner = runner;
  }

  /** The rows of a read, stale. Rejects when no server tells. */
  rows(query: CatalogQuery): Promise<Rows> {
    const key = JSON.stringify(query);
    const known = this.#followed.get(key);
    if (known) {
      known.askedMs = performance.now();
      return known.rows;
    }
    const first = this.#read(query, 0, 0);
    const rows = first.then((found) => found.rows);
    if (this.#followed.size >= FOLLOWED_MAX) return rows;
    const followed: Followed = { rows, askedMs: performance.now() };
    this.#followed.set(key, followed);
    this.#follow(query, followed, first).catch(() => {}).finally(() => {
      this.#followed.delete(key);
      this.onChange();
    });
    return rows;
  }

  /** Keeps the rows current until nobody asks for them, or no server tells. */
  async #follow(query: CatalogQuery, followed: Followed, first: Promise<Found>): Promise<void> {
    let { index } = await first;
    while (performance.now() - followed.askedMs < IDLE_MS) {
      const found = await this.#read(query, index, WAIT_MS);
      if (found.index === index) continue;
      index = found.index;
      followed.rows = Promise.resolve(found.rows);
      this.onChange();
    }
  }

  async #read(query: CatalogQuery, index: number, waitMs: number): Promise<Found> {
    const { result } = await this.#runner.run(
      "catalogRead",
      { query, consistency: "stale", index, waitMs },
      { by: { k: "node" }, timeoutMs: waitMs + TIMEOUT_MS, retries: 0 },
    );
    return { rows: result.rows, index: result.index };
  }
}
