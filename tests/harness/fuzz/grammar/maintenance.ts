/**
 * Statements on the database as a whole: statistics, counters, pragmas, VACUUM, what is refused. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import { insert } from "./dml.ts";
import { select } from "./select.ts";
import { literal } from "./values.ts";

/** Name of a table as text. */
function bare(name: string): string {
  return name.replace(/^["[`]|["\]`]$/g, "");
}

/** ANALYZE and what it writes. */
export function statistics(context: Context): string | undefined {
  const { draw, model } = context;
  const table = model.anyTable(draw);
  const index = model.indexes.length > 0 ? draw.pick(model.indexes) : undefined;
  if (draw.kind("stat-drop", 0.06)) {
    return `DROP TABLE ${draw.pick(["sqlite_stat1", "IF EXISTS sqlite_stat4", "IF EXISTS sqlite_stat1"])}`;
  }
  if (draw.kind("stat-write", 0.35)) {
    const statistic = literal(
      draw.pick(["1000000 1", "1000 900 800", "10 1", "5000000 5000000", "unordered", "1 1 1 sz=10", ""]),
    );
    return draw.weighted([
      [
        3,
        `INSERT INTO sqlite_stat1(tbl, idx, stat) VALUES(${literal(bare(table.name))}, ${
          index ? literal(bare(index.name)) : "NULL"
        }, ${statistic})`,
      ],
      [2, `UPDATE sqlite_stat1 SET stat = ${statistic}${draw.pick(["", ` WHERE tbl = ${literal(bare(table.name))}`])}`],
      [2, `DELETE FROM sqlite_stat1${draw.pick(["", " WHERE idx IS NULL", " WHERE rowid % 2"])}`],
      [1, "DELETE FROM sqlite_stat4"],
      [1, "ANALYZE sqlite_schema"],
    ]);
  }
  if (!draw.kind("analyze", 1)) return undefined;
  return draw.pick([
    "ANALYZE",
    "ANALYZE main",
    `ANALYZE ${table.name}`,
    `ANALYZE ${index?.name ?? ""}`,
    "ANALYZE sqlite_schema",
  ]);
}

const CATALOGS: readonly (readonly [table: string, columns: readonly string[]])[] = [
  ["sqlite_schema", ["name", "sql", "rootpage", "type", "tbl_name", "rowid"]],
  ["sqlite_master", ["name", "rootpage", "length(sql)"]],
  ["sqlite_stat1", ["tbl", "idx", "stat", "rowid"]],
  ["sqlite_stat4", ["neq", "hex(sample)", "rowid"]],
  ["sqlite_sequence", ["name", "seq", "rowid"]],
  ["pragma_table_info('t1')", ["name", "dflt_value"]],
  ["pragma_index_list('t1')", ["name", "seq"]],
  ["pragma_foreign_key_list('t2')", ["id", "on_delete"]],
  ["pragma_function_list", ["name"]],
  ["pragma_table_list", ["name"]],
  ["pragma_collation_list", ["name"]],
];

/** Stores what the database says of itself. */
export function catalogRead({ draw, model }: Context): string | undefined {
  if (!draw.kind("catalog-read", 1)) return undefined;
  const target = model.anyTable(draw);
  const column = draw.pick(target.columns.filter(({ isGenerated }) => !isGenerated)).name;
  const [table, columns] = draw.pick(CATALOGS);
  if (table.startsWith("sqlite_stat")) draw.used.add("analyze");
  const list = draw.pick(columns);
  const limit = draw.pick(["", " LIMIT 3", " LIMIT 2 OFFSET 1", " ORDER BY 1 LIMIT 5"]);
  return draw.chance(0.7)
    ? `INSERT OR IGNORE INTO ${target.name}(${column}) SELECT ${list} FROM ${table}${limit}`
    : `UPDATE OR IGNORE ${target.name} SET ${column} = (SELECT ${
      draw.pick(["max", "group_concat", "count"])
    }(${list}) FROM ${table})`;
}

/** A write to the counters of AUTOINCREMENT. */
export function sequence(context: Context): string | undefined {
  const { draw, model } = context;
  if (!draw.kind("sequence-write", 1)) return undefined;
  const counting = model.tables.filter(({ isAutoincrement }) => isAutoincrement);
  const name = literal(bare((counting.length > 0 ? draw.pick(counting) : model.anyTable(draw)).name));
  const isEnd = draw.kind("rowid-max", 0.15);
  const value = isEnd
    ? draw.pick(["9223372036854775807", "9223372036854775806", "'9223372036854775807'"])
    : draw.pick(["5", "100", "-3", "NULL", "'12'", "2.5", "x'31'"]);
  return draw.weighted([
    [4, `UPDATE sqlite_sequence SET seq = ${value}${draw.pick(["", ` WHERE name = ${name}`])}`],
    [2, `INSERT INTO sqlite_sequence(name, seq) VALUES(${name}, ${value})`],
    [2, `DELETE FROM sqlite_sequence${draw.pick(["", ` WHERE name = ${name}`])}`],
    [1, "SELECT name, seq FROM sqlite_sequence ORDER BY rowid"],
  ]);
}

const PRAGMAS = [
  "user_version = 7",
  "user_version(-3)",
  "user_version",
  "application_id = 0x1234",
  "main.application_id",
  "foreign_keys",
  "foreign_keys = ON",
  "foreign_keys = OFF",
  "foreign_keys(0)",
  "defer_foreign_keys = ON",
  "defer_foreign_keys = OFF",
  "auto_vacuum",
  "auto_vacuum = FULL",
  "auto_vacuum = INCREMENTAL",
  "incremental_vacuum(2)",
  "incremental_vacuum",
  "table_info(t1)",
  "table_xinfo('t1')",
  "index_list(t1)",
  "foreign_key_list(t2)",
  "foreign_key_check",
  "integrity_check",
  "quick_check(1)",
  "optimize",
  "recursive_triggers = ON",
  "case_sensitive_like = 1",
  "writable_schema = ON",
  "ignore_check_constraints = 1",
  "legacy_alter_table = ON",
  "journal_mode",
  "encoding = 'UTF-16'",
  "page_size = 1024",
  "reverse_unordered_selects = 1",
  "automatic_index = 0",
  "cell_size_check = 1",
  "secure_delete = 1",
  "schema_version = 99",
  "count_changes = 1",
  "short_column_names = 0",
  "data_version",
  "trusted_schema = 0",
  "query_only = 1",
  "hard_heap_limit = 100",
  "temp_store = 2",
  "locking_mode = EXCLUSIVE",
  "analysis_limit = 10",
  "max_page_count = 10",
  "threads = 4",
  "nonsense = 1",
  "freelist_count",
  "page_count",
];

/** A pragma. */
export function pragma({ draw }: Context): string | undefined {
  return draw.kind("pragma", 1) ? `PRAGMA ${draw.pick(PRAGMAS)}` : undefined;
}

const REFUSED = [
  "BEGIN",
  "BEGIN EXCLUSIVE",
  "COMMIT",
  "END",
  "ROLLBACK",
  "SAVEPOINT s",
  "RELEASE s",
  "ROLLBACK TO entry",
  "RELEASE entry",
  "ATTACH ':memory:' AS other",
  "DETACH main",
  "VACUUM INTO '/nonexistent/x'",
  "CREATE TEMP TABLE tt(a)",
  "CREATE TABLE temp.tt(a)",
  "CREATE TEMP VIEW tv AS SELECT 1",
  "SELECT load_extension('x')",
  "SELECT total_changes()",
  "SELECT sqlite_version()",
  "SELECT sqlite_offset(1)",
  "SELECT fts3_tokenizer('simple')",
  "CREATE VIRTUAL TABLE dd USING dbstat",
  "SELECT * FROM dbstat",
  "SELECT * FROM pragma_page_count",
  "SELECT name FROM pragma_table_list ORDER BY 1",
  "SELECT * FROM sqlite_dbpage",
  "SELECT readfile('/etc/hostname')",
  "SELECT edit('x')",
  "SELECT * FROM pragma_integrity_check",
  "SELECT sqlite_log(1, 'x')",
  "SELECT sqlite_compileoption_get(1)",
];

/** A statement that a replicated database refuses. */
export function refused(context: Context): string | undefined {
  const { draw, model } = context;
  if (draw.kind("system-table", 0.3)) {
    return draw.pick([
      "UPDATE _muster SET applied = 0",
      "DELETE FROM main._muster",
      "DROP TABLE _muster",
      "INSERT INTO _muster VALUES(1, 1, 1, 1, 1)",
      "SELECT count(*) FROM _muster",
      "CREATE TABLE _muster_x(a)",
      "ALTER TABLE _muster RENAME TO y",
      "SELECT name FROM sqlite_schema ORDER BY name",
      "UPDATE sqlite_schema SET sql = 'x'",
      "DELETE FROM sqlite_master WHERE name = 't1'",
      "CREATE TABLE sqlite_mine(a)",
      `CREATE VIEW _muster_v AS SELECT * FROM ${model.anyTable(draw).name}`,
    ]);
  }
  if (!draw.kind("refused", 1)) return undefined;
  return draw.chance(0.1) ? `INSERT INTO ${model.anyTable(draw).name} SELECT total_changes()` : draw.pick(REFUSED);
}

/** REINDEX. */
export function reindex({ draw, model }: Context): string | undefined {
  if (!draw.kind("reindex", 1)) return undefined;
  return draw.pick([
    "REINDEX",
    "REINDEX NOCASE",
    `REINDEX ${model.anyTable(draw).name}`,
    `REINDEX ${model.indexes[0]?.name ?? "RTRIM"}`,
  ]);
}

/** VACUUM. */
export function vacuum({ draw }: Context): string | undefined {
  return draw.kind("vacuum", 1) ? draw.pick(["VACUUM", "VACUUM", "VACUUM main", "vacuum ;", "VACUUM temp"]) : undefined;
}

/** EXPLAIN of something. */
export function explain(context: Context): string | undefined {
  const { draw } = context;
  if (!draw.kind("explain", 1)) return undefined;
  const inner = draw.chance(0.5) ? select(context) : insert(context, context.model.anyTable(draw));
  return `EXPLAIN ${draw.pick(["", "QUERY PLAN "])}${inner}`;
}

/** A statement that cannot be right. */
export function broken(context: Context): string | undefined {
  const { draw, model } = context;
  if (!draw.kind("broken", 1)) return undefined;
  const good = draw.chance(0.5) ? insert(context, model.anyTable(draw)) : select(context);
  return draw.weighted<() => string>([
    [3, () => good.slice(0, draw.between(1, good.length))],
    [2, () => good.replace(/ \w+/, "")],
    [1, () => good.replace(/(\w+)$/, "nowhere.$1")],
    [1, () => `${good}\0 rest`],
    [
      1,
      () =>
        draw.pick([
          "",
          "-- nothing",
          ";;",
          "/* open",
          "SELECT '",
          "\ufeffSELECT 1",
          "EXPLAIN",
          "WITH",
          "SELECT 1 \u2028",
          "\u00a0SELECT 2",
        ]),
    ],
  ])();
}

/** A statement that goes on for ever, or for hours. */
export function endless({ draw, model }: Context): string | undefined {
  if (!draw.kind("endless", 1)) return undefined;
  const target = model.anyTable(draw);
  const column = draw.pick(target.columns.filter(({ isGenerated }) => !isGenerated)).name;
  const counter = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)";
  const many = Array.from({ length: 12 }, (_, at) => `sqlite_schema AS s${at}`).join(", ");
  return draw.pick([
    `${counter} SELECT count(*) FROM c`,
    `INSERT INTO ${target.name}(${column}) ${counter} SELECT x FROM c`,
    `UPDATE ${target.name} SET ${column} = (${counter} SELECT max(x) FROM c)`,
    `DELETE FROM ${target.name} WHERE EXISTS (${counter} SELECT 1 FROM c WHERE x < 0)`,
    `SELECT count(*) FROM ${many}`,
    `INSERT INTO ${target.name}(${column}) SELECT count(*) FROM ${many}`,
    "SELECT instr(zeroblob(40000000), CAST(zeroblob(20000000) || 'x' AS BLOB))",
    "SELECT length(replace(hex(zeroblob(20000000)), hex(zeroblob(10000000)) || '1', ''))",
    `${counter} SELECT group_concat(x) FROM c`,
  ]);
}

/** A statement of some thousand steps, with one of few texts: nodes keep it compiled, and run it again. */
export function long({ draw, model }: Context): string | undefined {
  if (!draw.kind("budget", 1)) return undefined;
  const target = model.anyTable(draw);
  const column = draw.pick(target.columns.filter(({ isGenerated }) => !isGenerated)).name;
  const rows = draw.pick([100, 1000, 5000]);
  const counter = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${rows})`;
  return draw.pick([
    `${counter} SELECT count(*), sum(x), group_concat(hex(x)) FROM c`,
    `${counter} SELECT x, json_array(x) FROM c WHERE x % 100 = 0`,
    `${counter} SELECT length(replace(group_concat(x), '1', '22')), json_group_array(x) FROM c`,
    `${counter} SELECT max(y) FROM (SELECT sum(x) OVER (ORDER BY -x) AS y FROM c)`,
    `INSERT INTO ${target.name}(${column}) ${counter} SELECT x FROM c WHERE x > ${rows - 3}`,
    `INSERT INTO ${target.name}(${column}) ${counter} SELECT max(x) FROM c RETURNING ${column}`,
    `UPDATE ${target.name} SET ${column} = (${counter} SELECT max(x) FROM c)`,
    `DELETE FROM ${target.name} WHERE ${column} = (${counter} SELECT max(x) FROM c)`,
  ]);
}
