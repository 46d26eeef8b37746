/**
 * `POST /snapshot` and `POST /reap` (Q13.5, Q13.6). The database is its own snapshot: to take one is to make
 * what is applied durable and to cut the log behind it. The log is cut by whole segments, so at least `trailing_logs` entries stay;
 * the request begins a segment, for the next one to cut at. No copies are stored, so there are none to consolidate.
 * `POST /verify` is muster's own: it compares the content of all replicas at one index.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { Counters } from "../../app/database/counters.ts";
import { OperationError, unwrapped } from "../../app/database/errors.ts";
import { type LeaderParts, operate } from "./leadership.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Dependencies of these endpoints. */
export interface SnapshotParts extends LeaderParts {
  readonly counters: LeaderParts["counters"] & Pick<Counters, "user_snapshots" | "user_reaps" | "done">;
}

/** Entries that stay in the log where the request names no number: rqlite's default. */
const TRAILING_LOGS = 10_240;
const TIMEOUT_MS = 60_000;

/** `POST /snapshot`: 204 when there was nothing to do. */
export async function handleSnapshot(request: HttpRequest, parts: SnapshotParts): Promise<HttpResponse> {
  const asked = Number(request.params.get("trailing_logs") || 0);
  if (asked < 0) throw new HttpError(400, "trailing_logs is not a valid integer");
  parts.counters.user_snapshots++;
  const params = { trailing: asked || TRAILING_LOGS, timeoutMs: TIMEOUT_MS };
  const { store } = parts.counters.done;
  const { result: { done } } = await operate(request, parts, "snapshot", params).catch((error) => {
    store.num_user_snapshots_failed++;
    throw error;
  });
  store.num_user_snapshots++;
  return { status: done ? 200 : 204, body: "" };
}

/** `POST /verify`: 200 with the hash of each node's content, 503 when no comparison was possible. */
export async function handleVerify(request: HttpRequest, parts: SnapshotParts): Promise<HttpResponse> {
  try {
    const { result } = await operate(request, parts, "verify", {});
    return { status: 200, body: `${JSON.stringify(result)}\n` };
  } catch (error) {
    if (!(unwrapped(error) instanceof OperationError)) throw error;
    throw new HttpError(503, messageOf(error));
  }
}

/** `POST /reap`. */
export async function handleReap(request: HttpRequest, parts: SnapshotParts): Promise<HttpResponse> {
  parts.counters.user_reaps++;
  await operate(request, parts, "reap", {}); // a client agent has a server check the user
  return { status: 200, body: '{"snapshots_reaped":0,"wals_checkpointed":0}\n' };
}
