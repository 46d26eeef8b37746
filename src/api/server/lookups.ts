/**
 * Answers the name server's calls to the catalog, and tells it once when what it holds is not current any more.
 * @module
 */
import { LocalNodes, type NodeSource } from "../../app/agent/nodes.ts";
import { Callee, type ToCallee } from "../../base/worker/channel.ts";
import type { CatalogChanged, CatalogMethods } from "../nameserver/api.ts";

/** Serves a name server through its port, from now on. */
export function answerLookups(port: MessagePort, source: NodeSource): void {
  let holdsView = false;
  const tell = () => {
    if (!holdsView) return;
    holdsView = false;
    const message: CatalogChanged = { k: "changed" };
    port.postMessage(message);
  };
  if (source instanceof LocalNodes) source.onChange = tell;
  const callee = new Callee<CatalogMethods>(port, {
    view: () => {
      if (!(source instanceof LocalNodes)) return undefined;
      holdsView = true; // before it is read: a change meanwhile is told
      return source.view();
    },
    node: ({ name }) => source.node(name),
    nodes: () => source.nodes(),
    servers: () => source.servers(),
    service: ({ name }) => source.service(name),
    services: () => source.services(),
  });
  port.onmessage = ({ data }: MessageEvent<ToCallee<CatalogMethods>>) => callee.take(data);
}
