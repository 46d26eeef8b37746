/**
 * Calls of the date functions, with all kinds of arguments. Pure.
 * @module
 */

import type { Context } from "./context.ts";
import type { Scope } from "./expression.ts";
import { literal, valueOf } from "./values.ts";

const FUNCTIONS = ["date", "time", "datetime", "julianday", "unixepoch"];
const MODIFIERS = [
  "+1 day",
  "-3 months",
  "+10 years",
  "start of month",
  "start of year",
  "start of day",
  "weekday 0",
  "unixepoch",
  "julianday",
  "subsec",
  "ceiling",
  "floor",
  "+01:30",
  "-0001-02-03",
  "+2.5 hours",
  "rubbish",
];
const FORMATS = [
  "%Y",
  "%H:%M:%f",
  "%s",
  "%j %W %w",
  "%J",
  "%F %T",
  "%G-%V-%u",
  "%p %I %k",
  "%%",
  "%R",
  "%e %U",
  "%q",
  "",
];
const CLOCK = [
  "CURRENT_TIMESTAMP",
  "CURRENT_DATE",
  "CURRENT_TIME",
  "date()",
  "datetime('now')",
  "time('now', 'subsec')",
  "julianday()",
  "unixepoch('subsec')",
  "strftime('%s')",
  "strftime('%f', 'now')",
  "timediff('now', '2020-01-01')",
  "datetime('subsec')",
];

function modifiers({ draw }: Context, scope: Scope): string {
  let text = "";
  for (let count = draw.weighted([[5, 0], [3, 1], [1, 2]]); count > 0; count--) {
    text += `, '${draw.pick(MODIFIERS)}'`;
  }
  if (draw.kind("localtime", 0.04)) text += `, '${draw.pick(["localtime", "utc", "auto", "LOCALTIME"])}'`;
  if (draw.kind("date-word", 0.02)) {
    const words = scope.columns.filter(({ type }) => type === "date" || type === "text");
    text += `, ${words.length > 0 ? draw.pick(words).sql : "'local' || 'time'"}`;
  }
  return text;
}

/** A call of a date function on `time`, or the clock where it may be used. */
export function dateExpression(context: Context, scope: Scope, time: string): string {
  const { draw } = context;
  if (!scope.isPure && draw.kind("clock", 0.15)) return draw.pick(CLOCK);
  if (scope.isPure && draw.kind("clock-schema", 0.05)) return draw.pick(CLOCK);
  const argument = draw.kind("date-word", 0.03)
    ? draw.pick(["'n' || 'ow'", "lower('NOW')", "'no'||'w'", "x'6e6f77'", "substr('xnow', 2)"])
    : draw.chance(0.3)
    ? literal(valueOf(draw, "date"))
    : time;
  const rest = modifiers(context, scope);
  return draw.weighted<() => string>([
    [7, () => `${draw.pick(FUNCTIONS)}(${argument}${rest})`],
    [3, () => `strftime('${draw.pick(FORMATS)}', ${argument}${rest})`],
    [1, () => `timediff(${argument}, ${literal(valueOf(draw, "date"))})`],
  ])();
}
