/**
 * The services of a node for the handlers of its APIs, for tests that need no database: the other ends of its ports do
 * not answer.
 */
import { History } from "../../src/core/metrics/history.ts";
import type { HttpOptions } from "../../src/api/server/api.ts";
import { nodeAccess } from "../../src/api/server/access.ts";
import type { Services } from "../../src/api/server/services.ts";
import type { Agent, AgentOptions } from "../../src/app/agent/agent.ts";
import { Catalog } from "../../src/app/agent/catalog.ts";
import { ConsolePage } from "../../src/api/console/page.ts";
import { LivePicture } from "../../src/app/picture/live_picture.ts";
import { LiveQueries } from "../../src/app/changes/live_queries.ts";
import { ChangeFeed } from "../../src/app/changes/change_feed.ts";
import { TableWatches } from "../../src/app/changes/table_watches.ts";
import { SlowStatements } from "../../src/app/database/slow_statements.ts";
import { KeyTimers } from "../../src/app/keys/key_timers.ts";
import { SessionTimers } from "../../src/app/keys/session_timers.ts";
import { LocalState } from "../../src/app/services/local_state.ts";
import { AUTOPILOT_DEFAULTS } from "../../src/app/agent/autopilot.ts";
import { nodeOperations } from "../../src/app/services/node_operations.ts";
import { EventLog } from "../../src/app/agent/event_log.ts";
import { Backups } from "../../src/app/database/backups.ts";
import { MemberEvents } from "../../src/app/metrics/member_events.ts";
import { RequestCounts } from "../../src/api/http/request_counts.ts";
import { countedFamilies } from "../../src/api/metrics/prometheus.ts";
import { DnsCounts } from "../../src/base/shared/dns_counts.ts";
import { Intervals } from "../../src/core/metrics/intervals.ts";
import { newCounters } from "../../src/app/database/counters.ts";
import { writeBatch } from "../../src/app/database/data_operations.ts";
import { Database } from "../../src/app/database/database.ts";
import { Readers } from "../../src/app/database/readers.ts";
import { ReplicaClient } from "../../src/app/database/replica_client.ts";
import { WriteQueue } from "../../src/app/database/write_queue.ts";
import type { Elsewhere } from "../../src/app/database/operation.ts";
import { AnswerBudget } from "../../src/base/shared/answer_budget.ts";
import { NODE_STATE_BYTES, NodeState } from "../../src/base/shared/node_state.ts";
import { PoolClient } from "../../src/drivers/membership/client.ts";

const OPTIONS: HttpOptions = {
  nodeId: "1",
  version: "v0",
  programVersion: "0.1.0",
  bindAddrs: ["127.0.0.1:0"],
  tlsAddrs: [],
  advertisedAddr: "h:1",
  clusterAddr: "h:2",
  isVoter: true,
  allowOrigin: "https://a.example",
  bodyBytesMax: 100_000,
  requestsMax: 100,
  connectionsMax: 3,
  bodyTimeoutMs: 300,
  queryTimeoutMs: 1000,
  slowMs: 0,
  readersMax: 4,
  autoVacuumMs: 0,
  autoOptimizeMs: 0,
  writeQueue: { capacity: 8, batchSize: 4, timeoutMs: 10, isTransaction: false },
  heartbeatTimeoutMs: 1000,
  facts: {},
  storeFacts: { store: {}, raft: {} },
  startedMs: 0,
};

const NO_TLS = {
  caPath: "",
  certFile: "",
  minVersion: "TLSv1.2",
  verifiesIncoming: false,
  verifiesOutgoing: false,
  verifiesName: false,
};

/** Services, and the other ends of their lines. */
export interface FakeServices {
  readonly services: Services;
  readonly ends: { readonly replica: MessagePort; readonly writer: MessagePort; readonly pool: MessagePort };
  close(): void;
}

/** What differs from the standard; `null` for an agent: the node is none. */
export interface FakeOptions extends Partial<Pick<Services, "users">> {
  readonly options?: Partial<HttpOptions>;
  readonly agent?: Partial<AgentOptions> | null;
  /** The index in the file that lets access control be bootstrapped again. @default {none} */
  takeBootstrapReset?(): Promise<number>;
  /** The way to other datacenters. @default {none} */
  readonly elsewhere?: Elsewhere;
  /** Wanted: the backup Worker. */
  wakeBackups?(backups: Backups): void;
}

/** Services of an agent that is a server. */
export function fakeServices(
  { users, options = {}, agent = {}, elsewhere, wakeBackups = () => {}, takeBootstrapReset = () => Promise.resolve(0) }:
    FakeOptions = {},
): FakeServices {
  const channels = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
  const answers = new AnswerBudget();
  const pool = agent === null ? undefined : agentOf(channels[2].port1, agent);
  const backups = new Backups(() => wakeBackups(backups));
  const parts = {
    options: { ...OPTIONS, ...options, ...(pool ? { agent: pool.options } : {}) },
    state: new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES)),
    activity: undefined,
    replica: new ReplicaClient(
      { replica: channels[0].port1, writer: channels[1].port1 },
      { serve: (call, over) => operations.serve(call, over), mayJoin: () => Promise.resolve(true) },
      answers,
    ),
    readers: new Readers(() => {}, answers),
    answers,
    counters: newCounters(),
    slow: new SlowStatements(0, () => {}),
    requests: new RequestCounts(),
    dns: pool && new DnsCounts(),
    memberEvents: pool && new MemberEvents(),
    users,
    log: () => {},
  };
  const database = new Database(parts);
  const catalog = new Catalog(parts);
  const queue = new WriteQueue(parts.options.writeQueue, (...batch) => writeBatch(operations, ...batch), () => {});
  const timers = new SessionTimers({ catalog, state: parts.state, log: parts.log });
  const watches = new TableWatches(undefined);
  const changes = new ChangeFeed({ catalog, watches });
  const keyTimers = new KeyTimers({ catalog, state: parts.state, log: parts.log });
  const access = nodeAccess({ ...parts, agent: pool, catalog, operations: () => operations });
  const picture = new LivePicture({ ...parts, agent: pool, operations: () => operations });
  const operations = nodeOperations({
    ...parts,
    database,
    queue,
    catalog,
    agent: pool,
    elsewhere,
    backups,
    timers,
    keyTimers,
    access,
    takeBootstrapReset,
    expiry: { http: undefined, node: undefined },
    disk: () => Promise.resolve({ usedBytes: 0 }),
    picture: () => picture.picture(),
  });
  const local = pool && localOf(pool);
  const { port2: replica } = channels[0];
  const services: Services = {
    tracer: undefined,
    history: new History(),
    uploader: undefined,
    restore: undefined,
    local,
    ...parts,
    database,
    backups,
    largeBodies: undefined,
    operations,
    queue,
    catalog,
    watches,
    changes,
    picture,
    console: new ConsolePage(() => Promise.resolve([])),
    live: new LiveQueries({ ...parts, watches }),
    delivery: undefined,
    agent: pool,
    access,
    keepTokens: () => Promise.resolve(),
    expiry: { http: undefined, node: undefined },
    intervals: new Intervals(() => countedFamilies(services), Date.now()),
    directorySize: () => Promise.resolve(0),
    databaseSizes: () => Promise.resolve({ databaseBytes: 0, walBytes: 0 }),
  };
  return {
    ends: { replica, writer: channels[1].port2, pool: channels[2].port2 },
    services,
    close() {
      local?.close();
      for (const { port1, port2 } of channels) {
        port1.close();
        port2.close();
      }
    },
  };
}

/** The services of an agent, which are kept nowhere; no check runs. */
function localOf({ options, events }: Agent): LocalState {
  const local = new LocalState({
    options: { scripts: "none", outputBytesMax: 4096, discardsOutput: false, updateIntervalMs: 300_000 },
    nodeName: options.nodeName,
    store: { keep: () => Promise.resolve(), forget: () => Promise.resolve() },
    runner: { start() {}, stop() {} },
    remoteStatus: () => Promise.resolve(undefined),
    log() {},
  });
  events.services = () => [...local.services.values()].map(({ definition }) => definition);
  return local;
}

/** An agent whose pool is asked through `line`. */
export function agentOf(line: MessagePort, options: Partial<AgentOptions>): Agent {
  return {
    options: {
      nodeName: "n",
      nodeId: "1",
      datacenter: "dc1",
      isServer: true,
      bootstrap: false,
      meta: {},
      tls: { https: NO_TLS, calls: NO_TLS },
      queryTimeMs: { standard: 300_000, most: 600_000 },
      limits: { kvValueBytes: 524_288, txnBytes: 524_288, sessionTtlMs: 10_000 },
      autopilot: AUTOPILOT_DEFAULTS,
      ...options,
    },
    pool: new PoolClient(line),
    wan: undefined,
    router: undefined,
    events: new EventLog("n"),
    askSupervisor: () => Promise.reject(new Error("there is no supervisor here")),
  };
}
