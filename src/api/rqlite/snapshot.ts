/**
 * `POST /snapshot` and `POST /reap` (spec/rqlite.md 13.5, 13.6). The database is its own snapshot: to take one is to make
 * what is applied durable and to cut the log behind it. The log is cut by whole segments, so at least `trailing_logs` entries stay;
 * the request begins a segment, for the next one to cut at. No copies are stored, so there are none to consolidate.
 * `POST /verify` is muster's own: it compares the content of all replicas at one index.
 * @module
 */
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest, Services } from "../http/request.ts";

/** Entries that stay in the log where the request names no number: rqlite's default. */
const TRAILING_LOGS = 10_240;
const TIMEOUT_MS = 60_000;

/** `POST /snapshot`: 204 when there was nothing to do. */
export async function handleSnapshot(request: HttpRequest, services: Services): Promise<HttpResponse> {
  const asked = Number(request.params.get("trailing_logs") || 0);
  if (asked < 0) throw new HttpError(400, "trailing_logs is not a valid integer");
  services.counters.user_snapshots++;
  try {
    const params = { trailing: asked || TRAILING_LOGS, timeoutMs: TIMEOUT_MS };
    const { done } = await services.replica.call("snapshot", params);
    return { status: done ? 200 : 204, body: "" };
  } catch (error) {
    throw new HttpError(500, error instanceof Error ? error.message : String(error));
  }
}

/** `POST /verify`: 200 with the hash of each node's content, 503 when no comparison was possible. */
export async function handleVerify(_request: HttpRequest, services: Services): Promise<HttpResponse> {
  try {
    return { status: 200, body: `${JSON.stringify(await services.replica.call("verify", {}))}\n` };
  } catch (error) {
    throw new HttpError(503, error instanceof Error ? error.message : String(error));
  }
}

/** `POST /reap`. */
export function handleReap(_request: HttpRequest, services: Services): HttpResponse {
  services.counters.user_reaps++;
  return { status: 200, body: '{"snapshots_reaped":0,"wals_checkpointed":0}\n' };
}
