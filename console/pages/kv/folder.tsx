/**
 * A folder of keys: what lies in it, with all below it if that is wanted.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, ask, askJson } from "../../api.ts";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { countBelow, type Entry, entryOf, pathOf, writeKey } from "../../consul/kv.ts";
import { useEditing } from "../../consul/kv_watch.tsx";
import { hexOf, textOfBytes } from "../../consul/kv_value.ts";
import { listOf } from "../../json.ts";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { FormDialog } from "../../parts/form_dialog.tsx";
import { bytesText, countText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { FilterField } from "../../parts/tabs.tsx";
import { goTo, linkTo } from "../../router.ts";
import { may } from "../../session.ts";
import { childrenOf, placeOf } from "./tree.tsx";
import { TextField } from "../../parts/text_field.tsx";

/** Rows that are drawn, and characters of a value in a row. */
const SHOWN_MAX = 500;
const VALUE_MAX = 120;

/** The way to a folder, as links. */
export function Crumbs({ name }: { readonly name: string }): JSX.Element {
  const parts = name.split("/").slice(0, name.endsWith("/") ? -2 : -1);
  return (
    <p class="crumbs">
      <a href={linkTo("kv")}>All keys</a>
      {parts.map((part, at) => (
        <span key={at}>
          {" / "}
          <a href={placeOf(`${parts.slice(0, at + 1).join("/")}/`)}>
            <bdi>{part || "(empty)"}</bdi>
          </a>
        </span>
      ))}
    </p>
  );
}

/** The folder. */
export function FolderPart(
  { prefix, version, onChanged }: {
    readonly prefix: string;
    readonly version: number;
    readonly onChanged: () => void;
  },
): JSX.Element {
  const [isDeep, setDeep] = useState(false);
  const [isAdding, setAdding] = useState(false);
  const [wanted, setWanted] = useState("");
  useEditing(isAdding);
  const remove = async () => {
    try {
      const count = await countBelow(prefix);
      const isSure = await confirmed({
        title: `Delete ${prefix}?`,
        text: `${countText(count, "key")} below ${prefix} ${count === 1 ? "is" : "are"} deleted. ` +
          "Locks among them are lost. The history of the keys still has what they held.",
        action: `Delete ${countText(count, "key")}`,
        commands: [curlOf("DELETE", `${pathOf(prefix)}?recurse`), musterOf("kv", "delete", "-recurse", prefix)],
      });
      if (!isSure) return;
      await ask(`${pathOf(prefix)}?recurse`, { method: "DELETE" });
      tell(`${prefix} is deleted`);
      onChanged();
      goTo("kv");
    } catch (error) {
      tell(messageOf(error), { isError: true });
    }
  };
  return (
    <>
      {prefix !== "" && <Crumbs name={prefix} />}
      <div class="toolbar table-head">
        <h1>{prefix === "" ? "Key/value" : <bdi>{prefix.replace(/^.*\/(?=.)/, "")}</bdi>}</h1>
        <span class="spacer" />
        {may("kv-write") && (
          <button type="button" class="primary" onClick={() => setAdding(true)}>
            <Icon name="plus" /> New key
          </button>
        )}
        {may("kv-write") && prefix !== "" && (
          <button type="button" class="danger" onClick={remove}>
            <Icon name="trash" /> Delete the folder
          </button>
        )}
      </div>
      <div class="toolbar page-bar">
        <FilterField label="Filter the keys" value={wanted} onInput={setWanted} />
        <label>
          <input type="checkbox" checked={isDeep} onChange={(event) => setDeep(event.currentTarget.checked)} />
          All below, with values
        </label>
      </div>
      <FolderRows prefix={prefix} isDeep={isDeep} version={version} wanted={wanted} />
      {isAdding && <NewKey prefix={prefix} onClose={() => setAdding(false)} onChanged={onChanged} />}
    </>
  );
}

function FolderRows(
  { prefix, isDeep, version, wanted }: {
    readonly prefix: string;
    readonly isDeep: boolean;
    readonly version: number;
    readonly wanted: string;
  },
): JSX.Element {
  const [rows, setRows] = useState<readonly (string | Entry)[] | undefined>();
  const [fault, setFault] = useState("");
  useEffect(() => {
    let isHere = true;
    const read = isDeep
      ? askJson(`${pathOf(prefix)}?recurse`).then((found) => listOf(found).map(entryOf)).catch((error) => {
        if (error instanceof ApiError && error.status === 404) return [];
        throw error;
      })
      : childrenOf(prefix);
    read.then((found) => isHere && (setRows(found), setFault("")), (error) => isHere && setFault(messageOf(error)));
    return () => {
      isHere = false;
    };
  }, [prefix, isDeep, version]);
  if (fault !== "") return <p class="note error" role="alert">{fault}</p>;
  if (!rows) return <p class="muted">Reading…</p>;
  const nameOf = (row: string | Entry) => typeof row === "string" ? row : row.key;
  const found = rows.filter((row) => nameOf(row).toLowerCase().includes(wanted.toLowerCase()));
  if (rows.length === 0 && prefix === "") {
    return (
      <div class="empty">
        <h1>No keys yet</h1>
        <p>Programs keep settings and locks here. A slash in a key makes a folder.</p>
        <code>muster kv put app/color blue</code>
      </div>
    );
  }
  return (
    <div class="card scroll" tabIndex={0} role="region" aria-label="Keys, scrollable">
      <table class="plain-table">
        <thead>
          <tr>
            {(isDeep ? ["Key", "Value", "Size", "Flags", "Locked", "Changed at"] : ["Name", "Kind"]).map((title) => (
              <th key={title} scope="col">{title}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.slice(0, SHOWN_MAX).map((row) => {
            const name = nameOf(row);
            return (
              <tr key={name}>
                <th scope="row">
                  <a href={placeOf(name)}>
                    <bdi>{name.slice(prefix.length) || name}</bdi>
                  </a>
                </th>
                {typeof row === "string" ? <td>{row.endsWith("/") ? "folder" : "key"}</td> : <EntryCells entry={row} />}
              </tr>
            );
          })}
        </tbody>
      </table>
      {found.length === 0 && (
        <p class="muted">{rows.length === 0 ? "There is nothing here (any more)." : "No key is called so."}</p>
      )}
      {found.length > SHOWN_MAX && <p class="muted">{found.length - SHOWN_MAX} more: filter to see them.</p>}
    </div>
  );
}

function EntryCells({ entry: { value, flags, session, modifyIndex } }: { readonly entry: Entry }): JSX.Element {
  const text = textOfBytes(value.subarray(0, VALUE_MAX * 4)) ?? hexOf(value.subarray(0, VALUE_MAX / 3));
  return (
    <>
      <td class="value-cell" dir="auto">{text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text}</td>
      <td class="number">{bytesText(value.length)}</td>
      <td class="number">{flags}</td>
      <td>{session === "" ? "–" : "yes"}</td>
      <td class="number">{modifyIndex}</td>
    </>
  );
}

/** A form for a key that is not there yet. */
function NewKey(
  { prefix, onClose, onChanged }: {
    readonly prefix: string;
    readonly onClose: () => void;
    readonly onChanged: () => void;
  },
): JSX.Element {
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const save = async () => {
    const key = `${prefix}${name}`;
    const isDone = await writeKey(key, new TextEncoder().encode(text), { cas: 0, flags: "0", ttl: "" });
    if (!isDone) throw new Error(`There is a key ${key} already: open it to change it`);
    onChanged();
    onClose();
    goTo("kv", key.endsWith("/") ? "folder" : "key", key);
  };
  return (
    <FormDialog
      title={prefix === "" ? "New key" : `New key in ${prefix}`}
      action="Create"
      onSave={save}
      onClose={onClose}
    >
      <TextField label="Key" name="key" required value={name} onInput={setName} />
      <label>
        Value
        <textarea
          rows={6}
          dir="auto"
          spellcheck={false}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <p class="muted">A slash makes folders. A key that ends in one is a folder without a value.</p>
    </FormDialog>
  );
}
