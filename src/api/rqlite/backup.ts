/**
 * `GET /db/backup`: sends the database as a file or as SQL text, from any node. A node that does not lead first applies
 * everything that the leader has committed, unless the client accepts the node's own state. A client agent passes on the
 * backup of a server as the client takes it.
 * @module
 */
import { type BackupParts as Sources, openBackup, openBackupElsewhere } from "../../app/database/backup_operations.ts";
import type { BackupOptions } from "../../drivers/backup/api.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { clientOf, isClientAgent, type LeaderParts, redirected, withStatus } from "./leadership.ts";

/** Dependencies of the endpoint. */
export interface BackupParts extends LeaderParts, Pick<Sources, "backups"> {
  readonly replica: Sources["replica"];
  readonly counters: LeaderParts["counters"] & { backups: number };
  readonly options: LeaderParts["options"] & { readonly advertisedAddr: string };
}

/** Any other `fmt`, and none, is a file in WAL mode, as in rqlite. */
const FORMATS: ReadonlyMap<string, BackupOptions["format"]> = new Map([["delete", "delete"], ["sql", "sql"]]);
const TYPES: Readonly<Record<BackupOptions["format"], string>> = {
  wal: "application/octet-stream",
  delete: "application/octet-stream",
  sql: "application/sql",
};

/** `GET /db/backup`. */
export async function handleBackup(request: HttpRequest, parts: BackupParts): Promise<HttpResponse> {
  const { params, whenOver } = request;
  const options = backupOptions(request);
  const wanted = { options, takesStale: params.has("noleader"), timeoutMs: params.timeoutMs };
  const { replica: { leader }, counters } = parts;
  if (!wanted.takesStale && !leader) {
    counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  const isElsewhere = isClientAgent(parts);
  const mayRedirect = params.has("redirect") && !wanted.takesStale && !isElsewhere;
  if (mayRedirect && leader?.id !== parts.options.nodeId) throw redirected(request, parts);
  counters.backups++;
  const opened = isElsewhere
    ? openBackupElsewhere(parts.operations, wanted, { by: clientOf(request), whenOver })
    : openBackup(parts, wanted).then((found) => ({ ...found, servedBy: parts.options.advertisedAddr }));
  const { length, pieces, servedBy } = await opened.catch((error) => {
    throw withStatus(error, "openBackup", parts);
  });
  if (isElsewhere) counters.remote_backups++;
  return {
    status: 200,
    body: "",
    contentType: TYPES[options.format], // rqlite's, also where the body is compressed
    servedBy,
    stream: { ...(length === undefined ? {} : { length }), pieces: () => pieces },
  };
}

function backupOptions({ params }: HttpRequest): BackupOptions {
  const format = FORMATS.get((params.get("fmt") ?? "").toLowerCase()) ?? "wal";
  const isVacuumed = params.has("vacuum");
  if (isVacuumed && format !== "wal") throw new HttpError(500, "invalid backup format");
  const listed = format === "sql" ? params.get("tables") ?? "" : ""; // a file has all of them
  const tables = listed.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const isCompressed = params.has("compress");
  return { format, isVacuumed, isCompressed, ...(tables.length > 0 ? { tables } : {}) };
}
