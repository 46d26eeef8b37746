/**
 * Read-only queries on a connection of its own, beside the writer.
 *
 * All requests of one message are answered from one snapshot: one read transaction for the batch, opened by reading the
 * schema's version, so that what is cached about columns is known to be current. (Each request would otherwise pay for
 * a transaction of its own, and for that check.)
 *
 * The connection is opened read-only, with `query_only`, and an authorizer that refuses ATTACH, transactions and
 * whatever loads native code: SQLite is outside the runtime's sandbox.
 *
 * Time limit: `node:sqlite` cannot interrupt a running call. The clock is looked at between rows, and between
 * statements; a single long step (a sort, an aggregate over a large table) runs to its end. What that may cost is
 * bounded by the HTTP side, which answers its client in time and retires the reader.
 * @module
 */

import type { BoundStatement } from "../sql/command.ts";
import type { ReadRequest, ReadResult } from "../sql/exchange.ts";
import { Guard, isReadStatement, refusal } from "./authorizer.ts";
import { BUSY_TIMEOUT_MS } from "./database_file.ts";
import { type Bindings, type Database, openNodeSqlite, type Row, runOnce, type Statement } from "./driver.ts";
import { timeSince, WRITE_IN_QUERY } from "./executor.ts";
import { isReadOnly, resultMessage, StatementError } from "./failure.ts";
import { fetchRows } from "./fetch.ts";
import { ParameterCursor, PreparedCache } from "./prepared.ts";
import { type Budget, newBudget, QueryRenderer, RenderError, renderFailure } from "./render.ts";
import { describePragmas } from "./status.ts";

/** How to open a reader. */
export interface ReaderOptions {
  /** Whether foreign keys are enforced; only shown in pragmas. */
  readonly foreignKeys: boolean;
}

const NO_BINDINGS: Bindings = { named: null, anonymous: [] };
/** Rows between two looks at the clock. */
const ROWS_PER_LOOK = 32;

/** A request on its way. */
interface Run {
  readonly request: ReadRequest;
  /** When it must end, on the clock of `performance.now()`. */
  readonly deadlineMs: number;
  readonly budget: Budget;
}

/** Answers read requests. */
export class Reader {
  readonly #database: Database;
  readonly #guard = new Guard();
  readonly #prepared: PreparedCache;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #schemaVersion: Statement;
  #knownSchema: unknown = null;

  /** Use {@linkcode openReader}. */
  constructor(database: Database) {
    this.#database = database;
    database.setAuthorizer(this.#guard.authorize);
    this.#prepared = new PreparedCache(database);
    this.#begin = database.prepare("BEGIN");
    this.#commit = database.prepare("COMMIT");
    this.#schemaVersion = database.prepare("PRAGMA schema_version");
  }

  /** Answers one request. */
  read(request: ReadRequest): ReadResult {
    return this.readAll([request])[0] ?? { ref: request.ref, results: "[]", error: "no result" };
  }

  /**
   * Answers several requests from one snapshot.
   * @throws {Error} On an error of the environment: the reader is of no further use.
   */
  readAll(requests: readonly ReadRequest[]): readonly ReadResult[] {
    this.#begin.run(NO_BINDINGS);
    try {
      const version = this.#schemaVersion.all(NO_BINDINGS)[0]?.[0];
      if (version !== this.#knownSchema) this.#reloadSchema();
      this.#knownSchema = version;
      return requests.map((request) => this.#answer(request));
    } finally {
      if (this.#database.isTransaction) this.#commit.run(NO_BINDINGS);
    }
  }

  /** The pragmas of this connection, for `/status`. */
  pragmas(): Record<string, string> {
    return describePragmas(this.#database);
  }

  /** Closes the connection. */
  close(): void {
    this.#database.close();
  }

  /** SQLite notices a changed schema only when a statement that uses it runs; what is compiled before shows old columns. */
  #reloadSchema(): void {
    this.#prepared.clear();
    runOnce(this.#database, "SELECT 1 FROM sqlite_schema LIMIT 1");
  }

  #answer(request: ReadRequest): ReadResult {
    if (request.onlyIfReadOnly && !request.statements.every((statement) => this.#isReadOnly(statement))) {
      return { ref: request.ref, results: "[]", writes: true };
    }
    const deadlineMs = request.timeoutMs > 0 ? performance.now() + request.timeoutMs : Infinity;
    const run: Run = { request, deadlineMs, budget: newBudget() };
    let texts = "";
    for (const statement of request.statements) {
      const text = statement.parts.length === 0
        ? request.options.associative ? `{"rows":[]}` : "{}" // a comment, or white space
        : this.#element(run, statement);
      texts = texts === "" ? text : `${texts},${text}`;
    }
    return { ref: request.ref, results: `[${texts}]` };
  }

  /** Whether every statement of the string reads, and compiles. */
  #isReadOnly({ parts }: BoundStatement): boolean {
    if (!parts.every(isReadStatement)) return false;
    try {
      this.#guard.mode = "read";
      for (const { sql } of parts) this.#prepared.get(sql);
      return true;
    } catch (error) {
      this.#guard.takeReason();
      if (resultMessage(error) === null) throw error;
      return false;
    } finally {
      this.#guard.mode = "off";
    }
  }

  /** Runs every statement of a string; the last one's rows are the result. */
  #element(run: Run, statement: BoundStatement): string {
    try {
      const cursor = new ParameterCursor(statement);
      let text = "";
      for (let at = 0; at < statement.parts.length; at++) {
        text = this.#part(run, statement, at, cursor);
      }
      return text;
    } catch (error) {
      const reason = this.#guard.takeReason();
      const message = error instanceof StatementError || error instanceof RenderError
        ? error.message
        : reason ?? (isReadOnly(error) ? WRITE_IN_QUERY : resultMessage(error));
      if (message === null) throw error;
      return renderFailure(message, run.request.options.associative);
    } finally {
      this.#guard.mode = "off";
    }
  }

  #part(run: Run, { parts }: BoundStatement, at: number, cursor: ParameterCursor): string {
    const part = parts[at];
    if (part === undefined) return "";
    const { options } = run.request;
    const startedMs = options.timings ? performance.now() : 0;
    if (!isReadStatement(part)) {
      if (part.verb !== "PRAGMA" && refusal(part, "read") === null) {
        this.#guard.mode = "read";
        this.#prepared.get(part.sql); // a statement that does not compile says so
        throw new StatementError(WRITE_IN_QUERY);
      }
      throw new StatementError(refusal(part, "read") ?? WRITE_IN_QUERY);
    }
    if (performance.now() > run.deadlineMs) throw new StatementError("query timeout");
    this.#guard.mode = "read";
    const prepared = this.#prepared.get(part.sql);
    const rows = fetchRows(this.#database, part, prepared, cursor.take(part, prepared));
    const renderer = new QueryRenderer(prepared.shape(options.qualifyColumns), options, run.budget);
    const isShown = at === parts.length - 1;
    walk(rows, run.deadlineMs, isShown ? renderer : null);
    return isShown ? renderer.finish(timeSince(startedMs)) : "";
  }
}

/** Takes the rows, with a look at the clock now and then. */
function walk(rows: Iterable<Row>, deadlineMs: number, renderer: QueryRenderer | null): void {
  let count = 0;
  for (const row of rows) {
    renderer?.add(row);
    count++;
    if (count % ROWS_PER_LOOK === 0 && performance.now() > deadlineMs) throw new StatementError("query timeout");
  }
}

/**
 * Opens a read-only connection to a database that the writer has opened before.
 * @throws {Error} When the file cannot be opened.
 */
export function openReader(path: string, { foreignKeys }: ReaderOptions): Reader {
  const database = openNodeSqlite(path, { readOnly: true, foreignKeys });
  runOnce(database, `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  runOnce(database, "PRAGMA query_only = ON");
  return new Reader(database);
}
