/**
 * What a key held before, the newest first.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askJson } from "../../api.ts";
import { type Entry, entryOf, pathOf } from "../../consul/kv.ts";
import { listOf } from "../../json.ts";
import { messageOf } from "../../parts/fault.ts";
import { bytesText } from "../../parts/format.ts";
import { ValueView } from "./value_view.tsx";

/** The history. @param version Another one has it read again. */
export function KeyHistory({ name, version }: { readonly name: string; readonly version: number }): JSX.Element {
  const [entries, setEntries] = useState<readonly Entry[] | undefined>();
  const [fault, setFault] = useState("");
  const [open, setOpen] = useState(0);
  useEffect(() => {
    let isHere = true;
    askJson(`${pathOf(name)}?history`).then(
      (found) => isHere && (setEntries(listOf(found).map(entryOf)), setFault("")),
      (error) => isHere && setFault(messageOf(error)),
    );
    return () => {
      isHere = false;
    };
  }, [name, version]);
  if (fault !== "") return <p class="note error" role="alert">{fault}</p>;
  if (!entries) return <p class="muted">Reading…</p>;
  if (entries.length === 0) return <p class="note">Nothing is known of what it held.</p>;
  const shown = entries[Math.min(open, entries.length - 1)];
  return (
    <div class="key-history">
      <ol class="card" aria-label="Versions">
        {entries.map(({ modifyIndex, modifiedMs, isDeleted, value }, at) => (
          <li key={modifyIndex}>
            <button type="button" class="plain" aria-pressed={at === open} onClick={() => setOpen(at)}>
              <span class="number">{modifyIndex}</span>
              <span>{modifiedMs === undefined ? "–" : new Date(modifiedMs).toLocaleString()}</span>
              <span class="muted">{isDeleted ? "deleted later" : bytesText(value.length)}</span>
            </button>
          </li>
        ))}
      </ol>
      <section class="card" aria-label="The version">
        <ValueView key={shown.modifyIndex} value={shown.value} />
        {shown.isDeleted && <p class="note warning">The key was deleted when it held this.</p>}
      </section>
    </div>
  );
}
