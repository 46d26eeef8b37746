/**
 * Counters of clients' requests, for `/status` and `/debug/vars`.
 * @module
 */

/** Counters of a fresh start. */
export function newCounters(): Counters {
  return {
    executions: 0,
    sql_analyze: 0,
    queries: 0,
    requests: 0,
    execute_stmts_rx: 0,
    query_stmts_rx: 0,
    request_stmts_rx: 0,
    num_status: 0,
    num_readyz: 0,
    forwarded: 0,
    served: 0,
    leader_not_found: 0,
    reads_by_lease: 0,
    leases_lost: 0,
    bad_requests: 0,
    auth_ok: 0,
    auth_fail: 0,
    user_snapshots: 0,
    user_reaps: 0,
    backups: 0,
    loads: 0,
    queued_executions: 0,
    queued_executions_wait_timeout: 0,
    boots: 0,
    auto_vacuums: 0,
    auto_vacuums_failed: 0,
    auto_optimizes: 0,
    auto_optimizes_failed: 0,
    running: 0,
    body_bytes: 0,
  };
}

/** The counters for `/debug/vars` and `/status`. */
export interface Counters {
  executions: number;
  /** Requests to `/db/sql`. */
  sql_analyze: number;
  auto_vacuums: number;
  auto_vacuums_failed: number;
  auto_optimizes: number;
  auto_optimizes_failed: number;
  queries: number;
  requests: number;
  /** Statements in requests to `/db/execute`, queued ones left out. */
  execute_stmts_rx: number;
  /** Those in requests to `/db/query`. */
  query_stmts_rx: number;
  /** Those in requests to `/db/request`. */
  request_stmts_rx: number;
  /** Requests to `/status`. */
  num_status: number;
  /** Requests to `/readyz`. */
  num_readyz: number;
  forwarded: number;
  served: number;
  leader_not_found: number;
  /** Linearizable reads that a lease vouched for (R10). */
  reads_by_lease: number;
  /** Those whose lease was gone when they were done: repeated after a round. */
  leases_lost: number;
  bad_requests: number;
  /** Requests whose permissions were checked and granted, also where there are no users. */
  auth_ok: number;
  /** Those that were refused. */
  auth_fail: number;
  user_snapshots: number;
  user_reaps: number;
  backups: number;
  loads: number;
  queued_executions: number;
  queued_executions_wait_timeout: number;
  boots: number;
  /** Requests under way. */
  running: number;
  /** Bytes of large bodies in memory. */
  body_bytes: number;
}
