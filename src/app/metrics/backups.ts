/**
 * Metrics of automatic backups (docs/metrics.md).
 * @module
 */
import { counter, type Family } from "../../core/metrics/family.ts";
import type { UploaderClient } from "../database/auto_restore.ts";

/** Sources of these metrics. */
export interface BackupParts {
  /** Absent without automatic backups and a restore. */
  readonly uploader: Pick<UploaderClient, "status"> | undefined;
}

/** What the uploader has done. */
export async function backupFamilies(uploader: Pick<UploaderClient, "status">): Promise<Family[]> {
  const { uploader: counts } = await uploader.status();
  return [
    counter(
      "muster_auto_backups_total",
      "Automatic backups by result; skipped: there was nothing new",
      counts && [
        { labels: { result: "ok" }, value: counts.num_uploads_ok },
        { labels: { result: "failed" }, value: counts.num_uploads_fail },
        { labels: { result: "skipped" }, value: counts.num_uploads_skipped + counts.num_uploads_skipped_id },
      ],
    ),
    counter(
      "muster_auto_backup_bytes_total",
      "Bytes of automatic backups that were uploaded",
      counts?.total_upload_bytes,
    ),
  ];
}
