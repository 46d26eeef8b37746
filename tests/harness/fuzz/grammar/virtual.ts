/**
 * Virtual tables: full-text search of three generations, R-trees, geopoly. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import type { Column, Table } from "./model.ts";
import { literal, textValue } from "./values.ts";

function textColumn(name: string): Column {
  return { name, type: "text", isGenerated: false, isUnique: false, isNotNull: false };
}

/** CREATE VIRTUAL TABLE; the table is added to the model. */
export function createVirtual(context: Context): string {
  const { draw } = context;
  const form = draw.weighted<() => string | undefined>([
    [4, () => draw.kind("fts5", 1) ? createFts5(context) : undefined],
    [2, () => draw.kind("fts3", 1) ? createFts3(context) : undefined],
    [2, () => draw.kind("rtree", 1) ? createRtree(context) : undefined],
    [1, () => draw.kind("fts5", 1) ? createVocabulary(context) : undefined],
  ]);
  return form() ?? "SELECT 1";
}

/** Name of a table and the columns that hold text, for external content. */
function contentOf({ draw, model }: Context): { table: Table; columns: string[] } | undefined {
  const fitting = model.tables.filter(({ kind, columns }) =>
    kind === "rowid" && columns.some(({ type }) => type === "text")
  );
  if (fitting.length === 0) return undefined;
  const table = draw.pick(fitting);
  return { table, columns: table.columns.filter(({ type }) => type === "text").map(({ name }) => name) };
}

function createFts5(context: Context): string {
  const { draw, model } = context;
  const name = model.freshName(draw, "f");
  const content = draw.kind("fts-external", 0.3) ? contentOf(context) : undefined;
  const isContentless = content === undefined && draw.kind("fts-external", 0.15);
  const columns = content?.columns ?? draw.several(1, 3, (at) => `a${at}`);
  const options = draw.sample([
    "tokenize='porter unicode61'",
    "tokenize='trigram'",
    "prefix='2 3'",
    "detail=none",
    "detail=column",
    "columnsize=0",
  ], draw.below(3));
  if (options.filter((one) => one.startsWith("tokenize")).length > 1) options.pop();
  if (options.filter((one) => one.startsWith("detail")).length > 1) options.pop();
  if (content !== undefined) {
    options.push(`content=${literal(content.table.name.replace(/^["[`]|["\]`]$/g, ""))}`);
    if (content.table.idColumn !== undefined) options.push(`content_rowid=${content.table.idColumn}`);
  }
  if (isContentless) options.push("content=''", ...(draw.chance(0.4) ? ["contentless_delete=1"] : []));
  model.virtuals.push({
    name,
    kind: "fts5",
    columns: columns.map(textColumn),
    isAutoincrement: false,
    isStrict: false,
    isExternal: content !== undefined || isContentless,
    conflictTargets: [],
  });
  const unindexed = columns.length > 1 && draw.chance(0.2) ? " UNINDEXED" : "";
  return `CREATE VIRTUAL TABLE ${name} USING fts5(${
    [...columns.slice(0, -1), columns[columns.length - 1] + unindexed, ...options].join(", ")
  })`;
}

function createFts3(context: Context): string {
  const { draw, model } = context;
  const name = model.freshName(draw, "g");
  const version = draw.pick(["fts3", "fts4"]);
  const columns = draw.several(1, 2, (at) => `a${at}`);
  const options = draw.sample([
    "tokenize=porter",
    ...(version === "fts4" ? ['prefix="2"', "matchinfo=fts3", "order=desc", "compress=x"] : []),
  ], draw.below(2))
    .filter((option) => option !== "compress=x");
  const isContentless = version === "fts4" && draw.kind("fts-external", 0.15);
  if (isContentless) options.push('content=""');
  model.virtuals.push({
    name,
    kind: "fts3",
    columns: columns.map(textColumn),
    isAutoincrement: false,
    isStrict: false,
    isExternal: isContentless,
    conflictTargets: [],
  });
  return `CREATE VIRTUAL TABLE ${name} USING ${version}(${[...columns, ...options].join(", ")})`;
}

function createRtree(context: Context): string {
  const { draw, model } = context;
  const name = model.freshName(draw, "b");
  if (draw.kind("geopoly", 0.1)) return `CREATE VIRTUAL TABLE ${name} USING geopoly(note)`;
  const dimensions = draw.between(1, 2);
  const names = ["x0", "x1", "y0", "y1"].slice(0, dimensions * 2);
  const columns = ["id", ...names].map((column): Column => ({
    name: column,
    type: column === "id" ? "int" : "real",
    isGenerated: false,
    isUnique: column === "id",
    isNotNull: false,
  }));
  const extra = draw.chance(0.3) ? ["+note TEXT"] : [];
  model.virtuals.push({
    name,
    kind: "rtree",
    columns,
    idColumn: "id",
    isAutoincrement: false,
    isStrict: false,
    conflictTargets: [],
  });
  return `CREATE VIRTUAL TABLE ${name} USING ${draw.pick(["rtree", "rtree", "rtree_i32"])}(${
    ["id", ...names, ...extra].join(", ")
  })`;
}

function createVocabulary(context: Context): string {
  const { draw, model } = context;
  const of = model.virtuals.filter(({ kind }) => kind === "fts5" || kind === "fts3");
  if (of.length === 0) return createFts5(context);
  const table = draw.pick(of);
  const name = model.freshName(draw, "o");
  model.virtuals.push({
    name,
    kind: "vocab",
    columns: [{ ...textColumn("term") }],
    isAutoincrement: false,
    isStrict: false,
    conflictTargets: [],
  });
  if (table.kind === "fts3") return `CREATE VIRTUAL TABLE ${name} USING fts4aux(${table.name})`;
  return `CREATE VIRTUAL TABLE ${name} USING fts5vocab(${table.name}, ${draw.pick(["row", "col", "instance"])})`;
}

/** A statement on a virtual table. */
export function useVirtual(context: Context): string {
  const { draw, model } = context;
  if (model.virtuals.length === 0) return createVirtual(context);
  const table = draw.pick(model.virtuals);
  if (table.kind !== "vocab") draw.used.add(table.kind === "rtree" ? "rtree" : table.kind === "fts5" ? "fts5" : "fts3");
  if (table.isExternal) draw.used.add("fts-external");
  if (draw.kind("shadow-write", 0.04)) return changeShadow(context, table);
  if (table.kind !== "vocab" && draw.kind("shadow-read", 0.05)) return readShadow(context, table);
  if (table.kind === "vocab") return `SELECT * FROM ${table.name} ORDER BY 1 LIMIT 5`;
  if (table.kind === "rtree") return useRtree(context, table);
  return useFullText(context, table);
}

const SHADOWS: Readonly<Record<string, readonly string[]>> = {
  fts5: ["data", "idx", "content", "docsize", "config"],
  fts3: ["content", "segments", "segdir", "docsize", "stat"],
  rtree: ["node", "rowid", "parent"],
};

function shadowOf({ draw }: Context, table: Table): string {
  return `"${table.name.replace(/["[\]`]/g, "")}_${draw.pick(SHADOWS[table.kind] ?? ["data"])}"`;
}

function changeShadow(context: Context, table: Table): string {
  const shadow = shadowOf(context, table);
  return context.draw.pick([
    `DELETE FROM ${shadow}`,
    `UPDATE ${shadow} SET rowid = rowid + 1`,
    `INSERT INTO ${shadow} DEFAULT VALUES`,
    `DROP TABLE ${shadow}`,
    `SELECT * FROM ${shadow}`,
    `ALTER TABLE ${shadow} RENAME TO nowhere`,
    `CREATE INDEX shadowed ON ${shadow}(id)`,
  ]);
}

/** Stores what only the inner state of a virtual table decides. */
function readShadow(context: Context, table: Table): string {
  const { draw, model } = context;
  const target = model.anyTable(draw);
  const column = draw.pick(target.columns.filter(({ isGenerated }) => !isGenerated)).name;
  const source = shadowOf(context, table);
  const what = draw.pick(["count(*)", "hex(group_concat(rowid))", "max(rowid)"]);
  return draw.chance(0.7)
    ? `INSERT OR IGNORE INTO ${target.name}(${column}) SELECT ${what} FROM ${source}`
    : `UPDATE OR IGNORE ${target.name} SET ${column} = (SELECT ${what} FROM ${source})`;
}

function useRtree({ draw, model, values }: Context, table: Table): string {
  const dimensions = (table.columns.length - 1) / 2;
  const box = () => {
    const list: string[] = [];
    for (let at = 0; at < dimensions; at++) {
      const low = draw.between(-50, 50);
      const high = draw.chance(0.97) ? low + draw.below(20) : low - 5;
      const factor = draw.pick([1, 1, 1e30, 0.1]);
      list.push(values.sql(low * factor, draw), values.sql(high * factor, draw));
    }
    return list.join(", ");
  };
  const id = () =>
    draw.kind("rowid-max", 0.03) ? "9223372036854775807" : draw.pick(["NULL", values.sql(model.fresh(), draw)]);
  const names = table.columns.map(({ name }) => name).join(", ");
  if (draw.kind("rtree-self", 0.05)) {
    const moved = table.columns.slice(1).map(({ name }) => `${name} + 1`).join(", ");
    return `INSERT INTO ${table.name}(${names}) SELECT NULL, ${moved} FROM ${table.name} LIMIT 5`;
  }
  return draw.weighted<() => string>([
    [
      6,
      () =>
        `INSERT ${
          draw.pick(["", "OR REPLACE ", "OR IGNORE "])
        }INTO ${table.name}(${names}) VALUES (${id()}, ${box()}), (NULL, ${box()})`,
    ],
    [2, () => `UPDATE ${table.name} SET x0 = x0 - ${draw.below(5)} WHERE id % 3 = ${draw.below(3)}`],
    [2, () => `DELETE FROM ${table.name} WHERE x0 > ${draw.between(-20, 60)}`],
    [2, () => `SELECT id FROM ${table.name} WHERE x1 >= ${draw.between(-50, 0)} AND x0 <= ${draw.between(0, 50)}`],
    [1, () => `SELECT rtreecheck('${table.name.replace(/["[\]`]/g, "")}')`],
  ])();
}

const QUERIES = [
  "w1",
  "w1 OR w2",
  '"w1 w2"',
  "w*",
  "running",
  "w1 NOT w3",
  "NEAR(w1 w2)",
  "a0 : w1",
  "äöü",
  "hello",
  "^w1",
  "w1 AND",
  "",
];

function useFullText(context: Context, table: Table): string {
  const { draw, model, values } = context;
  if (draw.kind("fts-command", 0.2)) return command(context, table);
  const names = table.columns.map(({ name }) => name);
  const texts = () => names.map(() => values.sql(textValue(draw), draw)).join(", ");
  const rowid = () => draw.kind("rowid-max", 0.04) ? "9223372036854775807" : String(draw.between(1, 60));
  const key = table.kind === "fts3" ? "docid" : "rowid";
  return draw.weighted<() => string>([
    [5, () => `INSERT INTO ${table.name}(${names.join(", ")}) VALUES (${texts()})`],
    [
      3,
      () =>
        `INSERT ${draw.pick(["", "OR REPLACE "])}INTO ${table.name}(${key}, ${
          names.join(", ")
        }) VALUES (${rowid()}, ${texts()}), (${rowid()}, ${texts()})`,
    ],
    [
      2,
      () =>
        `UPDATE ${table.name} SET ${draw.pick(names)} = ${values.sql(textValue(draw), draw)} WHERE rowid % 4 = ${
          draw.below(4)
        }`,
    ],
    [
      2,
      () =>
        `DELETE FROM ${table.name} WHERE ${
          draw.pick([`rowid = ${rowid()}`, `rowid % 5 = 1`, `${names[0]} MATCH 'w1'`])
        }`,
    ],
    [
      3,
      () =>
        `SELECT rowid FROM ${table.name} WHERE ${table.name} MATCH ${literal(draw.pick(QUERIES))}${
          draw.pick([" ORDER BY rank", "", " LIMIT 3"])
        }`,
    ],
    [1, () => `SELECT snippet(${table.name}), ${names[0]} FROM ${table.name} WHERE ${names[0]} MATCH 'w1 w2' LIMIT 4`],
    [
      1,
      () =>
        `SELECT highlight(${table.name}, 0, '[', ']'), bm25(${table.name}) FROM ${table.name} WHERE ${table.name} MATCH 'w2'`,
    ],
    [
      2,
      () =>
        `INSERT INTO ${table.name}(${names.join(", ")}) SELECT ${
          names.map(() => draw.pick(model.anyTable(draw).columns).name).join(", ")
        } FROM ${model.anyTable(draw).name} LIMIT 6`,
    ],
    [
      1,
      () =>
        `INSERT INTO ${model.anyTable(draw).name} SELECT ${
          draw.pick(["rowid", table.name])
        } FROM ${table.name} WHERE ${table.name} MATCH ${draw.pick(["'w1 OR w2 OR w3'", "'*id'", "'*reads'"])} LIMIT 5`,
    ],
  ])();
}

const SETTINGS = [
  "'merge', 4",
  "'merge', -8",
  "'automerge', 2",
  "'crisismerge', 3",
  "'usermerge', 2",
  "'pgsz', 64",
  "'rank', 'bm25(2.0)'",
  "'secure-delete', 1",
  "'deletemerge', 10",
  "'integrity-check', 1",
];

function command({ draw, values }: Context, table: Table): string {
  const self = table.name;
  if (table.kind === "fts3") {
    return `INSERT INTO ${self}(${self}) VALUES('${
      draw.pick(["optimize", "rebuild", "integrity-check", "merge=8,4", "automerge=2", "merge=500,2", "nonsense"])
    }')`;
  }
  const names = table.columns.map(({ name }) => name).join(", ");
  const texts = () => table.columns.map(() => values.sql(textValue(draw), draw)).join(", ");
  return draw.weighted<() => string>([
    [
      3,
      () =>
        `INSERT INTO ${self}(${self}) VALUES('${
          draw.pick(["optimize", "rebuild", "integrity-check", "delete-all", "flush", "nonsense"])
        }')`,
    ],
    [3, () => `INSERT INTO ${self}(${self}, rank) VALUES(${draw.pick(SETTINGS)})`],
    [2, () => `INSERT INTO ${self}(${self}, rowid, ${names}) VALUES('delete', ${draw.between(1, 40)}, ${texts()})`],
  ])();
}
