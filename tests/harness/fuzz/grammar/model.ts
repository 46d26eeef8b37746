/**
 * The generator's model of the database. It is told what statements should do, not what they did, so it may
 * be wrong: that makes some statements fail, which is wanted. Pure.
 * @module
 */

import type { Draw } from "./draw.ts";
import type { ValueType } from "./values.ts";

/** A column. */
export interface Column {
  /** Its name as SQL. */
  name: string;
  /** The type of its values. */
  readonly type: ValueType;
  /** Whether it is computed, so that nothing can be stored in it. */
  readonly isGenerated: boolean;
  /** Whether equal values collide: fresh ones are drawn for it. */
  readonly isUnique: boolean;
  /** Whether it takes no NULL. */
  readonly isNotNull: boolean;
  /** Table that a foreign key leads to. */
  readonly parent?: string;
}

/** A table, a view with columns, or a virtual table. */
export interface Table {
  /** Its name as SQL. */
  name: string;
  /** The kind of the table. */
  readonly kind: "rowid" | "withoutRowid" | "view" | "fts5" | "fts3" | "rtree" | "vocab";
  /** Its columns. */
  readonly columns: Column[];
  /** Column that is the rowid, if it has a name. */
  readonly idColumn?: string;
  /** Whether it counts by AUTOINCREMENT. */
  readonly isAutoincrement: boolean;
  /** Whether it is STRICT. */
  readonly isStrict: boolean;
  /** For virtual tables: whether the content lies elsewhere. */
  readonly isExternal?: boolean;
  /** Columns by which rows are found for an UPSERT: a primary key or a unique index. */
  readonly conflictTargets: string[];
}

/** The schema. */
export class Model {
  /** Tables that hold rows themselves. */
  readonly tables: Table[] = [];
  /** Virtual tables. */
  readonly virtuals: Table[] = [];
  /** Views. */
  readonly views: Table[] = [];
  /** Indexes, each with its table. */
  readonly indexes: { name: string; table: string }[] = [];
  /** Triggers, each with its table. */
  readonly triggers: { name: string; table: string }[] = [];
  #count = 0;
  #fresh = 1000;

  /** A name that is not in use, as SQL. */
  freshName(draw: Draw, prefix: string): string {
    const name = `${prefix}${++this.#count}`;
    if (draw.chance(0.93)) return name;
    return draw.pick([
      `"${name} x"`,
      `[${name};y]`,
      `"${name}""q"`,
      `${name}_ä`,
      `\`${name} order\``,
      `"SELECT ${name}"`,
    ]);
  }

  /** A number that was not drawn before. */
  fresh(): bigint {
    return BigInt(this.#fresh++);
  }

  /** A table with rows of its own. */
  anyTable(draw: Draw): Table {
    return draw.pick(this.tables);
  }

  /** Whatever can be read. */
  anySource(draw: Draw): Table {
    const all = draw.weighted([[8, this.tables], [1, this.views], [1, this.virtuals]]);
    return draw.pick(all.length > 0 ? all : this.tables);
  }

  /** Forgets a table and what hangs on it. */
  drop(table: Table): void {
    for (const list of [this.tables, this.virtuals, this.views]) remove(list, (one) => one === table);
    for (const list of [this.indexes, this.triggers]) remove(list, (one) => one.table === table.name);
  }
}

/** Removes the items for which `test` holds. */
export function remove<T>(list: T[], test: (item: T) => boolean): void {
  for (let at = list.length - 1; at >= 0; at--) if (test(list[at])) list.splice(at, 1);
}

/** The table that the SELECT of an AS clause makes: columns n0, n1, …, of which nothing is known but their types. */
export function selectedTable(name: string, kind: "rowid" | "view", types: readonly ValueType[]): Table {
  const columns = types.map((type, at) => ({
    name: `n${at}`,
    type,
    isGenerated: false,
    isUnique: false,
    isNotNull: false,
  }));
  return { name, kind, columns, isAutoincrement: false, isStrict: false, conflictTargets: [] };
}
