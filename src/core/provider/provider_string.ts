/**
 * Strings of the form `provider=NAME key=value …`, as retry_join has them for places where members are looked up
 * (C4.1): pairs separated by blanks; a key or a value with blanks, `=`, quotes or backslashes stands in double quotes,
 * where a backslash escapes. Pure.
 * @module
 */

/** A string that is no list of pairs; the message has no prefix and repeats no value. */
export class ProviderError extends Error {
  /** Always `ProviderError`. */
  override readonly name = "ProviderError";
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/** Whether an entry of retry_join is to be looked up, instead of being an address. */
export function isProviderString(text: string): boolean {
  return text.includes("provider=");
}

/**
 * Reads the pairs.
 * @throws {ProviderError} When the text is not of that form, or has a key twice.
 */
export function parsePairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  const cursor = { at: 0 };
  for (skipBlanks(text, cursor); cursor.at < text.length; skipBlanks(text, cursor)) {
    const key = word(text, cursor);
    if (key === "") throw new ProviderError('expected key=value: a value with "=" needs double quotes');
    skipBlanks(text, cursor);
    if (text[cursor.at] !== "=") throw new ProviderError(`${key}: missing "="`);
    cursor.at++;
    skipBlanks(text, cursor);
    if (cursor.at === text.length || text[cursor.at] === "=") throw new ProviderError(`${key}: missing value`);
    const value = word(text, cursor);
    if (pairs.has(key)) throw new ProviderError(`${key}: duplicate key`);
    pairs.set(key, value);
  }
  return pairs;
}

function skipBlanks(text: string, cursor: { at: number }): void {
  while (/\s/.test(text.charAt(cursor.at))) cursor.at++;
}

/** A key or a value: up to the next blank or `=`, or in quotes. */
function word(text: string, cursor: { at: number }): string {
  if (text[cursor.at] === '"') return quoted(text, cursor);
  const [found = ""] = /^[^\s=]*/.exec(text.slice(cursor.at)) ?? [];
  cursor.at += found.length;
  return found;
}

function quoted(text: string, cursor: { at: number }): string {
  let found = "";
  for (cursor.at++; cursor.at < text.length; cursor.at++) {
    const sign = text[cursor.at];
    if (sign === '"') {
      cursor.at++;
      return found;
    }
    if (sign !== "\\") {
      found += sign;
      continue;
    }
    const escaped = ESCAPES[text.charAt(++cursor.at)];
    if (escaped === undefined) throw new ProviderError('expected n, r, t, " or \\ after a backslash in quotes');
    found += escaped;
  }
  throw new ProviderError("unbalanced quotes");
}
