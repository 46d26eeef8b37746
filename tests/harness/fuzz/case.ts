/**
 * A case of the fuzzer: entries of the log, and a schedule that says what each replica does after which entry. It
 * stands alone: whoever has it needs neither the seed nor the generator. Pure, but for reading and writing as JSON.
 *
 * The schedule hangs on the entries, so that dropping an entry leaves a case: entries are gathered into one batch of a
 * replica until the case says something else.
 * @module
 */

import type { SqlValue } from "../../../src/core/sql/value.ts";
import type { Kind } from "./grammar/kinds.ts";

/** One element of a request: its text and parameters. */
export interface Element {
  /** One or several statements. */
  readonly sql: string;
  /** Positional parameters. */
  readonly positional: readonly SqlValue[];
  /** Named parameters, or `null` for none. */
  readonly named: Readonly<Record<string, SqlValue>> | null;
  /** Kinds that its generation used. */
  readonly kinds: readonly Kind[];
}

/**
 * An action of a replica after an entry: `cut` ends the batch, `restart` closes and opens, `crash` opens a copy of the files
 * as they lie, `powerLoss` the same with the end of the WAL missing; `checkpoint` and `passive` are the two kinds of
 * checkpoint, `join N` replaces the replica by the snapshot of replica N.
 */
export type Action = "cut" | "restart" | "crash" | "powerLoss" | "checkpoint" | "passive" | `join ${number}`;

/** An entry and what follows it. */
export interface Item {
  /** Kind of the command; `noop` is an entry without one. */
  readonly kind: "execute" | "request" | "query" | "noop";
  /** Whether all elements take effect or none. */
  readonly transaction: boolean;
  /** Whether it is the cluster's own, which nothing is refused to. @default false */
  readonly isSystem?: boolean;
  /** The leader's time. */
  readonly timeMs: number;
  /** Its budget of steps. @default Some seconds' worth */
  readonly steps?: number;
  /** The leader's seed, in two halves. */
  readonly seed: readonly [hi: number, lo: number];
  /** Elements of the request. */
  readonly elements: readonly Element[];
  /** Actions by number of the replica. */
  readonly after: Readonly<Record<number, Action>>;
  /** Whether all replicas are compared here; the end of a case always does. */
  readonly isCompared: boolean;
}

/** A case. */
export interface Case {
  /** The seed that it was made from; for people. */
  readonly seed: number;
  /** Whether foreign keys are enforced. */
  readonly foreignKeys: boolean;
  /** For each replica how it renders results (the bits of `renderBits`), or `null` where nobody waits. */
  readonly waiters: readonly (number | null)[];
  /** Entries 1, 2, ... */
  readonly items: readonly Item[];
}

/** How many elements a case has. */
export function elementCount({ items }: Case): number {
  return items.reduce((sum, { elements }) => sum + elements.length, 0);
}

function valueToJson(value: SqlValue): unknown {
  if (typeof value === "bigint") return { int: String(value) };
  if (typeof value === "number") return { real: Object.is(value, -0) ? "-0" : String(value) };
  if (value instanceof Uint8Array) return { blob: value.toHex() };
  return value;
}

function valueFromJson(value: unknown): SqlValue {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "object") {
    if ("int" in value) return BigInt(String(value.int));
    if ("real" in value) return Number(value.real);
    if ("blob" in value) return Uint8Array.fromHex(String(value.blob));
  }
  throw new TypeError(`Expected a value, found ${JSON.stringify(value)}`);
}

/** A case as JSON text, an entry per line. */
export function writeCase({ items, ...settings }: Case): string {
  const lines = items.map((item) => {
    const elements = item.elements.map(({ sql, positional, named, kinds }) => ({
      sql,
      ...(positional.length > 0 ? { positional: positional.map(valueToJson) } : {}),
      ...(named === null
        ? {}
        : { named: Object.fromEntries(Object.entries(named).map(([name, value]) => [name, valueToJson(value)])) }),
      ...(kinds.length > 0 ? { kinds } : {}),
    }));
    return "  " + JSON.stringify({ ...item, elements });
  });
  return `${JSON.stringify(settings).slice(0, -1)}, "items": [\n${lines.join(",\n")}\n]}\n`;
}

/** Reads what {@linkcode writeCase} wrote. */
export function readCase(text: string): Case {
  const { items, ...rest } = JSON.parse(text);
  return {
    ...rest,
    items: items.map((item: Item) => ({
      ...item,
      elements: item.elements.map(({ sql, positional, named, kinds }) => ({
        sql,
        positional: (positional ?? []).map(valueFromJson),
        named: named
          ? Object.fromEntries(Object.entries(named).map(([name, value]) => [name, valueFromJson(value)]))
          : null,
        kinds: kinds ?? [],
      })),
    })),
  };
}

function showValue(value: SqlValue): string {
  if (value instanceof Uint8Array) return value.length > 40 ? `blob of ${value.length} bytes` : `x'${value.toHex()}'`;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return `real ${value}`;
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 80)}... (${text.length} characters)` : text;
}

/** A case for people: requests in order, and what the replicas do between them. */
export function showCase({ seed, foreignKeys, waiters, items }: Case): string {
  const lines = [
    `seed ${seed}, ${waiters.length} replicas, foreign keys ${foreignKeys ? "on" : "off"}, rendering: ` +
    waiters.map((bits) => bits === null ? "nobody" : `bits ${bits}`).join(", "),
  ];
  items.forEach((item, at) => {
    const { kind, transaction, timeMs, steps, elements, after, isCompared } = item;
    const budget = steps === undefined ? "" : `, ${steps} steps`;
    lines.push(
      `entry ${at + 1}: ${kind}${transaction ? ", transaction" : ""}, time ${timeMs}, seed ${item.seed}${budget}`,
    );
    for (const { sql, positional, named } of elements) {
      const values = positional.map(showValue).concat(
        Object.entries(named ?? {}).map(([name, value]) => `${name}=${showValue(value)}`),
      );
      lines.push(`    ${sql}${values.length > 0 ? `   -- with ${values.join(", ")}` : ""}`);
    }
    for (const [replica, action] of Object.entries(after)) lines.push(`  then replica ${replica}: ${action}`);
    if (isCompared) lines.push("  then all are compared");
  });
  return lines.join("\n");
}
