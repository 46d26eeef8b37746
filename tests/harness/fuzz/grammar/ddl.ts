/**
 * Statements on the schema other than CREATE TABLE: indexes, views, triggers, ALTER, DROP. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import { defineColumn, usualComputation } from "./create.ts";
import { insert, remove as removeRows, update } from "./dml.ts";
import { condition, expression, type Scope } from "./expression.ts";
import { type Column, remove, selectedTable, type Table } from "./model.ts";
import { select } from "./select.ts";
import type { ValueType } from "./values.ts";

function pureScope(table: Table): Scope {
  return { columns: table.columns.map(({ name, type }) => ({ sql: name, type })), isPure: true };
}

/** CREATE INDEX. */
export function createIndex(context: Context): string {
  const { draw, model, values } = context;
  const table = model.anyTable(draw);
  const name = model.freshName(draw, "i");
  const scope = pureScope(table);
  const terms = draw.several(1, 3, () => {
    const isExpression = draw.kind("expression-index", 0.25);
    const term = isExpression
      ? `(${
        values.literally(() =>
          expression(context, scope, draw.pick<ValueType>(["int", "text", "date", "json", "real"]), 2)
        )
      })`
      : draw.pick(table.columns).name;
    return term + draw.pick(["", "", " DESC", " COLLATE NOCASE"]);
  });
  const where = draw.kind("expression-index", 0.15)
    ? ` WHERE ${values.literally(() => condition(context, scope, 1))}`
    : "";
  const unique = draw.chance(0.12) ? "UNIQUE " : "";
  if (unique !== "" && where === "") table.conflictTargets.push(terms.join(", "));
  model.indexes.push({ name, table: table.name });
  return `CREATE ${unique}INDEX ${draw.chance(0.1) ? "IF NOT EXISTS " : ""}${name} ON ${table.name}(${
    terms.join(", ")
  })${where}`;
}

/** CREATE VIEW. */
export function createView(context: Context): string {
  const { draw, model, values } = context;
  const name = model.freshName(draw, "v");
  const types = draw.several(1, 3, () => draw.pick<ValueType>(["int", "text", "real", "date"]));
  const sql = values.literally(() => select(context, { types, depth: 1, limit: 20 }));
  const table = selectedTable(name, "view", types);
  model.views.push(table);
  return `CREATE VIEW ${name}(${table.columns.map((column) => column.name).join(", ")}) AS ${sql}`;
}

/** Triggers at a time: each multiplies the rows that the others add. */
const TRIGGERS_MAX = 4;
/** Rows of a table above which most triggers on it rest. */
const TRIGGERED_ROWS_MAX = 100;

function dropTrigger({ draw, model }: Context): string {
  const { name } = draw.pick(model.triggers);
  remove(model.triggers, (one) => one.name === name);
  return `DROP TRIGGER ${name}`;
}

/** CREATE TRIGGER. */
export function createTrigger(context: Context, on?: Table): string {
  const { draw, model, values } = context;
  if (model.triggers.length >= TRIGGERS_MAX) return dropTrigger(context);
  const table = on ?? model.anyTable(draw);
  const isView = table.kind === "view";
  const name = model.freshName(draw, "r");
  const event = draw.weighted([[isView ? 20 : 5, "INSERT"], [2, "UPDATE"], [2, "DELETE"], [
    1,
    `UPDATE OF ${draw.pick(table.columns).name}`,
  ]]);
  const sides = event === "INSERT" ? ["new"] : event === "DELETE" ? ["old"] : ["new", "old"];
  const columns = sides.flatMap((side) =>
    table.columns.map(({ name: column, type }) => ({ sql: `${side}.${column}`, type }))
  );
  const time = isView ? "INSTEAD OF" : draw.pick(["BEFORE", "AFTER", "AFTER", ""]);
  const scope: Scope = { columns, isPure: false };
  const conditions = [
    ...(draw.chance(0.85) ? [`(SELECT count(*) FROM ${table.name}) < ${TRIGGERED_ROWS_MAX}`] : []),
    ...(draw.chance(0.35) ? [values.literally(() => condition(context, { ...scope, subquery: undefined }, 1))] : []),
  ];
  const when = conditions.length > 0 ? ` WHEN ${conditions.join(" AND ")}` : "";
  const body = values.literally(() => draw.several(1, 2, () => triggerStatement(context, scope)));
  model.triggers.push({ name, table: table.name });
  const each = draw.chance(0.3) ? " FOR EACH ROW" : "";
  return `CREATE TRIGGER ${name} ${time} ${event} ON ${table.name}${each}${when} BEGIN ${body.join("; ")}; END`;
}

function triggerStatement(context: Context, scope: Scope): string {
  const { draw, model } = context;
  const target = model.anyTable(draw);
  const raise = () => {
    const how = draw.kind("rollback", 0.3) ? "ROLLBACK" : draw.pick(["ABORT", "FAIL", "IGNORE"]);
    const call = how === "IGNORE"
      ? "RAISE(IGNORE)"
      : `RAISE(${how}, ${draw.pick(["'raised'", "'x' || 1", "printf('%d', 5)"])})`;
    return `SELECT CASE WHEN ${condition(context, scope, 0)} AND ${draw.pick(scope.columns).sql} = ${
      draw.below(5)
    } THEN ${call} END`;
  };
  return draw.weighted<() => string>([
    [5, () => oneRow(context, target, scope)],
    [1, () => oneRow(context, draw.pick([...model.tables, ...model.virtuals]), scope)],
    [
      1,
      () =>
        `UPDATE ${target.name} SET ${storable(context, target).name} = ${draw.pick(scope.columns).sql} WHERE ${
          condition(
            context,
            { columns: target.columns.map(({ name, type }) => ({ sql: name, type })), isPure: false },
            1,
          )
        }`,
    ],
    [1, () => `DELETE FROM ${target.name} WHERE ${draw.pick(target.columns).name} = ${draw.pick(scope.columns).sql}`],
    [1, raise],
    [1, () => `SELECT ${expression(context, scope, "any", 1)}`],
  ])();
}

function storable({ draw }: Context, table: Table): Column {
  const stored = table.columns.filter(({ isGenerated }) => !isGenerated);
  return draw.pick(stored.length > 0 ? stored : table.columns);
}

function oneRow(context: Context, target: Table, scope: Scope): string {
  const { draw } = context;
  const columns = target.columns.filter((column) => !column.isGenerated && !(column.isUnique && column.type === "int"));
  if (columns.length === 0) return `INSERT INTO ${target.name} DEFAULT VALUES`;
  const list = columns.map((column) => {
    if (draw.kind("counters", 0.04)) return draw.pick(["last_insert_rowid()", "changes()"]);
    return expression(context, scope, column.type, 1);
  });
  const names = columns.map(({ name }) => name).join(", ");
  const select = draw.kind("insert-select", 0.1)
    ? ` SELECT ${list.join(", ")} FROM ${context.model.anyTable(draw).name} LIMIT 2`
    : "";
  return `INSERT ${draw.pick(["", "OR IGNORE ", "OR REPLACE "])}INTO ${target.name}(${names})${
    select || ` VALUES(${list.join(", ")})`
  }`;
}

/** DROP of anything. */
export function drop(context: Context): string {
  const { draw, model } = context;
  const exists = draw.chance(0.3) ? "IF EXISTS " : "";
  const [type, list] = draw.pick(
    [
      ["INDEX", model.indexes],
      ["TRIGGER", model.triggers],
      ["VIEW", model.views],
      ["TABLE", draw.chance(0.4) ? model.virtuals : model.tables],
    ] as const,
  );
  if (list.length === 0 || (list === model.tables && list.length < 3)) return `DROP ${type} IF EXISTS missing`;
  const { name } = draw.pick<{ name: string }>(list);
  for (const names of [model.indexes, model.triggers]) remove(names, (one) => one.name === name);
  const table = [...model.tables, ...model.virtuals, ...model.views].find((one) => one.name === name);
  if (table !== undefined) model.drop(table);
  return `DROP ${type} ${exists}${name}`;
}

/** ALTER TABLE. */
export function alter(context: Context): string {
  const { draw, model } = context;
  const table = draw.chance(0.06) && model.virtuals.length > 0 ? draw.pick(model.virtuals) : model.anyTable(draw);
  if (draw.kind("alter-check", 0.3)) return alterWithCheck(context, table);
  return draw.weighted<() => string>([
    [4, () => addColumn(context, table)],
    [1, () => rename(context, table)],
    [1, () => renameColumn(context, table)],
    [1, () => dropColumn(context, table)],
  ])();
}

function addColumn(context: Context, table: Table): string {
  const { draw } = context;
  const name = `x${draw.below(1000)}`;
  const { sql, column } = defineColumn(context, name, { plan: table, earlier: [], name: table.name });
  table.columns.push({ ...column, isUnique: false });
  return `ALTER TABLE ${table.name} ADD ${draw.pick(["", "COLUMN "])}${sql.replace(/ UNIQUE( ON CONFLICT \w+)?/, "")}`;
}

function alterWithCheck(context: Context, table: Table): string {
  const { draw, values } = context;
  const name = `y${draw.below(1000)}`;
  const column = draw.pick(table.columns);
  const head = `ALTER TABLE ${table.name}`;
  const add = (type: ValueType, rest: string, isGenerated = false) => {
    table.columns.push({ name, type, isGenerated, isUnique: false, isNotNull: false });
    return `${head} ADD COLUMN ${name} ${rest}`;
  };
  if (draw.kind("virtual-column", 0.2)) {
    const type = draw.pick<ValueType>(["json", "int", "date", "text"]);
    const sql = values.literally(() =>
      draw.chance(0.6) ? usualComputation(context, table.columns) : expression(context, pureScope(table), type, 2)
    );
    return add(type, `${table.isStrict ? "ANY" : ""}${draw.pick(["", "", " NOT NULL"])} AS (${sql})`, true);
  }
  return draw.weighted<() => string>([
    [2, () => add("text", "TEXT NOT NULL DEFAULT 'new' CHECK(length(" + name + ") < 99999)")],
    [1, () => add("int", "INTEGER DEFAULT 5 NOT NULL")],
    [1, () => add("int", `INTEGER CHECK(${name} IS NULL OR ${column.name} IS NOT ${name})`)],
    [1, () => `${head} ALTER COLUMN ${column.name} SET NOT NULL`],
    [1, () => `${head} ALTER ${column.name} DROP NOT NULL`],
    [1, () => `${head} ADD CONSTRAINT k${draw.below(4)} CHECK(length(${column.name}) < 200000)`],
    [1, () => `${head} DROP CONSTRAINT k${draw.below(4)}`],
  ])();
}

const SPOILED: readonly (readonly [value: string, computation: string])[] = [
  ["'not json'", "json_extract(?, '$.a')"],
  ["'{'", "? -> '$.a'"],
  ["(-9223372036854775807 - 1)", "abs(?)"],
  ["'now'", "date(?)"],
  ["'2024-05-06'", "datetime(?, 'local' || 'time')"],
  ["'utc'", "datetime('2024-01-01', ?)"],
  ["'now'", "strftime('%Y', ?)"],
];

/** A row, and a column after it that cannot be computed for it: legal, as long as nobody reads that column. */
export function spoil(context: Context): string | undefined {
  const { draw, model } = context;
  const table = model.anyTable(draw);
  const column = storable(context, table);
  const [value, computation] = draw.pick(SPOILED);
  const needed = computation.includes("json") || computation.includes("->")
    ? "bad-json"
    : value.startsWith("(")
    ? "overflow"
    : "date-word";
  if (!draw.has(needed) || !draw.kind("virtual-column", 1)) return undefined;
  draw.used.add(needed);
  const name = `s${draw.below(1000)}`;
  const insertion = `INSERT OR IGNORE INTO ${table.name}(${column.name}) VALUES(${value})`;
  const sql = `${insertion}; ALTER TABLE ${table.name} ADD COLUMN ${name} ${table.isStrict ? "ANY " : ""}AS (${
    computation.replace("?", column.name)
  })`;
  table.columns.push({ name, type: "any", isGenerated: true, isUnique: false, isNotNull: false });
  return sql;
}

function rename(context: Context, table: Table): string {
  const { draw, model } = context;
  const name = model.freshName(draw, table.kind === "view" ? "v" : "t");
  const sql = `ALTER TABLE ${table.name} RENAME TO ${name}`;
  for (const list of [model.indexes, model.triggers]) {
    for (const one of list) if (one.table === table.name) one.table = name;
  }
  table.name = name;
  return sql;
}

function renameColumn({ draw }: Context, table: Table): string {
  const column = draw.pick(table.columns);
  if (column.name === table.idColumn) return `ALTER TABLE ${table.name} RENAME COLUMN id TO id`;
  const name = `z${draw.below(1000)}`;
  const sql = `ALTER TABLE ${table.name} RENAME ${draw.pick(["", "COLUMN "])}${column.name} TO ${name}`;
  const at = table.conflictTargets.indexOf(column.name);
  if (at >= 0) table.conflictTargets[at] = name;
  column.name = name;
  return sql;
}

function dropColumn({ draw }: Context, table: Table): string {
  const plain = table.columns.filter(({ isUnique, isGenerated, name }) =>
    !isUnique && !isGenerated && name !== table.idColumn
  );
  if (plain.length < 2) return `ALTER TABLE ${table.name} DROP COLUMN missing`;
  const column = draw.pick(plain);
  remove(table.columns, (one) => one === column);
  return `ALTER TABLE ${table.name} DROP COLUMN ${column.name}`;
}

/** A change of rows through a view's triggers, or of the view itself where it has none. */
export function changeView(context: Context): string {
  const { draw, model } = context;
  const view = draw.pick(model.views);
  if (!model.triggers.some(({ table }) => table === view.name) && draw.kind("trigger", 0.9)) {
    return createTrigger(context, view);
  }
  return draw.weighted<() => string>([
    [3, () => insert(context, view)],
    [1, () => update(context, view)],
    [1, () => removeRows(context, view)],
  ])();
}
