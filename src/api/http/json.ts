/**
 * JSON answers as rqlite writes them (Q2.6): compact or indented by four spaces, `<`, `>` and `&` escaped,
 * maps in the byte order of their keys. Pure.
 * @module
 */

/** Escapes what Go escapes, in JSON text. */
export function escapeHtml(json: string): string {
  return /[<>&\u2028\u2029]/.test(json)
    ? json.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
    : json;
}

/** A value as JSON, keys sorted; `undefined` fields are left out, bigints printed exactly. */
export function stringify(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (value === undefined || typeof value === "function") return "null";
  if (typeof value !== "object" || value === null) return escapeHtml(JSON.stringify(value));
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined).sort(([a], [b]) => a < b ? -1 : 1);
  return `{${entries.map(([key, inner]) => `${escapeHtml(JSON.stringify(key))}:${stringify(inner)}`).join(",")}}`;
}

/** Indents JSON text by four spaces, leaving every number and string as it is; in time that grows with its length alone. */
export function indent(json: string): string {
  let out = "";
  let depth = 0;
  let isOpened = false; // the last token opened an array or object
  const newLine = () => `\n${"    ".repeat(depth)}`;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^[\]{},:"\s]+/g)) {
    const closes = token === "}" || token === "]";
    if (closes) depth--;
    if (isOpened !== closes) out += newLine(); // an empty one stays in its line
    isOpened = token === "{" || token === "[";
    if (isOpened) depth++;
    if (token === ",") out += `,${newLine()}`;
    else out += token === ":" ? ": " : token;
  }
  return out;
}
