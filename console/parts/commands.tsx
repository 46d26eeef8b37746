/**
 * Texts to take along: a button that copies, and commands that do the same as the page.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { copyText } from "./clipboard.ts";
import { Icon } from "./icon.tsx";

/** A button that copies a text, and says that it has. */
export function CopyButton({ text, label = "Copy" }: { readonly text: string; readonly label?: string }): JSX.Element {
  const [said, setSaid] = useState("");
  const copy = async () => setSaid(await copyText(text) ? "Copied" : "Cannot copy");
  return (
    <button type="button" onClick={copy} onBlur={() => setSaid("")}>
      <Icon name={said === "Copied" ? "good" : "copy"} /> <span aria-live="polite">{said || label}</span>
    </button>
  );
}

/** Commands, one in a line. */
export function Commands(
  { commands, title = "The same from a terminal:" }: {
    readonly commands: readonly string[];
    /** What is said before them. */
    readonly title?: string;
  },
): JSX.Element | null {
  if (commands.length === 0) return null;
  const text = commands.join("\n");
  return (
    <div class="commands">
      <p class="muted">{title}</p>
      <pre class="code" tabIndex={0} aria-label="Commands">{text}</pre>
      <CopyButton text={text} label={commands.length > 1 ? "Copy the commands" : "Copy the command"} />
    </div>
  );
}
