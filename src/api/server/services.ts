/**
 * The services of a node for the handlers of its two APIs. Each handler names the few of them that it uses.
 * @module
 */
import type { Agent } from "../../app/agent/agent.ts";
import type { NodeOperations } from "../../app/services/node_operations.ts";
import type { Operations } from "../../app/database/operations.ts";
import type { Delivery } from "../../app/changes/delivery.ts";
import type { LiveQueries } from "../../app/changes/live_queries.ts";
import type { ChangeFeed } from "../../app/changes/change_feed.ts";
import type { TableWatches } from "../../app/changes/table_watches.ts";
import type { LivePicture } from "../../app/picture/live_picture.ts";
import type { Catalog } from "../../app/agent/catalog.ts";
import type { AutoRestore, UploaderClient } from "../../app/database/auto_restore.ts";
import type { Backups } from "../../app/database/backups.ts";
import type { Counters } from "../../app/database/counters.ts";
import type { Database } from "../../app/database/database.ts";
import type { Readers } from "../../app/database/readers.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { LocalState } from "../../app/services/local_state.ts";
import type { Access } from "../../app/acl/access.ts";
import type { Tracer } from "../../app/traces/tracer.ts";
import type { Users } from "../../app/users/users.ts";
import type { SlowStatements } from "../../app/database/slow_statements.ts";
import type { WriteQueue } from "../../app/database/write_queue.ts";
import type { Activity } from "../../base/shared/activity.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { DnsCounts } from "../../base/shared/dns_counts.ts";
import type { History } from "../../core/metrics/history.ts";
import type { Intervals } from "../../core/metrics/intervals.ts";
import type { MemberEvents } from "../../app/metrics/member_events.ts";
import type { DatabaseSizes } from "../../app/metrics/sqlite.ts";
import type { RequestCounts } from "../http/request_counts.ts";
import type { LargeBodies } from "../rqlite/large_bodies.ts";
import type { ConsolePage } from "../console/page.ts";
import type { HttpOptions } from "./api.ts";

/** Services of the node for its handlers. */
export interface Services {
  readonly options: HttpOptions;
  readonly state: NodeState;
  readonly console: ConsolePage;
  readonly picture: LivePicture;
  /** The writer's current activity; undefined if there is no writer. */
  readonly activity: Activity | undefined;
  readonly replica: ReplicaClient;
  readonly readers: Readers;
  readonly database: Database;
  /** The operations that clients ask for, done here or elsewhere. */
  readonly operations: Operations<NodeOperations>;
  readonly backups: Backups;
  /** Absent in a client agent. */
  readonly largeBodies: LargeBodies | undefined;
  /** Absent without automatic backups and a restore. */
  readonly uploader: UploaderClient | undefined;
  /** Present in a node of a new cluster that is to begin with a backup. */
  readonly restore: AutoRestore | undefined;
  readonly slow: SlowStatements;
  readonly queue: WriteQueue;
  /** Counts the bytes of long answers. */
  readonly answers: AnswerBudget;
  readonly catalog: Catalog;
  readonly watches: TableWatches;
  readonly changes: ChangeFeed;
  readonly live: LiveQueries;
  /** Present where changed rows are delivered to a sink. */
  readonly delivery: Delivery | undefined;
  /** Present in an agent (`muster agent`). */
  readonly agent: Agent | undefined;
  /** Its services and checks; present with it. */
  readonly local: LocalState | undefined;
  readonly counters: Counters;
  readonly requests: RequestCounts;
  /** Present where traces go to a collector. */
  readonly tracer: Tracer | undefined;
  /** What the name server counts; present in an agent, as is the next one. */
  readonly dns: DnsCounts | undefined;
  readonly memberEvents: MemberEvents | undefined;
  /** For `/v1/agent/metrics`. */
  readonly intervals: Intervals;
  /** For `/metrics/history`. */
  readonly history: History;
  /** Absent where everybody may do everything. */
  readonly users: Users | undefined;
  /** Absent where access control is off. */
  readonly access: Access | undefined;
  /** Keeps the tokens of the agent, as JSON, over a restart. */
  keepTokens(text: string): Promise<void>;
  /** When the certificates of HTTPS and of the traffic between nodes expire, RFC 3339; undefined where there is none. */
  readonly expiry: { http: string | undefined; node: string | undefined };
  /** Bytes of all files in the data directory. */
  directorySize(): Promise<number>;
  /** Bytes of the database's files. */
  databaseSizes(): Promise<DatabaseSizes>;
  log(line: string, level?: LogLevel): void;
}
