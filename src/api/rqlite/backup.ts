/**
 * `GET /db/backup`: sends the database as a file or as SQL text, from any node. A node that does not lead first applies
 * everything that the leader has committed, unless the client accepts the node's own state.
 * @module
 */
import type { Backups } from "../../app/database/backups.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { BackupOptions } from "../../drivers/backup/api.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { LeaderParts } from "./leadership.ts";

/** Dependencies of the endpoint. */
export interface BackupParts {
  readonly backups: Backups;
  readonly replica: LeaderParts["replica"];
  readonly counters: Pick<LeaderParts["counters"], "leader_not_found"> & { backups: number };
  readonly options: LeaderParts["options"] & { readonly advertisedAddr: string };
}

const FORMATS: Readonly<Record<string, BackupOptions["format"]>> = { binary: "wal", delete: "delete", sql: "sql" };
const TYPES: Readonly<Record<BackupOptions["format"], string>> = {
  wal: "application/octet-stream",
  delete: "application/octet-stream",
  sql: "application/sql",
};

/** `GET /db/backup`. */
export async function handleBackup(request: HttpRequest, parts: BackupParts): Promise<HttpResponse> {
  const options = backupOptions(request);
  const moved = request.params.has("noleader") ? undefined : await refresh(request, parts);
  if (moved) return moved;
  parts.counters.backups++;
  try {
    const { length, pieces } = await parts.backups.open(options);
    return {
      status: 200,
      body: "",
      contentType: options.isCompressed ? "application/gzip" : TYPES[options.format],
      servedBy: parts.options.advertisedAddr,
      stream: { ...(length === undefined ? {} : { length }), pieces: () => pieces },
    };
  } catch (error) {
    throw new HttpError(500, messageOf(error));
  }
}

function backupOptions({ params }: HttpRequest): BackupOptions {
  const format = FORMATS[(params.get("fmt") || "binary").toLowerCase()];
  const isVacuumed = params.has("vacuum");
  if (format === undefined || isVacuumed && format !== "wal") throw new HttpError(500, "invalid backup format");
  const tables = (params.get("tables") ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (tables.length > 0 && format !== "sql") throw new HttpError(400, "tables can only be chosen with fmt=sql");
  const isCompressed = params.has("compress");
  return { format, isVacuumed, isCompressed, ...(tables.length > 0 ? { tables } : {}) };
}

/** Waits until this node has what the leader had committed when it was asked, or sends the client there. */
async function refresh({ params, target }: HttpRequest, parts: BackupParts): Promise<HttpResponse | undefined> {
  const { leader } = parts.replica;
  if (!leader) {
    parts.counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  if (params.has("redirect") && leader.id !== parts.options.nodeId) {
    if (leader.apiUrl === "") throw new HttpError(500, "leader not found");
    return { status: 301, body: "", location: leader.apiUrl + target };
  }
  const { error } = await parts.replica.call("caughtUp", { timeoutMs: params.timeoutMs });
  if (error !== undefined) {
    throw new HttpError(503, `this node cannot catch up with the leader: ${error}`, { retryAfter: 1 });
  }
  return undefined;
}
