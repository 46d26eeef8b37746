/**
 * The operations that a client agent, or another datacenter, asks of a server about its pools: which datacenters there are,
 * where the nodes of its own are in the network, events for them, and the keys of its gossip.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { finite, listOf, mapOf, oneOf, optional, record, type Shape, text, whole } from "../../base/codec/shape.ts";
import { needs, needsOf } from "../../core/acl/resource.ts";
import type { Coordinate, KeyResult } from "../../drivers/membership/api.ts";
import type { PoolClient } from "../../drivers/membership/client.ts";
import { OperationError } from "../database/errors.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { type Implementations, jsonOperation, type OperationTable } from "../database/operation.ts";
import type { DatacenterMap, WanRouter } from "./router.ts";

/** What is done with the keys of a pool. */
export type KeyAction = typeof KEY_ACTIONS[number];

/** All of it. */
export const KEY_ACTIONS = ["install", "use", "remove", "list"] as const;

/** A change of the keys of a server's pool. */
export interface KeyChange {
  readonly pool: "lan" | "wan";
  readonly action: KeyAction;
  /** Base64; empty for a list. */
  readonly key: string;
  readonly relayFactor: number;
}

/** A user event on its way. */
export interface FiredEvent {
  readonly name: string;
  /** Base64. */
  readonly payload: string;
}

/** These operations. */
export interface WanOperations {
  /** By distance, that of the server first. */
  readonly datacenters: { readonly params: Record<string, never>; readonly result: readonly DatacenterMap[] };
  /** Of the nodes of the server's datacenter, by name. */
  readonly coordinates: {
    readonly params: Record<string, never>;
    readonly result: Readonly<Record<string, Coordinate>>;
  };
  readonly fireEvent: { readonly params: FiredEvent; readonly result: Record<string, never> };
  /** Undefined where there is no such pool. */
  readonly keyring: {
    readonly params: KeyChange;
    readonly result: { readonly done?: KeyResult | undefined };
  };
}

const NAME_LENGTH_MAX = 255;
const MEMBERS_MAX = 100_000;
const KEYS_MAX = 1000;
const MESSAGE_LENGTH_MAX = 4096;
/** Bytes of an event, as base64; gossip takes less. */
const EVENT_LENGTH_MAX = 4096;

const coordinate: Shape<Coordinate> = record({
  vec: listOf(finite, 64),
  error: finite,
  adjustment: finite,
  height: finite,
});
const datacenter: Shape<DatacenterMap> = record({
  name: text(NAME_LENGTH_MAX),
  servers: listOf(record({ name: text(NAME_LENGTH_MAX), coordinate: optional(coordinate) }), MEMBERS_MAX),
});
const counts = mapOf(whole(), KEYS_MAX);
const keyResult: Shape<KeyResult> = record({
  members: whole(),
  responses: whole(),
  failures: whole(),
  messages: mapOf(text(MESSAGE_LENGTH_MAX), MEMBERS_MAX),
  keys: counts,
  primaryKeys: counts,
});
const NONE = record({});
/** User events are called so in the gossip (app/agent/event_log.ts). */
const EVENT_PREFIX = /^consul:event:/;

/** These operations, and how they travel. */
export const WAN_OPERATIONS: OperationTable<WanOperations> = {
  datacenters: {
    ...jsonOperation(["catalog-read"], NONE, listOf(datacenter, MEMBERS_MAX), { needs: () => [] }),
    isForNodes: true,
  },
  coordinates: {
    ...jsonOperation(["catalog-read"], NONE, mapOf(coordinate, MEMBERS_MAX), {
      needs: () => [],
      seen: (all, may) =>
        Object.fromEntries(Object.entries(all).filter(([name]) => may.allows(needsOf("node", "read", name)))),
    }),
    isForNodes: true,
  },
  fireEvent: jsonOperation(
    ["event-write"],
    record({ name: text(NAME_LENGTH_MAX), payload: text(EVENT_LENGTH_MAX) }),
    NONE,
    { needs: ({ name }) => [needsOf("event", "write", name.replace(EVENT_PREFIX, ""))] },
  ),
  keyring: jsonOperation(
    ["keyring"],
    record({
      pool: oneOf("lan", "wan"),
      action: oneOf(...KEY_ACTIONS),
      key: text(NAME_LENGTH_MAX),
      relayFactor: whole(5),
    }),
    record({ done: optional(keyResult) }),
    { needs: ({ action }) => [needs("keyring", action === "list" ? "read" : "write")] },
  ),
};

/** What these operations work with. */
export interface WanParts {
  /** Present in an agent. */
  readonly agent: {
    readonly options: { readonly datacenter: string };
    readonly pool: PoolClient;
    readonly wan: PoolClient | undefined;
    readonly router: WanRouter | undefined;
  } | undefined;
}

/** Does these operations on this node. */
export function wanImplementations(parts: WanParts): Implementations<WanOperations> {
  const agent = () => {
    if (parts.agent) return parts.agent;
    throw new OperationError("this node is not an agent: start it with muster agent");
  };
  return {
    async datacenters() {
      const { router, options } = agent();
      return await router?.map() ?? [{ name: options.datacenter, servers: [] }];
    },
    coordinates: () => agent().pool.call("coordinates", {}),
    async fireEvent({ name, payload }) {
      await told(agent().pool.call("fireEvent", { name, payload: bytesOf(payload), coalesce: false }));
      return {};
    },
    async keyring({ pool, ...change }) {
      const asked = pool === "lan" ? agent().pool : await openPool(agent().wan);
      return asked ? { done: await told(changeKeys(asked, change)) } : {};
    },
  };
}

/** Changes the keys of a pool, or lists them. */
export function changeKeys(
  pool: PoolClient,
  { action, key, relayFactor }: Omit<KeyChange, "pool">,
): Promise<KeyResult> {
  switch (action) {
    case "install":
      return pool.call("keysInstall", { key, relayFactor });
    case "use":
      return pool.call("keysUse", { key, relayFactor });
    case "remove":
      return pool.call("keysRemove", { key, relayFactor });
    case "list":
      return pool.call("keysList", { relayFactor });
  }
}

/** A pool that is there: the port of that of all datacenters may have been taken. */
async function openPool(pool: PoolClient | undefined): Promise<PoolClient | undefined> {
  return await pool?.members().then(() => pool, () => undefined);
}

/** A failure of the pool is for people. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new OperationError(messageOf(error));
  }
}

function bytesOf(payload: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(payload);
  } catch {
    throw new DecodeError("Expected the payload of an event to be base64");
  }
}
