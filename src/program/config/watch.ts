/**
 * What a watch asks an agent, from the keys that it has in a file of configuration or as flags of `muster watch` (C3.10).
 * @module
 */
import { parseExact, rawInteger } from "../../base/codec/raw_json.ts";

/** A watch that makes no sense; the message says why, in Consul's words. */
export class WatchError extends Error {
  /** Always `WatchError`. */
  override readonly name = "WatchError";
}

/** Reads of a watch. */
export interface WatchQuery {
  /** Path and query of the blocking read, without its index. */
  readonly target: string;
  /** Whether it is about events, whose indices have no order. */
  readonly isEvent: boolean;
  /**
   * The state for people and programs, from the body of an answer; of a 404 there is none.
   * @param index Of the answer before; `0` for none.
   * @throws {SyntaxError} When the body is not JSON.
   */
  shown(body: string | undefined, index: string): unknown;
}

/** Keys of a watch, named as in files. */
export type WatchKeys = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Keys that any watch may have. */
const COMMON = ["type", "datacenter", "stale"];

/** Keys of a type, its path, and what it shows. */
interface Kind {
  readonly keys: readonly string[];
  path(keys: Keys): { readonly path: string; readonly params?: readonly string[] };
  shown?: WatchQuery["shown"];
}

/** Reads keys as texts. */
class Keys {
  readonly #keys: WatchKeys;

  constructor(keys: WatchKeys) {
    this.#keys = keys;
  }

  text(name: string): string {
    const value = this.#keys[name];
    return typeof value === "string" ? value : "";
  }

  flag(name: string): boolean {
    return this.#keys[name] === true;
  }

  texts(name: string): readonly string[] {
    const value = this.#keys[name];
    return typeof value === "string" ? [value] : typeof value === "object" ? value : [];
  }

  /** A text that must be there, percent-encoded. */
  required(name: string): string {
    const value = this.text(name);
    if (value === "") throw new WatchError(`Must specify a single ${name} to watch`);
    return encodeURIComponent(value);
  }
}

const KINDS: Readonly<Record<string, Kind>> = {
  key: {
    keys: ["key"],
    path: (keys) => ({ path: `/v1/kv/${keys.required("key")}` }),
    shown: (body) => body === undefined ? null : entriesIn(body)[0] ?? null,
  },
  keyprefix: {
    keys: ["prefix"],
    path: (keys) => ({ path: `/v1/kv/${keys.required("prefix")}`, params: ["recurse"] }),
    shown: (body) => body === undefined ? null : entriesIn(body),
  },
  services: { keys: [], path: () => ({ path: "/v1/catalog/services" }) },
  nodes: { keys: [], path: () => ({ path: "/v1/catalog/nodes" }) },
  service: {
    keys: ["service", "tag", "passingonly"],
    path: (keys) => ({
      path: `/v1/health/service/${keys.required("service")}`,
      params: [
        ...keys.texts("tag").map((tag) => `tag=${encodeURIComponent(tag)}`),
        ...(keys.flag("passingonly") ? ["passing"] : []),
      ],
    }),
  },
  checks: {
    keys: ["service", "state"],
    path(keys) {
      const [service, state] = [keys.text("service"), keys.text("state")];
      if (service !== "" && state !== "") throw new WatchError("Cannot specify service and state");
      const path = service === ""
        ? `state/${encodeURIComponent(state || "any")}`
        : `checks/${keys.required("service")}`;
      return { path: `/v1/health/${path}` };
    },
  },
  event: {
    keys: ["name"],
    path: (keys) => ({
      path: "/v1/event/list",
      params: keys.text("name") === "" ? [] : [`name=${encodeURIComponent(keys.text("name"))}`],
    }),
    shown: newEvents,
  },
};

/**
 * Reads a watch.
 * @throws {WatchError} When it makes no sense.
 */
export function watchQuery(all: WatchKeys): WatchQuery {
  const keys = new Keys(all);
  const type = keys.text("type");
  if (type === "") throw new WatchError("Watch type must be specified");
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (!kind) throw new WatchError(`Unsupported watch type: ${type}`);
  const wrong = Object.keys(all).filter((name) => {
    return all[name] !== undefined && !COMMON.includes(name) && !kind.keys.includes(name);
  });
  if (wrong.length > 0) throw new WatchError(`Invalid parameters: [${wrong.join(" ")}]`);
  const { path, params = [] } = kind.path(keys);
  const everywhere = [
    ...(keys.text("datacenter") === "" ? [] : [`dc=${encodeURIComponent(keys.text("datacenter"))}`]),
    ...(keys.flag("stale") && type !== "event" ? ["stale"] : []),
  ];
  const query = [...params, ...everywhere].join("&");
  return {
    target: query === "" ? path : `${path}?${query}`,
    isEvent: type === "event",
    shown: kind.shown ?? ((body) => body === undefined ? null : JSON.parse(body)),
  };
}

/** Keys as Consul's library has them: in its order, and always with a session. */
function entriesIn(body: string): unknown[] {
  const entries: unknown = parseExact(body);
  if (!Array.isArray(entries)) throw new SyntaxError("expected a list of keys");
  return entries.map((entry: unknown) => {
    const fields: Record<string, unknown> = Object.fromEntries(Object.entries(Object(entry)));
    const { Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value, Session = "" } = fields;
    return { Key, CreateIndex, ModifyIndex, LockIndex, Flags: rawInteger(BigInt(String(Flags))), Value, Session };
  });
}

/** Events behind the one whose index is given; undefined where there are none. */
function newEvents(body: string | undefined, index: string): unknown {
  const events: unknown = JSON.parse(body ?? "[]");
  if (!Array.isArray(events)) throw new SyntaxError("expected a list of events");
  const at = events.findIndex((event: unknown) => eventIndex(Object(event).ID) === index);
  const news = events.slice(at + 1);
  return news.length === 0 && index !== "0" ? undefined : news;
}

/** Index of an event: the two halves of its id, combined. */
function eventIndex(id: unknown): string {
  const hex = String(id).replaceAll("-", "");
  return /^[0-9a-f]{32}$/.test(hex) ? String(BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`)) : "";
}
