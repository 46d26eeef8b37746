/**
 * Rows as text, in the modes of the shells of SQLite and rqlite. Pure. What a value holds cannot change the form: in every
 * mode that has lines, control characters of a value are shown, not sent to the terminal.
 * @module
 */
import { identifierText, textLiteral } from "../../core/sql/tokenizer.ts";
import type { Value } from "./results.ts";

/** The modes. */
export const MODES = [
  "column",
  "box",
  "table",
  "csv",
  "tabs",
  "list",
  "json",
  "line",
  "markdown",
  "html",
  "insert",
] as const;

/** A mode. */
export type Mode = typeof MODES[number];

/** Rows with their columns. */
export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
}

/** How they are shown. */
export interface Style {
  /** Whether the names of the columns stand above. @default {true} */
  readonly hasHeader?: boolean;
  /** In place of NULL. @default {what the mode has} */
  readonly nullText?: string;
  /** Of the statements in the mode `insert`. @default {"tab"} */
  readonly table?: string;
}

/** Whether a text is a mode. */
export function isMode(text: string): text is Mode {
  return MODES.some((mode) => mode === text);
}

/** The text of rows, without a line break at its end; empty where nothing is to be shown. */
export function render(mode: Mode, rows: Rows, style: Style = {}): string {
  return RENDERERS[mode](rows, style);
}

const RENDERERS: Readonly<Record<Mode, (rows: Rows, style: Style) => string>> = {
  column: framed({ across: "-", down: "|", cross: "+", betweenRows: true, nullText: "<nil>" }),
  table: framed({ across: "-", down: "|", cross: "+", betweenRows: false, nullText: "" }),
  box,
  csv: separated(",", (text) => /^$|[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text),
  tabs: separated("\t", (text) => text.replaceAll("\t", " ")),
  list: separated("|", shown),
  json,
  line,
  markdown,
  html,
  insert,
};

/** A value as text; bytes in hexadecimal. */
function textOf(value: Value, nullText: string): string {
  if (value === null) return nullText;
  return value instanceof Uint8Array ? `x'${value.toHex()}'` : String(value);
}

/** A text without control characters, which would move the cursor of a terminal or worse. */
function shown(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what is replaced
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const known: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
    return known[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Cells of a terminal that a text takes: wide characters take two, combining ones none. */
export function cellsOf(text: string): number {
  let cells = 0;
  for (const character of text) cells += /\p{M}|\u200d/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return cells;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Cells of all rows, and the width of each column. */
function layout({ columns, rows }: Rows, { hasHeader = true }: Style, nullText: string) {
  const head = columns.map(shown);
  const body = rows.map((row) => row.map((value) => shown(textOf(value, nullText))));
  const widths = columns.map((_, at) =>
    Math.max(1, ...(hasHeader ? [cellsOf(head[at])] : []), ...body.map((row) => cellsOf(row[at] ?? "")))
  );
  const padded = (row: readonly string[]) => widths.map((width, at) => pad(row[at] ?? "", width));
  return { head: padded(head), body: body.map(padded), widths };
}

function pad(text: string, width: number): string {
  return text + " ".repeat(width - cellsOf(text));
}

function framed(
  frame: { across: string; down: string; cross: string; betweenRows: boolean; nullText: string },
): (rows: Rows, style: Style) => string {
  return (rows, style) => {
    const { hasHeader = true, nullText = frame.nullText } = style;
    const { head, body, widths } = layout(rows, style, nullText);
    if (widths.length === 0) return "";
    const rule = frame.cross + widths.map((width) => frame.across.repeat(width + 2) + frame.cross).join("");
    const text = (cells: readonly string[]) => `${frame.down} ${cells.join(` ${frame.down} `)} ${frame.down}`;
    const lines = hasHeader ? [rule, text(head), rule] : [rule];
    for (const row of body) lines.push(text(row), ...(frame.betweenRows ? [rule] : []));
    if (!frame.betweenRows && body.length > 0) lines.push(rule);
    return lines.join("\n");
  };
}

function box(rows: Rows, style: Style): string {
  const { head, body, widths } = layout(rows, style, style.nullText ?? "");
  if (widths.length === 0) return "";
  const rule = (left: string, cross: string, right: string) =>
    left + widths.map((width) => "─".repeat(width + 2)).join(cross) + right;
  const text = (cells: readonly string[]) => `│ ${cells.join(" │ ")} │`;
  const heading = style.hasHeader ?? true ? [text(head), rule("├", "┼", "┤")] : [];
  return [rule("┌", "┬", "┐"), ...heading, ...body.map(text), rule("└", "┴", "┘")].join("\n");
}

/** As in sqlite3, NULL is an empty field, which differs from an empty text where that is in quotes. */
function separated(separator: string, quoted: (text: string) => string): (rows: Rows, style: Style) => string {
  return ({ columns, rows }, { hasHeader = true, nullText = "" }) => {
    const field = (value: Value) => value === null && nullText === "" ? "" : quoted(textOf(value, nullText));
    return [...(hasHeader ? [columns] : []), ...rows].map((row) => row.map(field).join(separator)).join("\n");
  };
}

function json({ columns, rows }: Rows): string {
  const objects = rows.map((row) => {
    const fields = columns.map((name, at) => `${JSON.stringify(name)}:${jsonOf(row[at] ?? null)}`);
    return `{${fields.join(",")}}`;
  });
  return `[${objects.join(",\n")}]`;
}

/** Whole numbers beyond those of JavaScript are texts of digits, as nobody could read them otherwise. */
function jsonOf(value: Value): string {
  if (typeof value === "bigint") {
    return JSON.stringify(Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`);
  }
  return JSON.stringify(value instanceof Uint8Array ? value.toBase64() : value);
}

function line({ columns, rows }: Rows, { nullText = "NULL" }: Style): string {
  const width = Math.max(0, ...columns.map((name) => cellsOf(shown(name))));
  return rows.map((row) =>
    columns.map((name, at) => {
      const text = shown(name);
      return `${" ".repeat(width - cellsOf(text))}${text} = ${shown(textOf(row[at] ?? null, nullText))}`;
    }).join("\n")
  ).join("\n\n");
}

function markdown(rows: Rows, style: Style): string {
  const escaped = {
    columns: rows.columns.map((name) => name.replaceAll("|", "\\|")),
    rows: rows.rows.map((row) => row.map((value) => typeof value === "string" ? value.replaceAll("|", "\\|") : value)),
  };
  const { head, body, widths } = layout(escaped, style, style.nullText ?? "");
  const text = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [text(head), text(widths.map((width) => "-".repeat(width))), ...body.map(text)].join("\n");
}

function html({ columns, rows }: Rows, { hasHeader = true, nullText = "" }: Style): string {
  const cell = (tag: string, text: string) => `<${tag}>${escapedHtml(text)}</${tag}>`;
  const row = (cells: readonly string[]) => `<tr>${cells.join("")}</tr>`;
  return [
    ...(hasHeader ? [row(columns.map((name) => cell("th", name)))] : []),
    ...rows.map((values) => row(values.map((value) => cell("td", textOf(value, nullText))))),
  ].join("\n");
}

function escapedHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

function insert({ columns, rows }: Rows, { table = "tab", hasHeader = true }: Style): string {
  const names = hasHeader ? `(${columns.map(identifier).join(",")})` : "";
  return rows.map((row) => `INSERT INTO ${identifier(table)}${names} VALUES(${row.map(literal).join(",")});`).join(
    "\n",
  );
}

function identifier(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : identifierText(name);
}

/** A value as SQL writes it. */
export function literal(value: Value): string {
  if (value === null) return "NULL";
  if (value instanceof Uint8Array) return `x'${value.toHex()}'`;
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "bigint") return String(value);
  return typeof value === "number" ? realText(value) : textLiteral(value);
}

/** A finite real, which reads as one where it is a whole number, too. */
export function realText(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
