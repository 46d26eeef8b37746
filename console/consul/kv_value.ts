/**
 * Values of keys, which are bytes, as people read and write them. Pure.
 * @module
 */
import { prettyJson } from "../parts/pretty_json.ts";

/** Ways to show a value. */
export const VIEWS = ["Text", "JSON", "Hex"] as const;

/** A way to show a value. */
export type View = (typeof VIEWS)[number];

/** The text of bytes; undefined where they are none, or would not be read as what they are. */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    // deno-lint-ignore no-control-regex
    return /[\0-\x08\x0e-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

const HEX_LINE = 16;

/** Bytes as lines of place, digits and characters. */
export function hexLines(bytes: Uint8Array, most = 64 * 1024): string {
  const shown = bytes.subarray(0, most);
  const lines: string[] = [];
  for (let at = 0; at < shown.length; at += HEX_LINE) {
    const line = [...shown.subarray(at, at + HEX_LINE)];
    const digits = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(HEX_LINE * 3 - 1);
    const characters = line.map((byte) => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits}  ${characters}`);
  }
  if (bytes.length > most) lines.push(`… ${bytes.length - most} bytes more`);
  return lines.join("\n");
}

/** Bytes as digits, to be changed. */
export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Digits as bytes; undefined where they are none. */
export function bytesOfHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The views that a value has, the best first. */
export function viewsOf(bytes: Uint8Array): readonly View[] {
  const text = textOfBytes(bytes);
  if (text === undefined) return ["Hex"];
  return prettyJson(text) === undefined ? ["Text", "Hex"] : ["JSON", "Text", "Hex"];
}

/** A value in a view. */
export function shownAs(view: View, bytes: Uint8Array): string {
  const text = textOfBytes(bytes);
  if (view === "Hex" || text === undefined) return hexLines(bytes);
  return view === "JSON" ? prettyJson(text) ?? text : text;
}

/** A value as a text to be changed: bytes that are none, as digits. */
export function draftOf(value: Uint8Array): string {
  return textOfBytes(value) ?? hexOf(value);
}

/**
 * What was made of a draft, as bytes; undefined where it has to be digits, and is none. A field of a page knows one end of a
 * line alone, so a text whose lines ended by CR and LF gets these back.
 */
export function bytesOfDraft(draft: string, before: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const text = textOfBytes(before);
  if (text === undefined) return bytesOfHex(draft);
  const hadPairs = text.includes("\r\n") && !/(^|[^\r])\n/.test(text);
  return new TextEncoder().encode(hadPairs && !draft.includes("\r") ? draft.replaceAll("\n", "\r\n") : draft);
}
