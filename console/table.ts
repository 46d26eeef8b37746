/**
 * Tables as the console knows them. Types only.
 * @module
 */

/** A table or view, with its columns. */
export interface Table {
  readonly name: string;
  readonly isView: boolean;
  /** Whether its rows have no rowid. */
  readonly hasNoRowid: boolean;
  readonly columns: readonly Column[];
  /** Why they are not known, such as that a view is of a table that is gone; empty where they are. */
  readonly fault: string;
}

/** A column. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  /** Expression; empty for none. */
  readonly standard: string;
  /** Place in the primary key, from 1 on; 0: it is not in it. */
  readonly keyPlace: number;
  /** Whether it is computed, and cannot be written. */
  readonly isGenerated: boolean;
}
