/**
 * Makes a failing case smaller: fewer entries, elements, statements and actions, simpler values, shorter texts. What is
 * left fails in the same way; taking away any one piece more makes it pass, or the attempts are used up.
 * @module
 */

import type { SqlValue } from "../../../src/core/sql/value.ts";
import type { Case, Element, Item } from "./case.ts";
import { splitText, tokensOf } from "./replica.ts";

/** How to shrink. */
export interface ShrinkOptions {
  /** Whether a case still fails in the way that matters. */
  readonly fails: (testCase: Case) => Promise<boolean>;
  /** Cases tried at most. */
  readonly attemptsMax: number;
}

/** A text of one statement is shortened token by token up to this many tokens. */
const TOKENS_MAX = 400;
const PLAIN_TIME_MS = 1_700_000_000_000;

/** Returns a smaller case that fails as `testCase` does. */
export async function shrink(testCase: Case, options: ShrinkOptions): Promise<Case> {
  const shrinker = new Shrinker(testCase, options);
  return await shrinker.run();
}

class Shrinker {
  #case: Case;
  #left: number;
  readonly #fails: ShrinkOptions["fails"];

  constructor(testCase: Case, { fails, attemptsMax }: ShrinkOptions) {
    this.#case = testCase;
    this.#left = attemptsMax;
    this.#fails = fails;
  }

  async run(): Promise<Case> {
    for (let size = Infinity; sizeOf(this.#case) < size && this.#left > 0;) {
      size = sizeOf(this.#case);
      await this.#items();
      await this.#elements();
      await this.#statements();
      await this.#actions();
      await this.#settings();
      await this.#values();
      await this.#texts();
    }
    return this.#case;
  }

  /** Takes a candidate if it fails too. */
  async #try(candidate: Case): Promise<boolean> {
    if (this.#left <= 0) return false;
    this.#left--;
    if (!(await this.#fails(candidate))) return false;
    this.#case = candidate;
    return true;
  }

  async #tryItems(items: readonly Item[]): Promise<boolean> {
    return await this.#try({ ...this.#case, items });
  }

  async #tryItem(at: number, change: Partial<Item>): Promise<boolean> {
    return await this.#tryItems(this.#case.items.map((item, other) => other === at ? { ...item, ...change } : item));
  }

  async #tryElement(at: number, number: number, change: Partial<Element>): Promise<boolean> {
    const elements = this.#case.items[at].elements.map((one, other) => other === number ? { ...one, ...change } : one);
    return await this.#tryItem(at, { elements });
  }

  async #items(): Promise<void> {
    await this.#reduce(this.#case.items, (items) => this.#tryItems(items));
    // An entry may be needed only for what the replicas do after it.
    for (let at = 0; at < this.#case.items.length; at++) {
      if (this.#case.items[at].elements.length > 0) await this.#tryItem(at, { elements: [], kind: "noop" });
    }
  }

  async #elements(): Promise<void> {
    for (let at = 0; at < this.#case.items.length; at++) {
      const { elements } = this.#case.items[at];
      if (elements.length > 1) await this.#reduce(elements, (some) => this.#tryItem(at, { elements: some }));
    }
  }

  /** Drops statements of strings that hold several. */
  async #statements(): Promise<void> {
    for (let at = 0; at < this.#case.items.length; at++) {
      for (let number = 0; number < this.#case.items[at].elements.length; number++) {
        const parts = splitText(this.#case.items[at].elements[number].sql);
        if (parts.length > 1) {
          await this.#reduce(parts, (some) => this.#tryElement(at, number, { sql: some.join("; ") }));
        }
      }
    }
  }

  async #actions(): Promise<void> {
    for (let at = 0; at < this.#case.items.length; at++) {
      if (this.#case.items[at].isCompared) await this.#tryItem(at, { isCompared: false });
      if (Object.keys(this.#case.items[at].after).length > 1) await this.#tryItem(at, { after: {} });
      for (const replica of Object.keys(this.#case.items[at].after)) {
        const { [Number(replica)]: action, ...after } = this.#case.items[at].after;
        if (await this.#tryItem(at, { after })) continue;
        if (action === "crash" || action === "powerLoss") {
          await this.#tryItem(at, { after: { ...after, [replica]: "restart" } });
        }
        if (action === "checkpoint" || action === "passive") {
          await this.#tryItem(at, { after: { ...after, [replica]: "cut" } });
        }
      }
    }
  }

  async #settings(): Promise<void> {
    if (this.#case.foreignKeys) await this.#try({ ...this.#case, foreignKeys: false });
    for (let at = 0; at < this.#case.waiters.length; at++) {
      for (const simple of [null, 0]) {
        if (this.#case.waiters[at] === simple) break;
        const waiters = this.#case.waiters.map((waiter, other) => other === at ? simple : waiter);
        if (await this.#try({ ...this.#case, waiters })) break;
      }
    }
    await this.#replicas();
    for (let at = 0; at < this.#case.items.length; at++) {
      const { transaction, kind, timeMs, seed } = this.#case.items[at];
      if (transaction) await this.#tryItem(at, { transaction: false });
      if (kind === "request") await this.#tryItem(at, { kind: "execute" });
      if (timeMs !== PLAIN_TIME_MS) await this.#tryItem(at, { timeMs: PLAIN_TIME_MS });
      if (seed[0] !== 0 || seed[1] !== at) await this.#tryItem(at, { seed: [0, at] });
    }
  }

  /** Drops replicas, of which two are needed. */
  async #replicas(): Promise<void> {
    for (let at = this.#case.waiters.length - 1; at >= 0 && this.#case.waiters.length > 2; at--) {
      const items = this.#case.items.map((item) => {
        const entries = Object.entries(item.after).filter(([replica, action]) =>
          Number(replica) !== at && action !== `join ${at}`
        );
        const after = Object.fromEntries(
          entries.map(([replica, action]) => [Number(replica) > at ? Number(replica) - 1 : replica, action]),
        );
        return { ...item, after };
      });
      await this.#try({ ...this.#case, items, waiters: this.#case.waiters.filter((_, other) => other !== at) });
    }
  }

  async #values(): Promise<void> {
    for (let at = 0; at < this.#case.items.length; at++) {
      for (let number = 0; number < this.#case.items[at].elements.length; number++) {
        const { positional, named } = this.#case.items[at].elements[number];
        for (let index = 0; index < positional.length; index++) {
          for (const simple of simplerValues(positional[index])) {
            const values = this.#case.items[at].elements[number].positional.map((value, other) =>
              other === index ? simple : value
            );
            if (await this.#tryElement(at, number, { positional: values })) break;
          }
        }
        for (const name of Object.keys(named ?? {})) {
          const { [name]: _, ...rest } = this.#case.items[at].elements[number].named ?? {};
          await this.#tryElement(at, number, { named: Object.keys(rest).length > 0 ? rest : null });
        }
        if (positional.length > 0) await this.#tryElement(at, number, { positional: [] });
      }
    }
  }

  async #texts(): Promise<void> {
    for (let at = 0; at < this.#case.items.length; at++) {
      for (let number = 0; number < this.#case.items[at].elements.length; number++) {
        const tokens = tokensOf(this.#case.items[at].elements[number].sql);
        if (tokens.length > 1 && tokens.length <= TOKENS_MAX) {
          await this.#reduce(tokens, (some) => this.#tryElement(at, number, { sql: some.join("") }));
          await this.#tokenPairs(at, number);
        }
      }
    }
  }

  /** Takes away pairs of brackets with what is between them, and the brackets alone. */
  async #tokenPairs(at: number, number: number): Promise<void> {
    for (let from = 0;; from++) {
      const tokens = tokensOf(this.#case.items[at].elements[number].sql);
      if (from >= tokens.length) return;
      const to = closing(tokens, from);
      if (to === undefined) continue;
      const inner = tokens.slice(from + 1, to);
      for (const between of [[" 1"], inner, []]) {
        const before = between === inner || !/^\s*\w+$/.test(tokens[from - 1] ?? "") ? from : from - 1;
        const text = [...tokens.slice(0, before), ...between, ...tokens.slice(to + 1)].join("");
        if (await this.#tryElement(at, number, { sql: text })) break;
      }
    }
  }

  /** Drops runs of a list, first long ones, then shorter ones (Zeller's delta debugging). */
  async #reduce<T>(all: readonly T[], take: (some: readonly T[]) => Promise<boolean>): Promise<void> {
    let list = all;
    for (
      let size = Math.ceil(list.length / 2);
      size >= 1 && this.#left > 0;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let from = list.length - size; from > -size && this.#left > 0; from -= size) {
        const start = Math.max(from, 0);
        const some = [...list.slice(0, start), ...list.slice(from + size)];
        if (some.length > 0 && some.length < list.length && await take(some)) list = some;
      }
    }
  }
}

function sizeOf({ items, waiters }: Case): number {
  let size = waiters.length;
  for (const { elements, after } of items) {
    size += 10 + Object.keys(after).length;
    for (const { sql, positional, named } of elements) {
      size += sql.length + positional.length + Object.keys(named ?? {}).length;
    }
  }
  return size;
}

function simplerValues(value: SqlValue): SqlValue[] {
  if (value === null) return [];
  if (typeof value === "bigint") return value === 1n ? [] : [1n];
  if (typeof value === "number") return value === 1.5 ? [] : [1n, 1.5];
  if (value instanceof Uint8Array) {
    return value.length > 1 ? [1n, value.slice(0, 1), value.slice(0, value.length >> 1)] : [1n];
  }
  return value === "a" || value === ""
    ? []
    : [1n, "a", value.slice(0, value.length >> 1), value.slice(value.length >> 1)];
}

function closing(tokens: readonly string[], from: number): number | undefined {
  if (tokens[from].trim() !== "(") return undefined;
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    if (tokens[at].trim() === "(") depth++;
    if (tokens[at].trim() === ")" && --depth === 0) return at;
  }
  return undefined;
}
