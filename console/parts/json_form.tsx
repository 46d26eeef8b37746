/**
 * A window with a text to change, such as JSON or rules; what the server says against it is shown below it.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { toJson } from "../json.ts";
import { messageOf } from "./fault.ts";
import { FormDialog } from "./form_dialog.tsx";
import { prettyJson } from "./pretty_json.ts";

/** JSON as it is shown to be changed. */
export function jsonText(value: unknown): string {
  const text = toJson(value);
  return prettyJson(text) ?? text;
}

/** The window. */
export function JsonForm(
  { title, label, text, hint, action, isReadOnly = false, onSave, onClose }: {
    readonly title: string;
    readonly label: string;
    readonly text: string;
    readonly hint?: string;
    readonly action: string;
    /** Whether it is shown alone. @default {false} */
    readonly isReadOnly?: boolean;
    /** Sends it; what it throws is shown. */
    readonly onSave: (text: string) => Promise<void>;
    readonly onClose: () => void;
  },
): JSX.Element {
  const [draft, setDraft] = useState(text);
  const save = async () => {
    try {
      JSON.parse(draft);
    } catch (error) {
      throw new Error(`This is no JSON: ${messageOf(error)}`);
    }
    await onSave(draft);
    onClose();
  };
  return (
    <FormDialog title={title} action={action} isWide isFixed={isReadOnly} onSave={save} onClose={onClose}>
      <label>
        {label}
        <textarea
          rows={Math.min(24, Math.max(10, draft.split("\n").length + 1))}
          spellcheck={false}
          readOnly={isReadOnly}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
      </label>
      {hint && <p class="muted">{hint}</p>}
    </FormDialog>
  );
}
