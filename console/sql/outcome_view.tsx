/**
 * What came of the statements: a result for each, and plainly which of them failed.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { CellDialog } from "../parts/cell_dialog.tsx";
import { ExportMenu } from "../parts/export_menu.tsx";
import { countText } from "../parts/format.ts";
import { Grid } from "../parts/grid.tsx";
import { Icon } from "../parts/icon.tsx";
import { Plan } from "../parts/plan.tsx";
import { type Answered, type Outcome, outcome } from "../sql_run.ts";
import { useStore } from "../store.ts";

/** Characters of a statement in its tab, and where it is said to have failed. */
const TAB_LENGTH = 24;
const FAILED_LENGTH = 400;

/** What came of them. */
export function OutcomeView(): JSX.Element {
  const found: Outcome = useStore(outcome);
  const { k, answers, text, ms } = found;
  // Another outcome begins with what failed in it.
  const [chosen, setChosen] = useState<{ readonly of: Outcome["answers"]; readonly at: number } | undefined>();
  const failed = answers.findIndex(({ result }) => result.error !== "");
  const at = chosen?.of === answers ? chosen.at : Math.max(0, failed);
  const shown = answers[at];
  if (k === "nothing") {
    return (
      <p class="muted outcome">Ctrl+Enter runs what is selected, or all statements. Ctrl+Space completes a name.</p>
    );
  }
  if (k === "running") return <p class="muted outcome" role="status">Running…</p>;
  if (k === "failed") return <p class="note error outcome" role="alert">{text}</p>;
  return (
    <div class="outcome">
      {answers.length > 1 && (
        <div class="tabs" role="group" aria-label="Statements">
          {answers.map(({ sql, result }, index) => (
            <button
              key={index}
              type="button"
              class={result.error === "" ? undefined : "failed"}
              aria-pressed={index === at}
              title={sql}
              onClick={() => setChosen({ of: answers, at: index })}
            >
              {result.error !== "" && <Icon name="warning" />}
              {index + 1} · {result.error !== "" && "failed: "}
              {sql.slice(0, TAB_LENGTH)}
            </button>
          ))}
        </div>
      )}
      {k === "live" && (
        <p class="live-line" role="status">
          <span class="dot" aria-hidden="true" /> Live, changed at {text}
        </p>
      )}
      {failed >= 0 && <Failed found={found} />}
      {shown && shown.result.error === "" && (k === "plan"
        ? (
          <div class="card">
            <Plan result={shown.result} />
          </div>
        )
        : <Answer key={at} answered={shown} ms={ms} />)}
    </div>
  );
}

/** Says which statements failed, why, and what is with the others. */
function Failed({ found: { k, answers, count, isTransaction } }: { readonly found: Outcome }): JSX.Element {
  const others = k === "plan" || count < 2
    ? ""
    : isTransaction
    ? "Nothing was changed: the statements are one transaction."
    : "The other statements were run.";
  return (
    <div class="note error" role="alert">
      <Icon name="warning" />
      <div>
        {answers.map(({ sql, result: { error } }, at) =>
          error !== "" && (
            <p key={at}>
              {count > 1 && (
                <>
                  <strong>Statement {at + 1} of {count} failed:</strong>{" "}
                  <code>{sql.length > FAILED_LENGTH ? `${sql.slice(0, FAILED_LENGTH)}…` : sql}</code>
                  <br />
                </>
              )}
              {error}
            </p>
          )
        )}
        {others !== "" && <p>{others}</p>}
      </div>
    </div>
  );
}

function Answer({ answered: { result }, ms }: { readonly answered: Answered; readonly ms: number }): JSX.Element {
  const [open, setOpen] = useState<readonly [row: number, column: number] | undefined>();
  const { columns, rows, rowsAffected, seconds } = result;
  const time = seconds === undefined
    ? ""
    : ` · ${(seconds * 1000).toFixed(1)} ms on the node, ${Math.round(ms)} ms in all`;
  if (columns.length === 0) {
    return (
      <p class="note good" role="status">
        <Icon name="good" />
        <span>Done{rowsAffected === undefined ? "" : `: ${countText(rowsAffected, "row")} changed`}{time}</span>
      </p>
    );
  }
  return (
    <>
      <div class="toolbar result-line">
        <span class="muted" role="status">{countText(rows.length, "row")}{ms > 0 ? time : ""}</span>
        <span class="spacer" />
        <ExportMenu columns={columns} rows={() => rows} />
      </div>
      <Grid label="Result" columns={columns} rows={rows} onOpen={(row, column) => setOpen([row, column])} />
      {open && (
        <CellDialog
          title={`${columns[open[1]]}, row ${open[0] + 1}`}
          value={rows[open[0]]?.[open[1]] ?? null}
          onClose={() => setOpen(undefined)}
        />
      )}
    </>
  );
}
