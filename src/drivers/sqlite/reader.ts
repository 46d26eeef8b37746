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
 * A request is ended at its time limit, or when the HTTP side says so through the shared control: in the midst of
 * whatever it computes. What its values, its rows and its temporary files may take is limited. Where the disk of the
 * temporary files is full, its statement fails, and nothing else.
 *
 * Rows become bytes as they come. Those of all answers in flight are counted; a request that finds no room for its own is
 * ended, to begin again when there is.
 * @module
 */

import { renderFailure } from "../../core/sql/failure.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { DecodedRead, ReadResult } from "../../core/sql/exchange.ts";
import { type ResultText, TextBuilder } from "../../core/sql/result_text.ts";
import { limitUntil } from "./attempt.ts";
import { isReadStatement, refusal } from "./authorizer.ts";
import { Control, UNLIMITED } from "../libsqlite/control.ts";
import { BUSY_TIMEOUT_MS } from "./database_file.ts";
import { Database, runOnce, SqliteError, type Statement } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import {
  causeOf,
  failureOf,
  isReadOnly,
  type Limits,
  QUERY_TIMEOUT,
  READ_TEMP_BYTES_DEFAULT,
  resultMessage,
  StatementError,
  WRITE_IN_QUERY,
} from "./failure.ts";
import { ParameterCursor, PreparedCache } from "./prepared.ts";
import { unpackRows } from "../libsqlite/packing.ts";
import { NoRoomError, QueryRenderer, RenderError, Room, timeSince } from "./render.ts";
import { excusedMessage } from "./soundness.ts";

/** Bytes that the large values of a read may take together. */
export const READ_VALUE_BYTES_MAX = 256 * 1024 * 1024;
/** Rows of this size take much memory while they are rendered. */
const LARGE_PIECE_BYTES = 1024 * 1024;

/** How to open a reader. */
export interface ReaderOptions {
  /** Whether foreign keys are enforced; only shown in pragmas. */
  readonly foreignKeys: boolean;
  /** The SQLite library. @default The one that belongs to this machine, without extensions. */
  readonly library?: SqliteLibrary;
  /** Lets another thread abort the running statement. @default {new Control()} */
  readonly control?: Control;
  /** Bytes of each temporary file of a statement. @default {READ_TEMP_BYTES_DEFAULT} */
  readonly tempBytesMax?: number;
  /** Counts the bytes of answers. @default {new AnswerBudget()} */
  readonly answers?: AnswerBudget;
}

/** A request on its way. */
interface Run {
  readonly request: DecodedRead;
  /** When it must end, on the clock of `performance.now()`. */
  readonly deadlineMs: number;
  readonly room: Room;
  /** Whether its time was over before it came to its end. */
  isLate: boolean;
}

/** Answers read requests. */
export class Reader {
  readonly #database: Database;
  readonly #control: Control;
  readonly #answers: AnswerBudget;
  readonly #limits: Limits;
  readonly #prepared: PreparedCache;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #schemaVersion: Statement;
  /** Whether SQLite has been told of damage in this transaction: it lets it not be committed then. */
  #isSpoiled = false;
  #knownSchema: unknown = null;

  /** Use {@linkcode openReader}. */
  constructor(
    database: Database,
    { control, tempBytesMax, answers }: { control: Control; tempBytesMax: number; answers: AnswerBudget },
  ) {
    this.#database = database;
    this.#answers = answers;
    this.#control = control;
    this.#limits = { steps: 0, valueBytes: READ_VALUE_BYTES_MAX, tempBytes: tempBytesMax };
    control.valueBytes = READ_VALUE_BYTES_MAX;
    control.tempBytes = tempBytesMax;
    this.#prepared = new PreparedCache(database, "read", control);
    this.#begin = database.prepare("BEGIN");
    this.#commit = database.prepare("COMMIT");
    this.#rollback = database.prepare("ROLLBACK");
    this.#schemaVersion = database.prepare("PRAGMA schema_version");
  }

  /** Answers one request. */
  read(request: DecodedRead): ReadResult {
    return this.readAll([request])[0] ?? { ref: request.ref, results: "[]", error: "no result" };
  }

  /**
   * Answers several requests from one snapshot.
   * @throws {Error} On an error of the environment: the reader is of no further use.
   */
  readAll(requests: readonly DecodedRead[]): readonly ReadResult[] {
    this.#begin.run();
    try {
      const version = this.#schemaVersion.all()[0]?.[0];
      if (version !== this.#knownSchema) this.#reloadSchema();
      this.#knownSchema = version;
      return requests.map((request) => this.#answer(request));
    } finally {
      if (this.#database.isTransaction) (this.#isSpoiled ? this.#rollback : this.#commit).run();
      this.#isSpoiled = false;
      this.#control.ticket.current = 0;
    }
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

  #answer(request: DecodedRead): ReadResult {
    this.#control.ticket.current = request.ref;
    this.#control.timeoutMs = UNLIMITED;
    const deadlineMs = request.timeoutMs > 0 ? performance.now() + request.timeoutMs : Infinity;
    const room = new Room(this.#answers, { mayWait: true });
    try {
      return this.#run({ request, deadlineMs, room, isLate: false });
    } catch (error) {
      room.dropAll();
      if (error instanceof NoRoomError) return { ref: request.ref, results: "[]", isTooLarge: true };
      throw error;
    }
  }

  #run(run: Run): ReadResult {
    const { request, room } = run;
    if (request.onlyIfReadOnly && !request.statements.every((statement) => this.#isReadOnly(statement))) {
      return { ref: request.ref, results: "[]", writes: true };
    }
    const texts = new TextBuilder(room.takeText);
    try {
      texts.add("[");
      let isFirst = true;
      for (const statement of request.statements) {
        const text = statement.parts.length === 0
          ? request.options.associative ? `{"rows":[]}` : "{}" // a comment, or white space
          : this.#element(run, statement);
        if (!isFirst) texts.add(",");
        texts.append(text);
        isFirst = false;
      }
      texts.add("]");
      const tables = request.wantsTables ? { tables: this.#tablesOf(request) } : {};
      const result = { ref: request.ref, results: texts.finish(), ...tables };
      return run.isLate ? { ...result, isLate: true } : result;
    } catch (error) {
      texts.drop();
      throw error;
    }
  }

  /** Tables and views that the statements of a request read; those that do not compile, none. */
  #tablesOf({ statements }: DecodedRead): readonly string[] {
    const tables = new Set<string>();
    for (const part of statements.flatMap(({ parts }) => parts)) {
      try {
        for (const table of this.#prepared.get(part).effects.reads) tables.add(table);
      } catch (error) {
        if (this.#messageOf(error) === null) throw error;
      }
    }
    return [...tables];
  }

  /** Whether every statement of the string reads, and compiles. */
  #isReadOnly({ parts }: BoundStatement): boolean {
    if (!parts.every(isReadStatement)) return false;
    try {
      for (const part of parts) this.#prepared.get(part);
      return true;
    } catch (error) {
      if (this.#messageOf(error) === null) throw error;
      return false;
    }
  }

  /** Runs every statement of a string; the last one's rows are the result. */
  #element(run: Run, statement: BoundStatement): ResultText {
    try {
      const cursor = new ParameterCursor(statement);
      let text: ResultText = "";
      for (let at = 0; at < statement.parts.length; at++) {
        text = this.#part(run, statement, at, cursor);
      }
      return text;
    } catch (error) {
      if (error instanceof NoRoomError) throw error;
      const message = this.#messageOf(error);
      if (message === null) throw error;
      run.isLate ||= message === QUERY_TIMEOUT;
      const { associative, errors } = run.request.options;
      return renderFailure(failureOf(error, message), { hasRows: associative, errors });
    }
  }

  /** The error of a statement, or `null` where the reader cannot go on. */
  #messageOf(error: unknown): string | null {
    if (error instanceof RenderError) return error.message;
    if (isReadOnly(error)) return WRITE_IN_QUERY;
    const message = resultMessage(error, this.#limits);
    if (message !== null || !(error instanceof SqliteError)) return message;
    if (causeOf(error) === "cancelled") return QUERY_TIMEOUT; // or nobody is there to read it
    // Temporary files and memory concern this statement alone; the files of the database concern everybody.
    const isAboutDatabase = error.io.file === "database" || error.io.file === "wal";
    if (causeOf(error) === "environment" && !isAboutDatabase) return error.message;
    const excused = excusedMessage(error, this.#database);
    this.#isSpoiled ||= excused !== null;
    return excused;
  }

  #part(run: Run, { parts }: BoundStatement, at: number, cursor: ParameterCursor): ResultText {
    const part = parts[at];
    if (part === undefined) return "";
    const { options } = run.request;
    const startedMs = options.timings ? performance.now() : 0;
    if (!isReadStatement(part)) {
      if (part.verb !== "PRAGMA" && refusal(part, "read") === null) {
        this.#prepared.get(part); // a statement that does not compile says so
        throw new StatementError(WRITE_IN_QUERY);
      }
      throw new StatementError(refusal(part, "read") ?? WRITE_IN_QUERY);
    }
    this.#look(run);
    const prepared = this.#prepared.get(part);
    const values = cursor.take(part, prepared);
    this.#look(run);
    if (at < parts.length - 1) {
      prepared.statement.run(values, this.#control);
      return "";
    }
    const renderer = new QueryRenderer(prepared.shape(options.qualifyColumns), options, run.room);
    try {
      for (const piece of prepared.statement.pieces(values, this.#control)) {
        const addRows = () => {
          for (const row of unpackRows(piece, prepared.columns.length)) renderer.add(row);
        };
        if (piece.length < LARGE_PIECE_BYTES) addRows();
        else run.room.withBytes(piece.length * 2, addRows); // its bytes, and its values as strings
        this.#look(run);
      }
      return renderer.finish(timeSince(startedMs));
    } catch (error) {
      renderer.drop();
      throw error;
    }
  }

  /** Ends a request whose time is over; gives the next call what is left. */
  #look({ deadlineMs }: Run): void {
    if (deadlineMs !== Infinity) limitUntil(this.#control, deadlineMs);
  }
}

/**
 * Opens a read-only connection to a database that the writer has opened before.
 * @throws {Error} When the file cannot be opened.
 */
export function openReader(
  path: string,
  {
    foreignKeys,
    library,
    control = new Control(),
    tempBytesMax = READ_TEMP_BYTES_DEFAULT,
    answers = new AnswerBudget(),
  }: ReaderOptions,
): Reader {
  const database = new Database(path, { readOnly: true, foreignKeys, ...(library ? { library } : {}) });
  runOnce(database, `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  runOnce(database, "PRAGMA query_only = ON");
  runOnce(database, "PRAGMA temp_store = FILE");
  return new Reader(database, { control, tempBytesMax, answers });
}
