/**
 * Expressions by the type that they should have. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import { dateExpression } from "./date_expression.ts";
import { integerValue, PLAIN_TYPES, realValue, textValue, valueOf, type ValueType } from "./values.ts";

/** A column that an expression can use. */
export interface ColumnRef {
  /** How it is written. */
  readonly sql: string;
  /** The type of its value. */
  readonly type: ValueType;
}

/** The place of an expression: what it may refer to. */
export interface Scope {
  /** Columns in reach. */
  readonly columns: readonly ColumnRef[];
  /** Whether it is computed again later: an index, a generated column, a CHECK. */
  readonly isPure: boolean;
  /** Makes a subquery with one column of a type; absent where none may stand. */
  readonly subquery?: (type: ValueType, depth: number) => string;
}

/** An expression of a type. */
export function expression(context: Context, scope: Scope, type: ValueType, depth = 2): string {
  const { draw } = context;
  if (depth <= 0 || draw.chance(0.25)) return leaf(context, scope, type);
  if (draw.chance(0.12)) return anyType(context, scope, type, depth - 1);
  switch (type) {
    case "int":
      return integer(context, scope, depth - 1);
    case "real":
      return real(context, scope, depth - 1);
    case "text":
      return text(context, scope, depth - 1);
    case "blob":
      return blob(context, scope, depth - 1);
    case "date":
      return dateExpression(context, scope, leaf(context, scope, "date"));
    case "json":
      return json(context, scope, depth - 1);
    default:
      return expression(context, scope, draw.pick(PLAIN_TYPES), depth);
  }
}

/** A column or a value. */
export function leaf(context: Context, scope: Scope, type: ValueType): string {
  const { draw, values } = context;
  const fitting = scope.columns.filter((column) => type === "any" || column.type === type);
  if (fitting.length > 0 && draw.chance(0.65)) return draw.pick(fitting).sql;
  if (scope.columns.length > 0 && draw.chance(0.06)) return draw.pick(scope.columns).sql;
  return values.sql(valueOf(draw, type), draw);
}

/** A condition. */
export function condition(context: Context, scope: Scope, depth = 2): string {
  const { draw } = context;
  if (depth <= 0 || draw.chance(0.6)) return comparison(context, scope, depth - 1);
  const one = condition(context, scope, depth - 1);
  return draw.chance(0.15)
    ? `NOT (${one})`
    : `(${one} ${draw.pick(["AND", "OR"])} ${condition(context, scope, depth - 1)})`;
}

function comparison(context: Context, scope: Scope, depth: number): string {
  const { draw } = context;
  const type = scope.columns.length > 0 ? draw.pick(scope.columns).type : draw.pick(PLAIN_TYPES);
  const make = (wanted: ValueType = type) => expression(context, scope, wanted, depth);
  const { subquery } = scope;
  const form = draw.weighted<() => string>([
    [8, () => `${make()} ${draw.pick(["=", "<", ">", "<=", ">=", "<>", "==", "!=", "IS", "IS NOT"])} ${make()}`],
    [2, () => `${make()} BETWEEN ${make()} AND ${make()}`],
    [2, () => `${make()} ${draw.pick(["", "NOT "])}IN (${draw.several(1, 4, () => make()).join(", ")})`],
    [2, () => `${make()} ${draw.pick(["IS NULL", "NOTNULL", "IS NOT NULL", "ISNULL"])}`],
    [2, () => `${make("text")} LIKE ${leaf(context, scope, "text")}${draw.chance(0.2) ? " ESCAPE '!'" : ""}`],
    [1, () => `${make("text")} GLOB ${draw.pick(["'*'", "'a*'", "'[a-z]?*'", "'*w1*'"])}`],
    [1, () => `${make("int")} % ${draw.between(2, 5)} = ${draw.below(3)}`],
    [1, () => `${make()} IS ${draw.pick(["", "NOT "])}DISTINCT FROM ${make()}`],
    [1, () => `(${make()}, ${make("int")}) ${draw.pick(["<", "=", ">="])} (${make()}, ${make("int")})`],
    [1, () => `${make("text")} COLLATE ${draw.pick(["NOCASE", "BINARY", "RTRIM"])} = ${make("text")}`],
    [1, () => draw.pick(["1", "TRUE", "FALSE", "0.5", "'x'"])],
    [subquery ? 2 : 0, () => `${draw.pick(["", "NOT "])}EXISTS (${subquery?.(type, depth - 1)})`],
    [subquery ? 2 : 0, () => `${make()} IN (${subquery?.(type, depth - 1)})`],
    [subquery ? 1 : 0, () => `${make()} ${draw.pick(["=", "<", ">"])} (${subquery?.(type, depth - 1)})`],
  ]);
  return form();
}

function anyType(context: Context, scope: Scope, type: ValueType, depth: number): string {
  const { draw } = context;
  const make = () => expression(context, scope, type, depth);
  const { subquery } = scope;
  const form = draw.weighted<() => string>([
    [3, () => `coalesce(${make()}, ${make()})`],
    [2, () => `ifnull(${make()}, ${make()})`],
    [2, () => `nullif(${make()}, ${make()})`],
    [3, () => `CASE WHEN ${condition(context, scope, depth - 1)} THEN ${make()} ELSE ${make()} END`],
    [1, () => `CASE ${make()} WHEN ${make()} THEN ${make()} END`],
    [2, () => `iif(${condition(context, scope, depth - 1)}, ${make()}, ${make()})`],
    [2, () => `${draw.pick(["max", "min"])}(${make()}, ${make()})`],
    [1, () => `${draw.pick(["likely", "unlikely"])}(${make()})`],
    [1, () => `likelihood(${make()}, 0.25)`],
    [1, () => `(${make()})`],
    [1, () => `+${make()}`],
    [subquery ? 3 : 0, () => `(${subquery?.(type, depth - 1)})`],
  ]);
  return form();
}

function integer(context: Context, scope: Scope, depth: number): string {
  const { draw, values } = context;
  const make = (type: ValueType = "int") => expression(context, scope, type, depth);
  if (!scope.isPure && draw.kind("random", 0.06)) {
    return draw.pick(["random()", "abs(random() % 100)", "random() % 7", "(random() >> 40)"]);
  }
  if (!scope.isPure && draw.kind("counters", 0.02)) return draw.pick(["changes()", "last_insert_rowid()"]);
  if (draw.kind("overflow", 0.02)) return draw.pick([`abs(${make()})`, `-(${make()})`, `abs(${make("any")})`]);
  const form = draw.weighted<() => string>([
    [6, () => `(${make()} ${draw.pick(["+", "-", "*", "/", "%", "&", "|", "<<", ">>"])} ${make()})`],
    [1, () => `~${leaf(context, scope, "int")}`],
    [3, () => `length(${make(draw.pick(["text", "blob"]))})`],
    [1, () => `octet_length(${make("text")})`],
    [1, () => `unicode(${make("text")})`],
    [2, () => `instr(${make("text")}, ${leaf(context, scope, "text")})`],
    [2, () => `CAST(${make(draw.pick(PLAIN_TYPES))} AS INTEGER)`],
    [1, () => `sign(${make("real")})`],
    [2, () => `(${condition(context, scope, depth)})`],
    [1, () => `json_valid(${make("text")})`],
    [1, () => `json_array_length(${make("json")})`],
    [1, () => `unixepoch(${leaf(context, scope, "date")})`],
    [1, () => `typeof(${make("any")}) = ${draw.pick(["'integer'", "'text'", "'real'", "'null'", "'blob'"])}`],
    [2, () => values.sql(integerValue(draw), draw)],
  ]);
  return form();
}

function real(context: Context, scope: Scope, depth: number): string {
  const { draw, values } = context;
  const make = (type: ValueType = "real") => expression(context, scope, type, depth);
  if (draw.kind("math", 0.03)) return mathCall(context, make);
  if (draw.kind("infinity", 0.02)) {
    return draw.pick(["1e308 * 10", "-1e999", "9e999 - 9e999", "0.0 / 0.0", "1e999 % 3"]);
  }
  const form = draw.weighted<() => string>([
    [6, () => `(${make()} ${draw.pick(["+", "-", "*", "/"])} ${make(draw.pick(["int", "real"]))})`],
    [2, () => `round(${make()}${draw.pick(["", ", 2", ", -1", ", 30"])})`],
    [2, () => `CAST(${make(draw.pick(["text", "int", "real"]))} AS REAL)`],
    [2, () => `julianday(${leaf(context, scope, "date")})`],
    [1, () => `(${make()} * 1.0)`],
    [1, () => `CAST(${make("text")} AS NUMERIC)`],
    [2, () => values.sql(realValue(draw), draw)],
  ]);
  return form();
}

function mathCall({ draw }: Context, make: () => string): string {
  const one = [
    "sqrt",
    "exp",
    "ln",
    "log10",
    "log2",
    "sin",
    "cos",
    "tan",
    "asin",
    "atanh",
    "ceil",
    "floor",
    "trunc",
    "degrees",
  ];
  return draw.weighted<() => string>([
    [5, () => `${draw.pick(one)}(${make()})`],
    [1, () => `${draw.pick(["pow", "mod", "atan2", "log"])}(${make()}, ${make()})`],
    [1, () => "pi()"],
  ])();
}

const FORMATS = [
  "%d",
  "%5.2f",
  "%s",
  "%q",
  "%Q",
  "%x",
  "%,d",
  "%08.3e",
  "%g",
  "%!.17g",
  "%c",
  "%-10s|",
  "%%",
  "%w",
  "%.3s",
];

function text(context: Context, scope: Scope, depth: number): string {
  const { draw, values } = context;
  const make = (type: ValueType = "text") => expression(context, scope, type, depth);
  if (draw.kind("nul-text", 0.01)) return draw.pick(["char(97, 0, 98)", `json_extract('"x\\u0000y"', '$')`]);
  if (draw.kind("bad-utf8", 0.015)) {
    return `CAST(${draw.pick(["x'ff'", "x'c3'", "x'eda080'", "x'61ff62'", "x'f0908d'", "x'c080'"])} AS TEXT)`;
  }
  const form = draw.weighted<() => string>([
    [6, () => `(${make()} || ${make(draw.pick(["text", "int"]))})`],
    [
      3,
      () =>
        `${
          draw.pick(["upper", "lower", "trim", "ltrim", "rtrim", "hex", "quote", "typeof", "unistr_quote"])
        }(${make()})`,
    ],
    [2, () => `substr(${make()}, ${draw.between(-4, 4)}${draw.chance(0.5) ? `, ${draw.between(-2, 5)}` : ""})`],
    [2, () => `replace(${make()}, ${leaf(context, scope, "text")}, ${leaf(context, scope, "text")})`],
    [2, () => `trim(${make()}, ${leaf(context, scope, "text")})`],
    [3, () => `${draw.pick(["printf", "format"])}('${draw.pick(FORMATS)}', ${make("any")})`],
    [1, () => `char(${draw.between(1, 0x3000)}, ${draw.between(40, 0x1f700)})`],
    [2, () => `concat${draw.pick(["(", "_ws('-', "])}${make("any")}, ${make("any")})`],
    [2, () => `CAST(${make(draw.pick(["int", "real", "blob"]))} AS TEXT)`],
    [1, () => `soundex(${make()})`],
    [2, () => dateExpression(context, scope, leaf(context, scope, "date"))],
    [2, () => `hex(${make("blob")})`],
    [1, () => `json_type(${make("json")})`],
    [1, () => `quote(${make("any")})`],
    [2, () => values.sql(textValue(draw), draw)],
  ]);
  return form();
}

function blob(context: Context, scope: Scope, depth: number): string {
  const { draw, values } = context;
  const make = (type: ValueType) => expression(context, scope, type, depth);
  if (!scope.isPure && draw.kind("random", 0.08)) {
    return `randomblob(${draw.pick(["0", "3", "8", "-1", "NULL", "'5x'", "40"])})`;
  }
  if (draw.kind("large", 0.03)) {
    return `${!scope.isPure && draw.kind("random", 0.5) ? "randomblob" : "zeroblob"}(${draw.between(2000, 100_000)})`;
  }
  if (draw.kind("huge", 0.01)) return `zeroblob(${draw.pick(["2147483647", "9223372036854775807", "400000000"])})`;
  const form = draw.weighted<() => string>([
    [3, () => `CAST(${make("text")} AS BLOB)`],
    [1, () => `zeroblob(${draw.between(-1, 20)})`],
    [2, () => `unhex(${draw.pick(["'00ff'", "'61-62'", "'zz'", "hex('x')"])}${draw.pick(["", ", '-'"])})`],
    [2, () => `substr(${make("blob")}, ${draw.between(-3, 3)})`],
    [1, () => `jsonb(${make("json")})`],
    [3, () => values.sql(valueOf(draw, "blob"), draw)],
  ]);
  return form();
}

const PATHS = ["$", "$.a", "$.b", "$.b[0]", "$[#-1]", "$.a.b.c", "$.title"];

function json(context: Context, scope: Scope, depth: number): string {
  const { draw } = context;
  const make = (type: ValueType = "json") => expression(context, scope, type, depth);
  const document = () => leaf(context, scope, "json");
  const plain = () => leaf(context, scope, draw.pick(["int", "text", "real"]));
  const form = draw.weighted<() => string>([
    [2, () => `json(${document()})`],
    [2, () => `json_array(${plain()}, ${plain()})`],
    [2, () => `json_object('a', ${plain()}, 'b', json(${document()}))`],
    [2, () => `json_${draw.pick(["set", "insert", "replace"])}(${make()}, '${draw.pick(PATHS)}', ${plain()})`],
    [1, () => `json_remove(${document()}, '${draw.pick(PATHS.slice(1))}')`],
    [1, () => `json_patch(${document()}, ${document()})`],
    [1, () => `json_quote(${plain()})`],
    [1, () => `json_pretty(${document()})`],
    [2, () => `json_extract(${document()}, '${draw.pick(PATHS)}')`],
    [2, () => `(${document()} ${draw.pick(["->", "->>"])} '${draw.pick(PATHS)}')`],
    [1, () => `json(jsonb_set(${document()}, '$.z', ${plain()}))`],
  ]);
  return form();
}
