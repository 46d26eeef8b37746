/**
 * Reads of a client agent that are asked for again and again, as names are: the first one asks a server, and from then on the
 * server tells of changes (a blocking query, C6.3), so that the next ones cost nothing and are current but for the time of a
 * message. What nobody asks for any more is followed no more. While no server answers nothing is known.
 * @module
 */
import type { Asker } from "../database/operation.ts";
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
  readonly #by: () => Asker;
  readonly #followed = new Map<string, Followed>();

  /** @param by In whose name is asked: with another token everything is asked anew. */
  constructor(runner: Runner<CatalogOperations>, by: () => Asker = () => ({ k: "node" })) {
    this.#runner = runner;
    this.#by = by;
  }

  /** The rows of a read, stale. Rejects when no server tells. */
  rows(query: CatalogQuery): Promise<Rows> {
    const by = this.#by();
    const key = JSON.stringify([query, by]);
    const known = this.#followed.get(key);
    if (known) {
      known.askedMs = performance.now();
      return known.rows;
    }
    const first = this.#read(query, by, { index: 0, waitMs: 0 });
    const rows = first.then((found) => found.rows);
    if (this.#followed.size >= FOLLOWED_MAX) return rows;
    const followed: Followed = { rows, askedMs: performance.now() };
    this.#followed.set(key, followed);
    this.#follow({ query, by }, followed, first).catch(() => {}).finally(() => {
      this.#followed.delete(key);
      this.onChange();
    });
    return rows;
  }

  /** Keeps the rows current until nobody asks for them, or no server tells. */
  async #follow(
    { query, by }: { readonly query: CatalogQuery; readonly by: Asker },
    followed: Followed,
    first: Promise<Found>,
  ): Promise<void> {
    let { index } = await first;
    while (performance.now() - followed.askedMs < IDLE_MS) {
      const found = await this.#read(query, by, { index, waitMs: WAIT_MS });
      // What a token may see changes without the rows.
      if (found.index === index && by.k === "node") continue;
      index = found.index;
      followed.rows = Promise.resolve(found.rows);
      this.onChange();
    }
  }

  async #read(
    query: CatalogQuery,
    by: Asker,
    { index, waitMs }: { readonly index: number; readonly waitMs: number },
  ): Promise<Found> {
    const { result } = await this.#runner.run(
      "catalogRead",
      { query, consistency: "stale", index, waitMs },
      { by, timeoutMs: waitMs + TIMEOUT_MS, retries: 0 },
    );
    return { rows: result.rows, index: result.index };
  }
}
