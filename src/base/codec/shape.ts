/**
 * Checks plain values from outside, such as parsed JSON, against a description of what they are to be. A value of another
 * kind, a field that is missing and one that is not known are each a {@linkcode DecodeError} that names the place and
 * says what was expected; nothing of the value is repeated. Texts, lists and objects are bounded. Pure.
 *
 *     const step = record({ id: text(64), size: whole(), isLast: flag });
 *     step(JSON.parse(line), "the step") // { id: string, size: number, isLast: boolean }
 * @module
 */
import { DecodeError } from "./cursor.ts";

/**
 * Returns a value as what it is to be.
 * @throws {DecodeError} When it is something else; `where` is its place for the message.
 */
export type Shape<T> = (value: unknown, where: string) => T;

/** The type that a shape stands for. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

function expected(where: string, what: string): DecodeError {
  return new DecodeError(`Expected ${where} to be ${what}`);
}

/** A string of at most `lengthMax` UTF-16 units. */
export function text(lengthMax: number): Shape<string> {
  return (value, where) => {
    if (typeof value === "string" && value.length <= lengthMax) return value;
    throw expected(where, `a text of at most ${lengthMax} characters`);
  };
}

/** A whole number from 0 to `max`. @default {Number.MAX_SAFE_INTEGER} */
export function whole(max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, where) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
    throw expected(where, `a whole number from 0 to ${max}`);
  };
}

/** A finite number. */
export function finite(value: unknown, where: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw expected(where, "a number");
}

/** A boolean. */
export function flag(value: unknown, where: string): boolean {
  if (typeof value === "boolean") return value;
  throw expected(where, "true or false");
}

/** One of some strings. */
export function oneOf<T extends string>(...names: readonly T[]): Shape<T> {
  return (value, where) => {
    const found = names.find((name) => name === value);
    if (found !== undefined) return found;
    throw expected(where, `one of ${names.join(", ")}`);
  };
}

/** A value that may be missing. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, where) => value === undefined ? undefined : shape(value, where);
}

/** A value that is `standard` where it is missing. */
export function otherwise<T>(standard: T, shape: Shape<T>): Shape<T> {
  return (value, where) => value === undefined ? standard : shape(value, where);
}

/** A list of at most `lengthMax` values. */
export function listOf<T>(shape: Shape<T>, lengthMax: number): Shape<T[]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length > lengthMax) {
      throw expected(where, `a list of at most ${lengthMax}`);
    }
    return value.map((item: unknown, at) => shape(item, `${where}[${at}]`));
  };
}

/** An object of any fields, at most `countMax`, each of one shape. */
export function mapOf<T>(shape: Shape<T>, countMax: number): Shape<Record<string, T>> {
  return (value, where) => {
    const entries = isObject(value) ? Object.entries(value) : undefined;
    if (!entries || entries.length > countMax) throw expected(where, `an object of at most ${countMax} fields`);
    return Object.fromEntries(entries.map(([name, item]) => [name, shape(item, `a field of ${where}`)]));
  };
}

/** An object of anything. */
export function anyObject(value: unknown, where: string): Record<string, unknown> {
  if (isObject(value)) return value;
  throw expected(where, "an object");
}

/** An object of just these fields. */
export function record<F extends Readonly<Record<string, Shape<unknown>>>>(
  fields: F,
): Shape<{ readonly [K in keyof F]: Shaped<F[K]> }> {
  // Places are put together only for a message: small requests are checked by the ten thousand.
  const shapes = Object.entries(fields).map(([name, shape]) => ({ name, quoted: JSON.stringify(name), shape }));
  return (value, where) => {
    if (!isObject(value)) throw expected(where, "an object");
    const found: Record<string, unknown> = {};
    let known = 0;
    try {
      for (const { name, quoted, shape } of shapes) {
        const item = value[name];
        if (item !== undefined) known++;
        found[name] = shape(item, quoted);
      }
    } catch (error) {
      throw error instanceof DecodeError ? new DecodeError(`${error.message}, in ${where}`) : error;
    }
    if (Object.keys(value).length > known) refuseUnknown(value, fields, where);
    return found as { readonly [K in keyof F]: Shaped<F[K]> }; // each field was checked by its shape
  };
}

/** @throws {DecodeError} When there is a field that is not one of `fields`. */
function refuseUnknown(value: Record<string, unknown>, fields: Readonly<Record<string, unknown>>, where: string): void {
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  if (unknown === undefined) return; // one that has no value
  const known = Object.keys(fields).join(", ");
  throw new DecodeError(`Expected no field ${JSON.stringify(unknown.slice(0, 64))} in ${where}; known are ${known}`);
}

/** A union of records, told apart by the field `k`. */
export function variants<T>(shapes: Readonly<Record<string, Shape<T>>>): Shape<T> {
  const names = Object.keys(shapes);
  return (value, where) => {
    const kind = isObject(value) ? value.k : undefined;
    if (typeof kind === "string" && Object.hasOwn(shapes, kind)) return shapes[kind](value, where);
    throw expected(`"k" of ${where}`, `one of ${names.join(", ")}`);
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
