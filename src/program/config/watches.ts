/**
 * The watches in an agent's files of configuration (`watches`, C3.10): what each follows, and what handles a change.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { type Settings, SettingsError } from "./settings.ts";
import { type WatchKeys, watchQuery } from "./watch.ts";

/** Handles a state: a program that gets it on its standard input, or a request that carries it. */
export type WatchHandler =
  | {
    /** Tells the kinds apart. */
    readonly k: "script";
    /** Program and arguments, or with `isShell` one line for the shell. */
    readonly args: readonly string[];
    /** Whether the shell runs it. */
    readonly isShell: boolean;
  }
  | {
    /** Tells the kinds apart. */
    readonly k: "http";
    /** Where it goes. */
    readonly url: string;
    /** @default {"POST"} */
    readonly method: string;
    /** Values by name of the header. */
    readonly headers: Readonly<Record<string, readonly string[]>>;
    /** Time limit. @default {10000} */
    readonly timeoutMs: number;
  };

/** A watch. */
export interface WatchDefinition {
  /** What it follows, see watch.ts. */
  readonly keys: WatchKeys;
  /** Shown to the agent; empty: none. */
  readonly token: string;
  /** What is done at a change. */
  readonly handler: WatchHandler;
}

const TIMEOUT_MS = 10_000;
const OF_HANDLER = ["handler", "handler_type", "args", "http_handler_config", "token"];

/**
 * Reads them.
 * @throws {SettingsError} When one cannot be used.
 */
export function watchDefinitions(settings: Settings): WatchDefinition[] {
  return settings.objects("watches").map((watch) => {
    try {
      return definitionOf(watch);
    } catch (error) {
      throw new SettingsError(`Failed to parse watch (${JSON.stringify(watch.type ?? "")}): ${messageOf(error)}`);
    }
  });
}

function definitionOf(watch: Readonly<Record<string, unknown>>): WatchDefinition {
  const keys = Object.fromEntries(
    Object.entries(watch).filter(([name]) => !OF_HANDLER.includes(name)).map((
      [name, value],
    ) => [name, keyOf(name, value)]),
  );
  watchQuery(keys); // it makes sense, or says why not
  return { keys, token: text(watch.token, "token"), handler: handlerOf(watch) };
}

function keyOf(name: string, value: unknown): WatchKeys[string] {
  if (typeof value === "string" || typeof value === "boolean") return value;
  return texts(value, name);
}

function handlerOf(watch: Readonly<Record<string, unknown>>): WatchHandler {
  const type = text(watch.handler_type, "handler_type") || "script";
  if (type === "http") return httpHandler(watch.http_handler_config);
  if (type !== "script") throw new Error(`Handler type '${type}' not recognized`);
  const line = text(watch.handler, "handler");
  const args = texts(watch.args ?? [], "args");
  if (line !== "" && args.length > 0) throw new Error("Only one watch handler allowed");
  if (line === "" && args.length === 0) throw new Error("Must define a watch handler");
  return line === "" ? { k: "script", args, isShell: false } : { k: "script", args: [line], isShell: true };
}

function httpHandler(value: unknown): WatchHandler {
  const given = Array.isArray(value) && value.length === 1 ? value[0] : value; // a block of HCL
  const config: Record<string, unknown> = Object.fromEntries(Object.entries(Object(given)));
  const url = text(config.path, "path");
  if (!URL.canParse(url)) throw new Error("Requires 'path' to be set to the URL of the handler");
  if (config.tls_skip_verify === true) {
    throw new Error("'tls_skip_verify' is not supported: trust the certificate instead");
  }
  const timeout = text(config.timeout, "timeout");
  const timeoutMs = timeout === "" ? TIMEOUT_MS : parseDuration(timeout);
  if (timeoutMs === undefined || timeoutMs <= 0) throw new Error(`Failed to parse timeout ${JSON.stringify(timeout)}`);
  const headers = Object.entries(Object(config.header ?? {})).map(([name, values]) => [name, texts(values, "header")]);
  return {
    k: "http",
    url,
    method: text(config.method, "method") || "POST",
    headers: Object.fromEntries(headers),
    timeoutMs,
  };
}

function text(value: unknown, name: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  throw new Error(`expected "${name}" to be a text`);
}

function texts(value: unknown, name: string): string[] {
  const list = typeof value === "string" ? [value] : value;
  if (Array.isArray(list) && list.every((one) => typeof one === "string")) return list;
  throw new Error(`expected "${name}" to be a text or a list of texts`);
}
