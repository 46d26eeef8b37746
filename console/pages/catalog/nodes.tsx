/**
 * Nodes of the catalog: all of them with those that are not well first, and one with its services and checks.
 * @module
 */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { byNode, type Catalog, type CatalogNode, type Check, keyOf, NODE_MAINTENANCE } from "../../consul/catalog.ts";
import { datacenter } from "../../consul/datacenter.ts";
import { Icon } from "../../parts/icon.tsx";
import { byState, Status, worstOf } from "../../parts/status.tsx";
import { FilterField } from "../../parts/tabs.tsx";
import { linkTo } from "../../router.ts";
import { may } from "../../session.ts";
import { isOwn, maintainNode } from "./actions.ts";
import { CheckItem } from "./checks.tsx";
import { InstanceCard, Pairs } from "./services.tsx";
import { TableHead } from "../../parts/table_head.tsx";

function roleOf({ members }: Catalog, name: string): string {
  if (datacenter.value !== "") return "–"; // gossip tells of this datacenter
  const member = members.get(name);
  return member === undefined ? "external" : member.isServer ? "server" : "client";
}

function tripText({ roundTrips }: Catalog, name: string): string {
  if (isOwn({ node: name })) return "–";
  const ms = roundTrips.get(name);
  return ms === undefined ? "–" : `${ms < 10 ? ms.toFixed(2) : Math.round(ms)} ms`;
}

const stateOfChecks = (checks: readonly Check[] = []) => worstOf(checks.map(({ state }) => state));

/** All nodes. */
export function NodesPart({ catalog }: { readonly catalog: Catalog }): JSX.Element {
  const [wanted, setWanted] = useState("");
  const checks = useMemo(() => byNode(catalog.checks), [catalog.checks]);
  const services = useMemo(() => Map.groupBy(catalog.instances, ({ node }) => node), [catalog.instances]);
  const found = catalog.nodes.filter(({ name, address }) =>
    `${name} ${address} ${roleOf(catalog, name)}`.toLowerCase().includes(wanted.toLowerCase())
  ).sort((a, b) =>
    byState(stateOfChecks(checks.get(a.name)), stateOfChecks(checks.get(b.name))) || a.name.localeCompare(b.name)
  );
  return (
    <>
      <div class="toolbar page-bar">
        <FilterField label="Find a node" value={wanted} onInput={setWanted} />
      </div>
      <div class="card scroll" tabIndex={0} role="region" aria-label="Nodes, scrollable">
        <table class="plain-table">
          <TableHead titles={["Node", "Health", "Role", "Address", "Round trip", "Services", "Failing checks"]} />
          <tbody>
            {found.map((node) => (
              <NodeLine
                key={node.name}
                node={node}
                catalog={catalog}
                checks={checks.get(node.name) ?? []}
                services={services.get(node.name)?.length ?? 0}
              />
            ))}
          </tbody>
        </table>
        {found.length === 0 && <p class="muted">No node is called so.</p>}
      </div>
      <p class="muted hint">Round trips are estimates from the coordinates of gossip, seen from this node.</p>
    </>
  );
}

function NodeLine(
  { node: { name, address }, catalog, checks, services }: {
    readonly node: CatalogNode;
    readonly catalog: Catalog;
    readonly checks: readonly Check[];
    readonly services: number;
  },
): JSX.Element {
  const failing = checks.filter(({ state }) => state !== "passing").length;
  const status = catalog.members.get(name)?.status ?? "";
  return (
    <tr>
      <th scope="row">
        <a href={linkTo("services", "node", name)}>
          <bdi>{name}</bdi>
        </a>
        {isOwn({ node: name }) && <span class="tag">this one</span>}
      </th>
      <td>
        <Status state={stateOfChecks(checks)} />
      </td>
      <td>
        {roleOf(catalog, name)}
        {status !== "" && status !== "alive" && <span class="muted">, {status}</span>}
      </td>
      <td>
        <span class="address">{address}</span>
      </td>
      <td class="number">{tripText(catalog, name)}</td>
      <td class="number">{services}</td>
      <td class="number">{failing === 0 ? "–" : failing}</td>
    </tr>
  );
}

/** One node. */
export function NodePart({ name, catalog }: { readonly name: string; readonly catalog: Catalog }): JSX.Element {
  const checks = useMemo(() => byNode(catalog.checks), [catalog.checks]);
  const node = catalog.nodes.find((one) => one.name === name);
  const own = checks.get(name) ?? [];
  const ofNode = own.filter(({ serviceId }) => serviceId === "");
  const isMaintained = own.some(({ id }) => id === NODE_MAINTENANCE);
  const instances = catalog.instances.filter((one) => one.node === name);
  return (
    <>
      <p class="crumbs">
        <a href={linkTo("services", "nodes")}>Nodes</a>
      </p>
      <div class="toolbar table-head">
        <h1>
          <bdi>{name}</bdi>
        </h1>
        {node && <Status state={stateOfChecks(own)} />}
        {node && (
          <span class="muted">
            {roleOf(catalog, name)}
            {isOwn({ node: name }) ? ", this one" : `, round trip ${tripText(catalog, name)}`}
          </span>
        )}
        <span class="spacer" />
        {node && isOwn({ node: name }) && may("service-write") && (
          <button
            type="button"
            onClick={() => maintainNode(name, !isMaintained)}
          >
            <Icon name="tools" /> {isMaintained ? "End the maintenance of the node" : "Maintenance of the node"}
          </button>
        )}
      </div>
      {!node && <p class="note">The catalog has no node {name} (any more).</p>}
      {node && (
        <section class="card" aria-labelledby="node-title">
          <h2 id="node-title">The node</h2>
          <Pairs pairs={[["Address", node.address], ["Id", node.id], ["Datacenter", node.datacenter], ...node.meta]} />
          <ul class="check-list" aria-label="Checks of the node">
            {[...ofNode].sort((a, b) => byState(a.state, b.state)).map((check) => (
              <CheckItem key={keyOf(check)} check={check} history={catalog.history.get(keyOf(check))} />
            ))}
          </ul>
        </section>
      )}
      {[...instances].sort((a, b) => a.service.localeCompare(b.service)).map((instance) => (
        <InstanceCard key={instance.id} instance={instance} catalog={catalog} checks={checks} isNamed />
      ))}
    </>
  );
}
