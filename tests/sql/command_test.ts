import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../src/codec/cursor.ts";
import { type Command, decodeCommand, encodeCommand, stampCommand } from "../../src/sql/command.ts";
import { splitStatements } from "../../src/sql/statement.ts";
import type { SqlValue } from "../../src/sql/value.ts";

const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  fc.constantFrom(0n, 255n, 256n, -1n),
  fc.double(),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array(),
);

const statement = fc.record({
  parts: fc.constantFrom("SELECT 1", "INSERT INTO t VALUES(?, :a); SELECT ?", "").map(splitStatements),
  positional: fc.array(value),
  named: fc.option(fc.dictionary(fc.string(), value)),
});

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom("execute", "request", "query"),
  transaction: fc.boolean(),
  statements: fc.array(statement),
});

function plain(named: Readonly<Record<string, SqlValue>> | null): [string, SqlValue][] | null {
  return named === null ? null : Object.entries(named);
}

Deno.test("decodeCommand() gives back what encodeCommand() took, with the stamp", () => {
  fc.assert(fc.property(command, fc.nat(), fc.nat(), fc.nat(), (given, timeMs, hi, lo) => {
    const body = encodeCommand(given);
    assertEquals(decodeCommand(body).timeMs, 0);
    stampCommand(body, timeMs, hi, lo);
    const { timeMs: time, seed, ...found } = decodeCommand(body);
    assertEquals([time, seed], [timeMs, { hi, lo }]);
    assertEquals([found.kind, found.transaction], [given.kind, given.transaction]);
    assertEquals(
      found.statements.map(({ parts, positional, named }) => ({ parts, positional, named: plain(named) })),
      given.statements.map(({ parts, positional, named }) => ({ parts, positional, named: plain(named) })),
    );
  }));
});

Deno.test("decodeCommand() keeps a parameter called __proto__", () => {
  const named = Object.fromEntries([["__proto__", 5n]]);
  const body = encodeCommand({ kind: "query", transaction: false, statements: [{ parts: [], positional: [], named }] });
  assertEquals(plain(decodeCommand(body).statements[0]?.named ?? null), [["__proto__", 5n]]);
});

function decodes(bytes: Uint8Array): void {
  try {
    decodeCommand(bytes);
  } catch (error) {
    assertInstanceOf(error, DecodeError);
  }
}

Deno.test("decodeCommand() meets rubbish with a DecodeError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodes));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
    const bytes = new Uint8Array(17 + tail.length);
    bytes[16] = 1;
    bytes.set(tail, 17);
    decodes(bytes);
  }));
});

Deno.test("decodeCommand() refuses a cut or changed command", () => {
  const parts = splitStatements("INSERT INTO t VALUES(?, ?)");
  const body = encodeCommand({
    kind: "execute",
    transaction: true,
    statements: [{ parts, positional: ["a", 1n], named: { n: 1.5 } }],
  });
  for (let length = 0; length < body.length; length++) {
    assertThrows(() => decodeCommand(body.subarray(0, length)), DecodeError);
  }
  assertThrows(() => decodeCommand(new Uint8Array([...body, 0])), DecodeError);
  for (let at = 0; at < body.length; at++) {
    const changed = body.slice();
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    decodes(changed);
  }
  stampCommand(body, Number.NaN, 0, 0);
  assertThrows(() => decodeCommand(body), DecodeError);
  assert(body.length < 100);
});
