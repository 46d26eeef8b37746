/**
 * Rows of the catalog that no endpoint writes yet: a service and the check of a node.
 * @module
 */
import { type Catalog, SERF_HEALTH } from "../../../src/app/agent/catalog.ts";
import { upsert } from "../../../src/core/catalog/catalog.ts";

/** Gives node "alpha" the service "web" and its health. */
export async function addServiceAndCheck(catalog: Catalog): Promise<void> {
  await catalog.write([
    upsert("services", ["node", "id"], {
      node: "alpha",
      id: "web-1",
      name: "web",
      tags: '["v1","v2"]',
      address: "",
      port: 80n,
      meta: "{}",
    }),
    upsert("checks", ["node", "id"], {
      node: "alpha",
      id: SERF_HEALTH,
      name: "Serf Health Status",
      status: "passing",
      notes: "",
      output: "Agent alive and reachable",
      service_id: "",
      service_name: "",
      type: "",
    }),
  ]);
}
