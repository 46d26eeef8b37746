/**
 * The datacenter that the pages of Consul's API show: requests for another one go there through the node that serves the page.
 * @module
 */
import { Store } from "../store.ts";

/** The datacenter that is shown; empty: that of the node. */
export const datacenter = new Store("");

/** Paths of the API that another datacenter may be asked for; the list of datacenters is that of the node. */
const FOR_ANY = /^v1\/(catalog|health|kv|session|query|coordinate|config)(\/|\?|$)/;
const OWN = /^v1\/catalog\/datacenters/;

/** A path of the API, for the datacenter that is shown. */
export function inDatacenter(path: string, name = datacenter.value): string {
  if (name === "" || !FOR_ANY.test(path) || OWN.test(path)) return path;
  return `${path}${path.includes("?") ? "&" : "?"}dc=${encodeURIComponent(name)}`;
}
