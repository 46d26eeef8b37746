/**
 * A client of muster for Deno, Node.js and browsers: SQL, changes of rows, live queries, keys and locks.
 *
 * It knows the addresses of some nodes, asks the one that answered last, and goes to another where that is safe. Whoever writes
 * is told what is known: a {@linkcode SqlError} and an {@linkcode UnavailableError} have done nothing, an
 * {@linkcode UnknownOutcomeError} may have.
 *
 * @example
 * ```ts
 * import { connect } from "./client/mod.ts";
 *
 * const db = connect("http://localhost:4001,http://localhost:4011");
 * await db.execute("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT)");
 * await db.execute("INSERT INTO users (name) VALUES (?)", ["Ann"]);
 * for (const { id, name } of await db.query<{ id: number; name: string }>("SELECT * FROM users")) console.log(id, name);
 * ```
 * @module
 */
import { MusterError, SqlError, UnknownOutcomeError } from "./errors.ts";
import { Kv, Lock, type LockOptions } from "./kv.ts";
import { type ConnectOptions, Nodes } from "./nodes.ts";
import { type Change, changes, type ChangesOptions, live, type LiveOptions, typed } from "./streams.ts";
import { parameterText, parseExact, type SqlParameters } from "./values.ts";

export { MusterError, SqlError, UnavailableError, UnknownOutcomeError } from "./errors.ts";
export { Kv, type KvEntry, type KvPut, Lock, type LockOptions } from "./kv.ts";
export type { Asking, ConnectOptions, Nodes, WholeAnswer } from "./nodes.ts";
export type { Change, ChangeEvent, ChangesOptions, LiveOptions } from "./streams.ts";
export { Real, real, type SqlParameter, type SqlParameters, type SqlResult } from "./values.ts";

/** Rows of a result, by the names of their columns. */
export type Row = Record<string, unknown>;

/** A statement with its parameters. */
export type SqlStatement = string | readonly [sql: string, parameters?: SqlParameters];

/** What a write has done. */
export interface Written {
  /** Rows that it has changed itself. */
  readonly rowsAffected: number;
  /** Rowid of the last row that was inserted. */
  readonly lastInsertId: number | bigint;
  /** Rows of RETURNING. */
  readonly rows: readonly Row[];
}

/** How much a read may be behind; see docs/api.md. */
export type ReadLevel = "none" | "weak" | "linearizable" | "strong";

/** How to write. */
export interface WriteOptions {
  /** Whether it may be done twice: then it is tried again where no answer came. @default {false} */
  readonly idempotent?: boolean;
  /** Gives it up; a write may have been done all the same. */
  readonly signal?: AbortSignal;
}

/** How to read. */
export interface QueryOptions {
  /** How much it may be behind. @default {"weak"} */
  readonly level?: ReadLevel;
  /** Gives it up. */
  readonly signal?: AbortSignal;
}

/** Connects to a cluster by the addresses of some of its nodes; nothing is sent yet. @throws {TypeError} When one is none. */
export function connect(addresses: string | readonly string[], options: ConnectOptions = {}): Client {
  return new Client(new Nodes(addresses, options));
}

/** A cluster. */
export class Client {
  /** Keys, of clusters with agents. */
  readonly kv: Kv;
  readonly #nodes: Nodes;

  /** See {@linkcode connect}. */
  constructor(nodes: Nodes) {
    this.#nodes = nodes;
    this.kv = new Kv(nodes);
  }

  /**
   * Runs a write.
   * @throws {SqlError} When SQLite refused it.
   * @throws {UnavailableError} When nobody could be asked: nothing was done.
   * @throws {UnknownOutcomeError} When it may or may not have been done.
   */
  async execute(sql: string, parameters?: SqlParameters, options: WriteOptions = {}): Promise<Written> {
    const [result] = await this.#send("/db/request?associative", [[sql, parameters]], options);
    return written(result);
  }

  /** Runs writes, and reads between them, in one transaction: all or none. @throws As {@linkcode Client.execute}. */
  async transaction(statements: readonly SqlStatement[], options: WriteOptions = {}): Promise<Written[]> {
    const pairs = statements.map((one): Statement => typeof one === "string" ? [one, undefined] : [one[0], one[1]]);
    return (await this.#send("/db/request?associative&transaction", pairs, options)).map(written);
  }

  /** Runs a read. @throws {SqlError} When SQLite refused it. @throws {UnavailableError} When nobody could be asked. */
  async query<T = Row>(
    sql: string,
    parameters?: SqlParameters,
    { level = "weak", signal }: QueryOptions = {},
  ): Promise<T[]> {
    const asked = { idempotent: true, ...(signal ? { signal } : {}) };
    const [result] = await this.#send(`/db/query?associative&level=${level}`, [[sql, parameters]], asked);
    return rowsOf<T>(result);
  }

  /**
   * The changes of rows, from an index on, for as long as they are asked for; the cluster must keep a log of them.
   * @throws {MusterError} When it keeps none, or one that does not reach back so far.
   */
  changes(options: ChangesOptions = {}): AsyncGenerator<Change> {
    return changes(this.#nodes, options);
  }

  /** Has the cluster keep a log of changes, of at most so many bytes. */
  async keepChanges(maxBytes?: number): Promise<void> {
    const body = maxBytes === undefined ? {} : { body: JSON.stringify({ max_bytes: maxBytes }) };
    await this.#nodes.ask({ method: "PUT", path: "/db/changes/log", isIdempotent: true, ...body });
  }

  /** The rows of a query, and all of them again whenever they have changed. @throws {MusterError} When it fails. */
  live<T = Row>(sql: string, parameters?: SqlParameters, options: LiveOptions = {}): AsyncGenerator<readonly T[]> {
    return live<T>(this.#nodes, bodyOf([[sql, parameters]]), options);
  }

  /**
   * Waits for the lock of a key, and holds it until it is released; of clusters with agents. What is written under it can
   * demand its token: `muster_fence(key, token)`.
   */
  async lock(key: string, options: LockOptions = {}): Promise<Lock> {
    return await Lock.acquire(this.#nodes, key, options);
  }

  async #send(path: string, statements: readonly Statement[], options: WriteOptions): Promise<Result[]> {
    const { idempotent: isIdempotent = false, signal } = options;
    const body = bodyOf(statements);
    const mayRetry = ({ error, outcome }: Answer) =>
      error !== undefined && (outcome === "unknown" ? isIdempotent : LEADERLESS.test(error));
    const asking = { method: "POST", path, body, isIdempotent, signal } as const;
    const { text } = await this.#nodes.ask(asking, (text) => mayRetry(parseExact(text) as Answer));
    const { results = [], error, outcome } = parseExact(text) as Answer;
    const at = results.findIndex((one) => one.error !== undefined);
    if (at >= 0) {
      const { error = "", error_v2 } = results[at];
      throw new SqlError(error, { at, code: error_v2?.sqlite?.extended_code });
    }
    if (error === undefined) return results;
    throw outcome === "unknown" ? new UnknownOutcomeError(error) : new MusterError(error);
  }
}

/** Errors of a node that could not place a request with a leader: nothing was done. */
const LEADERLESS = /leader|cannot reach/i;

type Statement = readonly [sql: string, parameters: SqlParameters | undefined];

/** What came of a statement. */
interface Result {
  readonly rows?: readonly Row[] | null;
  readonly types?: Readonly<Record<string, string>>;
  readonly rows_affected?: number;
  readonly last_insert_id?: number | bigint;
  readonly error?: string;
  readonly error_v2?: { readonly sqlite?: { readonly extended_code?: number } };
}

interface Answer {
  readonly results?: Result[];
  readonly error?: string;
  readonly outcome?: string;
}

function bodyOf(statements: readonly Statement[]): string {
  const texts = statements.map(([sql, parameters = []]) => {
    if (isList(parameters)) return `[${[JSON.stringify(sql), ...parameters.map(parameterText)].join(",")}]`;
    const named = Object.entries(parameters).map(([name, value]) => `${JSON.stringify(name)}:${parameterText(value)}`);
    return `[${JSON.stringify(sql)},{${named.join(",")}}]`;
  });
  return `[${texts.join(",")}]`;
}

function isList(parameters: SqlParameters): parameters is Extract<SqlParameters, readonly unknown[]> {
  return Array.isArray(parameters);
}

function written(result: Result = {}): Written {
  const { rows_affected = 0, last_insert_id = 0 } = result;
  return { rowsAffected: rows_affected, lastInsertId: last_insert_id, rows: rowsOf(result) };
}

function rowsOf<T>({ rows, types = {} }: Result = {}): T[] {
  return (rows ?? []).map((row) => typed<T>(row, types));
}
