/**
 * JSON with a line for each field. Only spaces are changed: numbers that a double cannot hold and names that come twice stay as
 * they were written. Pure.
 * @module
 */

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** JSON in lines; undefined where a text is none, or a number or a word alone. */
export function prettyJson(text: string): string | undefined {
  if (!/^\s*[[{"]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  let depth = 0;
  let before = "";
  let shown = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(TOKENS)) {
    const isEnd = token === "}" || token === "]";
    const isBegun = before === "{" || before === "[";
    if (isEnd) depth--;
    if (isEnd !== isBegun || before === ",") shown += before === "" ? "" : line();
    shown += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth++;
    before = token;
  }
  return shown;
}
