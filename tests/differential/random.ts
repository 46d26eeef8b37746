/**
 * Random schemas, values and statements, the same for both: what nobody thought of. What is known to differ stays away
 * as far as it can: BLOBs in expressions, infinite values, long fractions as text.
 * @module
 */
import { type Case, execute, query, type Theme, unified } from "./case.ts";

const TYPES = [
  "INTEGER",
  "TEXT",
  "REAL",
  "BLOB",
  "NUMERIC",
  "BOOLEAN",
  "",
  "VARCHAR(10)",
  "DOUBLE",
  "INT",
  "JSON",
  "ANY",
];
const ROUNDS = 16;

type Random = () => number;

/** mulberry32. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(random: Random, items: readonly [T, ...T[]] | readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("Cannot pick from nothing");
  return item;
}

function literal(random: Random): string {
  const number = Math.floor(random() * 2000 - 1000);
  return pick(random, [
    "NULL",
    String(number),
    String(number),
    (number / 8).toFixed(3),
    `'${text(random)}'`,
    `'${text(random)}'`,
    `'${number}'`,
  ]);
}

function text(random: Random): string {
  const length = Math.floor(random() * 8);
  return Array.from({ length }, () => pick(random, [..."abcXYZ 019<>&é日"])).join("");
}

function parameter(random: Random): unknown {
  const number = Math.floor(random() * 2000 - 1000);
  return pick<unknown>(random, [null, true, false, number, number / 8, text(random), number * 1_000_003]);
}

function expression(random: Random, columns: readonly string[], depth = 0): string {
  if (depth > 2 || random() < 0.3) return random() < 0.5 ? pick(random, columns) : literal(random);
  const inner = () => expression(random, columns, depth + 1);
  switch (Math.floor(random() * 9)) {
    case 0:
      return `(${inner()} ${pick(random, ["+", "-", "*"])} ${inner()})`;
    case 1:
      return `(${inner()} ${pick(random, ["=", "<", ">", "<=", "<>", "IS", "IS NOT"])} ${inner()})`;
    case 2:
      return `(${inner()} || ${inner()})`;
    case 3:
      return `${pick(random, ["typeof", "length", "upper", "quote", "lower", "abs"])}(${inner()})`;
    case 4:
      return `coalesce(${inner()}, ${inner()})`;
    case 5:
      return `CASE WHEN ${inner()} THEN ${inner()} ELSE ${inner()} END`;
    case 6:
      return `CAST(${inner()} AS ${pick(random, ["INTEGER", "REAL", "TEXT", "NUMERIC"])})`;
    case 7:
      return `(${inner()} ${pick(random, ["AND", "OR"])} ${inner()})`;
    default:
      return `(${inner()} IN (${inner()}, ${inner()}))`;
  }
}

function round(random: Random, number: number): Case[] {
  const columns = Array.from({ length: 2 + Math.floor(random() * 4) }, (_, at) => `c${at}`);
  const definitions = columns.map((name) =>
    `${name} ${pick(random, TYPES)}${random() < 0.15 ? " UNIQUE" : ""}${random() < 0.15 ? " NOT NULL" : ""}`
  );
  const some = () => columns.filter(() => random() < 0.6);
  const insert = (): unknown => {
    const names = some();
    if (names.length === 0) return "INSERT INTO t DEFAULT VALUES";
    const verb = pick(random, ["INSERT", "INSERT", "INSERT OR IGNORE", "REPLACE"]);
    if (random() < 0.5) return `${verb} INTO t(${names}) VALUES(${names.map(() => literal(random))})`;
    return [`${verb} INTO t(${names}) VALUES(${names.map(() => "?")})`, ...names.map(() => parameter(random))];
  };
  const write = (): unknown => {
    const kind = random();
    if (kind < 0.6) return insert();
    const condition = expression(random, columns);
    if (kind < 0.85) return `UPDATE t SET ${pick(random, columns)} = ${expression(random, columns)} WHERE ${condition}`;
    return `DELETE FROM t WHERE id % 3 = ${Math.floor(random() * 3)} AND ${condition}`;
  };
  const read = () =>
    `SELECT ${[expression(random, columns), expression(random, columns), "*"].join(", ")} FROM t WHERE ` +
    `${random() < 0.5 ? "1" : expression(random, columns)} ORDER BY id`;
  const aggregate = () => {
    const key = pick(random, columns);
    const value = expression(random, columns);
    const name = pick(random, ["count", "max", "min", "sum", "total", "avg", "group_concat"]);
    return pick(random, [
      `SELECT ${key} AS k, ${name}(${value}) AS v FROM t GROUP BY ${key} ORDER BY 1, 2`,
      `SELECT ${name}(${value}), count(*) FROM t WHERE ${expression(random, columns)}`,
      `SELECT DISTINCT ${value} AS v FROM t ORDER BY 1`,
      `SELECT a.id, b.${key} FROM t a LEFT JOIN t b ON b.id = a.id + 1 AND b.${key} ORDER BY 1`,
      `WITH w AS (SELECT id, ${value} AS v FROM t) SELECT v, typeof(v) FROM w WHERE id > 1 ORDER BY id`,
      `SELECT id, ${name}(${key}) OVER (ORDER BY id) FROM t ORDER BY id`,
    ]);
  };
  const list = <T>(make: () => T): T[] => Array.from({ length: 2 + Math.floor(random() * 5) }, make);
  const parameters = () =>
    pick(random, ["", "associative", "transaction", "pretty", "transaction&associative", "blob_array"]);
  // rqlite 8 leaves associative results of /db/execute as they are.
  const writeParameters = () => pick(random, ["", "transaction", "pretty", "transaction&pretty"]);
  const name = (what: string) => `round ${number}, ${what}`;
  return [
    execute(name("inserts"), Array.from({ length: 8 }, insert), {
      setup: [`CREATE TABLE t(id INTEGER PRIMARY KEY, ${definitions})`],
      parameters: writeParameters(),
    }),
    query(name("contents"), ["SELECT * FROM t ORDER BY id"]),
    execute(name("writes"), list(write), { parameters: writeParameters() }),
    query(name("reads"), list(read), { parameters: parameters() }),
    unified(name("both"), list(() => random() < 0.5 ? write() : read()), {
      parameters: parameters().replace("transaction", "pretty"), // rqlite's transactions here are not atomic
    }),
    query(name("aggregates"), list(aggregate), { parameters: parameters() }),
    query(name("strong"), list(read), { parameters: "level=strong" }),
    query(name("contents in the end"), ["SELECT * FROM t ORDER BY id"]),
  ];
}

/** Cases from a seed: the same for the same seed and number of rounds. */
export function randomTheme(seed: number, rounds = ROUNDS): Theme {
  const random = randomFrom(seed);
  return {
    name: `random statements (DIFFERENTIAL_SEED=${seed})`,
    cases: Array.from({ length: rounds }, (_, at) => round(random, at)).flat(),
  };
}
