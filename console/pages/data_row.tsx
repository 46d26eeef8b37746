/**
 * A new row: a field for each column.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Column, Table } from "../table.ts";
import { Dialog } from "../parts/dialog.tsx";
import { type Kind, parseValue, type Value } from "../parts/value.ts";

/** What a field says. */
interface Entry {
  /** Empty: the column's default. */
  readonly kind: Kind | "";
  readonly text: string;
}

const KINDS: readonly (Kind | "")[] = ["", "text", "integer", "real", "blob", "null"];
const STANDARD: Entry = { kind: "", text: "" };

/** The window. */
export function RowDialog(
  { table, onClose, onSave }: {
    readonly table: Table;
    readonly onClose: () => void;
    readonly onSave: (values: ReadonlyMap<number, Value>) => void;
  },
): JSX.Element {
  const [entries, setEntries] = useState<readonly Entry[]>(table.columns.map(() => STANDARD));
  const parsed = entries.map(({ kind, text }) => kind === "" ? undefined : parseValue(kind, text));
  const wrong = entries.findIndex(({ kind }, at) => kind !== "" && parsed[at] === undefined);
  const set = (at: number, entry: Entry) => setEntries(entries.map((one, index) => index === at ? entry : one));
  const save = (event: Event) => {
    event.preventDefault();
    if (wrong >= 0) return;
    onSave(new Map(parsed.flatMap((value, at) => value === undefined ? [] : [[at, value] as const])));
  };
  return (
    <Dialog title={`New row of ${table.name}`} onClose={onClose}>
      <form onSubmit={save} class="row-form">
        {table.columns.map((column, at) =>
          column.isGenerated
            ? null
            : <Field key={column.name} column={column} entry={entries[at]} onChange={(entry) => set(at, entry)} />
        )}
        {wrong >= 0 && (
          <p class="note error" role="alert">{table.columns[wrong].name}: this is no {entries[wrong].kind}</p>
        )}
        <footer>
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" class="primary" disabled={wrong >= 0}>Add</button>
        </footer>
      </form>
    </Dialog>
  );
}

/** The kind that is likely meant for a column. */
function likelyKind({ type }: Column, text: string): Kind {
  if (/int/i.test(type)) return "integer";
  if (/real|floa|doub|num|dec/i.test(type)) return /^[+-]?\d+$/.test(text) ? "integer" : "real";
  return /blob/i.test(type) ? "blob" : "text";
}

function Field(
  { column, entry: { kind, text }, onChange }: {
    readonly column: Column;
    readonly entry: Entry;
    readonly onChange: (entry: Entry) => void;
  },
): JSX.Element {
  const { name, type, isRequired, standard, keyPlace } = column;
  const hint = [
    type.toLowerCase(),
    keyPlace > 0 ? "key" : "",
    isRequired ? "required" : "",
    standard === "" ? "" : `default ${standard}`,
  ].filter((one) => one !== "").join(", ");
  return (
    <div class="row-field">
      <label for={`field ${name}`}>
        <bdi>{name}</bdi> <span class="muted">{hint}</span>
      </label>
      <div class="toolbar">
        <input
          id={`field ${name}`}
          dir="auto"
          value={text}
          disabled={kind === "null"}
          onInput={(event) => {
            const entered = event.currentTarget.value;
            const isNew = kind === "" || text === "";
            onChange({ kind: isNew ? likelyKind(column, entered) : kind, text: entered });
          }}
        />
        <select
          aria-label={`Type of ${name}`}
          value={kind}
          onChange={(event) => onChange({ kind: KINDS.find((one) => one === event.currentTarget.value) ?? "", text })}
        >
          {KINDS.map((one) => (
            <option key={one} value={one}>{one === "" ? "default" : one === "null" ? "NULL" : one}</option>
          ))}
        </select>
      </div>
    </div>
  );
}
