/**
 * Answers the name server's calls to the catalog, and tells it once when what it holds is not current any more.
 * @module
 */
import type { Catalog } from "../../app/agent/catalog.ts";
import { LocalNodes, type NodeSource } from "../../app/agent/nodes.ts";
import { Callee, type ToCallee } from "../../base/worker/channel.ts";
import type { CatalogChanged, CatalogMethods } from "../nameserver/api.ts";

/** Serves a name server through its port, from now on. */
export function answerLookups(port: MessagePort, source: NodeSource, catalog: Catalog): void {
  let holdsView = false;
  catalog.onChange = () => {
    if (!holdsView) return;
    holdsView = false;
    const message: CatalogChanged = { k: "changed" };
    port.postMessage(message);
  };
  const callee = new Callee<CatalogMethods>(port, {
    view: () => {
      if (!(source instanceof LocalNodes)) return undefined;
      holdsView = true; // before it is read: a change meanwhile is told
      return source.view();
    },
    node: ({ name }) => source.node(name),
    nodes: () => source.nodes(),
    servers: () => source.servers(),
  });
  port.onmessage = ({ data }: MessageEvent<ToCallee<CatalogMethods>>) => callee.take(data);
}
