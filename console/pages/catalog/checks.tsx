/**
 * Checks: all of them with those that do not pass first, and a single one with what it said and how it has changed.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Catalog, type Check, type CheckChange, keyOf, NODE_MAINTENANCE } from "../../consul/catalog.ts";
import { spanText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { byState, STATES, Status } from "../../parts/status.tsx";
import { FilterField } from "../../parts/tabs.tsx";
import { linkTo } from "../../router.ts";
import { may } from "../../session.ts";
import { deregisterCheck } from "./actions.ts";

/** Checks that are drawn at once. */
const SHOWN_MAX = 300;

/** All checks. */
export function ChecksPart({ catalog: { checks, history } }: { readonly catalog: Catalog }): JSX.Element {
  const [wanted, setWanted] = useState("");
  const [state, setState] = useState("");
  const found = checks.filter((one) =>
    (state === "" || one.state === state) &&
    `${one.node} ${one.name} ${one.id} ${one.service} ${one.output}`.toLowerCase().includes(wanted.toLowerCase())
  ).sort((a, b) => byState(a.state, b.state) || a.service.localeCompare(b.service) || a.node.localeCompare(b.node));
  const failing = checks.filter((one) => one.state !== "passing").length;
  return (
    <>
      <div class="toolbar page-bar">
        <FilterField label="Find a check" value={wanted} onInput={setWanted} />
        <div class="tabs" role="group" aria-label="State">
          {["", ...STATES.filter((one) => one !== "none")].map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === state}
              onClick={() => setState(one)}
            >
              {one || "all"}
              <span class="count">{checks.filter((check) => one === "" || check.state === one).length}</span>
            </button>
          ))}
        </div>
      </div>
      {failing === 0 && checks.length > 0 && (
        <p class="note good">
          <Icon name="good" /> All checks pass.
        </p>
      )}
      <ul class="card check-list" aria-label="Checks">
        {found.slice(0, SHOWN_MAX).map((check) => (
          <CheckItem key={keyOf(check)} check={check} history={history.get(keyOf(check))} isPlaced />
        ))}
      </ul>
      {found.length > SHOWN_MAX && <p class="muted">{found.length - SHOWN_MAX} more: filter to see them.</p>}
      {found.length === 0 && <p class="muted">No check is like that.</p>}
    </>
  );
}

/** A check. @param isPlaced Whether it says where it belongs. */
export function CheckItem(
  { check, history = [], isPlaced = false }: {
    readonly check: Check;
    readonly history?: readonly CheckChange[] | undefined;
    readonly isPlaced?: boolean;
  },
): JSX.Element {
  const { node, id, name, state, output, notes, service, serviceId, type, interval } = check;
  const isOfGossip = id === "serfHealth" || id.startsWith("_");
  return (
    <li class="check">
      <div class="check-head">
        <Status state={state} />
        <strong>
          <bdi>{name || id}</bdi>
        </strong>
        {isPlaced && (
          <span class="check-place">
            {service !== "" && (
              <>
                <a href={linkTo("services", "service", service)}>
                  <bdi>{serviceId}</bdi>
                </a>
                {" on "}
              </>
            )}
            <a href={linkTo("services", "node", node)}>
              <bdi>{node}</bdi>
            </a>
          </span>
        )}
        <span class="muted check-kind">
          {type !== "" ? `${type}${interval === "" ? "" : ` every ${interval}`}` : id === "serfHealth" ? "gossip" : ""}
        </span>
        <span class="spacer" />
        {!isOfGossip && id !== NODE_MAINTENANCE && may("service-write") && (
          <button
            type="button"
            class="plain"
            onClick={() => deregisterCheck(check)}
            aria-label={`Deregister the check ${name || id}`}
            title="Deregister the check"
          >
            <Icon name="trash" />
          </button>
        )}
      </div>
      {notes !== "" && <p class="muted">{notes}</p>}
      {output !== "" && <pre class={state === "passing" ? "check-output" : "check-output failing"}>{output}</pre>}
      {history.length > 1 && <History history={history} />}
    </li>
  );
}

/** How a check has changed while the page was open. */
function History({ history }: { readonly history: readonly CheckChange[] }): JSX.Element {
  return (
    <details>
      <summary>
        {history.length - 1 === 1 ? "1 change" : `${history.length - 1} changes`} since the page was opened
      </summary>
      <ol class="changes">
        {history.map(({ atMs, state, output }, at) => (
          <li key={atMs}>
            <time dateTime={new Date(atMs).toISOString()}>{new Date(atMs).toLocaleTimeString()}</time>
            <Status state={state} />
            <span class="muted">
              {at === 0 ? "until now" : `for ${spanText(history[at - 1].atMs - atMs)}`}
            </span>
            <span class="change-output">{output}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}
