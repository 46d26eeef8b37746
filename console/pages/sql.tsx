/**
 * SQL: an editor, and what came of its statements.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { readTables } from "../database.ts";
import type { Column } from "../table.ts";
import { tell } from "../parts/dialog.tsx";
import { Editor } from "../parts/editor.tsx";
import type { SqlEditor, SqlSchema } from "../parts/editor_view.ts";
import { Icon } from "../parts/icon.tsx";
import type { KeptEntry, KeptList } from "../parts/kept_list.ts";
import { place, takenQuery } from "../router.ts";
import { may } from "../session.ts";
import { AskNode } from "../sql/ask_node.tsx";
import { OutcomeView } from "../sql/outcome_view.tsx";
import { WriteLock } from "../sql/write_lock.tsx";
import { draft, explain, goLive, LEVELS, outcome, past, run, saved, settings, stop, takeOver } from "../sql_run.ts";
import { useStore } from "../store.ts";

const PARAMETERS_EXAMPLE = '[1, "two"] or {"id": 1}';

/** The page. */
export function SqlPage(): JSX.Element {
  const text = useStore(draft);
  const [schema, setSchema] = useState<SqlSchema>({});
  const [side, setSide] = useState<"" | "history" | "saved">("");
  const editor = useRef<SqlEditor | undefined>(undefined);
  const { k } = useStore(outcome);
  const readSchema = () => {
    readTables().then((tables) => setSchema(schemaOf(tables)), () => {}); // there is no completion, then
  };
  useEffect(readSchema, []);
  useEffect(() => {
    const take = () => takeOver(takenQuery());
    take();
    return place.watch(take);
  }, []);
  // What is selected, or else all.
  const wanted = () => editor.current?.selected().trim() || draft.value;
  const isRunning = k === "running" || k === "live";
  const start = () => {
    run(wanted()).then(() => settings.value.isUnlocked && readSchema());
  };
  return (
    <div class="sql-page">
      <h1 class="visually-hidden">SQL</h1>
      <div class="sql-main">
        <div class="toolbar">
          {isRunning
            ? (
              <button type="button" class="danger" onClick={stop}>
                <Icon name="stop" /> Stop
              </button>
            )
            : (
              <button type="button" class="primary" onClick={start} title="Ctrl+Enter; runs what is selected, or all">
                <Icon name="play" /> Run
              </button>
            )}
          <button type="button" disabled={isRunning} onClick={() => explain(wanted())}>
            <Icon name="plan" /> Plan
          </button>
          <button
            type="button"
            disabled={isRunning}
            onClick={() => goLive(wanted())}
            title="Follow the result as it changes"
          >
            <Icon name="live" /> Live
          </button>
          <Settings />
          <span class="spacer" />
          <span class="toolbar">
            <button type="button" class="plain" onClick={() => keep(draft.value)}>
              <Icon name="star" /> Save
            </button>
            <button
              type="button"
              class="plain"
              aria-pressed={side === "saved"}
              onClick={() => setSide(side === "saved" ? "" : "saved")}
            >
              Saved
            </button>
            <button
              type="button"
              class="plain"
              aria-pressed={side === "history"}
              onClick={() => setSide(side === "history" ? "" : "history")}
            >
              <Icon name="history" /> History
            </button>
          </span>
        </div>
        <Editor draft={draft} schema={schema} onRun={start} handle={editor} />
        <Parameters text={text} />
        <OutcomeView />
      </div>
      {side !== "" && (
        <Side key={side} title={side === "saved" ? "Saved" : "History"} list={side === "saved" ? saved : past} />
      )}
    </div>
  );
}

function schemaOf(tables: readonly { readonly name: string; readonly columns: readonly Column[] }[]): SqlSchema {
  return Object.fromEntries(tables.map(({ name, columns }) => [name, columns.map((column) => column.name)]));
}

function keep(text: string): void {
  if (text.trim() === "") return;
  saved.add(text, "");
  tell("Saved in this browser");
}

/** Level, transaction, and the lock. */
function Settings(): JSX.Element {
  const { level, isUnlocked, isTransaction } = useStore(settings);
  const set = (more: Partial<typeof settings.value>) => settings.value = { ...settings.value, ...more };
  return (
    <>
      <label title="How current a read must be">
        Level
        <select value={level} onChange={(event) => set({ level: event.currentTarget.value })}>
          {LEVELS.map((one) => <option key={one} value={one}>{one}</option>)}
        </select>
      </label>
      <AskNode />
      <WriteLock />
      {isUnlocked && may("execute") && (
        <label>
          <input
            type="checkbox"
            checked={isTransaction}
            onChange={(event) => set({ isTransaction: event.currentTarget.checked })}
          />
          One transaction
        </label>
      )}
    </>
  );
}

/** The field for parameters, where there seem to be some. */
function Parameters({ text }: { readonly text: string }): JSX.Element | null {
  const { parameters } = useStore(settings);
  if (parameters === "" && !/[?:@$]\w*/.test(text.replaceAll(/'[^']*'/g, ""))) return null;
  return (
    <label class="parameters">
      Parameters
      <input
        value={parameters}
        placeholder={PARAMETERS_EXAMPLE}
        spellcheck={false}
        onInput={(event) => settings.value = { ...settings.value, parameters: event.currentTarget.value }}
      />
    </label>
  );
}

function Side({ title, list }: { readonly title: string; readonly list: KeptList }): JSX.Element {
  const entries = useStore(list.entries);
  const [wanted, setWanted] = useState("");
  const shown = entries.filter(({ text }) => text.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <aside class="card side" aria-label={title}>
      <h2>{title}</h2>
      <input
        type="search"
        aria-label={`Search in ${title.toLowerCase()}`}
        placeholder="Search"
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
      />
      {shown.length === 0 && <p class="muted">Nothing{wanted === "" ? " yet" : " found"}.</p>}
      <ul>
        {shown.map((entry) => <Kept key={entry.text} entry={entry} list={list} />)}
      </ul>
    </aside>
  );
}

function Kept(
  { entry: { text, atMs, note }, list }: { readonly entry: KeptEntry; readonly list: KeptList },
): JSX.Element {
  return (
    <li>
      <button type="button" class="kept" onClick={() => draft.value = text} title="Take into the editor">
        <code>{text.slice(0, 300)}</code>
        <span class="muted">{new Date(atMs).toLocaleString()}{note === "" ? "" : ` · ${note}`}</span>
      </button>
      <button type="button" class="plain" aria-label="Forget it" onClick={() => list.remove(text)}>
        <Icon name="close" />
      </button>
    </li>
  );
}
