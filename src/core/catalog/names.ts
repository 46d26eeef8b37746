/**
 * The names in a client's statement, as the database has them. Pure.
 *
 * `muster.nodes` is a table of the catalog by its real name. The schema table, under both of its names, and
 * `PRAGMA table_list` are without the cluster's own tables, so that clients which list, copy or drop all tables meet none
 * but the user's. Left as they are: views and triggers, as their text is stored and shown, in dumps, too, and nobody would
 * find what he wrote; and statements that ask for both rowids and all columns of the schema table together with another
 * table, or in a subquery, as what stands in for it would show its rowid among all columns. Where the schema table is read
 * alone (`SELECT rowid, * FROM sqlite_master`), the `*` is written out. `muster_fence(LOCK, TOKEN)` is written out (fence.ts).
 *
 * This happens before a statement goes into the log: all replicas run the same text, whatever their version.
 * @module
 */
import { parsePragma } from "../sql/pragma.ts";
import type { SqlPart } from "../sql/statement.ts";
import { identifierName, identifierText, Tokenizer } from "../sql/tokenizer.ts";
import { CATALOG_PREFIX, CATALOG_TABLES } from "./catalog.ts";
import { FENCE_FUNCTION, fenceSql } from "./fence.ts";

interface Token {
  readonly text: string;
  /** The name in lower case, for what can be one; empty otherwise. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Words that may follow a table's name without being its alias. */
const NOT_AN_ALIAS: ReadonlySet<string> = new Set(
  ("CROSS DEFAULT EXCEPT FULL GROUP HAVING INDEXED INNER INTERSECT JOIN LEFT LIMIT NATURAL NOT ON ORDER OUTER RETURNING " +
    "RIGHT SELECT SET UNION USING VALUES WHERE WINDOW WITH").split(" "),
);
/** What stands before a table that is read. */
const BEFORE_A_TABLE: ReadonlySet<string> = new Set(["FROM", "JOIN", ",", "("]);
/** What stands before a `*` that means all columns. */
const BEFORE_ALL_COLUMNS: ReadonlySet<string> = new Set(["SELECT", "DISTINCT", "ALL", ",", "."]);
const ROWID_NAMES: ReadonlySet<string> = new Set(["rowid", "_rowid_", "oid"]);
/** True of a column with the name of a table or of what hangs on it, unless that is the cluster's own. */
export const isUsers = (column: string): string => `substr(lower(${column}) || '_', 1, 8) <> '${CATALOG_PREFIX}'`;
const SCHEMA_TABLE = `(SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema WHERE ${
  isUsers("tbl_name")
})`;
/** The same with what a table has besides its columns. */
const SCHEMA_TABLE_WITH_ROWIDS = SCHEMA_TABLE.replace("sql FROM", "sql, rowid, rowid AS _rowid_, rowid AS oid FROM");
/** The columns that `*` stands for. */
const SCHEMA_COLUMNS = ["type", "name", "tbl_name", "rootpage", "sql"];
const TABLE_LIST = `(SELECT schema, name, type, ncol, wr, strict FROM pragma_table_list WHERE ${isUsers("name")})`;

/** By the names that clients use, what they read in place of it. */
const STAND_INS: ReadonlyMap<string, string> = new Map([
  ["sqlite_master", SCHEMA_TABLE],
  ["sqlite_schema", SCHEMA_TABLE],
  ["pragma_table_list", TABLE_LIST],
]);
/** The same in a statement that names rowids, which those of the list of tables are not known for. */
const STAND_INS_WITH_ROWIDS: typeof STAND_INS = new Map([
  ["sqlite_master", SCHEMA_TABLE_WITH_ROWIDS],
  ["sqlite_schema", SCHEMA_TABLE_WITH_ROWIDS],
]);

/** Whether a text may name what is called otherwise in the database: quick, and true of some texts that do not. */
export function mayNeedNames(sql: string): boolean {
  return /muster["`\]]?\s*\.|sqlite_(?:master|schema)|table_list|muster_fence/i.test(sql);
}

/** A statement with the names that the database has; as it is, where it has no others. */
export function withStoredNames(part: SqlPart): SqlPart {
  if (!mayNeedNames(part.sql)) return part;
  if (part.verb === "PRAGMA") {
    const pragma = parsePragma(part.sql);
    if (pragma?.name !== "table_list" || pragma.hasValue) return part;
    return { ...part, verb: "SELECT", sql: `SELECT * FROM ${TABLE_LIST}` };
  }
  const sql = resolved(part.sql, { hidesOwn: part.verb !== "CREATE" });
  return sql === part.sql ? part : { ...part, sql };
}

/**
 * A statement with other tables of the schema `muster`, each given as the text that is read in its place. They are there for this
 * statement alone.
 */
export function withLocalTables(part: SqlPart, tables: ReadonlyMap<string, string>): SqlPart {
  const sql = resolved(part.sql, { hidesOwn: false, tables });
  return sql === part.sql ? part : { ...part, sql };
}

/** Calls of the fence function in one statement that are written out; further ones are unknown to SQLite. */
const FENCE_CALLS_MAX = 16;

/** The text with the calls of the fence function written out. */
function fenced(sql: string): string {
  if (!sql.toLowerCase().includes(FENCE_FUNCTION)) return sql;
  for (let count = 0; count < FENCE_CALLS_MAX; count++) {
    const call = fenceCall(tokensOf(sql));
    if (call === undefined) break;
    const [lock, token] = call.arguments.map(({ from, to }) => sql.slice(from, to).trim());
    const alias = call.isColumn ? ` AS ${identifierText(sql.slice(call.start, call.end))}` : "";
    sql = sql.slice(0, call.start) + fenceSql(lock, token) + alias + sql.slice(call.end);
  }
  return sql;
}

function resolved(
  given: string,
  { hidesOwn, tables }: { hidesOwn: boolean; tables?: ReadonlyMap<string, string> },
): string {
  let sql = fenced(given);
  let tokens = tokensOf(sql);
  const hasRowids = tokens.some(({ name }) => ROWID_NAMES.has(name));
  if (hasRowids && hidesOwn && readsSchemaAlone(tokens)) {
    sql = withColumns(sql, tokens);
    tokens = tokensOf(sql);
  }
  const hides = hidesOwn && !(hasRowids && tokens.some((_, at) => isAllColumns(tokens, at)));
  const standIns = hasRowids ? STAND_INS_WITH_ROWIDS : STAND_INS;
  let out = "";
  let copied = 0;
  for (let at = 0; at < tokens.length; at++) {
    const found = catalogTable(tokens, at, tables) ?? (hides ? standIn(tokens, at, standIns) : undefined);
    if (found === undefined) continue;
    const { table, name, last } = found;
    const next = tokens[last + 1];
    const isColumn = next?.text === ".";
    const hasAlias = next !== undefined && next.name !== "" && !NOT_AN_ALIAS.has(next.text.toUpperCase());
    out += sql.slice(copied, tokens[at].start) + (isColumn ? name : `${table}${hasAlias ? "" : ` AS ${name}`}`);
    copied = tokens[last].end;
    at = last;
  }
  return out + sql.slice(copied);
}

/** Words that join another table. */
const JOINS: ReadonlySet<string> = new Set("CROSS FULL INNER JOIN LEFT NATURAL RIGHT".split(" "));

/** Whether the statement is one SELECT that reads the schema table and nothing else. */
function readsSchemaAlone(tokens: readonly Token[]): boolean {
  const places = (word: string) => tokens.flatMap(({ text }, at) => text.toUpperCase() === word ? [at] : []);
  const [from] = places("FROM");
  if (places("SELECT").length !== 1 || places("FROM").length !== 1) return false;
  const found = standIn(tokens, from + 1, STAND_INS_WITH_ROWIDS);
  if (!found) return false;
  // Behind it stands its alias, or what ends the list of tables.
  const rest = tokens.slice(found.last + 1).map(({ text }) => text.toUpperCase());
  const ending = rest.findIndex((text) => NOT_AN_ALIAS.has(text) || text === ";");
  const alias = ending < 0 ? rest : rest.slice(0, ending);
  return !alias.includes(",") && !alias.includes("(") && !(ending >= 0 && JOINS.has(rest[ending]));
}

/** The text with the columns of the schema table in place of `*`. */
function withColumns(sql: string, tokens: readonly Token[]): string {
  let out = "";
  let copied = 0;
  for (const [at, { start, end }] of tokens.entries()) {
    if (!isAllColumns(tokens, at)) continue;
    const isQualified = tokens[at - 1].text === ".";
    const table = isQualified ? sql.slice(tokens[at - 2].start, start) : "";
    out += sql.slice(copied, isQualified ? tokens[at - 2].start : start) +
      SCHEMA_COLUMNS.map((column) => table + column).join(", ");
    copied = end;
  }
  return out + sql.slice(copied);
}

/** A call of the fence function with two arguments; places in the text. */
interface FenceCall {
  readonly start: number;
  readonly end: number;
  /** Whether it is the first column of a SELECT, whose name is its text. */
  readonly isColumn: boolean;
  readonly arguments: readonly { readonly from: number; readonly to: number }[];
}

const BEHIND_COLUMN: ReadonlySet<string> = new Set([";", ",", ")", "FROM", "WHERE"]);

/** The first call; what is no call of two arguments is left to SQLite, which knows no such function. */
function fenceCall(tokens: readonly Token[]): FenceCall | undefined {
  for (const [at, { name, start }] of tokens.entries()) {
    if (name !== FENCE_FUNCTION || tokens[at + 1]?.text !== "(" || tokens[at - 1]?.text === ".") continue;
    const found: { from: number; to: number }[] = [];
    let from = tokens[at + 1].end;
    for (let last = at + 2, depth = 1; last < tokens.length; last++) {
      const { text, start: to, end } = tokens[last];
      if (text === "(") depth++;
      if (text === ")") depth--;
      if (depth > 1 || depth === 1 && text !== ",") continue;
      if (to > from && last > at + 2) found.push({ from, to });
      from = end;
      if (depth === 0) {
        const next = tokens[last + 1]?.text.toUpperCase() ?? ";";
        const isColumn = tokens[at - 1]?.text.toUpperCase() === "SELECT" && BEHIND_COLUMN.has(next);
        if (found.length === 2) return { start, end, isColumn, arguments: found };
        break;
      }
    }
  }
  return undefined;
}

/** What stands for a name. */
interface Found {
  readonly table: string;
  /** By which the statement knows it. */
  readonly name: string;
  /** Place of its last token. */
  readonly last: number;
}

/** Whether the token is a `*` that stands for columns, and not the one of a product or of `count(*)`. */
function isAllColumns(tokens: readonly Token[], at: number): boolean {
  return tokens[at].text === "*" && BEFORE_ALL_COLUMNS.has(tokens[at - 1]?.text.toUpperCase() ?? "");
}

/** `muster.nodes` and its like, which begin at `at`. */
function catalogTable(
  tokens: readonly Token[],
  at: number,
  tables: ReadonlyMap<string, string> | undefined,
): Found | undefined {
  const [schema, dot, table] = tokens.slice(at, at + 3);
  if (schema.name !== "muster" || dot?.text !== "." || tokens[at - 1]?.text === ".") return undefined;
  const local = tables?.get(table?.name ?? "");
  if (local !== undefined) return { table: local, name: table.name, last: at + 2 };
  const name = CATALOG_TABLES.find((one) => one === table?.name);
  return name === undefined ? undefined : { table: CATALOG_PREFIX + name, name, last: at + 2 };
}

/** The schema table and the list of tables, with the schema `main` or without, where a table is read. */
function standIn(tokens: readonly Token[], at: number, standIns: typeof STAND_INS): Found | undefined {
  const before = tokens[at - 1]?.text.toUpperCase() ?? "";
  if (!BEFORE_A_TABLE.has(before) || before === "FROM" && tokens[at - 2]?.text.toUpperCase() === "DELETE") {
    return undefined;
  }
  const isQualified = tokens[at].name === "main" && tokens[at + 1]?.text === ".";
  const last = isQualified ? at + 2 : at;
  const name = tokens[last]?.name ?? "";
  const table = standIns.get(name);
  const next = tokens[last + 1]?.text;
  if (table === undefined || next === ".") return undefined;
  const isCall = next === "(" && tokens[last + 2]?.text === ")";
  if (next === "(" && !isCall) return undefined;
  return { table, name, last: isCall ? last + 2 : last };
}

function tokensOf(sql: string): Token[] {
  const tokenizer = new Tokenizer(sql);
  const tokens: Token[] = [];
  while (tokenizer.next()) {
    const { kind, start, end } = tokenizer;
    const text = sql.slice(start, end);
    const name = kind === "word" || kind === "quoted" ? identifierName(text).toLowerCase() : "";
    tokens.push({ text, name, start, end });
  }
  return tokens;
}
