/** The catalog through a port: one view until it changes, and names one by one where the agent holds none. */
import { assertEquals, assertRejects } from "@std/assert";
import { CatalogByPort } from "../../../src/api/nameserver/catalog.ts";
import type { CatalogChanged, CatalogMethods } from "../../../src/api/nameserver/api.ts";
import type { CatalogView } from "../../../src/app/agent/nodes.ts";
import { Callee, type Methods, type ToCallee } from "../../../src/base/worker/channel.ts";

const nodeAt = (address: string) => ({ name: "Alpha", address, meta: {} });

function viewOf(address: string): CatalogView {
  const node = nodeAt(address);
  return { nodes: [node], servers: [node], byName: new Map([["alpha", node]]), services: new Map() };
}

/** A catalog behind a port, played by `methods`; missing ones are not expected to be called. */
async function withCatalog(
  methods: Partial<Methods<CatalogMethods>>,
  work: (catalog: CatalogByPort, change: () => void) => Promise<void>,
): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const unexpected = () => Promise.reject(new Error("was not expected to be asked for this"));
  const callee = new Callee<CatalogMethods>(port1, {
    view: unexpected,
    node: unexpected,
    nodes: unexpected,
    servers: unexpected,
    service: unexpected,
    services: unexpected,
    query: unexpected,
    knows: unexpected,
    ...methods,
  });
  port1.onmessage = ({ data }: MessageEvent<ToCallee<CatalogMethods>>) => callee.take(data);
  const changed: CatalogChanged = { k: "changed" };
  try {
    await work(new CatalogByPort(port2), () => port1.postMessage(changed));
  } finally {
    port1.close();
    port2.close();
  }
}

Deno.test("CatalogByPort asks once for all of it, and anew after a change", () => {
  let asked = 0;
  const view = () => viewOf(`192.0.2.${++asked}`);
  return withCatalog({ view }, async (catalog, change) => {
    assertEquals(catalog.state, undefined);
    const both = await Promise.all([catalog.node("ALPHA"), catalog.node("none")]);
    assertEquals(both, [nodeAt("192.0.2.1"), undefined]);
    assertEquals([await catalog.nodes(), await catalog.servers(), asked], [[nodeAt("192.0.2.1")], [
      nodeAt("192.0.2.1"),
    ], 1]);
    const { state: current } = catalog;
    assertEquals([current !== undefined, catalog.state === current], [true, true]);
    change();
    while (catalog.state) await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals([await catalog.node("alpha"), asked], [nodeAt("192.0.2.2"), 2]);
  });
});

Deno.test("CatalogByPort does not keep what was under way at a change", () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<CatalogView>();
  const view = () => (asked.resolve(), answer.promise);
  return withCatalog({ view }, async (catalog, change) => {
    const first = catalog.node("alpha");
    await asked.promise;
    change();
    answer.resolve(viewOf("192.0.2.1"));
    assertEquals(await first, nodeAt("192.0.2.1"));
    assertEquals(catalog.state, undefined);
  });
});

Deno.test("CatalogByPort asks for each name where the agent holds no catalog", () => {
  const node = ({ name }: { name: string }) => name === "alpha" ? nodeAt("192.0.2.9") : undefined;
  const parts = { view: () => undefined, node, nodes: () => [nodeAt("192.0.2.9")], servers: () => [] };
  return withCatalog(parts, async (catalog, change) => {
    assertEquals([await catalog.node("alpha"), await catalog.node("none")], [nodeAt("192.0.2.9"), undefined]);
    assertEquals([await catalog.nodes(), await catalog.servers()], [[nodeAt("192.0.2.9")], []]);
    const { state } = catalog;
    assertEquals([state !== undefined, catalog.state === state], [true, true]);
    change();
    while (catalog.state === state) await new Promise((resolve) => setTimeout(resolve, 0));
  });
});

Deno.test("CatalogByPort asks again after a failure", () => {
  let isBroken = true;
  const view = () => isBroken ? Promise.reject(new Error("no leader")) : viewOf("192.0.2.1");
  return withCatalog({ view }, async (catalog) => {
    await assertRejects(() => catalog.node("alpha"), Error, "no leader");
    isBroken = false;
    assertEquals(await catalog.node("alpha"), nodeAt("192.0.2.1"));
  });
});
