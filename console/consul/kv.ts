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

/** Bytes that stand in base64. */
export function bytesOfBase64(base64: string): Uint8Array<ArrayBuffer> {
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
    value: bytesOfBase64(textOf(fieldOf(data, "Value"))),
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
