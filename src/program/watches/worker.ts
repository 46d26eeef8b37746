/**
 * The Worker that runs the watches of an agent's files (C3.10): each follows a state by blocking reads at the agent itself, and
 * has a program or a request handle it, at the start and at each change, one change at a time. It may use the network and, if
 * a handler is a program, run programs.
 * @module
 */
import { follow, type Followed } from "../../app/agent/follow.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { boundedText } from "../../base/net/bounded_text.ts";
import { logger } from "../../base/worker/log.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { Child, failureOf } from "../client/child.ts";
import { watchQuery } from "../config/watch.ts";
import type { WatchDefinition, WatchHandler } from "../config/watches.ts";
import type { ToWatches } from "./api.ts";

/** Time that one read waits for a change. */
const WAIT_MS = 60_000;
/** Time that an agent takes beyond that: up to a sixteenth, and what the way takes. */
const LATE_MS = 15_000;
/** Time for a program to end when its watch does. */
const GRACE_MS = 5000;
/** Bytes of an answer. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

const log = logger("watch");

/** Runs one watch until it is over. */
async function run({ keys, token, handler }: WatchDefinition, url: string, signal: AbortSignal): Promise<void> {
  const query = watchQuery(keys);
  const ask = async (known: string): Promise<Followed> => {
    const waiting = `${query.target.includes("?") ? "&" : "?"}index=${known}&wait=${WAIT_MS / 1000}s`;
    const response = await fetch(url + (known === "0" ? query.target : query.target + waiting), {
      headers: token === "" ? {} : { "X-Consul-Token": token },
      signal: AbortSignal.any([signal, AbortSignal.timeout(WAIT_MS + LATE_MS)]),
    });
    const text = await boundedText(response.body, ANSWER_BYTES_MAX);
    if (text === undefined) throw new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes is too long to watch`);
    if (!response.ok && response.status !== 404) throw new Error(`${response.status} ${text.slice(0, 200)}`);
    const index = response.headers.get("X-Consul-Index") ?? "0";
    return { index, value: query.shown(response.status === 404 ? undefined : text, known) };
  };
  const onError = (error: unknown, pauseMs: number) =>
    log(`Watch errored: type=${keys.type} error="${messageOf(error)}" retry=${formatDuration(pauseMs)}`, "error");
  for await (const state of follow({ ask, signal, isUnordered: query.isEvent, onError })) {
    try {
      await handled(state, handler, signal);
    } catch (error) {
      if (!signal.aborted) log(`Watch handler failed: type=${keys.type} error="${messageOf(error)}"`, "error");
    }
  }
}

async function handled({ index, value }: Followed, handler: WatchHandler, signal: AbortSignal): Promise<void> {
  const text = `${JSON.stringify(value)}\n`;
  if (handler.k === "http") return await post(handler, { index, text, signal });
  const child = new Child({
    args: handler.args,
    isShell: handler.isShell,
    env: { CONSUL_INDEX: index },
    stdin: new TextEncoder().encode(text),
  });
  const onOver = () => child.end(GRACE_MS);
  signal.addEventListener("abort", onOver);
  const failure = failureOf(await child.status);
  signal.removeEventListener("abort", onOver);
  if (failure !== undefined) throw new Error(failure);
}

async function post(
  { url, method, headers, timeoutMs }: Extract<WatchHandler, { k: "http" }>,
  { index, text, signal }: { index: string; text: string; signal: AbortSignal },
): Promise<void> {
  const all = Object.entries(headers).flatMap(([name, values]) =>
    values.map((value): [string, string] => [name, value])
  );
  const response = await fetch(url, {
    method,
    headers: [...all, ["Content-Type", "application/json"], ["X-Consul-Index", index]],
    body: text,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}

const scope = workerScope<ToWatches, never>();
let over = new AbortController();

scope.onmessage = ({ data: { url, watches } }) => {
  over.abort();
  over = new AbortController();
  for (const watch of watches) run(watch, url, over.signal).catch((error) => log(messageOf(error), "error"));
};
