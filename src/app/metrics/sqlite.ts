/**
 * Metrics of the database (docs/metrics.md).
 * @module
 */
import type { Activity } from "../../base/shared/activity.ts";
import { counter, type Family, gauge, histogram } from "../../core/metrics/family.ts";
import type { Counters } from "../database/counters.ts";
import type { Readers } from "../database/readers.ts";
import type { WriteQueue } from "../database/write_queue.ts";

/** Bytes of the database's files. */
export interface DatabaseSizes {
  readonly databaseBytes: number;
  readonly walBytes: number;
}

/** Sources of these metrics. */
export interface SqliteParts {
  /** Undefined where there is no writer. */
  readonly activity: Activity | undefined;
  readonly readers: Pick<Readers, "status" | "waits">;
  readonly queue: Pick<WriteQueue, "size">;
  readonly counters: Pick<Counters, "done">;
  databaseSizes(): Promise<DatabaseSizes>;
}

/** What readers and writer have counted. */
export function sqliteFamilies({ activity, readers, queue, counters: { done } }: SqliteParts): Family[] {
  const { readers: open, busy, waiting } = readers.status();
  const counts = activity?.counts.all;
  return [
    gauge("muster_sqlite_readers", "Workers that answer reads", open),
    gauge("muster_sqlite_readers_busy", "Those of them that are at a read", busy),
    gauge("muster_sqlite_reads_waiting", "Reads that wait for a reader", waiting),
    counter("muster_sqlite_read_waits_total", "Reads that had to wait for a reader", readers.waits.count),
    gauge("muster_write_queue_statements", "Queued statements that are not written yet", queue.size),
    counter(
      "muster_sqlite_statements_total",
      "Statements by kind: writes of the log, reads of this node",
      counts && [
        { labels: { kind: "execute" }, value: counts.executions },
        { labels: { kind: "query" }, value: counts.queries + done.db.queries },
      ],
    ),
    counter("muster_sqlite_statement_errors_total", "Statements of the log that failed", counts?.execution_errors),
    counter("muster_sqlite_checkpoints_total", "Checkpoints of the WAL", counts?.checkpoints),
    counter("muster_sqlite_checkpoint_errors_total", "Checkpoints that failed", counts?.checkpoint_errors),
    histogram(
      "muster_sqlite_apply_duration_seconds",
      "Time to apply the committed entries that were handed to the database together",
      activity?.applications,
    ),
  ];
}

/** What the files take. */
export async function databaseFamilies({ databaseSizes }: Pick<SqliteParts, "databaseSizes">): Promise<Family[]> {
  const { databaseBytes, walBytes } = await databaseSizes();
  return [
    gauge("muster_sqlite_database_bytes", "Bytes of the database's file", databaseBytes),
    gauge(
      "muster_sqlite_wal_bytes",
      "Bytes of the file of the WAL, which keeps up to 40 MiB until a restart",
      walBytes,
    ),
  ];
}
