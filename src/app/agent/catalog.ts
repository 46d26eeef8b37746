/**
 * The catalog in this node's database: read by SQL from the readers, written by commands of the cluster's own through the
 * log, waited for by blocking queries.
 * @module
 */
import { PLAIN_RENDERING, type RenderOptions } from "../../core/sql/render_options.ts";
import { takeText } from "../database/held_answer.ts";
import { CATALOG_PREFIX, CATALOG_SCHEMA, type CatalogWrite } from "../../core/catalog/catalog.ts";
import { type BoundStatement, encodeCommand } from "../../core/sql/command.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import type { AnswerBudget } from "../../base/worker/answer_budget.ts";
import type { Readers } from "../database/readers.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import { Waits } from "./waits.ts";

const OPTIONS: RenderOptions = { ...PLAIN_RENDERING, associative: true };
const READ_TIMEOUT_MS = 10_000;
const WRITE_TIMEOUT_MS = 10_000;

/** The check that speaks for the agent of a node. */
export const SERF_HEALTH = "serfHealth";

/** A row by column. */
export type CatalogRow = Readonly<Record<string, unknown>>;

/** The result of a read. */
export interface CatalogRead {
  /** Rows of each statement. */
  readonly rows: readonly (readonly CatalogRow[])[];
  /** Log index of the last change of the tables; at least 1. */
  readonly index: number;
}

/** The catalog could not be read or written; the message is for people. */
export class CatalogError extends Error {
  /** Always `CatalogError`. */
  override readonly name = "CatalogError";
}

/** Dependencies of the catalog. */
export interface CatalogParts {
  readonly readers: Readers;
  readonly replica: ReplicaClient;
  readonly answers: AnswerBudget;
}

/** The catalog of one node. */
export class Catalog {
  readonly #parts: CatalogParts;
  readonly #waits = new Waits();
  #hasSchema = false;
  #changes = 0;

  constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  /**
   * Runs reads in one transaction, here.
   * @param tables Whose last change is the index.
   * @throws {CatalogError} When it takes too long or fails.
   */
  async read(
    tables: readonly string[],
    reads: readonly { readonly sql: string; readonly positional?: readonly SqlValue[] }[],
  ): Promise<CatalogRead> {
    const list = tables.map((name) => `'${name}'`).join(", ");
    const index = {
      sql: `SELECT coalesce(max(value), 1) AS value FROM ${CATALOG_PREFIX}index WHERE name IN (${list})`,
    };
    const result = await this.#parts.readers.read({
      statements: [index, ...reads].map(bound),
      transaction: true,
      options: OPTIONS,
      timeoutMs: READ_TIMEOUT_MS,
      onlyIfReadOnly: false,
    });
    if (result === undefined) throw new CatalogError("reading the catalog timed out");
    const parsed: { rows?: CatalogRow[]; error?: string }[] = JSON.parse(
      takeText(result.results, this.#parts.answers),
    );
    const fault = parsed.find(({ error }) => error !== undefined)?.error;
    if (fault?.startsWith("no such table")) return { rows: reads.map(() => []), index: 1 }; // nothing was ever written
    if (fault !== undefined) throw new CatalogError(fault);
    this.#hasSchema = true;
    const [[first], ...rows] = parsed.map((one) => one.rows ?? []);
    return { rows, index: Math.max(1, Number(first?.value ?? 1)) };
  }

  /**
   * Writes through the log; on the leader. All or nothing.
   * @throws {CatalogError} When it was refused, or nothing was heard of it in time.
   */
  async write(writes: readonly CatalogWrite[]): Promise<void> {
    const schema = this.#hasSchema ? [] : CATALOG_SCHEMA.map((sql) => ({ sql }));
    const statements = [...schema, ...writes].map(bound);
    const body = encodeCommand({ kind: "execute", transaction: true, isSystem: true, statements });
    const result = await this.#parts.replica.write(body, OPTIONS, WRITE_TIMEOUT_MS);
    if (result === undefined) throw new CatalogError("no answer in time: the catalog may or may not have been written");
    if (result.k === "refused") throw new CatalogError(result.refused.message);
    const parsed: { error?: string }[] = JSON.parse(takeText(result.outcome.results, this.#parts.answers));
    const fault = result.outcome.error ?? parsed.find(({ error }) => error !== undefined)?.error;
    if (fault !== undefined) throw new CatalogError(fault);
  }

  /** Something of it may have changed. */
  changed(): void {
    this.#changes++;
    this.#waits.wake();
  }

  /** Changes that this node has heard of, to tell {@linkcode Catalog.untilChanged} from where on. */
  get changes(): number {
    return this.#changes;
  }

  /** Resolves at the first change after `since`, after `ms`, or when the wait is `over`. */
  async untilChanged(since: number, ms: number, over?: Promise<void>): Promise<void> {
    if (this.#changes !== since) return; // heard of while the caller was reading
    await this.#waits.until(ms, over);
  }

  /** Blocking queries under way. */
  get waiting(): number {
    return this.#waits.size;
  }
}

function bound({ sql, positional = [] }: { sql: string; positional?: readonly SqlValue[] }): BoundStatement {
  return { parts: splitStatements(sql), positional, named: null };
}
