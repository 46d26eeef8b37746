/**
 * Reads JSON that people write, and says where it is at fault. Pure. The parser takes 2.5 MB: whoever runs for long imports this
 * where something is configured in JSON.
 * @module
 */
import { parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { ConfigError } from "./fields.ts";

/** What is wrong first in a text. */
export interface JsonFault {
  /** Such as `line 2, column 7`. */
  readonly place: string;
  /** The parser's word for it, such as `CommaExpected`. */
  readonly code: string;
}

/** Reads JSON without comments, and its first fault. */
export function readJson(text: string): { readonly value: unknown; readonly fault: JsonFault | undefined } {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [first] = errors;
  if (!first) return { value, fault: undefined };
  const before = text.slice(0, first.offset).split("\n");
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return { value, fault: { place, code: printParseErrorCode(first.error) } };
}

/**
 * Reads JSON.
 * @throws {ConfigError} With line and column of the first fault, and nothing of the text.
 */
export function parseJson(text: string, where: string): unknown {
  const { value, fault } = readJson(text);
  if (!fault) return value;
  const what = fault.code.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  throw new ConfigError(`${where}: not valid JSON at ${fault.place}: ${what}`);
}
