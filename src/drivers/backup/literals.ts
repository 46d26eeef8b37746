/**
 * Values as literals of SQL, in UTF-8 whatever the texts hold. Pure.
 *
 * A text with a NUL, with the line break of Windows, or one that is not UTF-8, becomes a CAST of its bytes: SQL text cannot
 * hold the first, SQLite's shell reads the second as a plain line break, and whoever reads SQL text as UTF-8 loses the last.
 * @module
 */
import { concat } from "../../base/codec/concat.ts";

const QUOTE = 0x27;
const CAST_BEFORE = "CAST(x'";
const CAST_BEHIND = "' AS TEXT)";
const encoder = new TextEncoder();

/** SQL that gives an expression's value as SQL; the expression is written more than once. */
export function literalOf(expression: string): string {
  const bytes = `'CAST(x'''||hex(${expression})||''' AS TEXT)'`;
  const isFragile = `instr(${expression},char(0))>0 OR instr(${expression},char(13,10))>0`;
  return `CASE WHEN typeof(${expression})='text' AND (${isFragile}) THEN ${bytes} ELSE quote(${expression}) END`;
}

/** Literals with commas between them, where those of texts that are not UTF-8 become a CAST; mostly the bytes that were given. */
export function validLiterals(literals: Uint8Array): Uint8Array {
  if (isUtf8(literals)) return literals;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < literals.length;) {
    const start = literals.indexOf(QUOTE, at);
    if (start < 0) {
      parts.push(literals.subarray(at));
      break;
    }
    const end = endOfQuoted(literals, start);
    const text = literals.subarray(start, end);
    parts.push(literals.subarray(at, start), isUtf8(text) ? text : castOf(text));
    at = end;
  }
  return concat(parts);
}

/** Where a quoted piece ends, in which a doubled quote stands for itself. */
function endOfQuoted(bytes: Uint8Array, start: number): number {
  for (let at = start + 1;; at += 2) {
    at = bytes.indexOf(QUOTE, at);
    if (at < 0) return bytes.length;
    if (bytes[at + 1] !== QUOTE) return at + 1;
  }
}

function castOf(literal: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(literal.length);
  let length = 0;
  for (let at = 1; at < literal.length - 1; at++) {
    bytes[length++] = literal[at];
    if (literal[at] === QUOTE) at++; // the other one of two
  }
  return encoder.encode(CAST_BEFORE + bytes.subarray(0, length).toHex() + CAST_BEHIND);
}

/** Whether bytes are UTF-8 as decoders take it: without surrogates, nor anything in more bytes than it needs. */
export function isUtf8(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at++];
    if (first < 0x80) continue;
    const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    if (more === 0) return false;
    const second = bytes[at];
    if (first === 0xe0 && second < 0xa0 || first === 0xed && second > 0x9f) return false;
    if (first === 0xf0 && second < 0x90 || first === 0xf4 && second > 0x8f) return false;
    if (at + more > bytes.length) return false;
    for (const end = at + more; at < end; at++) {
      if ((bytes[at] & 0xc0) !== 0x80) return false;
    }
  }
  return true;
}
