/**
 * Following the log of changed rows on this node: from an index on, in order, each entry once, waiting for what is to come.
 *
 * What is sent is read from the database a piece at a time, when whoever follows has taken the last one: one that is slow
 * costs nothing, until the log has forgotten what it would get next, which it is told.
 * @module
 */
import { CHANGE_LOG_TABLE, CHANGE_SINKS_TABLE, CHANGES_TABLE } from "../../core/sql/change_log.ts";
import type { Catalog } from "../agent/catalog.ts";
import { OperationError } from "../database/errors.ts";
import type { TableWatches } from "./table_watches.ts";

/** Bytes of the log that are read at once, about. */
const PIECE_BYTES = 1024 * 1024;
/** Whoever follows hears at least as often how far the log is. */
export const QUIET_MS = 15_000;

/** Something that happened to a row, as JSON has it. */
export interface ChangeEvent {
  readonly op?: "INSERT" | "UPDATE" | "DELETE";
  readonly table?: string;
  readonly error?: string;
}

/** An entry of the log. */
export interface Change {
  /** Index in the Raft log. */
  readonly index: number;
  /** The leader's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  /** A list of JSON. */
  readonly events: string;
}

/** Entries, and the index up to which there are no others. */
export interface ChangePiece {
  readonly changes: readonly Change[];
  readonly index: number;
}

/** The cluster keeps no log of changes. */
export class NoChangeLogError extends OperationError {
  /** Always `NoChangeLogError`. */
  override readonly name = "NoChangeLogError";
}

/** The log does not reach back to where somebody wants to go on. */
export class ForgottenChangesError extends OperationError {
  /** Always `ForgottenChangesError`. */
  override readonly name = "ForgottenChangesError";
}

/** The log of this node. */
export class ChangeFeed {
  readonly #catalog: Pick<Catalog, "read">;
  readonly #watches: TableWatches;

  constructor(parts: { readonly catalog: Pick<Catalog, "read">; readonly watches: TableWatches }) {
    this.#catalog = parts.catalog;
    this.#watches = parts.watches;
  }

  /** The index of the last entry that this node has applied. @throws {NoChangeLogError} */
  async last(): Promise<number> {
    return (await this.#read(Number.MAX_SAFE_INTEGER)).applied;
  }

  /**
   * Gives the entries behind an index, and waits for further ones until `over` resolves. A piece without entries tells how
   * far the log is: in the beginning, and whenever nothing has come for a while.
   * @throws {NoChangeLogError} As soon as there is no log, or no more.
   * @throws {ForgottenChangesError} When entries behind the index were forgotten.
   */
  async *follow(since: number, over: Promise<void>): AsyncGenerator<ChangePiece> {
    const watch = this.#watches.watch([CHANGES_TABLE]);
    let isOver = false;
    over.then(() => (isOver = true, watch.wake()));
    let isQuiet = true;
    try {
      for (let at = since; !isOver;) {
        watch.reset();
        const piece = await this.read(at);
        const isEmpty = piece.changes.length === 0;
        if (isQuiet || !isEmpty) yield piece;
        at = Math.max(at, piece.index);
        isQuiet = isEmpty && !isOver && !await watch.changed(QUIET_MS);
      }
    } finally {
      watch.end();
    }
  }

  /** Whether there is a log, its limit, and how far it reaches, as the API shows it. */
  async status(): Promise<Record<string, unknown>> {
    const { rows: [[log], [entries], sinks] } = await this.#catalog.read([
      { sql: `SELECT max_bytes, since FROM ${CHANGE_LOG_TABLE}` },
      {
        sql: `SELECT count(*) AS entries, coalesce(max(position) - min(position), 0) AS bytes, ` +
          `coalesce(max(raft_index), 0) AS last FROM ${CHANGES_TABLE}`,
      },
      { sql: `SELECT name, delivered FROM ${CHANGE_SINKS_TABLE} ORDER BY name` },
    ]);
    if (!log) return { enabled: false };
    const { max_bytes, since } = log;
    const delivered = Object.fromEntries(sinks.map(({ name, delivered }) => [String(name), delivered]));
    return { enabled: true, max_bytes, ...entries, since, sinks: delivered };
  }

  /** The next entries behind an index, as many as are read at once. @throws As {@linkcode ChangeFeed.follow}. */
  async read(since: number): Promise<ChangePiece> {
    const { changes, applied, forgotten } = await this.#read(since);
    if (since < forgotten) {
      throw new ForgottenChangesError(
        `the log of changes does not reach back to index ${since}: it begins behind ${forgotten}; read the tables anew`,
      );
    }
    return { changes, index: changes.at(-1)?.index ?? Math.max(since, applied) };
  }

  async #read(since: number): Promise<{ changes: Change[]; applied: number; forgotten: number }> {
    const behind = BigInt(since);
    const { rows: [[log], rows] } = await this.#catalog.read([
      { sql: `SELECT since, (SELECT applied FROM _muster WHERE id = 0) AS applied FROM ${CHANGE_LOG_TABLE}` },
      {
        sql: `SELECT raft_index, time_ms, events FROM ${CHANGES_TABLE} WHERE raft_index > ?1 AND position <= ` +
          `(SELECT position FROM ${CHANGES_TABLE} WHERE raft_index > ?1 ORDER BY raft_index LIMIT 1) + ${PIECE_BYTES} ` +
          "ORDER BY raft_index",
        positional: [behind],
      },
    ]);
    if (!log) throw new NoChangeLogError("this cluster keeps no log of changes: PUT /db/changes/log has it keep one");
    const changes = rows.map(({ raft_index, time_ms, events }) => ({
      index: Number(raft_index),
      timeMs: Number(time_ms),
      events: String(events),
    }));
    return { changes, applied: Number(log.applied), forgotten: Number(log.since) };
  }
}
