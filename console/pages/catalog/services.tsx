/**
 * Services: all of them with those that are not well first, and the instances of one.
 * @module
 */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import {
  byNode,
  type Catalog,
  type ChecksByNode,
  checksOf,
  type Instance,
  instanceState,
  keyOf,
  SERVICE_MAINTENANCE,
} from "../../consul/catalog.ts";
import { countText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { byState, type State, Status, worstOf } from "../../parts/status.tsx";
import { FilterField } from "../../parts/tabs.tsx";
import { linkTo } from "../../router.ts";
import { may } from "../../session.ts";
import { deregisterService, isOwn, maintainService } from "./actions.ts";
import { CheckItem } from "./checks.tsx";
import { TableHead } from "../../parts/table_head.tsx";

/** A line of the list. */
interface Line {
  readonly name: string;
  readonly state: State;
  readonly tags: readonly string[];
  readonly nodes: number;
  readonly instances: number;
  readonly healthy: number;
}

const SHOWN_MAX = 500;

function linesOf(instances: readonly Instance[], checks: ChecksByNode): readonly Line[] {
  return [...Map.groupBy(instances, ({ service }) => service)].map(([name, all]): Line => {
    const states = all.map((one) => instanceState(one, checks));
    return {
      name,
      state: worstOf(states),
      tags: [...new Set(all.flatMap(({ tags }) => tags))].sort(),
      nodes: new Set(all.map(({ node }) => node)).size,
      instances: all.length,
      healthy: states.filter((state) => state === "passing" || state === "none").length,
    };
  }).sort((a, b) => byState(a.state, b.state) || a.name.localeCompare(b.name));
}

/** All services. */
export function ServicesPart({ catalog: { instances, checks } }: { readonly catalog: Catalog }): JSX.Element {
  const [wanted, setWanted] = useState("");
  const lines = useMemo(() => linesOf(instances, byNode(checks)), [instances, checks]);
  const found = lines.filter(({ name, tags }) =>
    [name, ...tags].some((one) => one.toLowerCase().includes(wanted.toLowerCase()))
  );
  return (
    <>
      <div class="toolbar page-bar">
        <FilterField label="Find a service or a tag" value={wanted} onInput={setWanted} />
      </div>
      <div class="card scroll" tabIndex={0} role="region" aria-label="Services, scrollable">
        <table class="plain-table">
          <TableHead titles={["Service", "Health", "Instances", "Nodes", "Tags"]} />
          <tbody>
            {found.slice(0, SHOWN_MAX).map(({ name, state, instances, healthy, nodes, tags }) => (
              <tr key={name}>
                <th scope="row">
                  <a href={linkTo("services", "service", name)}>
                    <bdi>{name}</bdi>
                  </a>
                </th>
                <td>
                  <Status state={state} />
                </td>
                <td class="number">
                  {healthy === instances ? countText(instances, "instance") : `${healthy} of ${instances} healthy`}
                </td>
                <td class="number">{nodes}</td>
                <td>
                  <Tags tags={tags} onTag={setWanted} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {found.length === 0 && (
          <p class="muted">
            {lines.length === 0 ? "There is no service that you may see." : "No service is called so."}
          </p>
        )}
      </div>
      {found.length > SHOWN_MAX && <p class="muted">{found.length - SHOWN_MAX} more: filter to see them.</p>}
    </>
  );
}

function Tags(
  { tags, onTag }: { readonly tags: readonly string[]; readonly onTag?: (tag: string) => void },
): JSX.Element {
  return (
    <span class="tag-list">
      {tags.map((tag) =>
        onTag
          ? (
            <button
              key={tag}
              type="button"
              class="tag"
              title={`Show what has the tag ${tag}`}
              onClick={() => onTag(tag)}
            >
              <bdi>{tag}</bdi>
            </button>
          )
          : (
            <span key={tag} class="tag">
              <bdi>{tag}</bdi>
            </span>
          )
      )}
    </span>
  );
}

/** The instances of a service. */
export function ServicePart({ name, catalog }: { readonly name: string; readonly catalog: Catalog }): JSX.Element {
  const [wanted, setWanted] = useState("");
  const checks = useMemo(() => byNode(catalog.checks), [catalog.checks]);
  const instances = catalog.instances.filter(({ service }) => service === name);
  const states = instances.map((one) => instanceState(one, checks));
  const found = instances.filter(({ id, node, tags, address }) =>
    [id, node, address, ...tags].some((one) => one.toLowerCase().includes(wanted.toLowerCase()))
  ).sort((a, b) => byState(instanceState(a, checks), instanceState(b, checks)) || a.id.localeCompare(b.id));
  const healthy = states.filter((state) => state === "passing" || state === "none").length;
  return (
    <>
      <p class="crumbs">
        <a href={linkTo("services")}>Services</a>
      </p>
      <div class="toolbar table-head">
        <h1>
          <bdi>{name}</bdi>
        </h1>
        {instances.length > 0 && <Status state={worstOf(states)} />}
        <span class="muted">{healthy} of {countText(instances.length, "instance")} healthy</span>
        <span class="spacer" />
        {instances.length > 1 && <FilterField label="Find an instance" value={wanted} onInput={setWanted} />}
      </div>
      {instances.length === 0 && <p class="note">No instance of {name} is registered (any more).</p>}
      {found.slice(0, SHOWN_MAX).map((instance) => (
        <InstanceCard key={`${instance.node} ${instance.id}`} instance={instance} catalog={catalog} checks={checks} />
      ))}
    </>
  );
}

/** An instance, with its checks. @param isNamed Whether the service is said. */
export function InstanceCard(
  { instance, catalog, checks, isNamed = false }: {
    readonly instance: Instance;
    readonly catalog: Catalog;
    readonly checks: ChecksByNode;
    readonly isNamed?: boolean;
  },
): JSX.Element {
  const { id, node, service, tags, meta, port } = instance;
  const own = checksOf(instance, checks).filter(({ serviceId }) => serviceId !== "" || !isNamed);
  const address = instance.address || catalog.nodes.find(({ name }) => name === node)?.address || "";
  const isMaintained = own.some((one) => one.id === `${SERVICE_MAINTENANCE}${id}`);
  const isChangeable = may("service-write") && service !== "consul";
  return (
    <section class="card instance" aria-label={id}>
      <div class="toolbar">
        <Status state={isNamed ? worstOf(own.map(({ state }) => state)) : instanceState(instance, checks)} />
        <h2>
          <InstanceName instance={instance} isNamed={isNamed} />
        </h2>
        {!isNamed && (
          <span>
            on{" "}
            <a href={linkTo("services", "node", node)}>
              <bdi>{node}</bdi>
            </a>
          </span>
        )}
        <span class="address">{address}{port > 0 ? `:${port}` : ""}</span>
        <Tags tags={tags} />
        <span class="spacer" />
        {isChangeable && isOwn(instance) && (
          <button
            type="button"
            onClick={() => maintainService(instance, !isMaintained)}
          >
            <Icon name="tools" /> {isMaintained ? "End maintenance" : "Maintenance"}
          </button>
        )}
        {isChangeable && (
          <button type="button" class="danger" onClick={() => deregisterService(instance)}>
            Deregister
          </button>
        )}
      </div>
      {meta.length > 0 && <Pairs pairs={meta} />}
      {own.length > 0 && (
        <ul class="check-list" aria-label={`Checks of ${id}`}>
          {[...own].sort((a, b) => byState(a.state, b.state)).map((check) => (
            <CheckItem key={keyOf(check)} check={check} history={catalog.history.get(keyOf(check))} />
          ))}
        </ul>
      )}
    </section>
  );
}

function InstanceName(
  { instance: { id, service }, isNamed }: { readonly instance: Instance; readonly isNamed: boolean },
): JSX.Element {
  if (!isNamed) return <bdi>{id}</bdi>;
  return (
    <>
      <a href={linkTo("services", "service", service)}>
        <bdi>{service}</bdi>
      </a>
      {service !== id && <span class="muted instance-id">{id}</span>}
    </>
  );
}

/** Names and values. */
export function Pairs({ pairs }: { readonly pairs: readonly (readonly [string, string])[] }): JSX.Element {
  return (
    <dl class="pairs">
      {pairs.map(([name, value]) => (
        <div key={name}>
          <dt>
            <bdi>{name}</bdi>
          </dt>
          <dd>
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
