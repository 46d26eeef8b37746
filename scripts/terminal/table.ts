/**
 * Tables as text.
 * @module
 */

import { thousands } from "../../src/program/client/progress.ts";

/** The content of a cell: text, or a number that is shown with separators of thousands. */
export type Cell = string | number;

const QUANTITY = /^([-+]?[\d,]+(\.\d+)?( ?(ms|s|\/s|MB|%|×))?|–|)$/;

/** How a table is laid out. */
export interface TableOptions {
  /** Before each line. @default {""} */
  readonly indent?: string;
}

/** Lines of a table: the heading, a rule, the rows. Columns of quantities stand to the right. */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[], options?: TableOptions): string {
  const { indent = "" } = options ?? {};
  const texts = rows.map((row) => row.map((cell) => typeof cell === "number" ? thousands(cell) : cell));
  const widths = heading.map((name, at) => Math.max(cells(name), ...texts.map((row) => cells(row[at] ?? ""))));
  const isRight = heading.map((_, at) => texts.every((row) => QUANTITY.test(row[at] ?? "")));
  const line = (row: readonly string[]) =>
    indent +
    widths.map((width, at) => {
      const cell = row[at] ?? "";
      const space = " ".repeat(width - cells(cell));
      return isRight[at] ? space + cell : cell + space;
    }).join("  ").trimEnd();
  return [line(heading), indent + widths.map((width) => "─".repeat(width)).join("  "), ...texts.map(line)].join("\n");
}

/** Cells of a terminal that a text takes; combining marks take none. */
function cells(text: string): number {
  return [...text.replace(/\p{M}/gu, "")].length;
}

/** A duration with its unit, to three figures: `0.634 ms`, `12.3 ms`, `1.23 s`. */
export function duration(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 99.95 ? ms.toFixed(0) : ms >= 9.995 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}
