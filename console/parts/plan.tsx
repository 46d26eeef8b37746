/**
 * A query plan as a tree, with what usually makes a query slow pointed out.
 * @module
 */
import type { JSX } from "preact";
import type { Result } from "../database.ts";

interface Step {
  readonly id: number;
  readonly parent: number;
  readonly detail: string;
}

/** The plan; the result is that of EXPLAIN QUERY PLAN. */
export function Plan({ result }: { readonly result: Result }): JSX.Element {
  const steps = result.rows.map(([id, parent, _, detail]): Step => ({
    id: Number(id),
    parent: Number(parent),
    detail: String(detail),
  }));
  if (steps.length === 0) return <p class="muted">SQLite needs no plan for this statement.</p>;
  return <Steps steps={steps} parent={0} />;
}

function Steps({ steps, parent }: { readonly steps: readonly Step[]; readonly parent: number }): JSX.Element | null {
  const own = steps.filter((step) => step.parent === parent && step.id !== parent);
  if (own.length === 0) return null;
  return (
    <ul class="plan">
      {own.map(({ id, detail }) => (
        <li key={id}>
          <span class={`plan-step ${kindOf(detail)}`}>{detail}</span>
          {adviceOn(detail) !== "" && <span class="muted">{adviceOn(detail)}</span>}
          <Steps steps={steps} parent={id} />
        </li>
      ))}
    </ul>
  );
}

function kindOf(detail: string): string {
  if (/^SEARCH /.test(detail)) return "search";
  return /^SCAN |TEMP B-TREE|AUTOMATIC/.test(detail) ? "scan" : "";
}

function adviceOn(detail: string): string {
  if (/AUTOMATIC/.test(detail)) return "an index made for this query alone: a lasting one would be quicker";
  if (/^SCAN .*USING (COVERING )?INDEX/.test(detail)) return "all of an index";
  if (/^SCAN (?!CONSTANT|\(?subquery)/i.test(detail)) return "every row of the table";
  return /TEMP B-TREE/.test(detail) ? "sorted in memory" : "";
}
