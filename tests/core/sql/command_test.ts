import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import {
  type BoundStatement,
  type Command,
  decodeCommand,
  encodeCommand,
  isOfClient,
  MAX_STEPS_DEFAULT,
  STAMP_BYTES,
  stampCommand,
} from "../../../src/core/sql/command.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import type { SqlValue } from "../../../src/core/sql/value.ts";

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

const command: fc.Arbitrary<Command & { readonly statements: readonly BoundStatement[] }> = fc.record({
  kind: fc.constantFrom("execute", "request", "query"),
  transaction: fc.boolean(),
  statements: fc.array(statement),
});

function plain(named: Readonly<Record<string, SqlValue>> | null): [string, SqlValue][] | null {
  return named === null ? null : Object.entries(named);
}

Deno.test("decodeCommand() gives back what encodeCommand() took, with the stamp", () => {
  fc.assert(fc.property(command, fc.nat(), fc.nat(), fc.nat(), fc.maxSafeNat(), (given, timeMs, hi, lo, maxSteps) => {
    const body = encodeCommand(given);
    assertEquals(decodeCommand(body).timeMs, 0);
    stampCommand(body, { timeMs, seed: { hi, lo }, maxSteps });
    const { timeMs: time, seed, ...found } = decodeCommand(body);
    assertEquals([time, seed, found.maxSteps], [timeMs, { hi, lo }, maxSteps]);
    assertEquals([found.kind, found.transaction], [given.kind, given.transaction]);
    assertEquals(
      found.statements.map(({ parts, positional, named }) => ({ parts, positional, named: plain(named) })),
      given.statements.map(({ parts, positional, named }) => ({ parts, positional, named: plain(named) })),
    );
  }));
});

/** What a decoded command holds, or its error. */
function contentOf(body: Uint8Array, keepsValues: boolean): unknown {
  try {
    const { statements, ...rest } = decodeCommand(body, keepsValues);
    return {
      ...rest,
      statements: statements.map(({ parts, positional, named, isOfClient = false }) => ({
        parts,
        positional: [...positional],
        named: plain(named),
        isOfClient,
      })),
    };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return error.message;
  }
}

Deno.test("decodeCommand() that keeps values as they are finds the same values, and the same faults, as one that reads them", () => {
  const repeating = fc.tuple(command, fc.nat({ max: 3 })).map(([given, at]) => ({
    ...given,
    statements: given.statements.flatMap((one) => Array.from({ length: at + 1 }, () => one)),
  }));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 });
  fc.assert(fc.property(repeating, changes, fc.option(fc.nat()), (given, changed, cut) => {
    const whole = encodeCommand(given);
    for (const [at, byte] of changed) whole[at % whole.length] = byte;
    const body = cut === null ? whole : whole.slice(0, cut % (whole.length + 1));
    assertEquals(contentOf(body, true), contentOf(body, false));
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
  stampCommand(body, { timeMs: Number.NaN, seed: { hi: 0, lo: 0 }, maxSteps: 1 });
  assertThrows(() => decodeCommand(body), DecodeError);
  assert(body.length < 110);
});

Deno.test("decodeCommand() reads what an earlier version has written into the log", () => {
  const hex = "4278bcfe5680007b" + "0000000100000002" + "01" + "00" + "00000001" + // stamp, version, flags, count
    "00000001" + "06494e53455254" + "00000001" + "0000000c" + "494e5345525420494e544f20" + // one part: INSERT, 1, text
    "00000001" + "0507" + "00000000"; // one value: 7; no names
  const { timeMs, seed, maxSteps, readTimeoutMs, statements } = decodeCommand(Uint8Array.fromHex(hex));
  assertEquals([timeMs, seed], [1_700_000_000_000.03, { hi: 1, lo: 2 }]);
  assertEquals([maxSteps, readTimeoutMs], [MAX_STEPS_DEFAULT, 0]);
  assertEquals(statements, [{
    parts: [{ sql: "INSERT INTO ", verb: "INSERT", parameterCount: 1 }],
    positional: [7n],
    named: null,
  }]);
});

Deno.test("decodeCommand() tells a client's statements from the cluster's own, and no node takes such a command from outside", () => {
  const own = { parts: splitStatements("DELETE FROM a"), positional: [1n], named: null };
  const command = (isOfClient: boolean) =>
    encodeCommand({
      kind: "request",
      transaction: true,
      isSystem: true,
      statements: [own, { ...own, isOfClient }, own],
    });
  const [plain, mixed] = [command(false), command(true)];
  assertEquals([plain[STAMP_BYTES], mixed[STAMP_BYTES]], [2, 3]);
  for (const body of [plain, mixed]) {
    stampCommand(body, { timeMs: 5, seed: { hi: 1, lo: 2 }, maxSteps: 7 });
    assertEquals(isOfClient(body), false);
    const { statements, maxSteps, isSystem } = decodeCommand(body);
    assertEquals([maxSteps, isSystem], [7, true]);
    assertEquals(statements.map(({ isOfClient }) => isOfClient === true), [false, body === mixed, false]);
    assertEquals(statements.map(({ positional }) => positional), [[1n], [1n], [1n]]);
  }
  const client = encodeCommand({ kind: "request", transaction: true, statements: [{ ...own, isOfClient: true }] });
  assertEquals([client[STAMP_BYTES], isOfClient(client)], [2, true]);
});
