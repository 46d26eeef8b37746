/**
 * `/v1/snapshot`: catalog, keys and sessions as one file, and back (C7.7). The SQL data have backups of their own
 * (`/db/backup`).
 * @module
 */
import { openSnapshot, packSnapshot, SnapshotFileError } from "../../app/services/snapshot_archive.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { OperateParts } from "./parts.ts";
import { DONE, elsewhere, operate } from "./respond.ts";

/** `GET /v1/snapshot`, `?stale`. */
export async function save(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const isStale = request.params.has("stale");
  const done = await operate(request, parts, "snapshotSave", { isStale });
  const index = String(done.result.index);
  return {
    status: 200,
    body: await packSnapshot(done.result),
    contentType: "application/x-gzip",
    headers: { "X-Consul-Index": index, "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0" },
    ...elsewhere(done),
  };
}

/** `PUT /v1/snapshot`: takes the place of what is there. */
export async function restore(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  if (request.params.has("stale")) throw new HttpError(400, "stale not allowed for restore");
  const lines = await stateIn(request.body);
  return { ...DONE, ...elsewhere(await operate(request, parts, "snapshotRestore", { lines })) };
}

async function stateIn(body: Uint8Array): Promise<Uint8Array> {
  try {
    return (await openSnapshot(body)).state;
  } catch (error) {
    if (error instanceof SnapshotFileError) throw new HttpError(400, error.message);
    throw error;
  }
}
