/**
 * The value of a key, as people read it.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { shownAs, type View, viewsOf } from "../../consul/kv_value.ts";
import { CopyButton } from "../../parts/commands.tsx";

/** Bytes in the view that suits them, or another. */
export function ValueView({ value }: { readonly value: Uint8Array }): JSX.Element {
  const views = viewsOf(value);
  const [chosen, setChosen] = useState<View | undefined>();
  const view = chosen && views.includes(chosen) ? chosen : views[0];
  const shown = shownAs(view, value);
  return (
    <>
      <div class="toolbar value-bar">
        <h2 id="value-title">Value</h2>
        <div class="tabs" role="group" aria-label="Shown as">
          {views.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === view}
              onClick={() => setChosen(one)}
            >
              {one}
            </button>
          ))}
        </div>
        <span class="spacer" />
        <CopyButton text={shown} />
      </div>
      {value.length === 0
        ? <p class="muted">It is empty.</p>
        : <pre class="code value" dir="auto" tabIndex={0} aria-label="Value">{shown}</pre>}
    </>
  );
}
