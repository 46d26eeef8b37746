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
    queued_executions_wait: 0,
    queued_executions_wait_timeout: 0,
    boots: 0,
    auto_vacuums: 0,
    auto_vacuums_failed: 0,
    auto_optimizes: 0,
    auto_optimizes_failed: 0,
    remote_executions: 0,
    remote_executions_failed: 0,
    remote_queries: 0,
    remote_queries_failed: 0,
    remote_requests: 0,
    remote_requests_failed: 0,
    remote_backups: 0,
    remote_loads: 0,
    remote_remove_node: 0,
    num_conn_rejected: 0,
    request_timeouts: 0,
    connections: 0,
    running: 0,
    body_bytes: 0,
    done: newDone(),
  };
}

function newDone(): DoneCounters {
  return {
    cluster: {
      num_execute_req: 0,
      num_query_req: 0,
      num_request_req: 0,
      num_load_req: 0,
      num_backup_req: 0,
      num_remove_node_req: 0,
    },
    store: {
      num_loads: 0,
      num_boots: 0,
      num_user_snapshots: 0,
      num_user_snapshots_failed: 0,
      auto_vacuum_duration: 0,
    },
    db: { queries: 0, query_transactions: 0 },
  };
}

/** Counters of what was done, by group of `/debug/vars`. */
export interface DoneCounters {
  /** Operations that other nodes asked for. */
  readonly cluster: {
    num_execute_req: number;
    num_query_req: number;
    num_request_req: number;
    /** Steps of a load, or SQL texts. */
    num_load_req: number;
    num_backup_req: number;
    num_remove_node_req: number;
  };
  readonly store: {
    /** SQLite files that were loaded while this node led. */
    num_loads: number;
    num_boots: number;
    num_user_snapshots: number;
    num_user_snapshots_failed: number;
    /** Of the last one, in ms. */
    auto_vacuum_duration: number;
  };
  /** Statements of reads, and reads that are transactions. */
  readonly db: { queries: number; query_transactions: number };
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
  /** Those that wait to be written. */
  queued_executions_wait: number;
  queued_executions_wait_timeout: number;
  boots: number;
  /** Requests to `/db/execute` that another node has answered. */
  remote_executions: number;
  /** Those that could not be forwarded, or failed as a whole. */
  remote_executions_failed: number;
  remote_queries: number;
  remote_queries_failed: number;
  remote_requests: number;
  remote_requests_failed: number;
  remote_backups: number;
  remote_loads: number;
  remote_remove_node: number;
  /** Clients that were turned away at the limit of connections. */
  num_conn_rejected: number;
  /** Clients that were too slow with a request: 408. */
  request_timeouts: number;
  /** Open connections of clients. */
  connections: number;
  /** Requests under way. */
  running: number;
  /** Bytes of large bodies in memory. */
  body_bytes: number;
  /** In groups of their own. */
  readonly done: DoneCounters;
}

const SERVED: ReadonlyMap<string, keyof DoneCounters["cluster"]> = new Map([
  ["execute", "num_execute_req"],
  ["batch", "num_execute_req"],
  ["query", "num_query_req"],
  ["request", "num_request_req"],
  ["loadText", "num_load_req"],
  ["loadStep", "num_load_req"],
  ["openBackup", "num_backup_req"],
  ["remove", "num_remove_node_req"],
]);

/** Counts an operation that another node asks for, where rqlite counts it. */
export function countServed({ cluster }: Pick<DoneCounters, "cluster">, operation: string): void {
  const name = SERVED.get(operation);
  if (name !== undefined) cluster[name]++;
}
