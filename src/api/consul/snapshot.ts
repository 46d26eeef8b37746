/**
 * `/v1/snapshot`: catalog, keys and sessions as one file, and back (C7.7): a compressed tar archive of `meta.json`,
 * `state.bin` and `SHA256SUMS`, as Consul has it; the state is this program's own. The SQL data have backups of their own
 * (`/db/backup`).
 * @module
 */
import { createTar, parseTar } from "nanotar";
import { gunzipSync, gzipSync } from "fflate";
import { messageOf } from "../../base/codec/error_text.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { OperateParts } from "./parts.ts";
import { DONE, elsewhere, operate } from "./respond.ts";

const META = "meta.json";
const STATE = "state.bin";
const SUMS = "SHA256SUMS";
/** Bytes of an archive when it is unpacked. */
const BYTES_MAX = 512 * 1024 * 1024;

/** `GET /v1/snapshot`, `?stale`. */
export async function save(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const isStale = request.params.has("stale");
  const done = await operate(request, parts, "snapshotSave", { isStale });
  const { lines, index } = done.result;
  const meta = new TextEncoder().encode(JSON.stringify({
    Version: 1,
    ID: `${index}-${Date.now()}`,
    Index: index,
    Term: 0,
    Size: lines.length,
  }));
  const sums = `${await sumOf(meta)}  ${META}\n${await sumOf(lines)}  ${STATE}\n`;
  const archive = createTar([
    { name: META, data: meta, attrs: { mode: "600" } },
    { name: STATE, data: lines, attrs: { mode: "600" } },
    { name: SUMS, data: sums, attrs: { mode: "600" } },
  ]);
  return {
    status: 200,
    body: gzipSync(archive),
    contentType: "application/x-gzip",
    headers: { "X-Consul-Index": String(index), "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0" },
    ...elsewhere(done),
  };
}

/** `PUT /v1/snapshot`: takes the place of what is there. */
export async function restore(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  if (request.params.has("stale")) throw new HttpError(400, "stale not allowed for restore");
  const lines = await stateOf(request.body);
  return { ...DONE, ...elsewhere(await operate(request, parts, "snapshotRestore", { lines })) };
}

/** The state in an archive, whose sums are right. @throws {HttpError} */
async function stateOf(body: Uint8Array): Promise<Uint8Array> {
  const files = new Map<string, Uint8Array>();
  try {
    if (sizeOf(body) > BYTES_MAX) throw new Error("it is too large");
    for (const { name, data } of parseTar(gunzipSync(body))) if (data) files.set(name, data);
  } catch (error) {
    throw new HttpError(400, `failed to read snapshot file: ${messageOf(error)}`);
  }
  const [state, sums] = [files.get(STATE), files.get(SUMS)];
  if (!state || !sums) throw new HttpError(400, `failed to read snapshot file: expected ${META}, ${STATE} and ${SUMS}`);
  for (const line of new TextDecoder().decode(sums).trim().split("\n")) {
    const [sum, name] = line.split(/\s+/);
    const file = files.get(name);
    if (!file || await sumOf(file) !== sum) {
      throw new HttpError(400, `failed to verify snapshot file: ${String(name).slice(0, 64)} is damaged`);
    }
  }
  return state;
}

/** What gzip says of the size of what it holds (RFC 1952 §2.3.1), so that none is unpacked that is too large. */
function sizeOf(archive: Uint8Array): number {
  return archive.length < 4
    ? 0
    : new DataView(archive.buffer, archive.byteOffset + archive.length - 4).getUint32(0, true);
}

async function sumOf(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toHex();
}
