/**
 * Requests whose statements took long on this node: told in its log, kept for a while, and read by SQL as
 * `muster.slow_statements`. Texts are kept, parameters are not: they may be secrets.
 *
 * The table lies in this process alone. Where a read names it, its rows are written into the statement, before it is run
 * here; a write cannot name it.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { withLocalTables } from "../../core/catalog/names.ts";
import { type BoundStatement, countOf, isEncoded, type Statements } from "../../core/sql/command.ts";
import { textLiteral } from "../../core/sql/tokenizer.ts";

/** Requests that are kept. */
const KEPT_MAX = 200;
/** Characters of their texts that are kept. */
const SQL_LENGTH_MAX = 1000;
/** Lines in the log a second; what is more is kept all the same. */
const LINES_PER_SECOND = 5;
const NAME = "slow_statements";
const COLUMNS = ["at", "ms", "kind", "sql", "trace_id"];

/** A request that took long. */
interface SlowStatement {
  /** When it had ended, RFC 3339. */
  readonly at: string;
  readonly ms: number;
  readonly kind: string;
  readonly sql: string;
  /** Null where it was not traced. */
  readonly traceId: string | null;
}

/** The slow requests of a node. */
export class SlowStatements {
  /** So far. */
  count = 0;
  readonly #thresholdMs: number;
  readonly #log: (line: string, level?: LogLevel) => void;
  readonly #kept: SlowStatement[] = [];
  #second = 0;
  #lines = 0;

  /** @param thresholdMs From here on a request is slow; 0: none is. */
  constructor(thresholdMs: number, log: (line: string, level?: LogLevel) => void) {
    this.#thresholdMs = thresholdMs > 0 ? thresholdMs : Infinity;
    this.#log = log;
  }

  /** Takes note of a request that has ended, if it was slow; and of its trace. */
  note(kind: string, statements: Statements, ms: number, traceId: string | null = null): void {
    if (ms < this.#thresholdMs) return;
    this.count++;
    const sql = sqlOf(statements);
    this.#kept.push({ at: new Date().toISOString(), ms: Math.round(ms), kind, sql, traceId });
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) [this.#second, this.#lines] = [second, 0];
    if (++this.#lines > LINES_PER_SECOND) return;
    const trace = traceId === null ? "" : `, trace ${traceId}`;
    this.#log(`slow ${kind}, ${formatDuration(Math.round(ms))}${trace}: ${sql}`, "warn");
  }

  /** Statements of a read with the rows of the table in them, where they name it. */
  shownIn(statements: Statements): Statements {
    if (isEncoded(statements) || !statements.some(namesIt)) return statements;
    const rows = JSON.stringify(this.#kept.map(({ at, ms, kind, sql, traceId }) => [at, ms, kind, sql, traceId]));
    const columns = COLUMNS.map((name, at) => `value ->> ${at} AS ${name}`);
    const table = `(SELECT ${columns.join(", ")} FROM json_each(${textLiteral(rows)}))`;
    const tables = new Map([[NAME, table]]);
    return statements.map((statement) => ({
      ...statement,
      parts: statement.parts.map((part) => withLocalTables(part, tables)),
    }));
  }
}

function namesIt({ parts }: BoundStatement): boolean {
  return parts.some(({ sql }) => sql.toLowerCase().includes(NAME));
}

/** The text of the first statements. */
export function sqlOf(statements: Statements): string {
  if (isEncoded(statements)) return `(${countOf(statements)} statements)`;
  const texts = statements.slice(0, 3).flatMap(({ parts }) => parts.map(({ sql }) => sql));
  const rest = statements.length > 3 ? ` … (${statements.length} statements)` : "";
  // A line of the log is a line.
  return texts.join("; ").replace(/\s+/g, " ").slice(0, SQL_LENGTH_MAX) + rest;
}
