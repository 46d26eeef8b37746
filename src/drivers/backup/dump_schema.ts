/**
 * The schema of a database as a dump needs it: in the order in which it was made, with the tables that hold virtual ones told
 * from the users' own. Tables that the cluster keeps for itself are no part of it.
 * @module
 */
import { identifierName, Tokenizer } from "../../core/sql/tokenizer.ts";
import { type Database, runOnce } from "../libsqlite/driver.ts";
import { isOwnName } from "../sqlite/authorizer.ts";

/** A row of the schema. */
export interface Item {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** A table. */
export interface Table extends Item {
  /** Of a virtual table. */
  readonly module: Module | undefined;
  /** Whether it has no rowid. */
  readonly isKeyed: boolean;
}

/** What makes a virtual table. */
export interface Module {
  /** Its name in lower case. */
  readonly name: string;
  /** Options as `name = value` among its arguments: names in lower case, values without quotes. */
  readonly options: ReadonlyMap<string, string>;
}

/** What a dump is made of, each in the order in which it was made but for ordinary tables. */
export interface Schema {
  /** Ordinary tables by name, as rqlite has them, then virtual ones, without those that hold them. */
  readonly tables: readonly Table[];
  readonly views: readonly Item[];
  readonly triggers: readonly Item[];
  readonly indexes: readonly Item[];
  /** Names of the tables that hold virtual ones. */
  readonly shadows: ReadonlySet<string>;
  /** Whether the planner has statistics. */
  readonly hasStatistics: boolean;
}

/** Reads it. What SQLite makes by itself has no text and is left out. */
export function readSchema(database: Database): Schema {
  const kinds = new Map(
    runOnce(database, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'")
      .map(([name, type, wr]) => [String(name), { type, isKeyed: wr === 1n }]),
  );
  const items = runOnce(database, "SELECT type, name, sql FROM sqlite_schema WHERE sql <> '' ORDER BY rowid")
    .map(([type, name, sql]) => ({ type: String(type), name: String(name), sql: String(sql) }))
    .filter(({ name }) => !isOwnName(name)); // indexes on them are named like them
  const all = items.filter(({ type, name }) => type === "table" && !name.startsWith("sqlite_"))
    .map((item) => ({ ...item, module: moduleOf(item.sql), isKeyed: kinds.get(item.name)?.isKeyed === true }));
  const shadows = new Set([...kinds].filter(([, { type }]) => type === "shadow").map(([name]) => name));
  for (const { name, module } of all) {
    // Named like one: the users' own, which is the content of the index.
    if (module && contentOf(module)) shadows.delete(`${name}_content`);
  }
  const tables = all.filter(({ name }) => !shadows.has(name));
  const ordinary = tables.filter(({ module }) => !module).sort((one, other) => one.name < other.name ? -1 : 1);
  return {
    tables: [...ordinary, ...tables.filter(({ module }) => module)],
    views: items.filter(({ type }) => type === "view"),
    triggers: items.filter(({ type }) => type === "trigger"),
    indexes: items.filter(({ type }) => type === "index"),
    shadows,
    hasStatistics: items.some(({ name }) => name === "sqlite_stat1"),
  };
}

/** Where a full-text index has its text: the name of a table, an empty one if nowhere; undefined: with it. */
export function contentOf({ name, options }: Module): string | undefined {
  if (name !== "fts4" && name !== "fts5") return undefined;
  // FTS5 takes the beginning of a name for it.
  for (const [option, value] of options) if (option !== "" && "content".startsWith(option)) return value;
  return undefined;
}

/** The module of a virtual table: SQLite itself begins the text of one with these words. */
function moduleOf(sql: string): Module | undefined {
  if (!/^CREATE VIRTUAL TABLE\b/i.test(sql)) return undefined;
  const tokens = new Tokenizer(sql);
  for (let count = 0; count < 5; count++) tokens.next(); // … the table's name, USING
  tokens.next();
  const name = identifierName(tokens.token()).toLowerCase();
  const options = new Map<string, string>();
  tokens.next(); // (
  for (let depth = 1, words: string[] = []; depth > 0;) {
    const isPresent = tokens.next();
    const token = isPresent ? tokens.token() : ")";
    depth += token === "(" ? 1 : token === ")" ? -1 : 0;
    if (depth > 0 && (depth > 1 || token !== ",")) {
      words.push(token);
      continue;
    }
    if (words[1] === "=") options.set(words[0].toLowerCase(), identifierName(words[2] ?? ""));
    words = [];
  }
  return { name, options };
}

/** The text of an item with a semicolon, which no comment at its end hides. */
export function statementOf({ sql }: Item): string {
  const ends = [";\n", "\n;\n", "*/;\n"];
  return sql + (ends.find((end) => lastKind(sql + end) === "semicolon") ?? ends[0]);
}

function lastKind(sql: string): string {
  const tokens = new Tokenizer(sql);
  let kind = "";
  while (tokens.next()) kind = tokens.kind;
  return kind;
}

/** Whether rows of a table are counted by `sqlite_sequence`. */
export function isCounted({ sql, module }: Table): boolean {
  const tokens = new Tokenizer(sql);
  while (!module && tokens.next()) {
    if (tokens.word() === "AUTOINCREMENT") return true;
  }
  return false;
}
