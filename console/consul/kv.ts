/**
 * Keys and their values, which are bytes: as the node gives them, and as people read and write them.
 * @module
 */
import { ask, askJson } from "../api.ts";
import { fieldOf, listOf, numberOf, textOf } from "../json.ts";

/** A key with what it holds. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly flags: string;
  /** That holds it as a lock; empty: none. */
  readonly session: string;
  readonly lockIndex: number;
  readonly createIndex: number;
  readonly modifyIndex: number;
  /** When it is deleted by itself, in ms; undefined: never. */
  readonly expiresMs: number | undefined;
  /** When it was written, in ms; in histories alone. */
  readonly modifiedMs: number | undefined;
  /** Whether it was deleted when it held this; in histories alone. */
  readonly isDeleted: boolean;
}

/** Ways to show a value. */
export const VIEWS = ["Text", "JSON", "Hex"] as const;

/** A way to show a value. */
export type View = (typeof VIEWS)[number];

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}

function timeOf(value: unknown): number | undefined {
  const ms = Date.parse(textOf(value));
  return Number.isNaN(ms) ? undefined : ms;
}

/** A key from outside. */
export function entryOf(data: unknown): Entry {
  const number = (name: string) => numberOf(fieldOf(data, name)) ?? 0;
  return {
    key: textOf(fieldOf(data, "Key")),
    value: bytesOf(textOf(fieldOf(data, "Value"))),
    flags: String(fieldOf(data, "Flags") ?? 0),
    session: textOf(fieldOf(data, "Session")),
    lockIndex: number("LockIndex"),
    createIndex: number("CreateIndex"),
    modifyIndex: number("ModifyIndex"),
    expiresMs: timeOf(fieldOf(data, "ExpireTime")),
    modifiedMs: timeOf(fieldOf(data, "ModifyTime")),
    isDeleted: fieldOf(data, "Deleted") === true,
  };
}

/** The address of a key: its slashes stay. */
export function pathOf(key: string): string {
  return `v1/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}

/** A key as it is now. @throws {ApiError} 404 when there is none. */
export async function readKey(key: string): Promise<Entry> {
  return entryOf(listOf(await askJson(pathOf(key)))[0]);
}

/** How many keys lie below a prefix. @throws {ApiError} */
export async function countBelow(prefix: string): Promise<number> {
  return listOf(await askJson(`${pathOf(prefix)}?keys`)).length;
}

/** How a key is written. */
export interface WriteOptions {
  /** `ModifyIndex` that it must have; 0: there must be none. */
  readonly cas: number;
  readonly flags: string;
  /** Such as `30s`; empty: for good. */
  readonly ttl: string;
}

/** Writes a key. @returns Whether it was as expected. @throws {ApiError} */
export async function writeKey(
  key: string,
  value: Uint8Array<ArrayBuffer>,
  { cas, flags, ttl }: WriteOptions,
): Promise<boolean> {
  const options = [
    `cas=${cas}`,
    ...(flags === "" || flags === "0" ? [] : [`flags=${encodeURIComponent(flags)}`]),
    ...(ttl === "" ? [] : [`ttl=${encodeURIComponent(ttl)}`]),
  ];
  const response = await ask(`${pathOf(key)}?${options.join("&")}`, { method: "PUT", body: new Blob([value]) });
  return (await response.text()).trim() === "true";
}

/** Deletes a key, if nobody has changed it. @returns Whether it was as expected. @throws {ApiError} */
export async function deleteKey({ key, modifyIndex }: Entry): Promise<boolean> {
  const response = await ask(`${pathOf(key)}?cas=${modifyIndex}`, { method: "DELETE" });
  return (await response.text()).trim() === "true";
}

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

/** JSON with a line for each field; undefined where a text is none, or a number alone. */
export function prettyJson(text: string): string | undefined {
  if (!/^\s*[[{"]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
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
