/**
 * Entries of configuration: those of each kind, live; they are changed as JSON, if nobody else has meanwhile.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../../api.ts";
import { useLive } from "../../consul/live.ts";
import { run } from "../../consul/run.ts";
import { fieldOf, listOf, numberOf, textOf } from "../../json.ts";
import { tell } from "../../parts/dialog.tsx";
import { Icon } from "../../parts/icon.tsx";
import { JsonForm, jsonText } from "../../parts/json_form.tsx";
import { TableHead } from "../../parts/table_head.tsx";
import { may } from "../../session.ts";

/** The kinds, each with what it is for and an example. */
const KINDS = [
  {
    kind: "service-defaults",
    title: "Defaults of services",
    text: "Kept and shown for programs that read them; nothing here acts on them.",
    example: { Kind: "service-defaults", Name: "", Protocol: "http" },
  },
  {
    kind: "proxy-defaults",
    title: "Defaults of proxies",
    text: "Kept and shown for programs that read them; nothing here acts on them.",
    example: { Kind: "proxy-defaults", Name: "global", Config: {} },
  },
  {
    kind: "kv-history",
    title: "History of keys",
    text: "How much of what keys held before is kept: the cluster keeps to it.",
    example: { Kind: "kv-history", Name: "global", MaxBytes: 67108864, MaxAge: "720h" },
  },
] as const;

type Kind = (typeof KINDS)[number];

/** An entry. */
interface Entry {
  readonly kind: string;
  readonly name: string;
  readonly modifyIndex: number;
  readonly definition: unknown;
}

/** Fields that the node writes itself. */
const OWN_FIELDS = ["CreateIndex", "ModifyIndex"];
/** Characters of an entry in its row. */
const SHOWN_MAX = 200;

function entryOf(data: unknown): Entry {
  return {
    kind: textOf(fieldOf(data, "Kind")),
    name: textOf(fieldOf(data, "Name")),
    modifyIndex: numberOf(fieldOf(data, "ModifyIndex")) ?? 0,
    definition: Object.fromEntries(Object.entries(Object(data)).filter(([name]) => !OWN_FIELDS.includes(name))),
  };
}

/** What an entry says, without its kind and name. */
function contentOf({ definition }: Entry): string {
  const { Kind: _, Name: __, ...content } = Object(definition);
  const text = JSON.stringify(content);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** The page. */
export function ConfigPage(): JSX.Element {
  return (
    <div class="page">
      <h1>Entries of configuration</h1>
      {KINDS.map((kind) => <KindPart key={kind.kind} kind={kind} />)}
    </div>
  );
}

function KindPart({ kind: { kind, title, text, example } }: { readonly kind: Kind }): JSX.Element {
  const { value: entries, fault } = useLive(`v1/config/${kind}`, (data) => listOf(data).map(entryOf));
  const [edited, setEdited] = useState<Entry | "new" | undefined>();
  const save = async (body: string) => {
    const index = edited === "new" || !edited ? 0 : edited.modifyIndex;
    const response = await ask(`v1/config?cas=${index}`, { method: "PUT", body });
    if ((await response.text()).trim() !== "true") {
      throw new Error(
        index === 0
          ? "There is such an entry already"
          : "Not saved: somebody has changed the entry since you opened it",
      );
    }
    tell("Saved");
  };
  return (
    <section class="card" aria-labelledby={`${kind}-title`}>
      <div class="toolbar">
        <h2 id={`${kind}-title`}>{title}</h2>
        <code>{kind}</code>
        <span class="spacer" />
        {may("operator-write") && (
          <button
            type="button"
            onClick={() => setEdited("new")}
            aria-label={`New entry: ${title}`}
          >
            <Icon name="plus" /> New entry
          </button>
        )}
      </div>
      <p class="muted">{text}</p>
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      {!entries && fault === "" && <p class="muted">Reading…</p>}
      {entries?.length === 0 && <p class="muted">There is none.</p>}
      {entries && entries.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, scrollable`}>
          <EntryTable entries={entries} onEdit={setEdited} />
        </div>
      )}
      {edited && (
        <JsonForm
          title={edited === "new" ? `New entry: ${title}` : `${edited.kind} ${edited.name}`}
          label="Definition"
          text={jsonText(edited === "new" ? example : edited.definition)}
          hint="The fields are those of Consul's API."
          action="Save"
          isReadOnly={!may("operator-write")}
          onSave={save}
          onClose={() => setEdited(undefined)}
        />
      )}
    </section>
  );
}

function EntryTable(
  { entries, onEdit }: { readonly entries: readonly Entry[]; readonly onEdit: (entry: Entry) => void },
): JSX.Element {
  return (
    <table class="plain-table">
      <TableHead titles={["Name", "Says", "Changed at"]} hasActions />
      <tbody>
        {entries.map((entry) => (
          <tr key={entry.name}>
            <th scope="row">
              <bdi>{entry.name}</bdi>
            </th>
            <td class="value-cell" dir="auto">{contentOf(entry)}</td>
            <td class="number">{entry.modifyIndex}</td>
            <td class="row-actions">
              <button type="button" onClick={() => onEdit(entry)}>{may("operator-write") ? "Change" : "Show"}</button>
              {may("operator-write") && (
                <button type="button" class="danger" onClick={() => remove(entry)}>Delete</button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function remove({ kind, name }: Entry): Promise<unknown> {
  return run({
    title: `Delete ${kind} ${name}?`,
    text: kind === "kv-history"
      ? "The history of keys has its usual limits again."
      : "Programs that read the entry find it no more; nothing else changes.",
    action: "Delete the entry",
    method: "DELETE",
    path: `v1/config/${kind}/${name.split("/").map(encodeURIComponent).join("/")}`,
    done: "Deleted",
  });
}
