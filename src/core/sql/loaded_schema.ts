/**
 * Looks at the rows of `sqlite_schema` of a file that comes from outside. SQLite reads them without regard to case, and changes them
 * with regard to it: a row that SQLite itself would not have written so is left behind by DROP, or lost by VACUUM, and the database
 * is damaged, or loses a table, long after it was loaded. Pure.
 * @module
 */
import { identifierName, Tokenizer } from "./tokenizer.ts";

/** A row of `sqlite_schema`. */
export interface SchemaRow {
  readonly type: string;
  readonly name: string;
  readonly table: string;
  /** Root page; 0 where it has none. */
  readonly root: number;
  /** Absent in the index of a constraint. */
  readonly sql: string | undefined;
}

const KINDS: ReadonlySet<string> = new Set(["table", "index", "view", "trigger"]);
/** What SQLite itself makes. */
const SQLITES_OWN = /^(?:index sqlite_autoindex_.*|table sqlite_(?:sequence|stat[1-4]))$/s;

/** What is made by the text of a row. */
interface Made {
  readonly kind: string;
  readonly name: string;
  readonly isVirtual: boolean;
}

/** What is wrong with the rows; undefined where SQLite may have written them. */
export function schemaFault(rows: readonly SchemaRow[]): string | undefined {
  const tables = new Set(rows.filter(({ type }) => type === "table").map(({ name }) => name));
  for (const row of rows) {
    const fault = rowFault(row, tables);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function rowFault(row: SchemaRow, tables: ReadonlySet<string>): string | undefined {
  const { type, name, table, root, sql } = row;
  if (!KINDS.has(type)) return `its schema has a row of type ${JSON.stringify(type)}`;
  const isReserved = name.toLowerCase().startsWith("sqlite_") && !SQLITES_OWN.test(`${type} ${name}`);
  if (isReserved) return `it has a ${type} named ${name}, which is reserved for SQLite`;
  const isMisplaced = type === "index" ? !tables.has(table) : type !== "trigger" && table !== name;
  if (isMisplaced) return `the ${type} ${name} belongs to ${JSON.stringify(table)}`;
  if (sql === undefined) return type === "index" ? undefined : `the ${type} ${name} has no text`;
  const made = madeBy(sql);
  if (made?.kind !== type || made.name !== name) return `the ${type} ${name} has the text of something else`;
  const isStored = type === "index" || type === "table" && !made.isVirtual;
  return isStored === root > 0 ? undefined : `the ${type} ${name} has root page ${root}`;
}

/** What the text of a row makes, as SQLite stores it: from the name on as it was written. */
function madeBy(sql: string): Made | undefined {
  const tokens = new Tokenizer(sql);
  const next = () => tokens.next() ? tokens.word() : "";
  if (next() !== "CREATE") return undefined;
  let kind = next();
  const isVirtual = kind === "VIRTUAL";
  if (isVirtual || kind === "UNIQUE") kind = next();
  if (!tokens.next()) return undefined;
  const name = identifierName(tokens.token());
  return { kind: kind.toLowerCase(), name, isVirtual };
}

/** The module of a `CREATE VIRTUAL TABLE … USING module`, or `null`. */
export function virtualModuleOf(sql: string): string | null {
  const tokens = new Tokenizer(sql);
  if (!tokens.next() || tokens.word() !== "CREATE" || !tokens.next() || tokens.word() !== "VIRTUAL") return null;
  while (tokens.next()) {
    if (tokens.word() === "USING") return tokens.next() ? identifierName(tokens.token()) : null;
  }
  return null;
}
