/** Values from outside against a description: what fits comes back, anything else says where and what was expected. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import {
  anyObject,
  finite,
  flag,
  listOf,
  mapOf,
  oneOf,
  optional,
  record,
  type Shape,
  text,
  variants,
  whole,
} from "../../../src/base/codec/shape.ts";

const step = record({
  id: text(4),
  size: whole(10),
  share: optional(finite),
  isLast: flag,
  kind: oneOf("a", "b"),
  names: listOf(text(2), 2),
  meta: mapOf(text(2), 1),
});
const GOOD = { id: "x", size: 3, isLast: false, kind: "a", names: ["n"], meta: { m: "v" } };

Deno.test("record() gives back what fits", () => {
  assertEquals(step(GOOD, "it"), { ...GOOD, share: undefined });
  assertEquals(step({ ...GOOD, share: 0.5 }, "it").share, 0.5);
  assertEquals(anyObject({ a: 1 }, "it"), { a: 1 });
});

Deno.test("record() says which field is wrong and what was expected, and repeats no value", () => {
  const cases: [unknown, string][] = [
    [null, "Expected it to be an object"],
    [[], "Expected it to be an object"],
    [{ ...GOOD, id: "secret" }, 'Expected "id" to be a text of at most 4 characters, in it'],
    [{ ...GOOD, size: 11 }, 'Expected "size" to be a whole number from 0 to 10, in it'],
    [{ ...GOOD, size: -1 }, 'Expected "size" to be a whole number from 0 to 10, in it'],
    [{ ...GOOD, share: Infinity }, 'Expected "share" to be a number, in it'],
    [{ ...GOOD, isLast: 1 }, 'Expected "isLast" to be true or false, in it'],
    [{ ...GOOD, kind: "c" }, 'Expected "kind" to be one of a, b, in it'],
    [{ ...GOOD, names: ["a", "b", "c"] }, 'Expected "names" to be a list of at most 2, in it'],
    [{ ...GOOD, names: ["a", 1] }, 'Expected "names"[1] to be a text of at most 2 characters, in it'],
    [{ ...GOOD, meta: { a: "1", b: "2" } }, 'Expected "meta" to be an object of at most 1 fields, in it'],
    [{ ...GOOD, extra: 1 }, 'Expected no field "extra" in it; known are id, size, share, isLast, kind, names, meta'],
    [JSON.parse(`{"__proto__":1,${JSON.stringify(GOOD).slice(1)}`), 'Expected no field "__proto__" in it; known are'],
  ];
  for (const [value, message] of cases) assertThrows(() => step(value, "it"), DecodeError, message);
});

Deno.test("variants() tells its records apart by their kind", () => {
  const shape = variants<{ k: string }>({ one: record({ k: oneOf("one") }), two: record({ k: oneOf("two") }) });
  assertEquals(shape({ k: "two" }, "it"), { k: "two" });
  for (const value of [{ k: "three" }, { k: "toString" }, null, "one", { k: "one", more: 1 }]) {
    assertThrows(() => shape(value, "it"), DecodeError);
  }
});

Deno.test("any JSON is what a shape asks for, or a DecodeError", () => {
  const shapes: Shape<unknown>[] = [step, listOf(anyObject, 3), mapOf(whole(), 3), optional(flag)];
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    for (const shape of shapes) {
      try {
        shape(value, "it");
      } catch (error) {
        assert(error instanceof DecodeError, String(error));
      }
    }
  }));
});
