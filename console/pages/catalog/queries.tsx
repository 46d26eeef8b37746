/**
 * Prepared queries: kept questions for services, which DNS and HTTP answer by their name.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, askJson } from "../../api.ts";
import { curlOf } from "../../consul/commands.ts";
import { useLive } from "../../consul/live.ts";
import { fieldOf, listOf, numberOf, textOf } from "../../json.ts";
import { confirmed, Dialog, tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { Icon } from "../../parts/icon.tsx";
import { JsonForm, jsonText } from "../../parts/json_form.tsx";
import { may } from "../../session.ts";
import { TableHead } from "../../parts/table_head.tsx";

/** A query, and all that it says. */
interface PreparedQuery {
  readonly id: string;
  readonly name: string;
  readonly service: string;
  readonly tags: readonly string[];
  readonly isTemplate: boolean;
  readonly definition: unknown;
}

/** Fields that the node writes itself. */
const OWN_FIELDS = ["ID", "CreateIndex", "ModifyIndex"];
const EXAMPLE = {
  Name: "",
  Service: { Service: "", OnlyPassing: true, Tags: [], Failover: { NearestN: 2 } },
  DNS: { TTL: "10s" },
};

function queryOf(data: unknown): PreparedQuery {
  const service = fieldOf(data, "Service");
  return {
    id: textOf(fieldOf(data, "ID")),
    name: textOf(fieldOf(data, "Name")),
    service: textOf(fieldOf(service, "Service")),
    tags: listOf(fieldOf(service, "Tags")).map(textOf),
    isTemplate: textOf(fieldOf(fieldOf(data, "Template"), "Type")) !== "",
    definition: Object.fromEntries(Object.entries(Object(data)).filter(([name]) => !OWN_FIELDS.includes(name))),
  };
}

/** The page. */
export function QueriesPage(): JSX.Element {
  const { value: queries, fault, renew } = useLive("v1/query", (data) => listOf(data).map(queryOf));
  const [edited, setEdited] = useState<PreparedQuery | "new" | undefined>();
  const [executed, setExecuted] = useState<PreparedQuery | undefined>();
  const save = async (body: string) => {
    if (edited === "new") await ask("v1/query", { method: "POST", body });
    else if (edited) await ask(`v1/query/${encodeURIComponent(edited.id)}`, { method: "PUT", body });
    tell("Saved");
    renew();
  };
  const remove = async ({ id, name }: PreparedQuery) => {
    const path = `v1/query/${encodeURIComponent(id)}`;
    const isSure = await confirmed({
      title: `Delete the query ${name || id}?`,
      text: `Whoever asks for ${name || id}, by DNS or HTTP, finds nothing any more.`,
      action: "Delete the query",
      commands: [curlOf("DELETE", path)],
    });
    if (!isSure) return;
    await ask(path, { method: "DELETE" }).then(
      () => tell("Deleted"),
      (error) => tell(messageOf(error), { isError: true }),
    );
    renew();
  };
  return (
    <div class={fault === "" ? "page" : "page stale"}>
      <div class="toolbar table-head">
        <h1>Prepared queries</h1>
        <span class="spacer" />
        {may("query-write") && (
          <button type="button" class="primary" onClick={() => setEdited("new")}>
            <Icon name="plus" /> New query
          </button>
        )}
      </div>
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      {!queries && fault === "" && <p class="muted">Reading…</p>}
      {queries?.length === 0 && (
        <div class="empty">
          <h1>No prepared queries</h1>
          <p>
            A prepared query finds a service by more than its name, and looks in other datacenters where there is none
            here.
          </p>
          <code>dig @127.0.0.1 -p 8600 NAME.query.consul SRV</code>
        </div>
      )}
      {queries && queries.length > 0 && (
        <div class="card scroll" tabIndex={0} role="region" aria-label="Prepared queries, scrollable">
          <QueryTable queries={queries} onEdit={setEdited} onExecute={setExecuted} onRemove={remove} />
        </div>
      )}
      {edited && (
        <JsonForm
          title={edited === "new" ? "New prepared query" : `Query ${edited.name || edited.id}`}
          label="Definition"
          text={jsonText(edited === "new" ? EXAMPLE : edited.definition)}
          hint="As of Consul's API: Service, Tags, NodeMeta, OnlyPassing, Near, Failover, DNS, Template."
          action="Save"
          isReadOnly={!may("query-write")}
          onSave={save}
          onClose={() => setEdited(undefined)}
        />
      )}
      {executed && <Execution query={executed} onClose={() => setExecuted(undefined)} />}
    </div>
  );
}

function QueryTable(
  { queries, onEdit, onExecute, onRemove }: {
    readonly queries: readonly PreparedQuery[];
    readonly onEdit: (query: PreparedQuery) => void;
    readonly onExecute: (query: PreparedQuery) => void;
    readonly onRemove: (query: PreparedQuery) => void;
  },
): JSX.Element {
  return (
    <table class="plain-table">
      <TableHead titles={["Name", "Service", "Tags", "Id"]} hasActions />
      <tbody>
        {queries.map((query) => (
          <tr key={query.id}>
            <th scope="row">
              <bdi>{query.name || "–"}</bdi>
              {query.isTemplate && <span class="tag">template</span>}
            </th>
            <td>
              <bdi>{query.service}</bdi>
            </td>
            <td>{query.tags.join(", ") || "–"}</td>
            <td>
              <span class="address">{query.id}</span>
            </td>
            <td class="row-actions">
              {!query.isTemplate && <button type="button" onClick={() => onExecute(query)}>Execute</button>}
              <button type="button" onClick={() => onEdit(query)}>{may("query-write") ? "Change" : "Show"}</button>
              {may("query-write") && (
                <button type="button" class="danger" onClick={() => onRemove(query)}>Delete</button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What a query finds. */
function Execution(
  { query: { id, name }, onClose }: { readonly query: PreparedQuery; readonly onClose: () => void },
): JSX.Element {
  const [found, setFound] = useState<unknown>();
  const [fault, setFault] = useState("");
  const [isAsked, setAsked] = useState(false);
  if (!isAsked) {
    setAsked(true);
    askJson(`v1/query/${encodeURIComponent(id)}/execute`).then(setFound, (error) => setFault(messageOf(error)));
  }
  const nodes = listOf(fieldOf(found, "Nodes"));
  return (
    <Dialog title={`What ${name || id} finds`} onClose={onClose}>
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      {found === undefined && fault === "" && <p class="muted">Asking…</p>}
      {found !== undefined && nodes.length === 0 && <p class="note">Nothing.</p>}
      {nodes.length > 0 && (
        <>
          <p class="muted">
            From {textOf(fieldOf(found, "Datacenter"))}, after {numberOf(fieldOf(found, "Failovers")) ?? 0} failovers
          </p>
          <ul class="links">
            {nodes.map((one, at) => {
              const service = fieldOf(one, "Service");
              const node = fieldOf(one, "Node");
              const address = textOf(fieldOf(service, "Address")) || textOf(fieldOf(node, "Address"));
              return (
                <li key={at}>
                  <bdi>{textOf(fieldOf(service, "ID"))} on {textOf(fieldOf(node, "Node"))}</bdi>
                  <span class="address">{address}:{numberOf(fieldOf(service, "Port")) ?? 0}</span>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </Dialog>
  );
}
