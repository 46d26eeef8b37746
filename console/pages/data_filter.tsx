/**
 * The form of filters.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Comparison, COMPARISONS, type Filter, NAMES } from "../data_filter.ts";
import type { Table } from "../table.ts";
import { Icon } from "../parts/icon.tsx";

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
