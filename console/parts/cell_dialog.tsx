/**
 * A single value in a window: all of it, and where it may be changed, another one.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Dialog, tell } from "./dialog.tsx";
import { copyText } from "./clipboard.ts";
import { bytesText } from "./format.ts";
import { Icon } from "./icon.tsx";
import { fullText, type Kind, kindOf, parseValue, type Value } from "./value.ts";

/** More of a value is not shown, as browsers take long with it; it can be copied. */
const SHOWN_MAX = 200_000;
const KINDS: readonly Kind[] = ["text", "integer", "real", "blob", "null"];

/** The window. */
export function CellDialog(
  { title, value, onClose, onSave, onRemove, isRemoved = false }: {
    readonly title: string;
    readonly value: Value;
    readonly onClose: () => void;
    /** Absent where it may not be changed. */
    readonly onSave?: ((value: Value) => void) | undefined;
    /** Deletes the row, or takes that back; absent where that may not be done. */
    readonly onRemove?: (() => void) | undefined;
    readonly isRemoved?: boolean;
  },
): JSX.Element {
  const text = value === null ? "" : fullText(value);
  const isLong = text.length > SHOWN_MAX;
  const [kind, setKind] = useState(kindOf(value));
  const [entered, setEntered] = useState(text.slice(0, SHOWN_MAX));
  const parsed = parseValue(kind, entered);
  const save = (event: Event) => {
    event.preventDefault();
    if (parsed !== undefined) onSave?.(parsed);
  };
  const copy = () => copyText(fullText(value)).then((isDone) => tell(isDone ? "Copied" : "Cannot copy"));
  return (
    <Dialog title={title} onClose={onClose} isWide={text.length > 300}>
      <form onSubmit={save}>
        <p class="muted">
          {kindOf(value)}
          {typeof value === "string" && `, ${bytesText(new Blob([value]).size)}`}
          {isLong && `; the first ${SHOWN_MAX.toLocaleString("en")} characters are shown, copy has all of them`}
        </p>
        {onSave && !isLong && (
          <label class="field">
            Type
            <select
              value={kind}
              onChange={(event) => setKind(KINDS.find((one) => one === event.currentTarget.value) ?? "text")}
            >
              {KINDS.map((one) => <option key={one} value={one}>{one === "null" ? "NULL" : one}</option>)}
            </select>
          </label>
        )}
        {kind !== "null" && (
          <textarea
            class="cell-value"
            aria-label="Value"
            dir="auto"
            rows={Math.min(18, Math.max(3, Math.ceil(entered.length / 70)))}
            readOnly={!onSave || isLong}
            value={entered}
            onInput={(event) => setEntered(event.currentTarget.value)}
          />
        )}
        {kind === "null" && <p class="null">NULL</p>}
        {parsed === undefined && <p class="note error" role="alert">This is no {kind}</p>}
        <footer>
          {onRemove && (
            <button type="button" class="danger" onClick={onRemove}>
              <Icon name="trash" /> {isRemoved ? "Keep the row" : "Delete the row"}
            </button>
          )}
          <span class="spacer" />
          <button type="button" onClick={copy}>Copy</button>
          {onSave && !isLong && (
            <button type="submit" class="primary" disabled={parsed === undefined}>
              Take over
            </button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}
