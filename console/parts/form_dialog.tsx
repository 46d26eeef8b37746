/**
 * A window with a form: what is entered, what the server says against it, and the buttons.
 * @module
 */
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { Dialog } from "./dialog.tsx";
import { messageOf } from "./fault.ts";

/** The window. */
export function FormDialog(
  { title, action, isWide = false, isFixed = false, isDanger = false, isDisabled = false, onSave, onClose, children }: {
    readonly title: string;
    /** What the button says. */
    readonly action: string;
    readonly isWide?: boolean;
    /** Whether what it has is shown alone. @default {false} */
    readonly isFixed?: boolean;
    /** Whether something may be lost by it. @default {false} */
    readonly isDanger?: boolean;
    /** Whether what is entered cannot be sent yet. @default {false} */
    readonly isDisabled?: boolean;
    /** Sends it, and closes the window; what it throws is shown. */
    readonly onSave: () => Promise<void>;
    readonly onClose: () => void;
    readonly children: ComponentChildren;
  },
): JSX.Element {
  const [fault, setFault] = useState("");
  const save = async (event: Event) => {
    event.preventDefault();
    try {
      await onSave();
    } catch (error) {
      setFault(messageOf(error));
    }
  };
  return (
    <Dialog title={title} onClose={onClose} isWide={isWide}>
      <form class="form" onSubmit={save}>
        {children}
        {fault !== "" && <p class="note error pre" role="alert">{fault}</p>}
        <footer>
          <button type="button" onClick={onClose}>{isFixed ? "Close" : "Cancel"}</button>
          {!isFixed && (
            <button type="submit" class={isDanger ? "danger" : "primary"} disabled={isDisabled}>{action}</button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}
