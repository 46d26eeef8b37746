/**
 * Statements that change rows. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import { type ColumnRef, condition, expression, leaf } from "./expression.ts";
import type { Column, Table } from "./model.ts";
import { columnsOf, scopeOf, select } from "./select.ts";
import { valueOf } from "./values.ts";

const ROWIDS = [
  "9223372036854775807",
  "9223372036854775806",
  "-9223372036854775808",
  "0",
  "-1",
  "(9223372036854775807 - 1)",
];
/** Rows that one INSERT ... SELECT adds at most. */
const SELECTED_ROWS_MAX = 12;

function conflict({ draw }: Context): string {
  if (draw.chance(0.55)) return "";
  if (draw.kind("rollback", 0.1)) return " OR ROLLBACK";
  return draw.pick([" OR IGNORE", " OR REPLACE", " OR ABORT", " OR FAIL"]);
}

/** A value for a column, as SQL. */
export function columnValue(context: Context, column: Column, { isExpression = false } = {}): string {
  const { draw, model, values } = context;
  const isInteger = column.type === "int";
  if (column.parent !== undefined && draw.chance(0.9)) {
    return draw.chance(0.2) ? "NULL" : parentKey(context, column.parent);
  }
  if (isInteger && column.isUnique && draw.kind("rowid-max", 0.02)) return draw.pick(ROWIDS);
  if (column.isUnique && draw.chance(0.85)) {
    if (isInteger) return values.sql(model.fresh(), draw);
    if (column.type === "real") return values.sql(Number(model.fresh()) + 0.5, draw);
    if (column.type === "text" || column.type === "any") return values.sql(`u${model.fresh()}`, draw);
  }
  if (isExpression && draw.chance(0.4)) return expression(context, scopeOf(context, []), column.type, 2);
  const value = valueOf(draw, column.type);
  return values.sql(value === null && column.isNotNull && draw.chance(0.9) ? 1n : value, draw);
}

/** A key of a table that a foreign key leads to. */
function parentKey({ draw, model }: Context, name: string): string {
  const parent = model.tables.find((table) => table.name === name);
  return `(SELECT ${draw.pick(["min", "max"])}(${parent?.columns[0].name ?? "rowid"}) FROM ${name})`;
}

/** Columns that an INSERT names: those it must, and some more. */
function insertColumns({ draw }: Context, table: Table): Column[] {
  const stored = table.columns.filter(({ isGenerated }) => !isGenerated);
  const chosen = stored.filter((column) =>
    column.name === table.idColumn ? draw.chance(0.15) : column.isUnique || column.isNotNull || draw.chance(0.85)
  );
  return chosen.length > 0 ? chosen : stored;
}

/** `RETURNING ...` now and then. */
export function returning(context: Context, table: Table): string {
  const { draw } = context;
  if (!draw.chance(0.12)) return "";
  if (draw.chance(0.4)) return " RETURNING *";
  const scope = scopeOf(context, table.columns.map(({ name, type }) => ({ sql: name, type })));
  return ` RETURNING ${
    draw.several(1, 2, () => expression(context, { ...scope, subquery: undefined }, "any", 1)).join(", ")
  }`;
}

/** An INSERT or REPLACE. */
export function insert(context: Context, table: Table): string {
  const { draw } = context;
  const verb = draw.chance(0.06) ? "REPLACE" : `INSERT${conflict(context)}`;
  if (draw.chance(0.03)) return `${verb} INTO ${table.name} DEFAULT VALUES${returning(context, table)}`;
  const columns = insertColumns(context, table);
  const names = columns.map(({ name }) => name);
  const hasRowid = table.kind === "rowid" && table.idColumn === undefined && draw.kind("rowid-max", 0.03);
  if (hasRowid) names.unshift("rowid");
  const head = `${verb} INTO ${table.name}(${names.join(", ")})`;
  if (draw.kind("bulk", 0.012)) return head + bulkSource(context, columns, hasRowid);
  if (!hasRowid && draw.kind("insert-select", table.isAutoincrement ? 0.45 : 0.2)) {
    const types = columns.map(({ type }) => type);
    const source = draw.chance(0.5) ? fitting(context, columns) : undefined;
    return `${head} ${source ?? select(context, { types, limit: draw.between(1, SELECTED_ROWS_MAX), depth: 1 })}` +
      returning(context, table);
  }
  const rows = draw.several(1, draw.chance(0.3) ? 4 : 1, () => {
    const list = columns.map((column) => columnValue(context, column, { isExpression: true }));
    return `(${[...(hasRowid ? [draw.pick(ROWIDS)] : []), ...list].join(", ")})`;
  });
  return `${head} VALUES ${rows.join(", ")}${upsert(context, table)}${returning(context, table)}`;
}

/** A number for each row that is hardly drawn twice. */
function scattered({ draw }: Context): string {
  return draw.kind("random", 1) ? "abs(random() % 1000000000)" : "NULL";
}

/** A SELECT of columns as they are, in the order that the plan gives, from one table or two. */
function fitting(context: Context, columns: readonly Column[]): string {
  const { draw, model } = context;
  const table = model.anyTable(draw);
  const other = draw.chance(0.25) ? model.anyTable(draw) : undefined;
  const alias = other ? "a" : table.name;
  const list = columns.map((wanted) => {
    const same = table.columns.filter(({ type }) => wanted.type === "any" || type === wanted.type);
    if (wanted.isUnique && wanted.type === "int") return scattered(context);
    return same.length > 0 ? `${alias}.${draw.pick(same).name}` : draw.pick(["NULL", "1", "'s'"]);
  });
  const refs = columnsOf(table, alias);
  const scope = scopeOf(context, other ? [...refs, ...columnsOf(other, "b")] : refs);
  const on = other
    ? ` AS a JOIN ${other.name} AS b ON ${draw.pick(refs).sql} = ${draw.pick(columnsOf(other, "b")).sql}`
    : "";
  const conditions = draw.several(
    draw.chance(0.3) ? 0 : 1,
    3,
    () => rangeCondition(context, refs) ?? condition(context, scope, 1),
  );
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(" AND ")}` : "";
  const limit = draw.kind("plan-order", 0.8) ? SELECTED_ROWS_MAX : 1000;
  return `SELECT ${list.join(", ")} FROM ${table.name}${on}${where} LIMIT ${limit}`;
}

/** A range that an index can serve. */
function rangeCondition({ draw }: Context, refs: readonly ColumnRef[]): string | undefined {
  const numbers = refs.filter(({ type }) => type === "int" || type === "real");
  if (numbers.length === 0 || draw.chance(0.4)) return undefined;
  const { sql } = draw.pick(numbers);
  const low = draw.between(-5, 20);
  return draw.pick([
    `${sql} BETWEEN ${low} AND ${low + draw.between(0, 200)}`,
    `${sql} > ${low}`,
    `${sql} < ${low + 50}`,
    `${sql} IN (1, 2, 3, ${low})`,
  ]);
}

function bulkSource(context: Context, columns: readonly Column[], hasRowid: boolean): string {
  const { draw } = context;
  const scope = { columns: [{ sql: "x", type: "int" as const }], isPure: false };
  const list = columns.map((column) => {
    if (column.isUnique) return draw.kind("random", 1) ? "x + abs(random() % 1000000)" : "x";
    return draw.chance(0.6)
      ? draw.pick(["x", "x % 10", "'v' || x", "(1000 - x) / 5"])
      : expression(context, scope, column.type, 1);
  });
  if (hasRowid) list.unshift("x");
  return ` WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${draw.between(50, 250)}) SELECT ${
    list.join(", ")
  } FROM c`;
}

function upsert(context: Context, table: Table): string {
  const { draw } = context;
  if (!draw.chance(0.15)) return "";
  const target = table.conflictTargets.length > 0 && draw.chance(0.8) ? ` (${draw.pick(table.conflictTargets)})` : "";
  if (draw.chance(0.35)) return ` ON CONFLICT${target} DO NOTHING`;
  const column = settable(context, table);
  if (column === undefined) return "";
  const scope = scopeOf(context, [
    ...table.columns.map(({ name, type }) => ({ sql: name, type })),
    ...table.columns.map(({ name, type }) => ({ sql: `excluded.${name}`, type })),
  ]);
  const value = draw.kind("rowid-max", 0.02) ? "9223372036854775807" : expression(context, scope, column.type, 1);
  const where = draw.chance(0.2) ? ` WHERE ${condition(context, scope, 0)}` : "";
  return ` ON CONFLICT${target} DO UPDATE SET ${column.name} = ${value}${where}`;
}

function settable({ draw }: Context, table: Table): Column | undefined {
  const columns = table.columns.filter(({ isGenerated }) => !isGenerated);
  const easy = columns.filter(({ isUnique }) => !isUnique);
  const from = easy.length > 0 && draw.chance(0.85) ? easy : columns;
  return from.length > 0 ? draw.pick(from) : undefined;
}

/** An UPDATE. */
export function update(context: Context, table: Table): string {
  const { draw, model } = context;
  const column = settable(context, table);
  if (column === undefined) return insert(context, table);
  const source = draw.chance(0.08) ? model.anyTable(draw) : undefined;
  const columns = table.columns.map(({ name, type }) => ({ sql: source ? `${table.name}.${name}` : name, type }));
  const scope = scopeOf(context, source ? [...columns, ...columnsOf(source, "f")] : columns);
  const isEdge = column.type === "int" && draw.kind("rowid-max", column.name === table.idColumn ? 0.2 : 0.01);
  const value = () =>
    isEdge
      ? draw.pick(ROWIDS)
      : draw.chance(0.5)
      ? expression(context, scope, column.type, 2)
      : columnValue(context, column);
  const other = settable(context, table);
  const pair = other !== undefined && other !== column && source === undefined && draw.chance(0.05)
    ? `(${column.name}, ${other.name}) = (${
      select(context, { types: [column.type, other.type], outer: columns, limit: 1, depth: 1, isSimple: true })
    })`
    : undefined;
  const set = pair !== undefined
    ? pair
    : other !== undefined && other !== column && draw.chance(0.15)
    ? `(${column.name}, ${other.name}) = (${value()}, ${columnValue(context, other)})`
    : `${column.name} = ${value()}`;
  const from = source ? ` FROM ${source.name} AS f` : "";
  const where = draw.chance(0.75) ? ` WHERE ${filter(context, table, condition(context, scope, 1))}` : "";
  return `UPDATE${conflict(context)} ${table.name} SET ${set}${from}${where}${returning(context, table)}`;
}

/** Restricts a change to few rows, so that tables do not grow alike. */
function filter({ draw }: Context, table: Table, text: string): string {
  if (table.idColumn !== undefined && draw.chance(0.3)) return `${table.idColumn} % ${draw.between(2, 5)} = 1`;
  return text;
}

/** A DELETE. */
export function remove(context: Context, table: Table): string {
  const { draw } = context;
  const scope = scopeOf(context, table.columns.map(({ name, type }) => ({ sql: name, type })));
  const where = draw.chance(0.9) ? ` WHERE ${filter(context, table, condition(context, scope, 2))}` : "";
  if (draw.chance(0.02)) return `DELETE FROM ${table.name}${where} LIMIT 2`;
  if (draw.chance(0.2) && table.kind === "rowid") {
    return `DELETE FROM ${table.name} WHERE rowid IN (SELECT rowid FROM ${table.name} ${
      draw.pick(["", draw.kind("random", 1) ? "ORDER BY random() " : "", `ORDER BY ${leaf(context, scope, "any")} `])
    }LIMIT ${draw.between(1, 3)})${returning(context, table)}`;
  }
  return `DELETE FROM ${table.name}${where}${returning(context, table)}`;
}

/** A WITH in front of a change of rows. */
export function withChange(context: Context, table: Table): string {
  const { draw, model } = context;
  const source = model.anyTable(draw);
  const hint = draw.pick(["", " MATERIALIZED", " NOT MATERIALIZED"]);
  const first = draw.pick(source.columns).name;
  const cte = `WITH w(a) AS${hint} (SELECT ${first} FROM ${source.name} LIMIT 10)`;
  const columns = insertColumns(context, table);
  const list = columns.map((column) =>
    column.isUnique && column.type === "int" ? scattered(context) : draw.pick(["a", columnValue(context, column)])
  );
  return draw.weighted<() => string>([
    [
      2,
      () =>
        `${cte} INSERT INTO ${table.name}(${columns.map(({ name }) => name).join(", ")}) SELECT ${
          list.join(", ")
        } FROM w`,
    ],
    [1, () => `${cte} DELETE FROM ${table.name} WHERE ${draw.pick(table.columns).name} IN (SELECT a FROM w)`],
    [1, () => `${cte} UPDATE ${table.name} SET ${columns[0].name} = (SELECT a FROM w) WHERE EXISTS (SELECT 1 FROM w)`],
  ])();
}
