/**
 * Commands that rewrite the whole database: they run outside a transaction, alone. Pure.
 * @module
 */
import type { StampedCommand } from "./command.ts";
import { parsePragma } from "./pragma.ts";
import { Tokenizer } from "./tokenizer.ts";

/** Whether a text that {@linkcode rewritingOf} gave is a VACUUM, and not a pragma. */
export function isVacuum(sql: string): boolean {
  return parsePragma(sql) === null;
}

/** Whether a `PRAGMA auto_vacuum` asks for none, as SQLite reads its value: a word, or the number that it begins with. */
export function isNone(sql: string): boolean {
  const value = parsePragma(sql)?.value ?? "";
  return value !== "FULL" && value !== "INCREMENTAL" && value !== "+" && !/^0*[12](?!\d)/.test(value);
}

/** The text of a command that is a lone VACUUM of this database or a lone `PRAGMA auto_vacuum = …`, or `null`. */
export function rewritingOf({ statements, transaction, kind }: StampedCommand): string | null {
  const part = statements.length === 1 && statements[0]?.parts.length === 1 ? statements[0].parts[0] : undefined;
  if (part === undefined || transaction || kind === "query") return null;
  if (part.verb === "VACUUM") return isVacuumInto(part.sql) ? null : part.sql;
  const pragma = part.verb === "PRAGMA" ? parsePragma(part.sql) : null;
  return pragma?.name === "auto_vacuum" && pragma.hasValue ? part.sql : null;
}

/** Whether the text is a VACUUM with INTO. */
export function isVacuumInto(sql: string): boolean {
  const tokens = new Tokenizer(sql);
  while (tokens.next()) {
    if (tokens.word() === "INTO") return true;
  }
  return false;
}
