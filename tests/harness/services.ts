/**
 * The services of a node for the handlers of its APIs, for tests that need no database: the other ends of its ports do
 * not answer.
 */
import type { HttpOptions } from "../../src/api/server/api.ts";
import type { Services } from "../../src/api/server/services.ts";
import type { Agent } from "../../src/app/agent/agent.ts";
import { Catalog } from "../../src/app/agent/catalog.ts";
import { EventLog } from "../../src/app/agent/event_log.ts";
import { Backups } from "../../src/app/database/backups.ts";
import { newCounters } from "../../src/app/database/counters.ts";
import { Database } from "../../src/app/database/database.ts";
import { Readers } from "../../src/app/database/readers.ts";
import { ReplicaClient } from "../../src/app/database/replica_client.ts";
import { WriteQueue } from "../../src/app/database/write_queue.ts";
import { AnswerBudget } from "../../src/base/worker/answer_budget.ts";
import { NODE_STATE_BYTES, NodeState } from "../../src/base/worker/node_state.ts";
import { PoolClient } from "../../src/drivers/membership/client.ts";

const OPTIONS: HttpOptions = {
  nodeId: "1",
  version: "v0",
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

/** Services, and the end of their lines. */
export interface FakeServices {
  readonly services: Services;
  close(): void;
}

/** Services of an agent that is a server. */
export function fakeServices({ users }: Partial<Pick<Services, "users">> = {}): FakeServices {
  const channels = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
  const answers = new AnswerBudget();
  const parts = {
    options: OPTIONS,
    state: new NodeState(new SharedArrayBuffer(NODE_STATE_BYTES)),
    activity: undefined,
    replica: new ReplicaClient(
      { replica: channels[0].port1, writer: channels[1].port1 },
      () => Promise.reject(new Error("nothing is served here")),
      answers,
    ),
    readers: new Readers(() => {}, answers),
    answers,
    counters: newCounters(),
  };
  return {
    services: {
      uploader: undefined,
      restore: undefined,
      ...parts,
      database: new Database(parts),
      backups: new Backups(() => {}),
      queue: new WriteQueue(OPTIONS.writeQueue, () => Promise.reject(new Error("nothing is written here")), () => {}),
      catalog: new Catalog(parts),
      agent: agentOf(channels[2].port1),
      users,
      log: () => {},
      expiry: { http: undefined, node: undefined },
      directorySize: () => Promise.resolve(0),
    },
    close() {
      for (const { port1, port2 } of channels) {
        port1.close();
        port2.close();
      }
    },
  };
}

/** The part of an agent that needs no pool: its events. */
function agentOf(line: MessagePort): Agent {
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
    },
    pool: new PoolClient(line),
    events: new EventLog("n"),
    askSupervisor: () => Promise.reject(new Error("there is no supervisor here")),
  };
}
