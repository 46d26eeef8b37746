/**
 * Addresses of members in a list of pods, by the rules of Consul's provider: pods that run and are not known as unready;
 * with a port where the annotation `consul.hashicorp.com/auto-join-port` names one, by number or by the name of a
 * container's port. Pure.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { parseIp } from "../../base/codec/ip.ts";

/** The port to join, of Consul's deployments. */
export const PORT_ANNOTATION = "consul.hashicorp.com/auto-join-port";

/** One page of a list. */
export interface PodPage {
  /** `host` or `host:port` each. */
  readonly addresses: readonly string[];
  /** Where the next page begins; empty: this was the last one. */
  readonly next: string;
}

/**
 * Reads an answer of `GET /api/v1/namespaces/NAMESPACE/pods`. A pod of another form has no address.
 * @throws {TypeError} When it is no list of pods.
 */
export function readPods(list: unknown, { hostNetwork }: { readonly hostNetwork: boolean }): PodPage {
  const items = member(list, "items");
  if (!Array.isArray(items)) throw new TypeError("the answer is no list of pods");
  const addresses = items.map((pod: unknown) => addressOf(pod, hostNetwork)).filter((address) => address !== undefined);
  return { addresses, next: textOf(list, "metadata", "continue") };
}

function addressOf(pod: unknown, hostNetwork: boolean): string | undefined {
  if (textOf(pod, "status", "phase") !== "Running" || !isReady(pod)) return undefined;
  const host = textOf(pod, "status", hostNetwork ? "hostIP" : "podIP");
  if (!parseIp(host)) return undefined; // there is none yet
  const wanted = textOf(pod, "metadata", "annotations", PORT_ANNOTATION);
  if (wanted === "") return host;
  const port = portOf(pod, wanted, hostNetwork);
  return port === undefined ? undefined : joinAddress(host, port);
}

/** A pod whose state tells nothing of its readiness counts as ready. */
function isReady(pod: unknown): boolean {
  const conditions = listOf(pod, "status", "conditions");
  return conditions.every((one) => textOf(one, "type") !== "Ready" || textOf(one, "status") === "True");
}

function portOf(pod: unknown, wanted: string, hostNetwork: boolean): number | undefined {
  const ports = listOf(pod, "spec", "containers").flatMap((container) => listOf(container, "ports"));
  for (const port of ports.filter((one) => textOf(one, "name") === wanted)) {
    const number = member(port, hostNetwork ? "hostPort" : "containerPort");
    if (isPort(number)) return number;
  }
  const number = /^\d{1,5}$/.test(wanted) ? Number(wanted) : undefined;
  return isPort(number) ? number : undefined;
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 65_535;
}

/** The value at a path of fields; undefined where there is none. */
function member(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = Object.entries(found).find(([key]) => key === name)?.[1];
  }
  return found;
}

function textOf(value: unknown, ...path: readonly string[]): string {
  const found = member(value, ...path);
  return typeof found === "string" ? found : "";
}

function listOf(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = member(value, ...path);
  return Array.isArray(found) ? found : [];
}
