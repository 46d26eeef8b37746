/**
 * Shared context of the generator's parts: draws, the model, and where the values of the element at hand go. Pure.
 * @module
 */

import type { SqlValue } from "../../../../src/core/sql/value.ts";
import type { Draw } from "./draw.ts";
import type { Model } from "./model.ts";
import { literal } from "./values.ts";

/** How an element carries its values. */
export type ParameterStyle = "literal" | "positional" | "numbered" | "named";

/** Values of one element: in its text, or beside it. */
export class Values {
  /** Positional parameters so far. */
  readonly positional: SqlValue[] = [];
  /** Named parameters so far. */
  readonly named: Record<string, SqlValue> = {};
  #style: ParameterStyle = "literal";
  #isHeld = false;

  /** Starts with literals or parameters. */
  constructor(style: ParameterStyle) {
    this.#style = style;
  }

  /** A value as SQL: a literal or a parameter. */
  sql(value: SqlValue, draw: Draw): string {
    if (this.#style === "literal" || this.#isHeld || draw.chance(0.3)) return literal(value);
    if (this.#style === "positional") {
      this.positional.push(value);
      return "?";
    }
    if (this.#style === "numbered") {
      if (this.positional.length > 0 && draw.chance(0.1)) return `?${draw.between(1, this.positional.length)}`;
      return `?${this.positional.push(value)}`;
    }
    const name = `p${Object.keys(this.named).length}`;
    this.named[name] = value;
    return draw.pick([":", "@", "$"]) + name;
  }

  /** Runs `make` with literals only: a schema takes no parameters. */
  literally<T>(make: () => T): T {
    const before = this.#isHeld;
    this.#isHeld = true;
    try {
      return make();
    } finally {
      this.#isHeld = before;
    }
  }
}

/** The input of a part of the generator. */
export interface Context {
  readonly draw: Draw;
  readonly model: Model;
  readonly values: Values;
}
