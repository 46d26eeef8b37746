/**
 * Keeps the statistics of the query planner up to date (`-auto-optimize-int`), as rqlite does with `PRAGMA optimize`. That
 * pragma goes by what one connection has seen and by how the pages of one file lie, so each node would analyze other
 * tables. Here the node that leads decides, by reads of its own, and proposes `ANALYZE` of each table that needs it:
 * every node then stores the same statistics.
 *
 * A table needs it by the rules of the pragma: one of its indexes has no statistics, or its number of rows has become ten
 * times as large or small. Each ANALYZE is a log entry of its own, so that writes wait for one table at a time, and large
 * tables are left to the operator ({@linkcode ENTRIES_MAX}).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { isUsers } from "../../core/catalog/names.ts";
import { identifierText } from "../../core/sql/tokenizer.ts";
import { executeOwn, type MaintenanceParts, queryOwn } from "./maintenance.ts";

/**
 * Entries of the indexes of a table, and its rows, beyond which it is not analyzed by itself: ANALYZE reads about ten to
 * twenty million a second from memory, and writes wait meanwhile.
 */
export const ENTRIES_MAX = 10_000_000;
/** A change of the number of rows that calls for new statistics. */
const FACTOR = 10;

/** A table, as far as its statistics are concerned. */
interface Table {
  readonly name: string;
  readonly indexes: number;
  /** Whether an index has no statistics. */
  readonly hasNewIndex: boolean;
  /** Rows when it was analyzed last; null: never. */
  readonly analyzedRows: number | null;
}

/** What is to be done with a table. */
export type Verdict = "due" | "too large" | "fresh";

/** What is to be done with a table of `rows` rows; `rows` beyond its limit stand for any number. */
export function verdictOn(table: Pick<Table, "indexes" | "hasNewIndex" | "analyzedRows">, rows: number): Verdict {
  if (rows === 0) return "fresh";
  const { hasNewIndex, analyzedRows } = table;
  const isLarge = rows > rowsMax(table);
  const hasChanged = analyzedRows === null || rows > analyzedRows * FACTOR || rows * FACTOR < analyzedRows;
  if (!hasNewIndex && !hasChanged) return "fresh";
  return isLarge ? "too large" : "due";
}

/** Rows that a table may have. */
function rowsMax({ indexes }: Pick<Table, "indexes">): number {
  return Math.floor(ENTRIES_MAX / (indexes + 1));
}

const HAS_STATISTICS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sqlite_stat1'";
const TABLES = "FROM pragma_table_list t WHERE t.schema = 'main' AND t.type = 'table' " +
  `AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND ${isUsers("t.name")}`;
const INDEXES = "(SELECT count(*) FROM pragma_index_list(t.name))";
// In a table without rowids the primary key is the table itself, and its statistics have the table's name.
const NEW_INDEX = "EXISTS(SELECT 1 FROM pragma_index_list(t.name) i WHERE NOT EXISTS(" +
  "SELECT 1 FROM sqlite_stat1 s WHERE s.tbl = t.name AND s.idx IN (i.name, t.name)))";
const ANALYZED_ROWS = "(SELECT max(CAST(s.stat AS INTEGER)) FROM sqlite_stat1 s WHERE s.tbl = t.name)";

async function tablesOf(parts: MaintenanceParts): Promise<Table[]> {
  const [statistics] = await queryOwn(parts, [HAS_STATISTICS]);
  const columns = statistics.length > 0 ? `${NEW_INDEX}, ${ANALYZED_ROWS}` : "0, NULL";
  const [rows] = await queryOwn(parts, [`SELECT t.name, ${INDEXES}, ${columns} ${TABLES} ORDER BY t.name`]);
  return rows.map(([name, indexes, isNew, analyzed]) => ({
    name: String(name),
    indexes: Number(indexes),
    hasNewIndex: isNew === 1,
    analyzedRows: typeof analyzed === "number" ? analyzed : null,
  }));
}

/** Tables that were too large; each is logged once. */
export type Skipped = Set<string>;

/** Analyzes the tables that need it, where this node leads; never rejects. */
export async function optimizeIfLeader(parts: MaintenanceParts, skipped: Skipped): Promise<void> {
  const { state, counters, log } = parts;
  if (!state.isLeader) return;
  const started = performance.now();
  const analyzed: string[] = [];
  try {
    for (const table of await tablesOf(parts)) {
      const quoted = identifierText(table.name);
      const limit = rowsMax(table) + 1;
      const [[[rows]]] = await queryOwn(parts, [`SELECT count(*) FROM (SELECT 1 FROM ${quoted} LIMIT ${limit})`]);
      const verdict = verdictOn(table, Number(rows));
      if (verdict === "due") {
        await executeOwn(parts, `ANALYZE main.${quoted}`);
        analyzed.push(table.name);
      } else if (verdict === "too large" && !skipped.has(table.name)) {
        skipped.add(table.name);
        log(`table ${table.name} is too large for an automatic ANALYZE: run ANALYZE ${quoted} when writes may wait`);
      }
    }
    counters.auto_optimizes++;
    if (analyzed.length === 0) return;
    log(`automatic ANALYZE of ${analyzed.join(", ")} done in ${Math.round(performance.now() - started)} ms`);
  } catch (error) {
    counters.auto_optimizes_failed++;
    log(`automatic ANALYZE failed, the next one is due in its time: ${messageOf(error)}`);
  }
}
