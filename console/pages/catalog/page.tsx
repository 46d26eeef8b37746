/**
 * Services, nodes and checks of the catalog, live.
 * @module
 */
import type { JSX } from "preact";
import { useCatalog } from "../../consul/catalog.ts";
import type { PageProps } from "../../pages.ts";
import { TabLinks } from "../../parts/tabs.tsx";
import { linkTo } from "../../router.ts";
import { ChecksPart } from "./checks.tsx";
import { NodePart, NodesPart } from "./nodes.tsx";
import { ServicePart, ServicesPart } from "./services.tsx";

/** The page. */
export function CatalogPage({ rest: [part = "", name = ""] }: PageProps): JSX.Element {
  const catalog = useCatalog();
  const { isRead, fault, checks, nodes, instances } = catalog;
  if (!isRead && fault === "") return <p class="muted">Reading the catalog…</p>;
  const failing = checks.filter(({ state }) => state !== "passing").length;
  const services = new Set(instances.map(({ service }) => service)).size;
  const tabs = [
    { id: "", title: "Services", href: linkTo("services"), count: services },
    { id: "nodes", title: "Nodes", href: linkTo("services", "nodes"), count: nodes.length },
    {
      id: "checks",
      title: failing > 0 ? "Checks, failing" : "Checks",
      href: linkTo("services", "checks"),
      count: failing || checks.length,
    },
  ];
  const isOne = part === "service" || part === "node";
  return (
    <div class={fault === "" ? "page" : "page stale"}>
      {!isOne && (
        <>
          <h1>Services</h1>
          <TabLinks label="Parts of the catalog" tabs={tabs} current={part} />
        </>
      )}
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      {part === "service"
        ? <ServicePart key={name} name={name} catalog={catalog} />
        : part === "node"
        ? <NodePart key={name} name={name} catalog={catalog} />
        : part === "nodes"
        ? <NodesPart catalog={catalog} />
        : part === "checks"
        ? <ChecksPart catalog={catalog} />
        : <ServicesPart catalog={catalog} />}
    </div>
  );
}
