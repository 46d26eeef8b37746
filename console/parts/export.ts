/**
 * A result as text for other programs. Pure.
 * @module
 */
import { toJson } from "../json.ts";
import { fullText, kindOf, quoted, sqlLiteral, type Value } from "./value.ts";

/** A result. */
export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
}

/** Ways to write it. */
export const FORMATS = ["CSV", "JSON", "SQL", "Markdown"] as const;

/** A way to write it. */
export type Format = (typeof FORMATS)[number];

/** Endings of files, by format. */
export const ENDINGS: Readonly<Record<Format, string>> = { CSV: "csv", JSON: "json", SQL: "sql", Markdown: "md" };

/** A result as text. @param table Name for the statements of SQL. */
export function exported(format: Format, { columns, rows }: Rows, table = "result"): string {
  switch (format) {
    case "CSV":
      return [columns.map(csvField).join(","), ...rows.map((row) => row.map(csvValue).join(","))].join("\r\n") + "\r\n";
    case "JSON": {
      const named = distinct(columns);
      const objects = rows.map((row) =>
        toJson(Object.fromEntries(named.map((name, at) => [name, jsonValue(row[at])])))
      );
      return `[\n${objects.map((one) => `  ${one}`).join(",\n")}\n]\n`;
    }
    case "SQL": {
      const head = `INSERT INTO ${quoted(table)}(${columns.map(quoted).join(", ")}) VALUES `;
      return rows.map((row) => `${head}(${row.map(sqlLiteral).join(", ")});\n`).join("");
    }
    case "Markdown":
      return [columns, columns.map(() => "---"), ...rows.map((row) => row.map(fullText))]
        .map((row) => `| ${row.map(markdownCell).join(" | ")} |\n`).join("");
  }
}

function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** NULL is nothing at all, an empty text is a pair of quotes. */
function csvValue(value: Value): string {
  if (value === null) return "";
  return value === "" ? '""' : csvField(fullText(value));
}

function jsonValue(value: Value): Value | string {
  return value !== null && kindOf(value) === "blob" ? fullText(value) : value;
}

function markdownCell(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll(/\r?\n/g, "<br>");
}

/** Names as fields of an object: a name that comes again gets a number. */
function distinct(names: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}_${count}`;
  });
}
