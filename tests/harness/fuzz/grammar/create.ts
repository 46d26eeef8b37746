/**
 * CREATE TABLE in all its forms, with what the model must know of the new table. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import { dateExpression } from "./date_expression.ts";
import { condition, expression, type Scope } from "./expression.ts";
import { type Column, selectedTable, type Table } from "./model.ts";
import { select } from "./select.ts";
import { literal, PLAIN_TYPES, valueOf, type ValueType } from "./values.ts";

const DECLARED: Record<ValueType, readonly string[]> = {
  int: ["INTEGER", "INT", "BIGINT", "BOOLEAN", "TINYINT"],
  real: ["REAL", "DOUBLE PRECISION", "FLOAT"],
  text: ["TEXT", "VARCHAR(20)", "CLOB", "nchar(5)"],
  blob: ["BLOB", ""],
  date: ["TEXT", "DATETIME", "TIMESTAMP", "DATE", ""],
  json: ["TEXT", "JSON"],
  any: ["", "NUMERIC", "DECIMAL(10,5)", "STRING"],
};
const STRICT: Record<ValueType, string> = {
  int: "INTEGER",
  real: "REAL",
  text: "TEXT",
  blob: "BLOB",
  date: "ANY",
  json: "TEXT",
  any: "ANY",
};
const COLUMN_TYPES: readonly ValueType[] = ["int", "int", "text", "text", "real", "date", "json", "any", "blob"];

/** The plan of a table. */
interface Plan {
  readonly kind: "rowid" | "withoutRowid";
  readonly isStrict: boolean;
  readonly isAutoincrement: boolean;
}

/** A column with its definition. */
interface Defined {
  readonly column: Column;
  readonly sql: string;
}

/** CREATE TABLE; the table is added to the model. */
export function createTable(context: Context): string {
  const { draw, model } = context;
  const name = model.freshName(draw, "t");
  if (model.tables.length > 0 && draw.chance(0.06)) return createFromSelect(context, name);
  const plan: Plan = draw.weighted<Plan>([
    [5, { kind: "rowid", isStrict: false, isAutoincrement: false }],
    [3, { kind: "rowid", isStrict: false, isAutoincrement: true }],
    [2, { kind: "withoutRowid", isStrict: false, isAutoincrement: false }],
    [2, { kind: "rowid", isStrict: true, isAutoincrement: false }],
    [1, { kind: "rowid", isStrict: true, isAutoincrement: true }],
    [1, { kind: "withoutRowid", isStrict: true, isAutoincrement: false }],
  ]);
  const key = keyColumn(context, plan);
  const defined = key === undefined ? [] : [key];
  const count = draw.between(1, 5);
  for (let at = 0; at < count; at++) defined.push(defineColumn(context, `c${at}`, { plan, earlier: defined, name }));
  const columns = defined.map(({ column }) => column);
  const table: Table = {
    name,
    ...plan,
    columns,
    idColumn: key !== undefined && key.sql.includes("INTEGER PRIMARY KEY") ? key.column.name : undefined,
    conflictTargets: columns.filter(({ isUnique }) => isUnique).map((column) => column.name),
  };
  const constraints = tableConstraints(context, table);
  model.tables.push(table);
  const options = [plan.kind === "withoutRowid" ? "WITHOUT ROWID" : "", plan.isStrict ? "STRICT" : ""].filter(Boolean);
  const exists = draw.chance(0.1) ? "IF NOT EXISTS " : "";
  return `CREATE TABLE ${exists}${name}(${[...defined.map(({ sql }) => sql), ...constraints].join(", ")}) ${
    options.join(", ")
  }`.trim();
}

function createFromSelect(context: Context, name: string): string {
  const { draw, model } = context;
  const types = draw.several(1, 3, () => draw.pick(PLAIN_TYPES));
  const table = selectedTable(name, "rowid", types);
  const sql = context.values.literally(() => select(context, { types, limit: 10, isSimple: true }));
  model.tables.push(table);
  const names = table.columns.map((column) => column.name).join(", ");
  return `CREATE TABLE ${name} AS WITH q(${names}) AS (${sql}) SELECT ${names} FROM q`;
}

function keyColumn(context: Context, { kind, isStrict, isAutoincrement }: Plan): Defined | undefined {
  const { draw } = context;
  if (kind === "rowid") {
    if (!isAutoincrement && draw.chance(0.35)) return undefined;
    const order = isAutoincrement ? "" : draw.pick(["", "", " DESC", " ASC", " ON CONFLICT REPLACE"]);
    const sql = `id INTEGER PRIMARY KEY${order}${isAutoincrement ? " AUTOINCREMENT" : ""}`;
    return { sql, column: { name: "id", type: "int", isGenerated: false, isUnique: true, isNotNull: false } };
  }
  const type = draw.pick<ValueType>(["int", "text", "any"]);
  const declared = isStrict ? STRICT[type] : draw.pick(DECLARED[type]);
  const order = draw.pick(["", " DESC", " COLLATE NOCASE"]);
  const sql = order.includes("COLLATE") ? `id ${declared}${order} PRIMARY KEY` : `id ${declared} PRIMARY KEY${order}`;
  return { sql, column: { name: "id", type, isGenerated: false, isUnique: true, isNotNull: true } };
}

/** A column's definition. */
export function defineColumn(
  context: Context,
  columnName: string,
  { plan, earlier, name }: { plan: { readonly isStrict: boolean }; earlier: readonly Defined[]; name: string },
): Defined {
  const { draw } = context;
  const type = draw.pick(COLUMN_TYPES);
  const declared = plan.isStrict ? STRICT[type] : draw.pick(DECLARED[type]);
  const head = `${columnName} ${declared}`.trimEnd();
  const generated = earlier.length > 0 ? generatedClause(context, earlier, type) : undefined;
  if (generated !== undefined) {
    const isStrictText = plan.isStrict && declared !== "ANY";
    const sql = isStrictText ? `${columnName} ANY${generated}` : head + generated;
    return { sql, column: { name: columnName, type, isGenerated: true, isUnique: false, isNotNull: false } };
  }
  const isUnique = draw.chance(0.08);
  const isNotNull = draw.chance(0.1);
  const parent = draw.kind("foreign-key", 0.12) ? parentOf(context, name) : undefined;
  const sql = [
    head,
    isNotNull ? `NOT NULL${draw.pick(["", "", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE"])}` : "",
    isUnique
      ? `UNIQUE${
        draw.pick([
          "",
          "",
          " ON CONFLICT REPLACE",
          " ON CONFLICT IGNORE",
          draw.kind("rollback", 0.5) ? " ON CONFLICT ROLLBACK" : "",
        ])
      }`
      : "",
    draw.chance(0.2) || isNotNull ? `DEFAULT ${defaultValue(context, type, plan.isStrict)}` : "",
    draw.chance(0.1) ? `CHECK(${check(context, columnName, type)})` : "",
    draw.chance(0.08) && type === "text" ? `COLLATE ${draw.pick(["NOCASE", "RTRIM", "BINARY"])}` : "",
    parent === undefined ? "" : references(context, parent),
  ].filter((part) => part !== "").join(" ");
  return {
    sql,
    column: { name: columnName, type, isGenerated: false, isUnique, isNotNull, ...(parent ? { parent } : {}) },
  };
}

/** Mostly a table whose key can be referred to, now and then the table itself or one that cannot. */
function parentOf({ draw, model }: Context, name: string): string {
  const fitting = model.tables.filter(({ columns }) => columns[0].name === "id").map((table) => table.name);
  return fitting.length > 0 && draw.chance(0.8)
    ? draw.pick(fitting)
    : draw.pick([...model.tables.map((table) => table.name), name]);
}

function generatedClause(context: Context, earlier: readonly Defined[], type: ValueType): string | undefined {
  const { draw } = context;
  const kind = draw.kind("virtual-column", 0.08) ? "VIRTUAL" : draw.kind("stored-column", 0.06) ? "STORED" : undefined;
  if (kind === undefined) return undefined;
  const columns = earlier.map(({ column }) => ({ sql: column.name, type: column.type }));
  const sql = context.values.literally(() =>
    draw.chance(0.5)
      ? usualComputation(context, earlier.map(({ column }) => column))
      : expression(context, { columns, isPure: true }, type, 2)
  );
  const always = draw.pick(["GENERATED ALWAYS AS", "AS"]);
  return ` ${always} (${sql})${kind === "VIRTUAL" && draw.chance(0.4) ? "" : ` ${kind}`}`;
}

/** A computation as people write it for a column; some of these fail on some values. */
export function usualComputation({ draw }: Context, columns: readonly Column[]): string {
  const telling = columns.filter(({ type }) => type === "json" || type === "date");
  const { name: sql, type } = draw.pick(telling.length > 0 && draw.chance(0.7) ? telling : columns);
  switch (type) {
    case "json":
      return draw.pick([
        `json_extract(${sql}, '$.a')`,
        `${sql} ->> '$.title'`,
        `json_array_length(${sql})`,
        `${sql} -> '$.b'`,
      ]);
    case "date":
      return draw.pick([`date(${sql})`, `strftime('%Y', ${sql})`, `unixepoch(${sql}, '+1 day')`]);
    case "int":
      return draw.kind("overflow", 0.3) ? `abs(${sql})` : draw.pick([`${sql} * 2`, `${sql} % 10`, `${sql} || ''`]);
    default:
      return draw.pick([`lower(${sql})`, `length(${sql})`, `hex(${sql})`, `coalesce(${sql}, 'none')`]);
  }
}

function defaultValue(context: Context, type: ValueType, isStrict: boolean): string {
  const { draw } = context;
  const isFree = !isStrict || type === "any" || type === "date";
  return context.values.literally(() => {
    if (isFree && draw.kind("clock", 0.25)) {
      return draw.pick(["CURRENT_TIMESTAMP", "CURRENT_DATE", "(datetime('now'))", "(unixepoch('subsec'))"]);
    }
    if ((isFree || type === "int") && draw.kind("random", 0.25)) {
      return isFree ? draw.pick(["(random())", "(hex(randomblob(4)))"]) : "(random())";
    }
    if (isFree && draw.chance(0.02)) return draw.pick(["(total_changes())", "(sqlite_version())"]);
    const value = valueOf(draw, type);
    return draw.chance(0.7)
      ? `(${literal(value ?? 1n)})`
      : `(${expression(context, { columns: [], isPure: false }, type, 1)})`;
  });
}

function check(context: Context, name: string, type: ValueType): string {
  const { draw } = context;
  if (draw.chance(0.6)) {
    return draw.pick([`length(${name}) < 100000`, `typeof(${name}) <> 'x'`, `${name} IS NULL OR ${name} <> 'bad'`]);
  }
  if (type === "date") {
    return context.values.literally(() =>
      `${dateExpression(context, { columns: [{ sql: name, type }], isPure: true }, name)} IS NOT 'x'`
    );
  }
  const scope: Scope = { columns: [{ sql: name, type }], isPure: true };
  return context.values.literally(() => `${condition(context, scope, 1)} OR 1`);
}

const ACTIONS = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"];

/** A REFERENCES clause. */
function references({ draw }: Context, parent: string): string {
  let sql = `REFERENCES ${parent}${draw.chance(0.5) ? "(id)" : ""}`;
  if (draw.chance(0.5)) sql += ` ON DELETE ${draw.pick(ACTIONS)}`;
  if (draw.chance(0.3)) sql += ` ON UPDATE ${draw.pick(ACTIONS)}`;
  if (draw.kind("deferred", 0.35)) sql += draw.pick([" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"]);
  return sql;
}

function tableConstraints(context: Context, table: Table): string[] {
  const { draw, model } = context;
  const constraints: string[] = [];
  const plain = table.columns.filter(({ isGenerated }) => !isGenerated);
  if (table.columns.length > 2 && draw.chance(0.06)) {
    const pair = draw.sample(table.columns, 2).map(({ name }) => name).join(", ");
    table.conflictTargets.push(pair);
    constraints.push(`UNIQUE(${pair})${draw.pick(["", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE"])}`);
  }
  if (draw.chance(0.06)) {
    const columns = table.columns.map(({ name, type }) => ({ sql: name, type }));
    const text = context.values.literally(() => condition(context, { columns, isPure: true }, 1));
    constraints.push(
      `${draw.pick(["", `CONSTRAINT k${draw.below(9)} `])}CHECK(${text} OR ${draw.pick(plain).name} IS NOT 99)`,
    );
  }
  if (model.tables.length > 0 && draw.kind("foreign-key", 0.06)) {
    constraints.push(`FOREIGN KEY(${draw.pick(plain).name}) ${references(context, parentOf(context, table.name))}`);
  }
  return constraints;
}
