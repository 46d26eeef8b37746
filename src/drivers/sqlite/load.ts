/**
 * Loading a database as each replica does it (core/sql/load_step.ts): parts are kept in a table, and a file that has come whole
 * takes the place of everything, with the cluster's own tables as they are, and the position in the log, put into it before. It
 * does so in one transaction of SQLite's own (sqlite.org/backup.html): after a crash the database is the old or the new one.
 *
 * A file that is damaged, not a database or in another encoding is an error of the entry, the same on every replica.
 * @module
 */
import { freeBuffer } from "../../base/codec/free.ts";
import { CHANGES_TABLE, LOADED_CHANGE } from "../../core/sql/change_log.ts";
import { schemaFault, type SchemaRow, virtualModuleOf } from "../../core/sql/loaded_schema.ts";
import { LOAD_TABLE, type LoadStep } from "../../core/sql/load_step.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { identifierText } from "../../core/sql/tokenizer.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { Database, type Row, runOnce, SqliteError, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import type { SqliteLibrary } from "../libsqlite/library.ts";
import { isNodeModule, isOwnName, SYSTEM_TABLE } from "./authorizer.ts";
import { causeOf, StatementError } from "./failure.ts";
import { removeDatabase } from "./snapshot_file.ts";
import { headerFault } from "../libsqlite/header.ts";
import { findDamage } from "./soundness.ts";

/** The first bytes of every database file. */
const MAGIC = "SQLite format 3\0";
/** Pages copied at a time. */
const COPY_PAGES = 4096;

/** Values of the state machine's row for the loaded database. */
export interface LoadPosition {
  readonly index: number;
  readonly term: number;
  readonly timeMs: number;
  readonly digest: number;
}

/** Keeps a part, inside the open transaction. A part of another load removes those of the one before. */
export function keepPart(database: Database, { id, at, bytes }: Extract<LoadStep, { k: "part" }>): void {
  runOnce(
    database,
    `CREATE TABLE IF NOT EXISTS ${LOAD_TABLE}(id TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE(id, at))`,
  );
  change(database, `DELETE FROM ${LOAD_TABLE} WHERE id <> ?`, [id]);
  change(database, `INSERT OR REPLACE INTO ${LOAD_TABLE} VALUES(?, ?, ?)`, [id, BigInt(at), bytes]);
}

/** Forgets the parts of a load, inside the open transaction. */
export function dropParts(database: Database, id: string): void {
  if (!hasTable(database, LOAD_TABLE)) return;
  change(database, `DELETE FROM ${LOAD_TABLE} WHERE id = ?`, [id]);
  if (runOnce(database, `SELECT 1 FROM ${LOAD_TABLE} LIMIT 1`).length === 0) {
    runOnce(database, `DROP TABLE ${LOAD_TABLE}`);
  }
}

/**
 * Puts the file whose parts have come in the place of what the database holds; outside a transaction.
 * @param path Of the database, a file.
 * @throws {StatementError} When it cannot be: nothing has changed.
 */
export function installParts(
  database: Database,
  { id, size }: Extract<LoadStep, { k: "install" }>,
  { path, library, position }: { path: string; library: SqliteLibrary | undefined; position: LoadPosition },
): void {
  const file = `${path.slice(0, path.lastIndexOf("/"))}/load.sqlite`;
  removeDatabase(file);
  try {
    writeParts(database, file, { id, size });
    const options = { readOnly: false, foreignKeys: false, valueBytesMax: STORED_BYTES_MAX };
    const loaded = new Database(file, { ...options, ...(library ? { library } : {}) });
    try {
      const own = ownTables(database);
      aboutFile(() => {
        prepare(loaded, database);
        putOwnTables(loaded, own, position);
        const fault = headerFault(file);
        if (fault !== undefined) throw new StatementError(`the file that was loaded is damaged: ${fault}`);
      });
      const copying = loaded.backup(database);
      try {
        while (copying.step(COPY_PAGES));
      } finally {
        copying.finish();
      }
    } finally {
      loaded.close();
    }
  } finally {
    removeDatabase(file);
  }
}

function writeParts(database: Database, path: string, { id, size }: { id: string; size: number }): void {
  const file = Deno.openSync(path, { write: true, createNew: true });
  const statement = hasTable(database, LOAD_TABLE)
    ? database.prepare(`SELECT at, data FROM ${LOAD_TABLE} WHERE id = ? ORDER BY at`)
    : undefined;
  let have = 0;
  try {
    for (const [at, data] of statement?.iterate([id]) ?? []) {
      if (at !== BigInt(have) || !(data instanceof Uint8Array)) break;
      if (have === 0 && !startsWithMagic(data)) throw new StatementError("invalid SQLite data");
      for (let written = 0; written < data.length;) written += file.writeSync(data.subarray(written));
      have += data.length;
      freeBuffer(data); // a copy of its own
    }
  } finally {
    statement?.finalize();
    file.close();
  }
  if (have !== size) {
    throw new StatementError(
      `only ${have} of ${size} bytes have come: another load has begun meanwhile; load it again`,
    );
  }
}

function startsWithMagic(bytes: Uint8Array): boolean {
  return [...MAGIC].every((char, at) => bytes[at] === char.charCodeAt(0));
}

/**
 * Reports damage as that of the loaded file, which concerns its sender and not this node's database; and what SQLite says of the file
 * while no operation on a file has failed, as that it can only be read: this node has just made it.
 */
function aboutFile(work: () => void): void {
  try {
    work();
  } catch (error) {
    const isOfFile = error instanceof SqliteError && causeOf(error) === "environment" && error.io.code === 0;
    if (causeOf(error) !== "damage" && !isOfFile) throw error;
    throw new StatementError(`the file that was loaded is damaged: ${messageOf(error)}`);
  }
}

/** Checks the file, and gives it the form that the database has. */
function prepare(loaded: Database, database: Database): void {
  runOnce(loaded, "PRAGMA journal_mode = DELETE");
  runOnce(loaded, "PRAGMA synchronous = OFF"); // after a crash it is made anew
  const damage = findDamage(loaded);
  if (damage !== undefined) throw new StatementError(`the file that was loaded is damaged: ${damage}`);
  const encoding = runOnce(loaded, "PRAGMA encoding")[0]?.[0];
  if (encoding !== "UTF-8") {
    throw new StatementError(`the file that was loaded has encoding ${encoding}: UTF-8 is needed`);
  }
  refuseSchema(loaded);
  dropOwn(loaded);
  const [[wanted], [has]] = [database, loaded].map((one) => runOnce(one, "PRAGMA page_size")[0] ?? []);
  if (wanted === has) return;
  runOnce(loaded, `PRAGMA page_size = ${wanted}`);
  runOnce(loaded, "VACUUM");
}

/**
 * Refuses what SQLite itself would not have written, and virtual tables about the node's own file or connection, which have other
 * rows on each node.
 */
function refuseSchema(loaded: Database): void {
  const rows = runOnce(loaded, "SELECT type, name, tbl_name, ifnull(rootpage, 0), sql FROM sqlite_schema").map((
    [type, name, table, root, sql],
  ): SchemaRow => ({
    type: String(type),
    name: String(name),
    table: String(table),
    root: Number(root),
    sql: sql === null ? undefined : String(sql),
  }));
  const fault = schemaFault(rows);
  if (fault !== undefined) throw new StatementError(`the file that was loaded is damaged: ${fault}`);
  for (const { name, sql = "" } of rows) {
    const module = virtualModuleOf(sql);
    if (module === null || !isNodeModule(module)) continue;
    throw new StatementError(
      `the file that was loaded has ${name}, a virtual table of ${module}: it describes one node`,
    );
  }
}

/** Removes what has a name of the cluster's own, whatever it is: tables first, as the most goes with them. */
function dropOwn(loaded: Database): void {
  for (const kind of ["table", "view", "index", "trigger"]) {
    for (const [name] of runOnce(loaded, `SELECT name FROM sqlite_schema WHERE type = '${kind}'`)) {
      if (isOwnName(String(name))) runOnce(loaded, `DROP ${kind} ${identifierText(String(name))}`);
    }
  }
}

/** One of the cluster's own tables, index or trigger. */
interface OwnItem {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
  /** Of a table that is to keep them. */
  readonly rows: readonly Row[];
}

/** The cluster's own tables as they are, then what belongs to them. */
function ownTables(database: Database): OwnItem[] {
  const order = "ORDER BY type = 'table' DESC, name";
  return runOnce(database, `SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ${order}`)
    .map(([type, name, sql]) => ({ type: String(type), name: String(name), sql: String(sql) }))
    .filter(({ name }) => isOwnName(name) && name !== LOAD_TABLE)
    .map((item) => {
      const hasRows = item.type === "table" && item.name !== SYSTEM_TABLE;
      return { ...item, rows: hasRows ? runOnce(database, `SELECT * FROM ${item.name}`) : [] };
    });
}

function putOwnTables(loaded: Database, own: readonly OwnItem[], { index, term, timeMs, digest }: LoadPosition): void {
  runOnce(loaded, "BEGIN");
  for (const { name, sql, rows } of own) {
    runOnce(loaded, sql);
    for (const row of rows) change(loaded, `INSERT INTO ${name} VALUES(${row.map(() => "?").join()})`, row);
  }
  const row = [BigInt(index), BigInt(term), timeMs, BigInt(digest)];
  change(loaded, `INSERT INTO ${SYSTEM_TABLE}(id, applied, term, time_ms, digest) VALUES(0, ?, ?, ?, ?)`, row);
  // Whoever follows the changes of rows is to know.
  if (own.some(({ name }) => name === CHANGES_TABLE)) {
    change(loaded, LOADED_CHANGE, [BigInt(index), BigInt(Math.round(timeMs))]);
  }
  runOnce(loaded, "COMMIT");
}

function hasTable(database: Database, name: string): boolean {
  return runOnce(database, `SELECT 1 FROM sqlite_schema WHERE name = '${name}'`).length > 0;
}

function change(database: Database, sql: string, values: readonly SqlValue[]): void {
  const statement = database.prepare(sql);
  try {
    statement.run(values);
  } finally {
    statement.finalize();
  }
}
