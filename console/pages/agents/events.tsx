/**
 * User events: those that the agent has seen last, live, and a form to fire one.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../../api.ts";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { bytesOfBase64 } from "../../consul/kv.ts";
import { hexOf, textOfBytes } from "../../consul/kv_value.ts";
import { useLive } from "../../consul/live.ts";
import { fieldOf, listOf, textOf } from "../../json.ts";
import { Commands } from "../../parts/commands.tsx";
import { tell } from "../../parts/dialog.tsx";
import { FormDialog } from "../../parts/form_dialog.tsx";
import { bytesText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { TableHead } from "../../parts/table_head.tsx";
import { FilterField } from "../../parts/tabs.tsx";
import { TextField } from "../../parts/text_field.tsx";
import { may, session } from "../../session.ts";

/** An event. */
interface UserEvent {
  readonly id: string;
  readonly name: string;
  readonly payload: Uint8Array;
  /** For whom it is: filters of nodes, services and tags that are not empty. */
  readonly target: string;
}

/** What is entered. */
interface Draft {
  readonly name: string;
  readonly payload: string;
  readonly node: string;
  readonly service: string;
  readonly tag: string;
}

const EMPTY: Draft = { name: "", payload: "", node: "", service: "", tag: "" };
/** Characters of a payload in its row. */
const PAYLOAD_MAX = 200;

function eventOf(data: unknown): UserEvent {
  const text = (name: string) => textOf(fieldOf(data, name));
  const target = ["Node", "Service", "Tag"].map((name) => [name.toLowerCase(), text(`${name}Filter`)] as const)
    .filter(([, filter]) => filter !== "");
  return {
    id: text("ID"),
    name: text("Name"),
    payload: bytesOfBase64(text("Payload")),
    target: target.map(([name, filter]) => `${name} ${filter}`).join(", "),
  };
}

/** The page. */
export function EventsPage(): JSX.Element {
  const { value: events, fault } = useLive("v1/event/list", (data) => listOf(data).map(eventOf).reverse());
  const [isFiring, setFiring] = useState(false);
  const [wanted, setWanted] = useState("");
  const found = (events ?? []).filter(({ name, target }) =>
    `${name} ${target}`.toLowerCase().includes(wanted.toLowerCase())
  );
  return (
    <div class={fault === "" ? "page" : "page stale"}>
      <div class="toolbar table-head">
        <h1>User events</h1>
        <span class="spacer" />
        {may("event-write") && (
          <button type="button" class="primary" onClick={() => setFiring(true)}>
            <Icon name="plus" /> Fire an event
          </button>
        )}
      </div>
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      {!events && fault === "" && <p class="muted">Reading…</p>}
      {events?.length === 0 && (
        <div class="empty">
          <h1>No events</h1>
          <p>
            An event is told to all agents by gossip, and watches run programs by it. {session.value.node}{" "}
            has seen none since it started.
          </p>
          <code>muster event -name=deploy v42</code>
        </div>
      )}
      {events && events.length > 0 && (
        <>
          <div class="toolbar page-bar">
            <FilterField label="Find an event" value={wanted} onInput={setWanted} />
          </div>
          <div class="card scroll" tabIndex={0} role="region" aria-label="Events, scrollable">
            <EventTable events={found} />
          </div>
          <p class="muted hint">The last ones for {session.value.node}, the newest first.</p>
        </>
      )}
      {isFiring && <FireForm onClose={() => setFiring(false)} />}
    </div>
  );
}

function EventTable({ events }: { readonly events: readonly UserEvent[] }): JSX.Element {
  return (
    <table class="plain-table">
      <TableHead titles={["Name", "Payload", "Size", "For"]} />
      <tbody>
        {events.map(({ id, name, payload, target }) => {
          const text = textOfBytes(payload) ?? hexOf(payload);
          return (
            <tr key={id}>
              <th scope="row">
                <bdi>{name}</bdi>
                <span class="cause address">{id}</span>
              </th>
              <td class="value-cell" dir="auto">
                {text.length > PAYLOAD_MAX ? `${text.slice(0, PAYLOAD_MAX)}…` : text}
              </td>
              <td class="number">{payload.length === 0 ? "–" : bytesText(payload.length)}</td>
              <td>{target || "all agents"}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The address of an event that is fired. */
function pathOf({ name, node, service, tag }: Draft): string {
  const filters = Object.entries({ node, service, tag }).filter(([, filter]) => filter !== "");
  const query = filters.map(([key, filter]) => `${key}=${encodeURIComponent(filter)}`).join("&");
  return `v1/event/fire/${encodeURIComponent(name)}${query === "" ? "" : `?${query}`}`;
}

function commandsOf(draft: Draft): readonly string[] {
  const { name, payload, node, service, tag } = draft;
  const filters = Object.entries({ node, service, tag }).filter(([, filter]) => filter !== "");
  return [
    curlOf("PUT", pathOf(draft), payload === "" ? {} : { body: payload }),
    musterOf(
      "event",
      `-name=${name}`,
      ...filters.map(([key, filter]) => `-${key}=${filter}`),
      ...(payload ? [payload] : []),
    ),
  ];
}

function FireForm({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [draft, setDraft] = useState(EMPTY);
  const set = (more: Partial<Draft>) => setDraft({ ...draft, ...more });
  const fire = async () => {
    await ask(pathOf(draft), { method: "PUT", ...(draft.payload === "" ? {} : { body: new Blob([draft.payload]) }) });
    tell(`${draft.name} is fired`);
    onClose();
  };
  return (
    <FormDialog title="Fire an event" action="Fire" onSave={fire} onClose={onClose}>
      <p>
        All agents hear of it, in no certain order; watches of those that it is for run. It cannot be called back.
      </p>
      <TextField label="Name" name="event" required value={draft.name} onInput={(name) => set({ name })} />
      <label>
        Payload
        <textarea
          rows={3}
          dir="auto"
          spellcheck={false}
          value={draft.payload}
          onInput={(event) => set({ payload: event.currentTarget.value })}
        />
      </label>
      <div class="fields">
        <TextField label="Nodes like" placeholder="all" value={draft.node} onInput={(node) => set({ node })} />
        <TextField
          label="Services like"
          placeholder="all"
          value={draft.service}
          onInput={(service) => set({ service })}
        />
        <TextField label="Tags like" placeholder="all" value={draft.tag} onInput={(tag) => set({ tag })} />
      </div>
      <Commands commands={commandsOf(draft)} />
    </FormDialog>
  );
}
