/**
 * Parts of a page, each with a place of its own.
 * @module
 */
import type { JSX } from "preact";

/** Links to the parts. */
export function TabLinks(
  { label, tabs, current }: {
    readonly label: string;
    readonly tabs: readonly {
      readonly id: string;
      readonly title: string;
      readonly href: string;
      readonly count?: number;
    }[];
    readonly current: string;
  },
): JSX.Element {
  return (
    <nav class="tab-links" aria-label={label}>
      {tabs.map(({ id, title, href, count }) => (
        <a key={id} class="tab" href={href} aria-current={id === current ? "page" : undefined}>
          {title}
          {count !== undefined && <span class="count">{count.toLocaleString("en")}</span>}
        </a>
      ))}
    </nav>
  );
}

/** A field that filters what is below it. */
export function FilterField(
  { label, value, onInput }: {
    readonly label: string;
    readonly value: string;
    readonly onInput: (text: string) => void;
  },
): JSX.Element {
  return (
    <input
      type="search"
      class="filter-field"
      placeholder={label}
      aria-label={label}
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}
