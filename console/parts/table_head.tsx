/**
 * The head of a table.
 * @module
 */
import type { JSX } from "preact";

/** The head. @param hasActions Whether the last column has buttons, and no title that is seen. */
export function TableHead(
  { titles, hasActions = false }: { readonly titles: readonly string[]; readonly hasActions?: boolean },
): JSX.Element {
  return (
    <thead>
      <tr>
        {titles.map((title) => <th key={title} scope="col">{title}</th>)}
        {hasActions && (
          <th scope="col">
            <span class="visually-hidden">Actions</span>
          </th>
        )}
      </tr>
    </thead>
  );
}
