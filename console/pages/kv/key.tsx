/**
 * A key: what it holds, live; a form to change it, which writes only if nobody else has; and what it held before.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { deleteKey, type Entry, entryOf, pathOf } from "../../consul/kv.ts";
import { useEditing } from "../../consul/kv_watch.tsx";
import { useLive } from "../../consul/live.ts";
import { listOf } from "../../json.ts";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { bytesText, spanText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { goTo, linkTo } from "../../router.ts";
import { may } from "../../session.ts";
import { KeyForm } from "./edit.tsx";
import { Crumbs } from "./folder.tsx";
import { KeyHistory } from "./history.tsx";
import { ValueView } from "./value_view.tsx";

/** The key. */
export function KeyPart({ name, onChanged }: { readonly name: string; readonly onChanged: () => void }): JSX.Element {
  const { value: entry, fault, status, renew } = useLive(pathOf(name), (data) => entryOf(listOf(data)[0]));
  const [mode, setMode] = useState<"read" | "history">("read");
  // What the key was when it was opened to be changed: it may be deleted meanwhile, and what was typed must not be lost.
  const [edited, setEdited] = useState<Entry | undefined>();
  useEditing(edited !== undefined);
  const isMissing = status === 404;
  return (
    <>
      <Crumbs name={name} />
      <div class="toolbar table-head">
        <h1>
          <bdi>{name.slice(name.lastIndexOf("/") + 1)}</bdi>
        </h1>
        {(["read", "history"] as const).map((one) => (
          <button
            key={one}
            type="button"
            class="plain"
            aria-pressed={one === mode}
            onClick={() => setMode(one)}
          >
            {one === "read" ? "Value" : "History"}
          </button>
        ))}
        <span class="spacer" />
        {entry && mode === "read" && !edited && may("kv-write") && (
          <>
            <button type="button" class="primary" onClick={() => setEdited(entry)}>Edit</button>
            <button type="button" class="danger" onClick={() => remove(entry, onChanged)}>
              <Icon name="trash" /> Delete
            </button>
          </>
        )}
      </div>
      {fault !== "" && !isMissing && <p class="note error" role="alert">{fault}</p>}
      {isMissing && mode !== "history" && <p class="note">There is no such key (any more).</p>}
      {mode === "history" ? <KeyHistory name={name} version={entry?.modifyIndex ?? 0} /> : edited
        ? (
          <KeyForm
            entry={entry ?? edited}
            onDone={() => {
              setEdited(undefined);
              renew();
            }}
          />
        )
        : entry && <KeyValue entry={entry} />}
    </>
  );
}

/** Deletes a key, if that is wanted, and leads to its folder. */
async function remove(entry: Entry, onChanged: () => void): Promise<void> {
  const { key, modifyIndex, session } = entry;
  const isSure = await confirmed({
    title: `Delete ${key}?`,
    text: `The key is deleted, unless somebody changes it meanwhile.${
      session === "" ? "" : " It is locked: the lock is lost with it."
    } Its history still has what it held.`,
    action: "Delete the key",
    commands: [
      curlOf("DELETE", `${pathOf(key)}?cas=${modifyIndex}`),
      musterOf("kv", "delete", "-cas", `-modify-index=${modifyIndex}`, key),
    ],
  });
  if (!isSure) return;
  try {
    if (!await deleteKey(entry)) return tell("Not deleted: it has changed meanwhile", { isError: true });
    tell(`${key} is deleted`);
    onChanged();
    const folder = key.slice(0, key.lastIndexOf("/") + 1);
    if (folder === "") goTo("kv");
    else goTo("kv", "folder", folder);
  } catch (error) {
    tell(messageOf(error), { isError: true });
  }
}

function KeyValue({ entry }: { readonly entry: Entry }): JSX.Element {
  return (
    <>
      <KeyFacts entry={entry} />
      <section class="card" aria-labelledby="value-title">
        <ValueView value={entry.value} />
      </section>
    </>
  );
}

/** What is known of a key besides its value. */
function KeyFacts(
  { entry: { value, flags, session, lockIndex, createIndex, modifyIndex, expiresMs } }: { readonly entry: Entry },
): JSX.Element {
  const facts: readonly (readonly [title: string, shown: string | number])[] = [
    ["Size", bytesText(value.length)],
    ["Changed at index", modifyIndex],
    ["Created at index", createIndex],
    ["Flags", flags],
    ["Expires", expiresMs === undefined ? "never" : `in ${spanText(expiresMs - Date.now())}`],
    ["Locked so far", lockIndex === 1 ? "once" : `${lockIndex} times`],
  ];
  return (
    <dl class="pairs key-facts">
      {facts.map(([title, shown]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{shown}</dd>
        </div>
      ))}
      <div>
        <dt>Locked by</dt>
        <dd>{session === "" ? "nobody" : <a href={linkTo("sessions")}>{session}</a>}</dd>
      </div>
    </dl>
  );
}
