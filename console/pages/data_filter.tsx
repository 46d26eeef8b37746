/**
 * Filters of rows: a column, a comparison and a value, all of which must hold.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Table } from "../table.ts";
import { Icon } from "../parts/icon.tsx";
import { quoted, type Value } from "../parts/value.ts";

const COMPARISONS = {
  "contains": { sql: "instr(lower($), lower(?)) > 0", hasValue: true },
  "=": { sql: "$ = ?", hasValue: true },
  "≠": { sql: "$ IS NOT ?", hasValue: true },
  "<": { sql: "$ < ?", hasValue: true },
  "≤": { sql: "$ <= ?", hasValue: true },
  ">": { sql: "$ > ?", hasValue: true },
  "≥": { sql: "$ >= ?", hasValue: true },
  "is NULL": { sql: "$ IS NULL", hasValue: false },
  "is not NULL": { sql: "$ IS NOT NULL", hasValue: false },
} as const;

/** How a column is compared. */
type Comparison = keyof typeof COMPARISONS;
const NAMES = Object.keys(COMPARISONS).filter((name): name is Comparison => Object.hasOwn(COMPARISONS, name));

/** A filter. */
export interface Filter {
  /** Name of the column. */
  readonly column: string;
  readonly comparison: Comparison;
  readonly value: string;
}

/** The condition of filters in SQL, empty for none, and its parameters. */
export function filterSql(
  { columns }: Table,
  filters: readonly Filter[],
): { readonly sql: string; readonly parameters: readonly Value[] } {
  const conditions: string[] = [];
  const parameters: Value[] = [];
  for (const { column, comparison, value } of filters) {
    const { sql, hasValue } = COMPARISONS[comparison];
    conditions.push(sql.replace("$", () => quoted(column)));
    if (hasValue) parameters.push(comparison === "contains" ? value : compared(value, columns, column));
  }
  return { sql: conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`, parameters };
}

/** A number where a number is entered, unless the column is of text. */
function compared(value: string, columns: Table["columns"], name: string): Value {
  const type = columns.find((one) => one.name === name)?.type ?? "";
  const isOfText = /char|clob|text/i.test(type);
  return !isOfText && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value;
}

/** The filters, and a form for one more. */
export function FilterBar(
  { table, filters, onChange }: {
    readonly table: Table;
    readonly filters: readonly Filter[];
    readonly onChange: (filters: readonly Filter[]) => void;
  },
): JSX.Element {
  const [column, setColumn] = useState(table.columns[0]?.name ?? "");
  const [comparison, setComparison] = useState<Comparison>("contains");
  const [value, setValue] = useState("");
  const { hasValue } = COMPARISONS[comparison];
  const add = (event: Event) => {
    event.preventDefault();
    onChange([...filters, { column, comparison, value: hasValue ? value : "" }]);
    setValue("");
  };
  return (
    <>
      <form class="toolbar filter" onSubmit={add} aria-label="Filter">
        <select aria-label="Column" value={column} onChange={(event) => setColumn(event.currentTarget.value)}>
          {table.columns.map(({ name }) => <option key={name} value={name}>{name}</option>)}
        </select>
        <select
          aria-label="Comparison"
          value={comparison}
          onChange={(event) => setComparison(NAMES.find((one) => one === event.currentTarget.value) ?? "contains")}
        >
          {NAMES.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        {hasValue && (
          <input
            aria-label="Value"
            placeholder="Value"
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        )}
        <button type="submit">
          <Icon name="filter" /> Filter
        </button>
      </form>
      {filters.map((filter, at) => (
        <button
          key={at}
          type="button"
          class="filter-chip"
          title="Remove this filter"
          onClick={() => onChange(filters.filter((one) => one !== filter))}
        >
          <bdi>{filter.column} {filter.comparison} {filter.value}</bdi> <Icon name="close" />
        </button>
      ))}
    </>
  );
}
