/**
 * Virtual tables in a dump: each is made anew and written through itself, and nothing of it is lost unsaid. Tables that
 * nobody may write show what others hold, and are made only. The settings of a full-text index and the rowids are kept.
 *
 * What an index alone knows, as where its text is kept elsewhere or nowhere, SQL cannot write: the fault says so.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { identifierText, textLiteral } from "../../core/sql/tokenizer.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";
import { checkRows, rowidName, type Rows } from "./dump_rows.ts";
import { contentOf, type Schema, type Table } from "./dump_schema.ts";
import { literalOf } from "./literals.ts";

/** How a virtual table is written. */
export interface VirtualRows {
  /** Statements that come before the rows. */
  readonly settings: readonly string[];
  /** Undefined: none are written. */
  readonly rows: Rows | undefined;
}

const FTS5_FIRST_PAGE = 11; // before it are the averages and the structure

/**
 * How a virtual table is written; a row of it was read.
 * @throws {Error} When SQL text cannot hold what it holds.
 */
export function virtualRows(database: Database, schema: Schema, table: Table): VirtualRows {
  if (!mayBeWritten(database, table)) return { settings: [], rows: undefined };
  const shadows = new Shadows(database, schema, table.name);
  const settings = settingsOf(table, shadows);
  const content = table.module && contentOf(table.module);
  if (content !== undefined && !holdsTexts(table, shadows)) return { settings, rows: undefined };
  if (content === "") throw fault(table, "its full-text index has no text to be made of again");
  try {
    const rows = rowsOf(database, table, shadows);
    checkRows(database, rows);
    if (content !== undefined) refuseStale(database, table, shadows);
    return { settings, rows };
  } catch (error) {
    throw error instanceof UnwritableError ? error : fault(table, `its rows cannot be read: ${messageOf(error)}`);
  }
}

/** A table that SQL text cannot hold. */
class UnwritableError extends Error {}

function fault({ name }: Table, why: string): UnwritableError {
  return new UnwritableError(
    `table ${name} cannot be written as SQL text: ${why}; a binary backup has it (without fmt=sql), ` +
      "and tables= chooses the others",
  );
}

/** Whether its module lets anybody write it: SQLite tells so when it compiles. */
function mayBeWritten(database: Database, { name }: Table): boolean {
  try {
    database.prepare(`DELETE FROM ${identifierText(name)}`).finalize();
    return true;
  } catch (error) {
    return !messageOf(error).includes("may not be modified"); // anything else shows when it is read
  }
}

/** The tables that hold a virtual one. */
class Shadows {
  readonly #database: Database;
  readonly #schema: Schema;
  readonly #name: string;

  constructor(database: Database, schema: Schema, name: string) {
    this.#database = database;
    this.#schema = schema;
    this.#name = name;
  }

  /** As SQL has its name; undefined where there is none. */
  named(suffix: string): string | undefined {
    const name = `${this.#name}_${suffix}`;
    return this.#schema.shadows.has(name) ? identifierText(name) : undefined;
  }

  /** What a query about one gives; nothing where there is none. */
  ask(suffix: string, query: (table: string) => string): readonly (readonly unknown[])[] {
    const table = this.named(suffix);
    return table === undefined ? [] : runOnce(this.#database, query(table));
  }

  columns(suffix: string): readonly string[] {
    return this.ask(suffix, () => `SELECT name FROM pragma_table_info(${textLiteral(`${this.#name}_${suffix}`)})`)
      .map(([column]) => String(column));
  }
}

function settingsOf({ name, module }: Table, shadows: Shadows): string[] {
  const table = identifierText(name);
  if (module?.name === "fts5") {
    return shadows.ask("config", (config) => `SELECT quote(k), quote(v) FROM ${config} WHERE k <> 'version'`)
      .map(([key, value]) => `INSERT INTO ${table}(${table},rank) VALUES(${key},${value});\n`);
  }
  if (!isFts34(module?.name)) return [];
  return shadows.ask("stat", (stat) => `SELECT CAST(value AS INTEGER) FROM ${stat} WHERE id = 2 AND value IS NOT NULL`)
    .map(([value]) => `INSERT INTO ${table}(${table}) VALUES('automerge=${value}');\n`);
}

/** Whether a full-text index whose text is elsewhere has any in it. */
function holdsTexts({ module }: Table, shadows: Shadows): boolean {
  const some = (suffix: string, where = "") => shadows.ask(suffix, (one) => `SELECT 1 FROM ${one} ${where} LIMIT 1`);
  if (shadows.named("docsize") !== undefined) return some("docsize").length > 0;
  return (module?.name === "fts5" ? some("data", `WHERE id >= ${FTS5_FIRST_PAGE}`) : some("segdir")).length > 0;
}

function rowsOf(database: Database, { name, module }: Table, shadows: Shadows): Rows {
  const table = identifierText(name);
  const all = runOnce(database, `SELECT name, hidden FROM pragma_table_xinfo(${textLiteral(name)})`);
  const columns = all.filter(([, hidden]) => hidden === 0n).map(([column]) => identifierText(String(column)));
  if (module?.name === "fts5") return textRows(table, columns, shadows);
  const key = keyOf(module?.name, all.map(([column]) => String(column)));
  const language = module?.name === "fts4" ? module.options.get("languageid") : undefined;
  const into = [...(key ? [key] : []), ...columns, ...(language ? [identifierText(language)] : [])];
  const isElsewhere = module !== undefined && contentOf(module) !== undefined;
  return { into, literals: into.map(literalOf), from: table + (isElsewhere ? known(shadows, "docid") : "") };
}

function textRows(table: string, columns: readonly string[], shadows: Shadows): Rows {
  const into = ["rowid", ...columns];
  const held = shadows.columns("content");
  if (!held.some((column) => /^l\d+$/.test(column))) {
    const from = table + (held.length > 0 ? "" : known(shadows, "id"));
    return { into, literals: into.map(literalOf), from };
  }
  // Reading the index leaves out the locales.
  const literals = columns.map((_, at) => {
    const [value, locale] = [literalOf(`c${at}`), `l${at}`];
    if (!held.includes(locale)) return value;
    return `CASE WHEN ${locale} IS NULL THEN ${value} ELSE 'fts5_locale('||${
      literalOf(locale)
    }||','||${value}||')' END`;
  });
  return { into, literals: [literalOf("id"), ...literals], from: shadows.named("content") ?? table };
}

/** Of the rows elsewhere those that the index has. */
function known(shadows: Shadows, id: "id" | "docid"): string {
  const sizes = shadows.named("docsize");
  const key = id === "id" ? "rowid" : "docid";
  return sizes === undefined ? "" : ` WHERE ${key} IN (SELECT ${id} FROM ${sizes})`;
}

/** The name by which rows are told apart, where that is none of the columns. */
function keyOf(module: string | undefined, columns: readonly string[]): string | undefined {
  if (isFts34(module)) return "docid";
  return module === "geopoly" ? rowidName(columns) : undefined;
}

/** What the index has and its content has no more is in no row. */
function refuseStale(database: Database, table: Table, shadows: Shadows): void {
  const [id, key] = isFts34(table.module?.name) ? ["docid", "docid"] : ["id", "rowid"];
  const sizes = shadows.named("docsize");
  if (sizes === undefined) return;
  const name = identifierText(table.name);
  const sql = `SELECT 1 FROM ${sizes} WHERE ${id} NOT IN (SELECT ${key} FROM ${name}) LIMIT 1`;
  if (runOnce(database, sql).length === 0) return;
  const mend = `INSERT INTO ${name}(${name}) VALUES('rebuild')`;
  throw fault(table, `its full-text index has rows that its content lacks, which ${mend} mends`);
}

function isFts34(module: string | undefined): boolean {
  return module === "fts3" || module === "fts4";
}
