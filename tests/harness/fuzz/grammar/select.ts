/**
 * Queries: joins, aggregates, windows, compounds, common table expressions. All of them end quickly: at most two tables
 * are joined, and what recurs has a LIMIT. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import { type ColumnRef, condition, expression, leaf, type Scope } from "./expression.ts";
import type { Table } from "./model.ts";
import { literal, PLAIN_TYPES, valueOf, type ValueType } from "./values.ts";

/** The wanted properties of a query. */
export interface SelectOptions {
  /** Types of its columns; drawn where absent. */
  readonly types?: readonly ValueType[];
  /** Columns of the statement around it. */
  readonly outer?: readonly ColumnRef[];
  /** How deep it may nest further. @default {2} */
  readonly depth?: number;
  /** Rows at most; 0 for as many as there are. @default {0} */
  readonly limit?: number;
  /** Whether it may not be a compound or begin with WITH or VALUES. */
  readonly isSimple?: boolean;
}

/** A source of rows in a FROM. */
interface Source {
  readonly sql: string;
  readonly isJoin?: boolean;
  readonly columns: readonly ColumnRef[];
}

/** Columns of a table as seen under an alias. */
export function columnsOf(table: Table, alias: string): ColumnRef[] {
  const columns = table.columns.map(({ name, type }) => ({ sql: `${alias}.${name}`, type }));
  if (table.kind === "rowid") columns.push({ sql: `${alias}.rowid`, type: "int" });
  return columns;
}

/** The scope of a statement's expressions, with subqueries. */
export function scopeOf(context: Context, columns: readonly ColumnRef[]): Scope {
  return {
    columns,
    isPure: false,
    subquery: (type, depth) => select(context, { types: [type], outer: columns, depth, limit: 1, isSimple: true }),
  };
}

/** A query. */
export function select(context: Context, options: SelectOptions = {}): string {
  const { draw } = context;
  const types = options.types ??
    draw.several(1, 4, () => draw.pick<ValueType>(["int", "int", "text", "any", "real", "date", "json"]));
  const depth = options.depth ?? 2;
  if (options.isSimple || depth <= 0) return core(context, types, options) + tail(context, types, options);
  return draw.weighted<() => string>([
    [8, () => core(context, types, options) + tail(context, types, options)],
    [1, () => compound(context, types, options)],
    [1, () => withRecursion(context, types, options)],
    [1, () => withTable(context, types, options)],
    [1, () => grouped(context, types, options)],
    [1, () => windowed(context, types, options)],
    [options.types ? 0 : 1, () => `VALUES ${draw.several(1, 3, () => row(context, types)).join(", ")}`],
  ])();
}

function row({ draw, values }: Context, types: readonly ValueType[]): string {
  return `(${types.map((type) => values.sql(valueOf(draw, type), draw)).join(", ")})`;
}

function tail({ draw }: Context, types: readonly ValueType[], { limit = 0 }: SelectOptions): string {
  let text = "";
  if (draw.chance(0.25)) {
    const direction = draw.pick(["", " DESC", " ASC", " NULLS LAST", " DESC NULLS FIRST", " COLLATE NOCASE"]);
    text += ` ORDER BY ${draw.between(1, types.length)}${direction}`;
    if (draw.kind("random", 0.1)) text += ", random()";
  }
  if (limit > 0) return `${text} LIMIT ${limit}`;
  return draw.chance(0.3)
    ? `${text} LIMIT ${draw.between(0, 20)}${draw.chance(0.3) ? ` OFFSET ${draw.below(4)}` : ""}`
    : text;
}

function core(context: Context, types: readonly ValueType[], options: SelectOptions): string {
  const { draw } = context;
  const source = from(context, (options.depth ?? 2) - 1);
  const all = scopeOf(context, [...source.columns, ...(options.outer ?? [])]);
  const scope = source.isJoin ? { ...all, subquery: undefined } : all; // three loops within each other are enough
  const distinct = draw.chance(0.1) ? "DISTINCT " : "";
  const depth = draw.chance(0.5) ? 0 : Math.max(0, (options.depth ?? 2) - 1);
  const columns = types.map((type, at) =>
    expression(context, scope, type, depth) + (draw.chance(0.2) ? ` AS c${at}` : "")
  );
  const where = draw.chance(0.5) ? ` WHERE ${condition(context, scope, 1)}` : "";
  return `SELECT ${distinct}${columns.join(", ")} FROM ${source.sql}${where}`;
}

function from(context: Context, depth: number): Source {
  const first = oneSource(context, "a", depth);
  return context.draw.chance(0.2) ? { ...joined(context, first, depth), isJoin: true } : first;
}

function joined(context: Context, first: Source, depth: number): Source {
  const { draw } = context;
  const second = oneSource(context, "b", depth);
  const columns = [...first.columns, ...second.columns];
  const join = draw.pick(["JOIN", "LEFT JOIN", "CROSS JOIN", ",", "INNER JOIN", "RIGHT JOIN", "FULL JOIN"]);
  if (join === "," || draw.chance(0.1)) return { sql: `${first.sql} ${join} ${second.sql}`, columns };
  if (first.columns.length === 0 || second.columns.length === 0) return { sql: `${first.sql}, ${second.sql}`, columns };
  if (draw.chance(0.1)) {
    const common = first.columns.map(({ sql }) => sql.slice(2)).filter((name) =>
      second.columns.some(({ sql }) => sql === `b.${name}` && name !== "rowid")
    );
    if (common.length > 0) return { sql: `${first.sql} ${join} ${second.sql} USING (${draw.pick(common)})`, columns };
    if (join === "JOIN") return { sql: `${first.sql} NATURAL JOIN ${second.sql}`, columns };
  }
  const on = draw.chance(0.7)
    ? `${draw.pick(first.columns).sql} ${draw.pick(["=", "<", "IS"])} ${draw.pick(second.columns).sql}`
    : condition(context, { columns, isPure: false }, 1);
  return { sql: `${first.sql} ${join} ${second.sql} ON ${on}`, columns };
}

function oneSource(context: Context, alias: string, depth: number): Source {
  const { draw, model } = context;
  if (depth > 0 && draw.chance(0.08)) {
    const types = draw.several(1, 2, () => draw.pick(PLAIN_TYPES));
    const inner = core(context, types.map((type) => type), { depth: depth - 1, isSimple: true });
    const sql = `(SELECT * FROM (${inner}) LIMIT 20) AS ${alias}`;
    return { sql, columns: [] };
  }
  if (draw.chance(0.05)) {
    const json = literal(valueOf(draw, "json") ?? "[]");
    const columns: ColumnRef[] = [{ sql: `${alias}.key`, type: "any" }, { sql: `${alias}.value`, type: "any" }, {
      sql: `${alias}.fullkey`,
      type: "text",
    }];
    return { sql: `${draw.pick(["json_each", "json_tree"])}(${json}) AS ${alias}`, columns };
  }
  const table = model.anySource(draw);
  const hint = table.kind === "rowid" && draw.chance(0.05) ? indexHint(context, table) : "";
  return { sql: `${table.name} AS ${alias}${hint}`, columns: columnsOf(table, alias) };
}

function indexHint({ draw, model }: Context, table: Table): string {
  const indexes = model.indexes.filter((index) => index.table === table.name);
  return indexes.length > 0 && draw.chance(0.6) ? ` INDEXED BY ${draw.pick(indexes).name}` : " NOT INDEXED";
}

function compound(context: Context, types: readonly ValueType[], options: SelectOptions): string {
  const { draw } = context;
  const parts = draw.several(2, 3, () => core(context, types, { ...options, depth: 1 }));
  const sql = parts.reduce((text, part) =>
    `${text} ${draw.pick(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])} ${part}`
  );
  return sql + tail(context, types, options);
}

function withRecursion(context: Context, types: readonly ValueType[], options: SelectOptions): string {
  const { draw } = context;
  const limit = ` LIMIT ${options.limit || draw.between(1, 30)}`;
  const union = draw.pick(["UNION ALL", "UNION ALL", "UNION"]);
  const step = draw.pick(["x + 1", "x * 2 + 1", "x - 3", "x + 1"]);
  const cte = `WITH RECURSIVE c(x) AS (VALUES(${draw.between(0, 5)}) ${union} SELECT ${step} FROM c${limit})`;
  const scope = scopeOf(context, [{ sql: "c.x", type: "int" }, ...(options.outer ?? [])]);
  const columns = types.map((type) => expression(context, scope, type, 1));
  return `${cte} SELECT ${columns.join(", ")} FROM c`;
}

function withTable(context: Context, types: readonly ValueType[], options: SelectOptions): string {
  const { draw } = context;
  const inner = core(context, types, { depth: 0, isSimple: true });
  const hint = draw.pick(["", " MATERIALIZED", " NOT MATERIALIZED"]);
  const names = types.map((_, at) => `n${at}`);
  const order = draw.chance(0.3) ? ` ORDER BY ${names[0]}` : "";
  return `WITH w(${names.join(", ")}) AS${hint} (${inner} LIMIT 30) SELECT ${names.join(", ")} FROM w${order}` +
    (options.limit ? ` LIMIT ${options.limit}` : "");
}

function aggregate(context: Context, scope: Scope, type: ValueType): string {
  const { draw } = context;
  const any = () => leaf(context, scope, "any");
  const filter = draw.chance(0.15) ? ` FILTER (WHERE ${condition(context, scope, 0)})` : "";
  switch (type) {
    case "int":
      return draw.pick([
        "count(*)",
        `count(DISTINCT ${any()})`,
        `count(${any()})`,
        `max(${leaf(context, scope, "int")})`,
      ]) + filter;
    case "real":
      return draw.kind("overflow", 0.2)
        ? `sum(${leaf(context, scope, "int")})${filter}`
        : `${draw.pick(["avg", "total"])}(${any()})${filter}`;
    case "json":
      return draw.pick([
        `json_group_array(${leaf(context, scope, "int")})`,
        `json_group_object(${leaf(context, scope, "text")}, 1)`,
      ]) +
        filter;
    default:
      return draw.pick([`min(${any()})`, `max(${any()})`, `group_concat(${any()}, '/')`, `string_agg(${any()}, ',')`]) +
        filter;
  }
}

function grouped(context: Context, types: readonly ValueType[], options: SelectOptions): string {
  const { draw } = context;
  const source = from(context, 0);
  const scope = scopeOf(context, [...source.columns, ...(options.outer ?? [])]);
  const columns = types.map((type) => aggregate(context, scope, type));
  const group = draw.chance(0.7) ? ` GROUP BY ${leaf(context, scope, "any")}` : "";
  const having = group !== "" && draw.chance(0.3) ? " HAVING count(*) > 1" : "";
  return `SELECT ${columns.join(", ")} FROM ${source.sql}${group}${having}` +
    (options.limit ? ` LIMIT ${options.limit}` : "");
}

const FRAMES = [
  "",
  " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
  " RANGE UNBOUNDED PRECEDING",
  " GROUPS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE TIES",
  " RANGE BETWEEN 2 PRECEDING AND 3 FOLLOWING",
  " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW",
];

function windowed(context: Context, types: readonly ValueType[], options: SelectOptions): string {
  const { draw } = context;
  const source = oneSource(context, "a", 0); // a frame with EXCLUDE takes the square of the rows
  const scope = scopeOf(context, source.columns);
  const any = () => leaf(context, scope, "any");
  const calls = types.map((type) => {
    const call = type === "int"
      ? draw.pick(["row_number()", "rank()", "dense_rank()", "ntile(3)", "count(*)"])
      : draw.pick([
        `lag(${any()}, 1)`,
        `lead(${any()})`,
        `first_value(${any()})`,
        `nth_value(${any()}, 2)`,
        `max(${any()})`,
        "cume_dist()",
      ]);
    return `${call} OVER w`;
  });
  const partition = draw.chance(0.5) ? `PARTITION BY ${any()} ` : "";
  return `SELECT ${calls.join(", ")} FROM ${source.sql} WINDOW w AS (${partition}ORDER BY ${any()}${
    draw.pick(FRAMES)
  })` +
    (options.limit ? ` LIMIT ${options.limit}` : "");
}
