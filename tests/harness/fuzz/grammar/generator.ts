/**
 * Entries of a log from a seed: a schema that grows and changes, and statements on it, in requests of all kinds. Pure.
 * @module
 */

import type { Element, Item } from "../case.ts";
import { type Context, type ParameterStyle, Values } from "./context.ts";
import { createTable } from "./create.ts";
import { alter, changeView, createIndex, createTrigger, createView, drop, spoil } from "./ddl.ts";
import { insert, remove, update, withChange } from "./dml.ts";
import type { Draw, Weighted } from "./draw.ts";
import {
  broken,
  catalogRead,
  endless,
  explain,
  long,
  pragma,
  refused,
  reindex,
  sequence,
  statistics,
  vacuum,
} from "./maintenance.ts";
import { Model } from "./model.ts";
import { select } from "./select.ts";
import { createVirtual, useVirtual } from "./virtual.ts";

type Production = (context: Context) => string | undefined;

const PRODUCTIONS: readonly Weighted<Production>[] = [
  [300, (context) => insert(context, context.model.anyTable(context.draw))],
  [110, (context) => update(context, context.model.anyTable(context.draw))],
  [60, (context) => remove(context, context.model.anyTable(context.draw))],
  [25, (context) => withChange(context, context.model.anyTable(context.draw))],
  [60, select],
  [60, useVirtual],
  [14, createTable],
  [24, createIndex],
  [10, (context) => context.draw.kind("view", 1) ? createView(context) : undefined],
  [14, (context) => context.draw.kind("trigger", 1) ? createTrigger(context) : undefined],
  [10, (context) => context.model.views.length > 0 ? changeView(context) : undefined],
  [26, (context) => context.draw.kind("alter", 1) ? alter(context) : undefined],
  [14, drop],
  [4, spoil],
  [10, createVirtual],
  [24, statistics],
  [12, sequence],
  [14, pragma],
  [10, refused],
  [16, catalogRead],
  [6, endless],
  [14, long],
  [6, reindex],
  [10, explain],
  [12, broken],
];

/**
 * The productions that mostly stand in a transaction: schema changes there are undone with it, which the model does not
 * see.
 */
const ROW_PRODUCTIONS = PRODUCTIONS.slice(0, 6);

/** Attempts to draw a production whose kind is on, before a plain INSERT takes its place. */
const ATTEMPTS_MAX = 8;
/** The end of the year 9999, the last time that a stamp may hold. */
const TIME_MS_MAX = 253_402_300_799_999;

/** Makes the entries of one log. */
export class Generator {
  readonly #draw: Draw;
  readonly #model = new Model();
  #timeMs: number;

  /** Starts with an empty schema. */
  constructor(draw: Draw) {
    this.#draw = draw;
    this.#timeMs = 1_700_000_000_000 + draw.below(1_000_000_000);
  }

  /** `count` entries; the first ones make tables. */
  items(count: number): Item[] {
    return Array.from({ length: count }, (_, at) => this.#item(at));
  }

  #item(at: number): Item {
    const draw = this.#draw;
    this.#advance();
    const rest = {
      timeMs: this.#timeMs,
      seed: [draw.u32(), draw.u32()] as const,
      after: {},
      isCompared: false,
    };
    if (at === 0) {
      return {
        ...rest,
        kind: "execute",
        transaction: false,
        elements: draw.several(2, 4, () => this.#element(createTable)),
      };
    }
    if (draw.chance(0.01)) return { ...rest, kind: "noop", transaction: false, elements: [] };
    if (draw.chance(0.012)) {
      const element = this.#element(vacuum);
      if (element.sql !== "") return { ...rest, kind: "execute", transaction: false, elements: [element] };
    }
    const kind = draw.weighted<Item["kind"]>([[12, "execute"], [6, "request"], [1, "query"]]);
    const count = draw.weighted([[10, 1], [5, 2], [3, 3], [2, draw.between(4, 6)]]);
    const transaction = kind !== "query" && draw.chance(0.3);
    const productions = kind === "query" || transaction && draw.chance(0.75) ? ROW_PRODUCTIONS : PRODUCTIONS;
    const elements = Array.from({ length: count }, () => {
      const production = kind === "query" && draw.chance(0.85) ? select : undefined;
      return this.#element(production, productions);
    });
    const steps = draw.kind("budget", 0.2) ? { steps: 1000 * 2 ** draw.between(0, 9) } : {};
    return { ...rest, ...steps, kind, transaction, elements };
  }

  /** Mostly forward, now and then back or far ahead: a leader's clock may be anything. */
  #advance(): void {
    const draw = this.#draw;
    this.#timeMs += draw.below(5000);
    if (draw.chance(0.01)) this.#timeMs = draw.pick([0, this.#timeMs - 86_400_000, this.#timeMs + 31_536_000_000]);
    this.#timeMs = Math.min(Math.max(this.#timeMs, 0), TIME_MS_MAX);
  }

  #element(production: Production | undefined, productions = PRODUCTIONS): Element {
    const draw = this.#draw;
    draw.used.clear();
    const style = draw.weighted<ParameterStyle>([[5, "literal"], [4, "positional"], [1, "numbered"], [1, "named"]]);
    const values = new Values(style);
    const context: Context = { draw, model: this.#model, values };
    let sql = this.#statement(context, productions, production);
    if (
      (style === "literal" || style === "positional") && this.#model.tables.length > 1 && draw.kind("several", 0.06)
    ) {
      for (let more = draw.between(1, 2); more > 0; more--) {
        sql += `;${draw.pick(["", " ", "\n-- and\n"])}${this.#statement(context, productions)}`;
      }
      if (draw.chance(0.3)) sql += ";";
    }
    const { named } = values;
    const isShort = values.positional.length > 0 && draw.kind("broken", 0.01);
    const positional = isShort ? values.positional.slice(1) : values.positional;
    return {
      sql,
      positional,
      named: style === "named" && Object.keys(named).length > 0 ? named : null,
      kinds: [...draw.used],
    };
  }

  #statement(context: Context, productions: typeof PRODUCTIONS, production?: Production): string {
    if (production !== undefined) return production(context) ?? "";
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const sql = this.#draw.weighted(productions)(context);
      if (sql !== undefined) return sql;
    }
    return insert(context, this.#model.anyTable(this.#draw));
  }
}
