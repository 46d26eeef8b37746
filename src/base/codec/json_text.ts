/**
 * Reads JSON that people write, and says where it is at fault. Pure. The parser takes 2.5 MB: whoever runs for long imports this
 * where something is configured in JSON.
 * @module
 */
import { parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { ConfigError } from "./fields.ts";

/**
 * Reads JSON.
 * @throws {ConfigError} With line and column of the first fault, and nothing of the text.
 */
export function parseJson(text: string, where: string): unknown {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [first] = errors;
  if (!first) return value;
  const before = text.slice(0, first.offset).split("\n");
  const what = printParseErrorCode(first.error).replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  throw new ConfigError(
    `${where}: not valid JSON at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${what}`,
  );
}
