/**
 * The catalog as the page shows it: nodes, instances of services and checks, live, and how checks have changed since the page
 * was opened.
 *
 * Two blocking queries tell of changes, of checks and of services. What is behind the names of services is asked for by node,
 * when services or nodes have changed: the state of a check that flaps costs no request more than its own.
 * @module
 */
import { useEffect } from "preact/hooks";
import { askJson } from "../api.ts";
import { fieldOf, listOf, numberOf, textOf } from "../json.ts";
import { messageOf } from "../parts/fault.ts";
import { type State, stateOf, worstOf } from "../parts/status.tsx";
import { forgotten, session } from "../session.ts";
import { Store, useStore } from "../store.ts";
import { datacenter } from "./datacenter.ts";
import { keepLive, pause } from "./live.ts";

/** A node of the catalog. */
export interface CatalogNode {
  readonly name: string;
  readonly id: string;
  readonly address: string;
  readonly datacenter: string;
  readonly meta: readonly (readonly [name: string, value: string])[];
}

/** An instance of a service. */
export interface Instance {
  readonly node: string;
  readonly id: string;
  readonly service: string;
  readonly tags: readonly string[];
  /** Empty: that of the node. */
  readonly address: string;
  readonly port: number;
  readonly meta: readonly (readonly [name: string, value: string])[];
}

/** A check. */
export interface Check {
  readonly node: string;
  readonly id: string;
  readonly name: string;
  readonly state: State;
  readonly notes: string;
  readonly output: string;
  /** Empty: it is of the node. */
  readonly serviceId: string;
  readonly service: string;
  readonly type: string;
  readonly interval: string;
}

/** A state that a check had from then on. */
export interface CheckChange {
  readonly atMs: number;
  readonly state: State;
  readonly output: string;
}

/** What gossip says of a member. */
export interface Member {
  readonly isServer: boolean;
  readonly status: string;
}

/** The catalog. */
export interface Catalog {
  readonly isRead: boolean;
  readonly nodes: readonly CatalogNode[];
  readonly instances: readonly Instance[];
  readonly checks: readonly Check[];
  /** By the key of the check, the newest first. */
  readonly history: ReadonlyMap<string, readonly CheckChange[]>;
  readonly members: ReadonlyMap<string, Member>;
  /** From the node that serves the page, in ms. */
  readonly roundTrips: ReadonlyMap<string, number>;
  /** Why it is not current; empty where it is. */
  readonly fault: string;
}

const NOTHING: Catalog = {
  isRead: false,
  nodes: [],
  instances: [],
  checks: [],
  history: new Map(),
  members: new Map(),
  roundTrips: new Map(),
  fault: "",
};

/** The catalog. */
export const catalog = new Store<Catalog>(NOTHING);

for (const other of [forgotten, datacenter]) other.watch(() => catalog.value = NOTHING);

/** Changes of one check that are remembered, and checks of which any are. */
const CHANGES_MAX = 50;
const CHECKS_MAX = 2000;
/** Nodes that are asked at the same time: a browser has six connections, and two wait for changes. */
const PARALLEL = 2;
const ROUND_TRIP_MS = 15_000;
/** Checks by which an agent says that something is taken out of use. */
export const NODE_MAINTENANCE = "_node_maintenance";
export const SERVICE_MAINTENANCE = "_service_maintenance:";

function change(part: Partial<Catalog>): void {
  catalog.value = { ...catalog.value, ...part };
}

/** The key of a check in the history. */
export function keyOf({ node, id }: Pick<Check, "node" | "id">): string {
  return `${node}\n${id}`;
}

/** Names and values from outside. */
function pairsOf(value: unknown): readonly (readonly [string, string])[] {
  return typeof value === "object" && value !== null
    ? Object.entries(value).map(([name, inner]) => [name, textOf(inner)] as const)
    : [];
}

/** A check from outside. */
export function checkOf(data: unknown): Check {
  const text = (name: string) => textOf(fieldOf(data, name));
  return {
    node: text("Node"),
    id: text("CheckID"),
    name: text("Name"),
    state: stateOf(text("Status")),
    notes: text("Notes"),
    output: text("Output"),
    serviceId: text("ServiceID"),
    service: text("ServiceName"),
    type: text("Type"),
    interval: text("Interval"),
  };
}

function nodeOf(data: unknown): CatalogNode {
  const text = (name: string) => textOf(fieldOf(data, name));
  return {
    name: text("Node"),
    id: text("ID"),
    address: text("Address"),
    datacenter: text("Datacenter"),
    meta: pairsOf(fieldOf(data, "Meta")).filter(([, value]) => value !== ""),
  };
}

function instanceOf(node: string, data: unknown): Instance {
  return {
    node,
    id: textOf(fieldOf(data, "ID")),
    service: textOf(fieldOf(data, "Service")),
    tags: listOf(fieldOf(data, "Tags")).map(textOf),
    address: textOf(fieldOf(data, "Address")),
    port: numberOf(fieldOf(data, "Port")) ?? 0,
    meta: pairsOf(fieldOf(data, "Meta")),
  };
}

/** Notes what has changed since the checks were last read. */
function noted(checks: readonly Check[]): Catalog["history"] {
  const history = new Map(catalog.value.history);
  for (const check of checks) {
    const key = keyOf(check);
    const before = history.get(key) ?? [];
    if (before[0]?.state === check.state && before[0].output === check.output) continue;
    const next = { atMs: Date.now(), state: check.state, output: check.output };
    history.delete(key); // what changed last stands last
    history.set(key, [next, ...before].slice(0, CHANGES_MAX));
  }
  for (const key of [...history.keys()].slice(0, Math.max(0, history.size - CHECKS_MAX))) history.delete(key);
  return history;
}

async function readNodes(signal: AbortSignal): Promise<void> {
  const nodes = listOf(await askJson("v1/catalog/nodes", { signal })).map(nodeOf);
  const found = new Map<string, readonly Instance[]>();
  const left = [...nodes];
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let node = left.shift(); node; node = left.shift()) {
      const { name } = node;
      const answer = await askJson(`v1/catalog/node-services/${encodeURIComponent(name)}`, { signal });
      found.set(name, listOf(fieldOf(answer, "Services")).map((one) => instanceOf(name, one)));
    }
  }));
  const members = new Map(
    listOf(await askJson("v1/agent/members", { signal }).catch(() => [])).map((one): [string, Member] => [
      textOf(fieldOf(one, "Name")),
      {
        isServer: textOf(fieldOf(fieldOf(one, "Tags"), "role")) === "consul",
        status: ["", "alive", "leaving", "left", "failed"][numberOf(fieldOf(one, "Status")) ?? 0] ?? "",
      },
    ]),
  );
  change({ nodes, members, instances: nodes.flatMap(({ name }) => found.get(name) ?? []), isRead: true, fault: "" });
}

/** A network coordinate (Dabek et al., Vivaldi), in seconds. */
interface Coordinate {
  readonly vector: readonly number[];
  readonly height: number;
  readonly adjustment: number;
}

function coordinateOf(data: unknown): Coordinate {
  return {
    vector: listOf(fieldOf(data, "Vec")).map((one) => numberOf(one) ?? 0),
    height: numberOf(fieldOf(data, "Height")) ?? 0,
    adjustment: numberOf(fieldOf(data, "Adjustment")) ?? 0,
  };
}

function distanceMs(a: Coordinate, b: Coordinate): number {
  const squares = a.vector.map((one, at) => (one - (b.vector[at] ?? 0)) ** 2);
  const plain = Math.sqrt(squares.reduce((sum, one) => sum + one, 0)) + a.height + b.height;
  const adjusted = plain + a.adjustment + b.adjustment;
  return (adjusted > 0 ? adjusted : plain) * 1000;
}

async function readRoundTrips(signal: AbortSignal): Promise<void> {
  const found = new Map(
    listOf(await askJson("v1/coordinate/nodes", { signal })).map((one) => [
      textOf(fieldOf(one, "Node")),
      coordinateOf(fieldOf(one, "Coord")),
    ]),
  );
  const own = found.get(session.value.node);
  if (!own) return;
  const others = [...found].filter(([name]) => name !== session.value.node);
  change({ roundTrips: new Map(others.map(([name, one]) => [name, distanceMs(own, one)])) });
}

/** Follows the catalog until the end. */
function followCatalog(signal: AbortSignal): void {
  const onFault = (error: unknown) => change({ fault: messageOf(error) });
  let known = "";
  keepLive("v1/health/state/any", {
    signal,
    onFault,
    async onData(data) {
      const checks = listOf(data).map(checkOf);
      change({ checks, history: noted(checks), fault: "" });
      // A node that comes brings a check along, and services that are not new by name.
      const names = checks.map((check) => `${keyOf(check)} ${check.serviceId}`).sort().join();
      if (known !== "" && names !== known) await readNodes(signal);
      known = names;
    },
  });
  keepLive("v1/catalog/services", { signal, onFault, onData: () => readNodes(signal) });
  (async () => {
    while (!signal.aborted) {
      await readRoundTrips(signal).catch(() => {}); // there are none, then
      await pause(ROUND_TRIP_MS, signal);
    }
  })();
}

/** The catalog, followed while the component is shown. */
export function useCatalog(): Catalog {
  useEffect(() => {
    const ending = new AbortController();
    followCatalog(ending.signal);
    return () => ending.abort();
  }, []);
  return useStore(catalog);
}

/** Checks by their node. */
export type ChecksByNode = ReadonlyMap<string, readonly Check[]>;

/** Checks by their node, so that a large catalog is not gone through for each instance. */
export function byNode(checks: readonly Check[]): ChecksByNode {
  return Map.groupBy(checks, ({ node }) => node);
}

/** The checks that decide about an instance: its own, and those of its node. */
export function checksOf({ node, id }: Pick<Instance, "node" | "id">, checks: ChecksByNode): readonly Check[] {
  return (checks.get(node) ?? []).filter(({ serviceId }) => serviceId === id || serviceId === "");
}

/** The state of an instance. */
export function instanceState(instance: Pick<Instance, "node" | "id">, checks: ChecksByNode): State {
  return worstOf(checksOf(instance, checks).map(({ state }) => state));
}
